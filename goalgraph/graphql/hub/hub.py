"""The hub: all topics that somebody in this process follows. It lives on one event loop and is not for other threads."""

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Iterator
from typing import Any, Generic, TypeVar

from channels.layers import get_channel_layer
from django.conf import settings

from goalgraph.auth.actor import Actor
from goalgraph.auth.standing import present
from goalgraph.errors import Forbidden, GoalGraphError, Internal
from goalgraph.graphql.execution import in_thread
from goalgraph.graphql.hub.presence import Attendance
from goalgraph.graphql.hub.relay import Relay
from goalgraph.graphql.hub.shares import Follower, Socket
from goalgraph.graphql.hub.topics import Topic
from goalgraph.graphql.subscriptions import Source
from goalgraph.ports.live import MEMBERS, RECONSIDER, RESYNC, Announcement, Event

logger = logging.getLogger(__name__)
T = TypeVar("T")

GRACE = 10.0
"""Seconds that a topic nobody follows any more is kept: members come and go between two screens."""
READY_SECONDS = 3.0
HEALED_AT_ONCE = 8
"""Topics whose logs are read at the same time after the line was dead."""
READS_OF_A_RECHECK = 2
"""How the member stands, and whether they may still follow."""
RECHECKED_AT_ONCE = 32
"""Followers whose permission is asked again in one go on a thread."""


