"""`manage.py rebuild_search`: fill the search index anew from the offers."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from goalgraph.ports.search import SearchUnavailable
from offers import indexing_services

STEP = 10_000


class Command(BaseCommand):
    help = "Fills the search index anew from the offers. Searches see the old one until it is done. Safe to repeat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--if-lost", action="store_true", help="only where it is not complete, as after a loss of its files")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["if_lost"] and indexing_services.is_complete():
            self.stdout.write("  The search index is complete.")
            return
        try:
            count = indexing_services.fill(self._say)
        except SearchUnavailable as error:
            raise CommandError(f"The search index was not filled: {error}") from error
        self.stdout.write(f"  {count} offers filled in")

    def _say(self, done: int) -> None:
        if done % STEP < indexing_services.AT_ONCE:
            self.stdout.write(f"  {done:,} offers ...")
