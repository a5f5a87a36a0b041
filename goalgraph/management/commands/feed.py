"""`manage.py feed`: the poller of the change feed, for the emulator and for containers; on AWS, Lambda may do its work."""

import signal
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from prometheus_client import start_http_server

from goalgraph.feed import registry
from goalgraph.feed.consumers import Consumer, consumers
from goalgraph.feed.reader import Reader
from goalgraph.feed.replay import replay
from goalgraph.ports.jobs import JobsUnavailable
from goalgraph.ports.streams import StreamUnavailable


class Command(BaseCommand):
    help = "Reads what changes in the table and has what follows from it done. Run as many as you like: they share the work."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--consumer", action="append", metavar="NAME", help="only this one (may be repeated); without it, all")
        parser.add_argument("--until-end", action="store_true", help="end once all is taken that was written before")
        parser.add_argument(
            "--replay",
            metavar="FROM",
            help="send the events again since a time (ISO 8601, UTC without an offset), the `checkpoint`, or the `beginning`",
        )
        parser.add_argument("--subscriber", metavar="NAME", help="with --replay: send to this one alone")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["replay"]:
            self._replay(options["replay"], options["subscriber"])
        elif options["subscriber"]:
            raise CommandError("--subscriber is for --replay.")
        else:
            self._run(chosen(options["consumer"]), until_end=options["until_end"])

    def _run(self, reading: list[Consumer], *, until_end: bool) -> None:
        stop = threading.Event()
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda *_: stop.set())
        if settings.FEED_METRICS:
            host, _, port = settings.FEED_METRICS.rpartition(":")
            start_http_server(int(port), host)
        self._say(f"reading for {', '.join(consumer.name for consumer in reading)}")
        with ThreadPoolExecutor(len(reading), thread_name_prefix="feed") as threads:
            running = {threads.submit(Reader(each).run, stop, until_end=until_end) for each in reading}
            while left := wait(running, timeout=1, return_when=FIRST_EXCEPTION).not_done:  # without a time-out, signals would wait as well
                if any(each.exception() for each in running - left):
                    stop.set()
        for each in running:
            each.result()
        self._say("stopped" if stop.is_set() else "at the end")

    def _replay(self, begin: str, subscriber: str | None) -> None:
        if subscriber is not None and subscriber not in registry.subscribers():
            raise CommandError(f"There is no subscriber {subscriber}; there are {', '.join(registry.subscribers())}.")
        records = tasks = 0
        try:
            for page in replay(_time(begin), from_checkpoint=begin == "checkpoint", subscriber=subscriber):
                records, tasks = records + page.records, tasks + page.tasks
                self._say(page.note or f"{page.shard_id}: {records} changes, {tasks} tasks so far")
        except (StreamUnavailable, JobsUnavailable) as error:
            raise CommandError(f"Ended early, after {tasks} tasks: {type(error).__name__} ({error}). It may be repeated.") from error
        self._say(f"sent again what follows from {records} changes, in {tasks} tasks")

    def _say(self, line: str) -> None:
        self.stdout.write(f"feed: {line}")
        self.stdout.flush()


def chosen(names: list[str] | None) -> list[Consumer]:
    """Raises CommandError for a name that no consumer has."""
    known = consumers()
    if unknown := set(names or ()) - set(known):
        raise CommandError(f"There is no consumer {', '.join(sorted(unknown))}; there are {', '.join(known)}.")
    return [known[name] for name in dict.fromkeys(names or known)]


def _time(text: str) -> datetime | None:
    if text in ("checkpoint", "beginning"):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is no time, such as 2027-07-01T12:00, nor `checkpoint` or `beginning`.") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
