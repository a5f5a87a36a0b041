"""Celery's entry points. A task that fails is tried again, and one that is lost is found by a sweep."""

from celery import shared_task

from chat import moderation_services as moderation


@shared_task
def review_room(room_id: str, seq: int, tenant_id: str | None = None) -> None:
    moderation.review_room(moderation.platform(tenant_id), room_id, seq)


@shared_task
def review_message(room_id: str, seq: int, tenant_id: str | None = None) -> None:
    moderation.review_message(moderation.platform(tenant_id), room_id, seq)
