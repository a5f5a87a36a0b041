"""`manage.py sweep_moderation`: have everything reviewed whose review was lost."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from chat import moderation_services as moderation


class Command(BaseCommand):
    help = "Enqueues the review of messages whose own was lost. Safe to repeat; every ten minutes is often enough."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", action="append", default=[], metavar="ID", help="a company tenant to sweep as well")

    def handle(self, *args: Any, **options: Any) -> None:
        for tenant_id in [None, *options["tenant"]]:
            count = moderation.sweep(moderation.platform(tenant_id))
            self.stdout.write(f"  {tenant_id or 'open platform'}: {count} reviews enqueued")
