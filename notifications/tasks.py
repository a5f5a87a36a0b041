"""Celery's entry points. A task that fails is tried again, and one that is lost is found by a sweep."""

from dataclasses import replace

from celery import shared_task

from goalgraph.auth.actor import SYSTEM
from notifications import delivery_services


@shared_task
def deliver(user_id: str, note_id: str, channel: str, tenant_id: str | None = None) -> None:
    delivery_services.deliver(replace(SYSTEM, tenant_id=tenant_id), user_id, note_id, channel)
