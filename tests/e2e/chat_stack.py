"""The chat on its whole stack: web processes and a Redis that tests may kill, and members whose apps come back after it.

The web processes are those of the Procfile, with the settings of the tests, on a table of their own in the run's AWS emulator.
"""

import asyncio
import contextlib
import itertools
import os
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import jwt
import orjson
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from chat.domain import MessageRef
from goalgraph.adapters.local import embedded
from goalgraph.adapters.local.embedded import ROOT, Service
from goalgraph.adapters.local.issuer import mint_access_token
from goalgraph.adapters.local.issuer_keys import signing_keys
from tests.fixtures import new_dynamo_table

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds after which something counts as not happening, on a machine that is busy with other tests."""
COME_BACK_SECONDS = 0.05
"""How long a member's app waits before it tries another process."""
FINAL = (4401, 4403)
"""Codes after which an app does not come back by itself."""


class Program:
    """A process that can be killed and started again. What it writes goes to `log`."""

    def __init__(self, service: Service, log: Path, environment: dict[str, str] | None = None) -> None:
        self.service, self._log, self._environment = service, log, environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.service.command, cwd=ROOT, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + PATIENCE
        while not asyncio.run(self.service.is_ready()):
            assert self._process.poll() is None, f"{self.service.name} ended:\n{self.said()}"
            assert time.monotonic() < deadline, f"{self.service.name} does not answer:\n{self.said()}"
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL: no word to anybody."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def errors(self) -> list[str]:
        """The lines of its log that tell of a bug. That a connection to Redis was lost is none, though its library calls it an error."""
        told = [line for line in self.said().splitlines() if '"level":"error"' in line or "Traceback" in line]
        return [line for line in told if '"logger":"channels_redis.' not in line]


class Stack:
    """A Redis and web processes, running. `environment` adds to that of the web processes. A context manager."""

    def __init__(self, folder: Path, *, webs: int = 2, **environment: str) -> None:
        self.redis = Program(embedded.redis(embedded.free_port(), folder, keep=False), folder / "redis.log")
        shared = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "goalgraph.settings.test",
            "GOALGRAPH_TABLE": new_dynamo_table().name,
            "REDIS_URL": f"redis://127.0.0.1:{self.redis.service.port}/0",
            "ISSUER_PRIVATE_KEYS": signing_keys().all()[0].pem,
            "LIVE_SWEEP_SECONDS": "3600",  # what is not healed in time must not be healed by the sweep
            **environment,
        }
        self.webs = [Program(_web(), folder / f"web-{number}.log", shared) for number in range(webs)]

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as starting:
            for program in (self.redis, *self.webs):
                starting.callback(program.kill)
                program.start()
            self._stopping = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.close()

    def url(self, web: int) -> str:
        return f"ws://127.0.0.1:{self.webs[web % len(self.webs)].service.port}/graphql"

    def urls(self, first: int) -> Iterator[str]:
        """Where a member goes, and goes next: from process to process, beginning with number `first`."""
        return map(self.url, itertools.count(first))

    def check_logs(self) -> None:
        """No web process met a bug."""
        for web in self.webs:
            assert web.errors() == []


def _web() -> Service:
    """The Procfile's line, on a port of its own."""
    port = embedded.free_port()
    (line,) = [line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("web: ")]
    _exec, *words = shlex.split(line.removeprefix("web: ").replace("$PORT", str(port)))
    question = b"GET /healthz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
    return Service("web", [sys.executable, "-m", *words], port, question, b" 200 ")


# Members -------------------------------------------------------------------------------------------------------------------------------

PROFILE = "mutation ($name: String) { upsertProfile(input: {nickname: $name}) { id } }"
OPEN = "mutation ($with: [ID!]!, $title: String) { openRoom(input: {memberIds: $with, title: $title}) { id } }"
SEND = "mutation ($room: ID!, $text: String!, $id: String!) { sendMessage(roomId: $room, text: $text, clientMessageId: $id) { seq } }"
FOLLOW = "subscription ($room: ID!, $after: String) { onMessage(roomId: $room, after: $after) { seq id senderId text } }"
HISTORY = "query ($room: ID!, $after: String) { messages(roomId: $room, after: $after, first: 100) { seq id senderId text } }"


