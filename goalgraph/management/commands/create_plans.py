"""`manage.py create_plans`: make our plans at Stripe."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from billing import staff_services
from goalgraph.ports.payments import PaymentsRefused, PaymentsUnavailable


class Command(BaseCommand):
    help = "Makes the products and prices of our plans at Stripe that are not there yet, by their lookup keys. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = staff_services.create_plans()
        except (PaymentsUnavailable, PaymentsRefused) as error:
            raise CommandError(f"Stripe did not take the plans: {error}. Is STRIPE_SECRET_KEY right?") from error
        for sentence in made or ["all plans are there"]:
            self.stdout.write(f"  {sentence}")
