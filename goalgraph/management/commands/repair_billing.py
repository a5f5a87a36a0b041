"""`manage.py repair_billing`: compare what the table has with what Stripe says, as the repair of the night does."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing import account_services
from billing.account_services import Repaired
from goalgraph import wiring
from goalgraph.ports.payments import PaymentsRefused, PaymentsUnavailable

BATCH = 100


class Command(BaseCommand):
    help = "Takes the events of Stripe's that never came, and has accounts projected that are not as Stripe has them. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=settings.BILLING_EVENTS_BACK_DAYS, help="how far back to ask for events")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            missed = list(_missed(wiring.clock().now() - timedelta(days=options["days"])))
        except (PaymentsUnavailable, PaymentsRefused) as error:
            raise CommandError(f"Stripe did not answer: {error}") from error
        self.stdout.write(f"  {sum(batch.amiss for batch in missed)} events were missed")
        different = list(_different())
        self.stdout.write(f"  {sum(batch.amiss for batch in different)} accounts were different, and are projected anew")
        if failed := sum(batch.failed for batch in (*missed, *different)):
            raise CommandError(f"{failed} events or accounts could not be looked at; the log tells which. Run it again.")


def _missed(since: datetime) -> Iterator[Repaired]:
    events, last = wiring.payments().events(since)
    yield account_services.receive_missed(events)
    while last is not None:
        events, last = wiring.payments().events(since, last)
        yield account_services.receive_missed(events)


def _different() -> Iterator[Repaired]:
    batch, last = account_services.accounts_behind(None, BATCH)
    yield account_services.repair(batch)
    while last is not None:
        batch, last = account_services.accounts_behind(last, BATCH)
        yield account_services.repair(batch)
