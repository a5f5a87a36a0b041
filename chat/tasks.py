"""Celery's entry points: reviews that a sweep found, or that were left of a long one. One that is lost is found again."""

from celery import shared_task

from chat import moderation_services as moderation


@shared_task
def review_room(room_id: str, seq: int, tenant_id: str | None = None) -> None:
    moderation.review_room(moderation.platform(tenant_id), room_id, seq)


@shared_task
def review_message(room_id: str, seq: int, tenant_id: str | None = None) -> None:
    moderation.review_message(moderation.platform(tenant_id), room_id, seq)
