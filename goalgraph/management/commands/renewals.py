"""`manage.py renewals`: which subscriptions go on with another period on a day."""

from datetime import date
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing import renewal_services
from goalgraph import wiring


class Command(BaseCommand):
    help = "Lists the subscriptions whose period ends on a day (UTC) and which then go on, the open platform's and each tenant's."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--day", metavar="YYYY-MM-DD", help="the day; today without it")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            day = date.fromisoformat(options["day"]) if options["day"] else wiring.clock().now().date()
        except ValueError as error:
            raise CommandError("Give the day as YYYY-MM-DD.") from error
        count = 0
        for tenant_id in [None, *settings.TENANTS]:
            for renewal in renewal_services.renewals(tenant_id, day):
                count += 1
                where = f" in {tenant_id}" if tenant_id else ""
                self.stdout.write(f"  {renewal.period_ends:%H:%M}  {renewal.owner_id}{where}  {renewal.plan_id} by the {renewal.interval}")
        self.stdout.write(f"{count} on {day}")
