"""`manage.py create_queues`: make the queues of the workers, and their dead-letter queues."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from goalgraph.adapters import queues


class Command(BaseCommand):
    help = "Creates the SQS queues with their dead-letter queues, or sets right those that are there. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.CELERY_BROKER_URL.startswith("sqs:"):
            raise CommandError("CELERY_BROKER_URL is no SQS, so there are no queues to create.")
        try:
            for done in queues.ensure():
                self.stdout.write(f"  {done}")
        except queues.QueuesUnavailable as error:
            raise CommandError(f"SQS refuses, or does not answer: {error}") from error
