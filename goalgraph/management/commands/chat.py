"""`manage.py chat ana bruno`: talk to somebody from a terminal, over the same WebSocket that applications use. Local settings only."""

import asyncio
import contextlib
import sys
import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from websockets.exceptions import ConnectionClosed, WebSocketException

from goalgraph.adapters.local.session import Refused, Session, connections

OPEN = "mutation($with: ID!) { openRoom(input: {memberIds: [$with]}) { id lastMessage { id } } }"
HISTORY = "query($room: ID!) { messages(roomId: $room, first: 10) { id senderId text } }"
SEND = "mutation($room: ID!, $text: String!, $id: String!) { sendMessage(roomId: $room, text: $text, clientMessageId: $id) { id } }"
PRESENT = "query($room: ID!) { room(id: $room) { members { userId online } } }"
EVENTS = "subscription($room: ID!) { onRoomEvent(roomId: $room) { kind userId online } }"
FOLLOW = "subscription($room: ID!, $after: String) { onMessage(roomId: $room, after: $after) { id senderId text } }"


class Command(BaseCommand):
    help = "Chat with a member from this terminal: one line is one message. Ctrl-D or Ctrl-C ends it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="who you are, such as ana")
        parser.add_argument("other", help="whom you talk to, such as bruno")

    def handle(self, *args: Any, **options: Any) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            try:
                asyncio.run(Chat(options["user"], options["other"]).talk())
            except (Refused, OSError, WebSocketException) as error:
                raise CommandError(f"{error}. Does `make run` run, with the same PORT?") from error


class Chat:
    """One side of a conversation. After a lost connection it comes back, with what was missed."""

    def __init__(self, user: str, other: str) -> None:
        self.user, self.other = user, other
        self.room: str | None = None
        self.after: str | None = None
        self.other_is_here = False
        self.lines: asyncio.Queue[str | None] = asyncio.Queue()

    async def talk(self) -> None:
        asyncio.get_running_loop().run_in_executor(None, self._read_lines, asyncio.get_running_loop())
        first = True
        async for session in connections(self.user):
            try:
                await self._session(session, greet=first)
            except ConnectionClosed:
                print("  (connection lost, coming back)", file=sys.stderr)
            else:
                return
            first = False

    def _read_lines(self, loop: asyncio.AbstractEventLoop) -> None:
        """Blocks, so it has a thread of its own; None says that there are no more."""
        for line in sys.stdin:
            loop.call_soon_threadsafe(self.lines.put_nowait, line.strip())
        loop.call_soon_threadsafe(self.lines.put_nowait, None)

    async def _session(self, session: Session, *, greet: bool) -> None:
        reading = asyncio.create_task(session.read())
        try:
            if self.room is None:
                self.room = (await session.ask(OPEN, {"with": self.other}))["openRoom"]["id"]
            if greet:
                await self._greet(session)
            following = [asyncio.create_task(stream) for stream in (self._follow(session), self._watch(session))]
            await self._send_lines(session, reading)
            for stream in following:
                stream.cancel()
        finally:
            reading.cancel()

    async def _greet(self, session: Session) -> None:
        print(f"  You are {self.user}, talking to {self.other}. One line is one message; Ctrl-D ends it.")
        for message in (await session.ask(HISTORY, {"room": self.room}))["messages"]:
            self._show(message)
        for member in (await session.ask(PRESENT, {"room": self.room}))["room"]["members"]:
            self._say_whether(member["userId"], is_here=member["online"])

    async def _follow(self, session: Session) -> None:
        async for data in session.follow(FOLLOW, {"room": self.room, "after": self.after}):
            self._show(data["onMessage"])

    async def _watch(self, session: Session) -> None:
        async for data in session.follow(EVENTS, {"room": self.room}):
            event = data["onRoomEvent"]
            if event["kind"] == "presence":
                self._say_whether(event["userId"], is_here=event["online"])

    async def _send_lines(self, session: Session, reading: "asyncio.Task[None]") -> None:
        while True:
            getting = asyncio.ensure_future(self.lines.get())
            await asyncio.wait({getting, reading}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                getting.cancel()
                reading.result()
            if (line := await getting) is None:
                return
            if line:
                await session.ask(SEND, {"room": self.room, "text": line, "id": uuid.uuid4().hex})

    def _say_whether(self, user_id: str, *, is_here: bool) -> None:
        if user_id == self.other and is_here != self.other_is_here:
            self.other_is_here = is_here
            print(f"  {user_id} {'is here' if is_here else 'left'}", flush=True)

    def _show(self, message: dict[str, Any]) -> None:
        self.after = message["id"]
        print(f"{message['senderId']}: {message['text']}", flush=True)
