"""Celery's entry points. A task that fails is tried again, and one that is lost is found by the sweep."""

from celery import shared_task

from offers import publishing_services


@shared_task
def publish(offer_id: str) -> None:
    publishing_services.publish(offer_id)


@shared_task
def sweep() -> None:
    publishing_services.sweep()
