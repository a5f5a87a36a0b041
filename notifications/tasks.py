"""Celery's entry points. A task that fails is tried again, and one that is lost is found by a sweep."""

from dataclasses import replace

from celery import shared_task

from goalgraph.auth.actor import SYSTEM, Actor
from notifications import address_services, delivery_services


@shared_task
def deliver(user_id: str, note_id: str, channel: str, tenant_id: str | None = None) -> None:
    delivery_services.deliver(replace(SYSTEM, tenant_id=tenant_id), user_id, note_id, channel)


@shared_task
def send_proof(user_id: str, channel: str, nonce: str, tenant_id: str | None = None) -> None:
    address_services.send_proof(Actor(user_id=user_id, tenant_id=tenant_id), channel, nonce)