class Heard(NamedTuple):
    seq: int
    id: str
    sender: str
    text: str


class Refused(Exception):
    """The service said no. The first argument is the code."""


class Lost(Exception):
    """The connection ended before the answer came."""


class Member:
    """A member's app, by the protocol `graphql-transport-ws`: it follows rooms, comes back after a lost connection at the next of `urls`
    with what it missed, and sends a message until it is acknowledged.

    `drops` says after how many messages each connection in turn is cut by the client itself; after the last one they stay.
    """

    def __init__(self, urls: Iterator[str], *, user_id: str | None = None, token: str | None = None, drops: Iterable[int] = ()) -> None:
        self.user_id = user_id or f"u-{uuid.uuid4().hex[:12]}"
        self.token = token or mint_access_token(self.user_id, tier="premium")
        self.heard: dict[str, list[Heard]] = {}
        self.ended: dict[str, str] = {}
        """Rooms whose stream the server ended, and how: `complete`, or the code of an error."""
        self.lost = self.resent = 0
        """Connections that were lost, and what was asked again because of it."""
        self.close_code: int | None = None
        self._urls, self._drops = urls, iter(drops)
        self._left: int | None = None
        self._socket: ClientConnection | None = None
        self._streams: dict[str, str] = {}
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._ids = map(str, itertools.count(1))
        self._news = asyncio.Event()

    async def live(self) -> None:
        """Stay connected, until the server says that there is no use in it."""
        while self.close_code not in FINAL:
            try:
                async with connect(
                    next(self._urls), subprotocols=["graphql-transport-ws"], compression=None, ping_interval=None, open_timeout=PATIENCE
                ) as socket:
                    await self._session(socket)
            except (OSError, WebSocketException):
                await asyncio.sleep(COME_BACK_SECONDS)

    async def until(self, check: Callable[[], object]) -> None:
        """Wait until `check` finds something true. It is asked whenever something came."""
        while not check():
            self._news.clear()
            await self._news.wait()

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """What a query or a mutation gives. Where the connection is lost it is asked again. Raises Refused."""
        while True:
            await self.until(lambda: self._socket)
            try:
                return await self._ask_once(query, variables)
            except Lost:
                self.resent += 1

    async def send(self, room: str, text: str) -> int:
        """Its `seq`, once it is acknowledged."""
        answer = await self.ask(SEND, room=room, text=text, id=uuid.uuid4().hex)
        return answer["sendMessage"]["seq"]

    async def open_room(self, others: Sequence["Member"], title: str | None = None) -> str:
        answer = await self.ask(OPEN, title=title, **{"with": [other.user_id for other in others]})
        return answer["openRoom"]["id"]

    async def history(self, room: str) -> list[Heard]:
        """All of a room, as it is stored."""
        found: list[Heard] = []
        while True:
            page = (await self.ask(HISTORY, room=room, after=found[-1].id if found else _before_the_first(room)))["messages"]
            found += [_heard(message) for message in page]
            if len(page) < 100:
                return found

    async def follow(self, room: str) -> None:
        """From its first message on."""
        self.heard[room] = []
        self.ended.pop(room, None)
        if self._socket:
            await self._subscribe(room)

    async def follow_more(self, room: str, streams: int) -> None:
        """So many streams more of a room that it follows: each message is heard so many times more."""
        for _ in range(streams):
            await self._subscribe(room)

    async def hear(self, room: str, text: str) -> None:
        """Wait until `text` is what it heard last, or the server ended the stream."""
        await self.until(lambda: room in self.ended or any(message.text == text for message in self.heard[room][-1:]))

    async def end_of(self, room: str) -> str:
        """Wait until the server ends the stream, and say how."""
        await self.until(lambda: room in self.ended)
        return self.ended[room]

    async def _session(self, socket: ClientConnection) -> None:
        await self._say(socket, type="connection_init", payload={"authorization": f"Bearer {self.token}"})
        try:
            assert orjson.loads(await socket.recv())["type"] == "connection_ack"
            self._socket, self._left = socket, next(self._drops, None)
            for room in self.heard.keys() - self.ended.keys():
                await self._subscribe(room)
            self._news.set()
            while True:
                self._drop_in_time()
                self._take(orjson.loads(await socket.recv()))
        except (OSError, WebSocketException):
            self.lost += 1
            raise
        finally:
            self._socket = None
            self._streams.clear()
            self.close_code = socket.close_code
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(Lost())
            self._news.set()

    def _drop_in_time(self) -> None:
        if self._left == 0:
            assert self._socket
            self._socket.transport.abort()
            raise ConnectionAbortedError

    def _take(self, message: dict[str, Any]) -> None:
        operation, payload = message["id"], message.get("payload")
        if room := self._streams.get(operation):
            if message["type"] == "next":
                self.heard[room].append(_heard(payload["data"]["onMessage"]))
                if self._left is not None:
                    self._left -= 1
            else:
                self.ended[room] = payload[0]["extensions"]["code"] if payload else "complete"
            self._news.set()
        elif message["type"] != "complete" and not (answer := self._answers[operation]).done():
            errors = payload if message["type"] == "error" else payload.get("errors")
            if errors:
                answer.set_exception(Refused(errors[0]["extensions"]["code"], errors[0]["message"]))
            else:
                answer.set_result(payload["data"])

    async def _subscribe(self, room: str) -> None:
        assert self._socket
        heard, operation = self.heard[room], next(self._ids)
        self._streams[operation] = room
        variables = {"room": room, "after": heard[-1].id if heard else _before_the_first(room)}
        await self._say(self._socket, id=operation, type="subscribe", payload={"query": FOLLOW, "variables": variables})

    async def _ask_once(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        assert self._socket
        operation = next(self._ids)
        answer = self._answers[operation] = asyncio.get_running_loop().create_future()
        try:
            await self._say(self._socket, id=operation, type="subscribe", payload={"query": query, "variables": variables})
            return await answer
        except WebSocketException:
            answer.cancel()
            raise Lost from None
        finally:
            del self._answers[operation]

    @staticmethod
    async def _say(socket: ClientConnection, **message: Any) -> None:
        await socket.send(orjson.dumps(message), text=True)


def _heard(message: dict[str, Any]) -> Heard:
    return Heard(message["seq"], message["id"], message["senderId"], message["text"])


def _before_the_first(room: str) -> str:
    """The position before a room's first message."""
    return str(MessageRef(0, room))


def play(scenario: Coroutine[Any, Any, T], seconds: float = 2 * PATIENCE) -> T:
    """Run `scenario`, for so many seconds at most."""

    async def bounded() -> T:
        async with asyncio.timeout(seconds):
            return await scenario

    return uvloop.run(bounded())


@contextlib.asynccontextmanager
async def online(*members: Member) -> AsyncIterator[None]:
    """The members have profiles and are connected, for the length of the block. A failure of one's app fails the block."""
    async with asyncio.TaskGroup() as apps:
        running = [apps.create_task(member.live()) for member in members]
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*(member.ask(PROFILE, name=member.user_id) for member in members))
        yield
        for app in running:
            app.cancel()


def short_lived(user_id: str, *, seconds: int) -> tuple[str, int]:
    """An access token that expires in `seconds`, and when that is; the issuer's own live for a minute at least."""
    expires = int(time.time()) + seconds
    claims = jwt.decode(mint_access_token(user_id), options={"verify_signature": False}) | {"exp": expires}
    key = signing_keys().all()[0]
    return jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": key.kid}), expires
