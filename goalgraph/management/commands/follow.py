"""`manage.py follow ana`: see in a terminal what a member is told, and how their points change, as it happens. Local settings only."""

import asyncio
import contextlib
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from websockets.exceptions import ConnectionClosed, WebSocketException

from goalgraph.adapters.local.session import Refused, Session, connections

NOTES = "subscription { onNotification { kind title body } }"
STATS = "subscription { onGameStats { score level streak { current } } }"


class Command(BaseCommand):
    help = "Shows a member's notifications and points live. Ctrl-C ends it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="who you are, such as ana")

    def handle(self, *args: Any, **options: Any) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            try:
                asyncio.run(_follow(options["user"]))
            except (Refused, OSError, WebSocketException) as error:
                raise CommandError(f"{error}. Does `make run` run, with the same PORT?") from error


async def _follow(user: str) -> None:
    print(f"  What {user} is told shows here. Ctrl-C ends it.", flush=True)
    async for session in connections(user):
        streams = [asyncio.create_task(stream) for stream in (session.read(), _notes(session), _stats(session))]
        try:
            ended, _ = await asyncio.wait(streams, return_when=asyncio.FIRST_COMPLETED)
            for stream in ended:
                stream.result()
        except ConnectionClosed:
            print("  (connection lost, coming back)", file=sys.stderr)
        finally:
            for stream in streams:
                stream.cancel()


async def _notes(session: Session) -> None:
    async for data in session.follow(NOTES, {}):
        note = data["onNotification"]
        print(f"{note['kind']}: {note['title']}", flush=True)
        for line in note["body"].splitlines():
            print(f"    {line}", flush=True)


async def _stats(session: Session) -> None:
    async for data in session.follow(STATS, {}):
        stats = data["onGameStats"]
        print(f"points: {stats['score']}, level {stats['level']}, streak {stats['streak']['current']}", flush=True)
