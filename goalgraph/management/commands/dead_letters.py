"""`manage.py dead_letters`: which tasks failed for good, and sending them back once their cause is repaired (docs/running.md)."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from goalgraph.adapters import dead_letters
from goalgraph.adapters.dead_letters import MOST, DeadLetter
from goalgraph.adapters.queues import QueuesUnavailable


class Command(BaseCommand):
    help = "Lists the tasks that lie in the dead-letter queues, without any member's data; with --redrive it sends them back."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--queue", metavar="NAME", help="only this one, such as feed-gamification; without it, all")
        parser.add_argument("--redrive", action="store_true", help="send them back to their queue; each is tried anew")

    def handle(self, *args: Any, **options: Any) -> None:
        only = options["queue"]
        if only is not None and only not in settings.QUEUE_NAMES:
            raise CommandError(f"There is no queue {only}; there are {', '.join(settings.QUEUE_NAMES)}.")
        try:
            for name in [only] if only else settings.QUEUE_NAMES:
                self._queue(name, redrive=options["redrive"])
        except QueuesUnavailable as error:
            raise CommandError(f"SQS refuses, or does not answer: {error}. It may be repeated.") from error

    def _queue(self, name: str, *, redrive: bool) -> None:
        count = 0
        for letter in dead_letters.redrive(name) if redrive else dead_letters.look(name):
            count += 1
            self.stdout.write(f"  {name}: {_line(letter)}")
        more = ", and perhaps more" if count == MOST else ""
        self.stdout.write(f"  {name}: {count} dead letters{' sent back' if redrive else ''}{more}")


def _line(letter: DeadLetter) -> str:
    facts = [f"{name}={value}" for name, value in letter.facts.items()]
    events = [f"{type} {event_id}" for type, event_id in letter.events]
    return " ".join([letter.task or "no task of ours, left where it is", *facts, *events])
