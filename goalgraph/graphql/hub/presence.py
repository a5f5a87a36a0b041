"""Who is here through this process: counted for each topic, and told to the `presence` port."""

import asyncio
import logging
import uuid
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Any

from goalgraph import wiring
from goalgraph.ports.live import Event
from goalgraph.ports.presence import PRESENCE, Entry

logger = logging.getLogger(__name__)

RENEWALS = 3
"""How often an entry is renewed in the time it lives, so that two renewals may fail."""
RETRY_SECONDS = 1.0
"""When a renewal that failed is tried again."""
SLICE = 100
PAUSE = 0.05
"""So many announcements at a time, and seconds between two slices: when many come or go at once, messages are not behind them all."""


class Attendance:
    """Belongs to the event loop. What it tells the store goes one at a time, in order, on a thread."""

    def __init__(self, in_thread: Callable[..., Any]) -> None:
        self._in_thread = in_thread
        self._process = uuid.uuid4().hex
        self._here: Counter[Entry] = Counter()
        self._changed: set[Entry] = set()
        self._news: deque[tuple[Entry, bool]] = deque()
        self._wake = asyncio.Event()
        self._telling = asyncio.Lock()

    def enter(self, topic: str, user_id: str) -> Callable[[], None]:
        """One more follower. Call what it returns, once, when it stops following."""
        entry = Entry(topic, user_id)
        self._here[entry] += 1
        if self._here[entry] == 1:
            self._change(entry)
        return partial(self._leave, entry)

    def _leave(self, entry: Entry) -> None:
        self._here[entry] -= 1
        if self._here[entry] <= 0:
            del self._here[entry]
            self._change(entry)

    def _change(self, entry: Entry) -> None:
        self._changed.add(entry)
        self._wake.set()

    async def run(self) -> None:
        """Tell what changes, renew it from time to time, and announce what came of it. Ends by being cancelled."""
        loop = asyncio.get_running_loop()
        renew_at = loop.time() + self._interval()
        while True:
            await self._wait(renew_at)
            if loop.time() < renew_at:
                await self._tell()
            else:
                renewed = await self.renew()
                renew_at = loop.time() + (self._interval() if renewed else RETRY_SECONDS)
            self._announce(SLICE)

    async def renew(self) -> bool:
        """Enter everybody anew, which heals a store that forgot, and expire what dead processes left. Returns whether it answered."""
        renewed = await self._tell(renews=True)
        self._wake.set()  # for `run` to announce what came of it
        return renewed

    async def stop(self) -> None:
        """Everybody leaves."""
        self._changed |= self._here.keys()
        self._here.clear()
        await self._tell()
        self._announce(len(self._news))

    @staticmethod
    def _interval() -> float:
        return wiring.presence().seconds / RENEWALS

    async def _wait(self, until: float) -> None:
        if self._news:
            await asyncio.sleep(PAUSE)
            return
        try:
            async with asyncio.timeout_at(until):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _tell(self, *, renews: bool = False) -> bool:
        async with self._telling:
            self._wake.clear()
            changed, self._changed = self._changed, set()
            entries = changed | self._here.keys() if renews else changed
            if not entries:
                return True
            here = [entry for entry in entries if entry in self._here]
            gone = [entry for entry in entries if entry not in self._here]
            topics = {entry.topic for entry in here} if renews else set()
            try:
                came, went = await self._in_thread(lambda: self._exchange(here, gone, topics))
            except Exception:
                logger.exception("who is here was not told")
                came = went = None
            # An answer that was lost may have been a change: it is announced, and whoever hears it looks.
            self._news.extend((entry, True) for entry in (changed.intersection(here) if came is None else came))
            self._news.extend((entry, False) for entry in (gone if went is None else went))
            return came is not None and went is not None

    def _exchange(self, here: list[Entry], gone: list[Entry], topics: set[str]) -> tuple[list[Entry] | None, list[Entry] | None]:
        presence = wiring.presence()
        came = presence.enter(self._process, here)
        left = presence.leave(self._process, gone)
        expired = presence.expire(topics)
        return came, None if left is None else left + (expired or [])

    def _announce(self, most: int) -> None:
        live = wiring.live()
        for _ in range(min(most, len(self._news))):
            (topic, user_id), online = self._news.popleft()
            live.announce(topic, Event(PRESENCE, {"userId": user_id, "online": online}))
