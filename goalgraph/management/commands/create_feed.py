"""`manage.py create_feed`: make what the change feed writes to outside the table, the event bus and the audit log's bucket."""

import itertools
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from goalgraph import wiring
from goalgraph.ports.audit_log import AuditLogUnavailable
from goalgraph.ports.events import EventBusUnavailable


class Command(BaseCommand):
    help = "Creates the event bus and the bucket of the audit log where they are not there yet. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            for done in itertools.chain(wiring.event_bus().ensure(), wiring.audit_log().ensure()):
                self.stdout.write(f"  {done}")
        except (EventBusUnavailable, AuditLogUnavailable) as error:
            raise CommandError(f"AWS refuses, or does not answer: {error}") from error
