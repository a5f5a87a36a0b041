"""`manage.py rebuild_leaderboards`: fill the leaderboards anew from what members earned."""

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from gamification import board_services
from goalgraph.auth.actor import SYSTEM
from goalgraph.ports.leaderboards import LeaderboardsUnavailable

STEP = 10_000


class Command(BaseCommand):
    help = "Fills the leaderboards anew from the members' aggregates. Readers see the old ones until it is done. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--if-lost", action="store_true", help="only where they are not complete, as after a loss of Redis")

    def handle(self, *args: Any, **options: Any) -> None:
        for tenant_id in [None, *settings.TENANTS]:
            actor, name = replace(SYSTEM, tenant_id=tenant_id), tenant_id or "open platform"
            if options["if_lost"] and board_services.is_complete(actor):
                self.stdout.write(f"  {name}: complete")
                continue
            try:
                count = board_services.rebuild(actor, self._say)
            except LeaderboardsUnavailable as error:
                raise CommandError(f"The leaderboards of the {name} were not filled: {error}") from error
            self.stdout.write(f"  {name}: {count} scores filled in")

    def _say(self, done: int) -> None:
        if done % STEP < board_services.AT_ONCE:
            self.stdout.write(f"  {done:,} scores ...")
