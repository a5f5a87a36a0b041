"""A share: followers of a topic who see the same. Each event is executed once for them, and each gets the same bytes."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import orjson

from goalgraph import trace
from goalgraph.auth.actor import Actor
from goalgraph.errors import GoalGraphError, Internal
from goalgraph.graphql.errors import rendered
from goalgraph.graphql.subscriptions import Execute, Reset, Source
from goalgraph.ports.live import RESYNC, Event

logger = logging.getLogger(__name__)

MAX_QUEUE = 1000
"""Events that may wait for their execution. More, and an ordered stream ends with RESET, an unordered one loses the oldest."""
_AT_ONCE = 16
"""Events executed in one go on a thread."""
_BREATH = 250
"""Deliveries after which other work of the event loop gets its turn."""
_FEW = 64
"""Frames that are kept while an event is delivered, in case that another follower's is the same. Ids are often unique."""


class Socket(Protocol):
    """What the hub knows of a connection."""

    @property
    def user_id(self) -> str: ...

    @property
    def actor(self) -> Actor:
        """The member as they stood when they signed in."""

    def frame(self, operation_id: str, body: str) -> Any:
        """What `push` takes, made of a result. Equal for sockets with an equal `dialect_name`."""

    @property
    def dialect_name(self) -> str: ...

    def push(self, frame: Any) -> None:
        """Send, without waiting."""

    async def drained(self) -> None:
        """Wait until nothing waits to be sent."""

    def end(self, operation_id: str, error: GoalGraphError | None) -> None:
        """The stream has ended, by `error` or in good order."""

    def suspend(self) -> None:
        """The member is suspended: close the connection, which ends all its streams."""


class Follower:
    """One subscription of one socket. `position` is the `seq` of the last event that it got or does not want."""

    __slots__ = ("on_leave", "operation_id", "position", "share", "socket", "still_allowed")

    def __init__(self, socket: Socket, operation_id: str, still_allowed: Callable[[], bool]) -> None:
        self.socket, self.operation_id, self.still_allowed = socket, operation_id, still_allowed
        self.position = 0
        self.share: Share | None = None
        self.on_leave: Callable[[], None] | None = None
        """Called once, when it stops following, for whatever reason."""

    def end(self, error: GoalGraphError | None = None) -> None:
        self.leave()
        self.socket.end(self.operation_id, error)

    def leave(self) -> None:
        if self.share:
            self.share.followers.pop(self, None)
            self.share = None
            if self.on_leave:
                self.on_leave()


class Share:
    """`position` is the `seq` of the last event that was handed to followers, or would have been."""

    __slots__ = ("_execute", "_in_thread", "_kinds", "_pump", "_queue", "followers", "ordered", "position")

    def __init__(self, source: Source, position: int, in_thread: Callable[..., Any]) -> None:
        self._execute, self._kinds = source.execute, frozenset(source.stream.kinds)
        self._in_thread = in_thread
        self._queue: deque[Event] = deque()
        self._pump: asyncio.Task[None] | None = None
        self.ordered = source.stream.log is not None
        self.position = position
        self.followers: dict[Follower, None] = {}

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def wants(self, event: Event) -> bool:
        if event.kind == RESYNC:
            return RESYNC in self._kinds and not self.ordered
        return not self._kinds or event.kind in self._kinds

    def offer(self, event: Event) -> None:
        """Execute and deliver `event` after those before it."""
        if not self.followers and not self._queue:
            # Nobody is here, and whoever comes begins after this event or reads it from the log.
            self.position = max(self.position, event.seq or 0)
            return
        if len(self._queue) >= MAX_QUEUE:
            if self.ordered:
                self.end_all(Reset())
                self._queue.clear()
                self.position = max(self.position, event.seq or 0)
                return
            self._queue.popleft()
        self._queue.append(event)
        if self._pump is None:
            self._pump = asyncio.create_task(self._deliver_all())

    def end_all(self, error: GoalGraphError | None) -> None:
        for follower in list(self.followers):
            follower.end(error)

    def end_for(self, user_ids: Collection[str]) -> None:
        for follower in [follower for follower in self.followers if follower.socket.user_id in user_ids]:
            follower.end()

    def stop(self) -> None:
        if self._pump:
            self._pump.cancel()

    async def bodies(self, events: Sequence[Event]) -> list[str]:
        """The results of `events`, executed one after another on a thread."""
        return await self._in_thread(lambda: [_body(self._execute, event) for event in events])

    async def _deliver_all(self) -> None:
        trace.start()
        try:
            while self._queue:
                events = [self._queue.popleft() for _ in range(min(_AT_ONCE, len(self._queue)))]
                bodies = await self.bodies(events)
                for event, body in zip(events, bodies, strict=True):
                    await self._deliver(event, body)
        except Exception:
            logger.exception("events were not delivered")
            self.end_all(Internal())
            self._queue.clear()
        finally:
            self._pump = None

    async def _deliver(self, event: Event, body: str) -> None:
        """Push to all who are here now. From this step of the event loop on, newcomers count `event` as handed out."""
        seq = event.seq
        self.position = max(self.position, seq or 0)
        frames: dict[tuple[str, str], Any] = {}
        for count, follower in enumerate(list(self.followers), start=1):
            if follower.share is not self or (seq is not None and self.ordered and seq <= follower.position):
                continue
            socket = follower.socket
            key = (socket.dialect_name, follower.operation_id)
            frame = frames.get(key)
            if frame is None:
                frame = socket.frame(follower.operation_id, body)
                if len(frames) < _FEW:
                    frames[key] = frame
            if seq is not None:
                follower.position = seq
            socket.push(frame)
            if count % _BREATH == 0:
                await asyncio.sleep(0)


def _body(execute: Execute, event: Event) -> str:
    try:
        return execute(event)
    except GoalGraphError as error:
        return _failed(error)
    except Exception:
        logger.exception("an event was not executed", extra={"data": {"kind": event.kind}})
        return _failed(Internal())


def _failed(error: GoalGraphError) -> str:
    return orjson.dumps({"data": None, "errors": [rendered(error)]}).decode()
