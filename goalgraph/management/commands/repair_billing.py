"""`manage.py repair_billing`: compare what the table has with what Stripe says, as the repair of the night does."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing import account_services
from goalgraph import wiring
from goalgraph.ports.payments import PaymentsRefused, PaymentsUnavailable

BATCH = 100


class Command(BaseCommand):
    help = "Takes the events of Stripe's that never came, and has accounts projected that are not as Stripe has them. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=settings.BILLING_EVENTS_BACK_DAYS, help="how far back to ask for events")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            missed = account_services.receive_missed(wiring.clock().now() - timedelta(days=options["days"]))
            self.stdout.write(f"  {missed} events were missed")
            different, last = account_services.repair(most=BATCH)
            while last is not None:
                more, last = account_services.repair(last, most=BATCH)
                different += more
        except (PaymentsUnavailable, PaymentsRefused) as error:
            raise CommandError(f"Stripe did not answer: {error}") from error
        self.stdout.write(f"  {different} accounts were different, and are projected anew")