class Hub:
    """`on_member` is told of what concerns a member whatever they follow (`Live.dismiss`)."""

    def __init__(self, on_member: Callable[[Event], None], layer: Any = None) -> None:
        self._topics: dict[str, Topic] = {}
        self._on_member = on_member
        self._relay = Relay(layer or get_channel_layer(), self._hear, self._recover)
        self._attendance = Attendance(in_thread)
        self._tasks: set[asyncio.Task[None]] = set()
        self._recovering: asyncio.Task[None] | None = None
        self._hears_members: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._relay.start()
        self._hears_members = self._spawn(self._join_members())
        self._spawn(self._tend())
        self._spawn(self._attendance.run())

    async def ready(self) -> None:
        """Wait until dismissals of members are heard, or the channel layer has failed to answer for a moment."""
        if self._hears_members is not None and not self._hears_members.done():
            await asyncio.wait([self._hears_members], timeout=READY_SECONDS)

    async def stop(self) -> None:
        await self._attendance.stop()
        for task in list(self._tasks):
            task.cancel()
        for topic in self._topics.values():
            topic.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._relay.stop()

    async def follow(self, socket: Socket, operation_id: str, source: Source) -> Follower:
        """Let `socket` follow; returns once it is live, after what it missed. Cancel it, or call `leave` of what it returns, to stop.

        Raises coded errors.
        """
        name = source.stream.topic
        topic = self._topics.get(name)
        if topic is None:
            topic = self._topics[name] = Topic(name, self._relay, in_thread)
        topic.empty_since = None
        follower = Follower(socket, operation_id, source.stream.still_allowed)
        try:
            await topic.follow(follower, source)
        except (GoalGraphError, asyncio.CancelledError):
            raise
        except Exception:
            logger.exception("a stream was not opened")
            raise Internal from None
        if source.stream.presence:
            follower.on_leave = self._attendance.enter(name, socket.user_id)
        self._spawn(self._recheck([follower]))  # a word that it may not any more was lost on it while it was on its way in
        return follower

    def _hear(self, announcement: Announcement) -> None:
        event = announcement.event
        if announcement.topic == MEMBERS and event.kind == RECONSIDER:
            self._spawn(self._recheck(self._followers(event.payload["users"])))
        elif announcement.topic == MEMBERS:
            self._on_member(event)
        elif topic := self._topics.get(announcement.topic):
            topic.hear(announcement)

    def _recover(self) -> None:
        if self._recovering is None or self._recovering.done():
            self._recovering = self._spawn(self._recover_all())

    async def _recover_all(self) -> None:
        """The line is back: ask for all groups again, then read what came meanwhile, and who may not follow any more."""
        try:
            await self._relay.rejoin()
        except Exception as error:  # noqa: BLE001 - the next beat that is heard brings us here again
            logger.warning("groups were not joined again: %s", type(error).__name__)
        await self._attendance.renew()  # before anybody is told to look again
        topics = iter(list(self._topics.values()))
        await asyncio.gather(*(self._resync_each(topics) for _ in range(HEALED_AT_ONCE)))
        followers = batched(self._followers(), RECHECKED_AT_ONCE)
        await asyncio.gather(*(self._recheck_each(followers) for _ in range(HEALED_AT_ONCE)))

    @staticmethod
    async def _resync_each(topics: Iterator[Topic]) -> None:
        for topic in topics:
            topic.resync(Event(RESYNC))
            if healing := topic.heal():
                await asyncio.wait([healing], timeout=5)

    async def _recheck_each(self, batches: Iterator[list[Follower]]) -> None:
        for followers in batches:
            await self._recheck(followers)

    async def _join_members(self) -> None:
        await self._relay.join(MEMBERS)

    def _spawn(self, work: Any) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # The slow sweep --------------------------------------------------------------------------------------------------------------

    async def _tend(self) -> None:
        """Once a second: leave empty topics, compare some topics to their logs, ask some followers' permission again.

        Members who are suspended are found here where the word of it (`Live.dismiss`) was lost.
        """
        sweep, recheck = Rounds[Topic](), Rounds[Follower]()
        while True:
            await asyncio.sleep(1)
            try:
                await self._leave_empty()
                budget = max(1, int(settings.LIVE_READS_PER_SECOND))
                for topic in sweep.due(self._ordered, settings.LIVE_SWEEP_SECONDS, budget):
                    if healing := topic.heal():
                        await asyncio.wait([healing], timeout=1)
                await self._recheck(recheck.due(self._followers, settings.LIVE_RECHECK_SECONDS, max(1, budget // READS_OF_A_RECHECK)))
            except Exception:
                logger.exception("a sweep of the hub failed")

    async def _leave_empty(self) -> None:
        now = asyncio.get_running_loop().time()
        for topic in list(self._topics.values()):
            if not topic.is_empty:
                topic.empty_since = None
            elif topic.empty_since is None:
                topic.empty_since = now
            elif now - topic.empty_since > GRACE:
                del self._topics[topic.name]
                topic.close()
                await self._relay.leave(topic.name)

    def _ordered(self) -> list[Topic]:
        return [topic for topic in self._topics.values() if topic.is_ordered]

    def _followers(self, user_ids: Collection[str] | None = None) -> list[Follower]:
        """All of them, or those of `user_ids`."""
        everybody = (follower for topic in self._topics.values() for share in topic.shares.values() for follower in share.followers)
        return [follower for follower in everybody if user_ids is None or follower.socket.user_id in user_ids]

    @staticmethod
    async def _recheck(followers: list[Follower]) -> None:
        if not followers:
            return
        verdicts = await in_thread(lambda: [(_suspended(follower.socket.actor), _allowed(follower)) for follower in followers])
        for follower, (suspended, allowed) in zip(followers, verdicts, strict=True):
            if not follower.share:
                continue
            if suspended:
                follower.socket.suspend()
            elif not allowed:
                follower.end()


def batched(items: list[T], size: int) -> Iterator[list[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


class Rounds(Generic[T]):
    """Goes round all there is, a part of it at a time."""

    def __init__(self) -> None:
        self._left: list[T] = []
        self._each = 1

    def due(self, everything: Callable[[], list[T]], seconds: float, budget: int) -> list[T]:
        """The part of a second: such that all have their turn within `seconds`, but never more than `budget`."""
        if not self._left:
            self._left = everything()
            self._each = min(budget, math.ceil(len(self._left) / max(seconds, 1)))
        part, self._left = self._left[: self._each], self._left[self._each :]
        return part


def _suspended(actor: Actor) -> bool:
    try:
        present(actor)
    except Forbidden:
        return True
    except Exception:
        logger.exception("how a member stands was not found out")
    return False


def _allowed(follower: Follower) -> bool:
    try:
        return follower.still_allowed()
    except Exception:
        logger.exception("whether a member may still follow was not found out")
        return True
