"""A topic: the order of its events, and the healing from its log.

Ordered streams get events by `seq` without gap or duplicate. A hint that carries the next event is passed on at once. One from further
ahead waits a moment, for hints of several processes overtake each other, and then the log is read, which is the truth.
"""

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import Any

from goalgraph import trace
from goalgraph.errors import GoalGraphError, Internal
from goalgraph.graphql.hub.relay import Relay
from goalgraph.graphql.hub.shares import Follower, Share
from goalgraph.graphql.subscriptions import Reset, Source
from goalgraph.ports.live import Announcement, Event, Gone, Log

logger = logging.getLogger(__name__)

PAGE = 100
"""Events read from a log at once."""
REORDER_SECONDS = 0.03
"""How long a hint from further ahead waits for those before it."""
MAX_AHEAD = 256
LONGEST_PAUSE = 2.0
PATIENCE = 30.0
"""Seconds after which an event that was announced but does not show in the log is left to the sweep."""


class Topic:
    """All of one process that concerns one topic."""

    __slots__ = (
        "_ahead",
        "_announced",
        "_begun",
        "_healing",
        "_in_thread",
        "_joined",
        "_log",
        "_relay",
        "_timer",
        "empty_since",
        "head",
        "name",
        "pending",
        "shares",
    )

    def __init__(self, name: str, relay: Relay, in_thread: Callable[..., Any]) -> None:
        self.name, self._relay, self._in_thread = name, relay, in_thread
        self.shares: dict[Hashable, Share] = {}
        self.pending = 0
        """Followers on their way in."""
        self.empty_since: float | None = None
        self.head: int | None = None
        """The `seq` of the last event handed to shares; None while no ordered stream was followed."""
        self._announced = 0
        self._ahead: dict[int, Event] = {}
        self._log: Log | None = None
        self._joined: asyncio.Task[bool] | None = None
        self._begun: asyncio.Task[int] | None = None
        self._healing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_empty(self) -> bool:
        return not self.pending and not any(share.followers for share in self.shares.values())

    @property
    def is_ordered(self) -> bool:
        return self.head is not None

    # Followers -------------------------------------------------------------------------------------------------------------------

    async def follow(self, follower: Follower, source: Source) -> None:
        """Let `follower` in: replayed from where it wants to begin, then live. Raises Reset, and what the log raises."""
        self.pending += 1
        try:
            await self._open(source.stream.log)
            if source.stream.log is None:
                self._attach(follower, source)
            else:
                await self._replay(follower, source, source.stream.log)
        finally:
            self.pending -= 1
            self._tidy()

    async def _open(self, log: Log | None) -> None:
        """Join the group, and only then ask where the log ends, so that nothing falls between."""
        if self._joined is None:
            self._joined = asyncio.create_task(self._relay.join(self.name))
        await asyncio.shield(self._joined)
        if log is None:
            return
        self._log = log
        if self.head is None:
            if self._begun is None or (self._begun.done() and self._begun.exception()):
                self._begun = asyncio.create_task(self._in_thread(log.head))
            begin = await asyncio.shield(self._begun)
            if self.head is None:
                self.head = begin
                if self._announced > begin:
                    self.heal()

    async def _replay(self, follower: Follower, source: Source, log: Log) -> None:
        """Read the log until `follower` is where its share is. The last look and the attaching are one step of the event loop."""
        assert self.head is not None
        after = source.stream.after
        follower.position = self.head if after is None else after
        share, more = self.share(source), after is not None
        while more or follower.position < share.position:
            handed_out = share.position
            events = await self._read(log, follower.position)
            bodies = await share.bodies([event for event in events if share.wants(event)])
            await self._push(follower, share, events, bodies)
            if not events and follower.position < handed_out:
                raise Reset  # the log does not show what was handed to others
            if events:
                self._announced = max(self._announced, events[-1].seq or 0)
            more = len(events) >= PAGE
            share = self.share(source)
        self._attach(follower, source)
        self._heal_if_behind()

    @staticmethod
    async def _push(follower: Follower, share: Share, events: list[Event], bodies: list[str]) -> None:
        ready = iter(bodies)
        for event in events:
            if share.wants(event):
                await follower.socket.drained()
                follower.socket.push(follower.socket.frame(follower.operation_id, next(ready)))
            follower.position = event.seq or follower.position

    async def _read(self, log: Log, after: int) -> list[Event]:
        try:
            return list(await self._in_thread(lambda: log.read(after, PAGE)))
        except Gone:
            raise Reset from None

    def share(self, source: Source) -> Share:
        """The share of `source`; a new one begins at the topic's head."""
        if source.key not in self.shares:
            self.shares[source.key] = Share(source, self.head or 0, self._in_thread)
        return self.shares[source.key]

    def _attach(self, follower: Follower, source: Source) -> None:
        follower.share = self.share(source)
        follower.share.followers[follower] = None

    def _tidy(self) -> None:
        for key in [key for key, share in self.shares.items() if not share.followers and not share.waiting]:
            del self.shares[key]

    def end_all(self, error: GoalGraphError) -> None:
        for share in self.shares.values():
            if share.ordered:
                share.end_all(error)

    def close(self) -> None:
        if self._timer:
            self._timer.cancel()
        for task in (self._joined, self._begun, self._healing):
            if task:
                task.cancel()
        for share in self.shares.values():
            share.stop()

    # Events ----------------------------------------------------------------------------------------------------------------------

    def hear(self, announcement: Announcement) -> None:
        event = announcement.event
        if announcement.ends_for:
            for share in list(self.shares.values()):
                share.end_for(announcement.ends_for)
        for share in list(self.shares.values()):
            if (event.seq is None or not share.ordered) and share.wants(event):
                share.offer(event)
        if event.seq is None:
            return
        self._announced = max(self._announced, event.seq)
        if self.head is None or event.seq <= self.head:
            return
        if event.payload is not None and len(self._ahead) < MAX_AHEAD:
            self._ahead[event.seq] = event
        self._advance()
        self._heal_if_behind()

    def _advance(self) -> None:
        """Pass on what follows the head without a gap."""
        assert self.head is not None
        while event := self._ahead.pop(self.head + 1, None):
            self._pass_on(event)

    def _pass_on(self, event: Event) -> None:
        self.head = event.seq
        for share in list(self.shares.values()):
            if share.ordered and share.wants(event):
                share.offer(event)

    def resync(self, event: Event) -> None:
        """Messages may have been missed: unordered streams are told, ordered ones are healed."""
        for share in list(self.shares.values()):
            if not share.ordered and share.wants(event):
                share.offer(event)
        self.heal()

    # Healing ---------------------------------------------------------------------------------------------------------------------

    def _heal_if_behind(self) -> None:
        if self.head is not None and self._announced > self.head and self._timer is None and self._healing is None:
            self._timer = asyncio.get_running_loop().call_later(REORDER_SECONDS, self._heal_if_still_behind)

    def _heal_if_still_behind(self) -> None:
        self._timer = None
        if self.head is not None and self._announced > self.head:
            self.heal()

    def heal(self) -> "asyncio.Task[None] | None":
        """Read from the head on, in a task that may be waited for. None where there is nothing to read."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self.head is None or self._log is None:
            return None
        if self._healing is None:
            self._healing = asyncio.create_task(self._heal())
        return self._healing

    async def _heal(self) -> None:
        trace.start()
        loop = asyncio.get_running_loop()
        pause, until = REORDER_SECONDS * 2, loop.time() + PATIENCE
        try:
            while True:
                try:
                    await self._read_on()
                except Reset as error:
                    await self._begin_anew(error)
                except Exception:
                    logger.exception("a topic was not healed")
                assert self.head is not None
                if self._announced <= self.head:
                    return
                if loop.time() > until:
                    logger.warning("what was announced does not show in the log")
                    self._announced = self.head
                    return
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
        finally:
            self._healing = None

    async def _read_on(self) -> None:
        """All that the log holds beyond the head, no faster than the shares take it."""
        assert self._log is not None
        while True:
            assert self.head is not None
            events = await self._read(self._log, self.head)
            for event in events:
                if event.seq is not None and event.seq > self.head:
                    self._pass_on(event)
            self._ahead = {seq: event for seq, event in self._ahead.items() if seq > self.head}
            self._advance()
            if len(events) < PAGE:
                return
            while any(share.waiting > PAGE for share in self.shares.values()):
                await asyncio.sleep(0.01)

    async def _begin_anew(self, error: GoalGraphError) -> None:
        """The log does not reach back to the head: who followed is told to read anew."""
        assert self._log is not None
        self.end_all(error)
        try:
            self.head = max(self.head or 0, await self._in_thread(self._log.head))
        except Exception:
            logger.exception("the end of a log was not found")
            self.end_all(Internal())
