"""Celery's entry points of the due wheel. `minute` is ISO 8601 in UTC."""

from dataclasses import replace
from datetime import datetime

from celery import shared_task

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM
from goalgraph.wheel import sweeping
from goalgraph.wheel.repository import Bucket


@shared_task
def tick(tenant_id: str | None = None) -> None:
    sweeping.tick(replace(SYSTEM, tenant_id=tenant_id), wiring.clock().now())


@shared_task
def sweep(minute: str, shard: int, tenant_id: str | None = None) -> None:
    sweeping.sweep(replace(SYSTEM, tenant_id=tenant_id), Bucket(datetime.fromisoformat(minute), shard))


@shared_task
def turn_one(minute: str, shard: int, sk: str, tenant_id: str | None = None) -> None:
    sweeping.turn_one(replace(SYSTEM, tenant_id=tenant_id), Bucket(datetime.fromisoformat(minute), shard), sk)
