"""The poller: reads the stream for one consumer, shard by shard, in step with other processes that do the same."""

import logging
import os
import random
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings

from goalgraph import metrics, trace, wiring
from goalgraph.feed import leases
from goalgraph.feed.consumers import Consumer
from goalgraph.feed.items import FeedShard
from goalgraph.feed.leases import LeaseLost
from goalgraph.feed.taking import portions, sequence_of, take, written_at
from goalgraph.ports.streams import Batch, CursorExpired, Shard, ShardGone, Trimmed

logger = logging.getLogger(__name__)

PAUSE = 0.5
"""Seconds between two looks at a stream that has nothing new. Two consumers make four reads a second and shard; DynamoDB takes five."""
BREATH = 0.2
"""Seconds after a read that found something, so that single changes do not make for more reads than a shard serves."""
MANY = 500
"""Records, of the 1,000 of a page, after which we go on without a breath: there is more to catch up with."""
LONGEST_PAUSE = 15.0
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class _Held:
    """A shard that this process reads. `lease` is as stored, but that its place may be further on; without `cursor` we go on from there."""

    lease: FeedShard
    cursor: str | None = None

    @property
    def shard_id(self) -> str:
        return self.lease.shard_id


class Reader:
    """`round` does one step of the work, `run` goes on until told to stop. One thread at a time.

    A shard begins at the oldest record that the stream has, also when the feed is started for the first time: what follows from a change
    twice does no harm, what never follows does.
    """

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.me = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.failed = False
        """Whether something went wrong in the last round."""
        self._held: dict[str, _Held] = {}
        self._turn: list[Shard] = []
        self._known: Mapping[str, FeedShard] = {}
        self._look_at: datetime | None = None

    # Running -----------------------------------------------------------------------------------------------------------------------

    def run(self, stop: threading.Event, *, until_end: bool = False) -> None:
        """Until `stop` is set; with `until_end`, until all is taken that was written before, by us or by others who read."""
        begun, failures = wiring.clock().now(), 0
        while not stop.is_set():
            trace.start()
            count = self.round()
            failures = failures + 1 if self.failed else 0
            if until_end and self.is_past(begun):
                break
            if failures:
                stop.wait(random.uniform(0.5, 1) * min(LONGEST_PAUSE, PAUSE * 2**failures))  # noqa: S311 - spreads load
            elif count < MANY:
                stop.wait(BREATH if count else PAUSE)
        self.release()

    def round(self) -> int:
        """Read a page of each of our shards, and see from time to time which are ours. Returns how many records there were.

        What goes wrong is logged, and tried again in a later round from where it went wrong.
        """
        self.failed, count = False, 0
        if self._look_at is None or wiring.clock().now() >= self._look_at:
            self._guarded(self._look)
        for held in list(self._held.values()):
            count += self._guarded(self._advance, held)
        self._tell_lag()
        return count

    def is_past(self, instant: datetime) -> bool:
        """Whether all that was written before `instant` is taken, as far as can be told."""
        return not self.failed and self._look_at is not None and all(place >= instant for place in self._places())

    def release(self) -> None:
        """Give our shards back, so that others need not wait for the leases' end."""
        for held in list(self._held.values()):
            try:
                self._give_back(held)
            except Exception as error:  # noqa: BLE001 - then its lease ends by itself
                logger.warning("a shard was not given back: %s", type(error).__name__, extra={"data": {"shard": held.shard_id}})
        self._held.clear()
        self._look_at = None

    def _guarded(self, do: Callable[..., int], *held: _Held) -> int:
        try:
            return do(*held)
        except Exception as error:
            self.failed = True
            facts = self._facts(*held) if held else {"consumer": self.consumer.name}
            logger.warning("the feed is held up: %s", type(error).__name__, exc_info=True, extra={"data": facts})
            for each in held:
                each.cursor = None
        return 0

    # Which shards are ours ---------------------------------------------------------------------------------------------------------

    def _look(self) -> int:
        now = wiring.clock().now()
        shards, known = wiring.stream().shards(), leases.stored(self.consumer.name)
        for held in list(self._held.values()):
            if held.shard_id in known and known[held.shard_id].holder != self.me:
                self._drop(held)
            # A stream that began anew (the emulator's, by a restart) does not tell an old cursor; it does tell an old sequence number.
            held.cursor = None
        self._forget_gone(shards, known, now)
        self._turn, self._known = leases.unread(shards, known), known
        for shard in self._turn:
            lease = known.get(shard.id)
            if lease and shard.id not in self._held and leases.holder_of(lease, now) == self.me:
                self._hold(lease)  # an answer that was lost
        for shard in leases.fair_share(self._turn, known, self.me, now):
            lease = leases.take(self.consumer.name, shard.id, known.get(shard.id), self.me)
            if lease:
                self._hold(lease)
        self._look_at = now + self._third()
        return 0

    def _forget_gone(self, shards: list[Shard], known: Mapping[str, FeedShard], now: datetime) -> None:
        """Shards that left the stream before we were through."""
        there = {shard.id for shard in shards}
        for lease in known.values():
            if lease.shard_id not in there and not lease.finished and leases.holder_of(lease, now) in (None, self.me):
                try:
                    wiring.stream().cursor(lease.shard_id, None)
                except ShardGone:
                    taken = leases.take(self.consumer.name, lease.shard_id, lease, self.me)
                    if taken is not None:
                        self._gone(_Held(taken))

    def _hold(self, lease: FeedShard) -> None:
        self._held[lease.shard_id] = held = _Held(lease)
        logger.info("reading a shard", extra={"data": self._facts(held)})

    def _gone(self, held: _Held) -> None:
        self._missed(held, "a shard left the stream before all of it was read; changes may have been missed")
        self._finish(held)

    def _finish(self, held: _Held) -> None:
        self._give_back(held, finished=True)
        self._drop(held)

    def _drop(self, held: _Held) -> None:
        self._held.pop(held.shard_id, None)
        self._look_at = None

    def _lost(self, held: _Held) -> None:
        logger.info("somebody else reads this shard now", extra={"data": self._facts(held)})
        self._drop(held)

    def _give_back(self, held: _Held, *, finished: bool = False) -> None:
        lease = held.lease.copy()
        lease.holder, lease.finished = None, finished
        try:
            leases.save(lease)
        except LeaseLost:
            self._lost(held)

    # Reading -----------------------------------------------------------------------------------------------------------------------

    def _advance(self, held: _Held) -> int:
        try:
            return self._take_page(held)
        except LeaseLost:
            self._lost(held)
        except ShardGone:
            self._gone(held)
        return 0

    def _take_page(self, held: _Held) -> int:
        self._keep(held)
        asked_at = wiring.clock().now()
        batch = self._read(held)
        taken = False
        for records in portions(batch.records):
            self._keep(held)
            taken |= take(self.consumer, held.shard_id, records)
            held.lease.sequence, held.lease.taken_to = sequence_of(records[-1]), written_at(records[-1])
        if not batch.records:
            held.lease.taken_to = asked_at
        held.cursor = batch.cursor
        if batch.cursor is None:
            self._finish(held)
        elif taken:  # a checkpoint is a change as well: one for nothing but others' checkpoints would never let us rest
            held.lease = leases.save(held.lease)
        return len(batch.records)

    def _keep(self, held: _Held) -> None:
        """Renew the lease in time. Raises LeaseLost."""
        if held.lease.held_until is None or wiring.clock().now() >= held.lease.held_until - 2 * self._third():
            held.lease = leases.save(held.lease)

    def _read(self, held: _Held) -> Batch:
        stream, lease = wiring.stream(), held.lease
        try:
            return stream.read(held.cursor or stream.cursor(lease.shard_id, lease.sequence))
        except CursorExpired:
            pass
        except Trimmed:
            self._missed(held, "the stream has not kept what follows on the checkpoint; changes may have been missed")
            lease.sequence = None
        return stream.read(stream.cursor(lease.shard_id, lease.sequence))

    # Telling -----------------------------------------------------------------------------------------------------------------------

    def _missed(self, held: _Held, what: str) -> None:
        since = held.lease.taken_to.isoformat() if held.lease.taken_to else None
        logger.warning(what, extra={"data": self._facts(held) | {"since": since}})

    def _facts(self, held: _Held) -> dict[str, object]:
        return {"consumer": self.consumer.name, "shard": held.shard_id, "sequence": held.lease.sequence}

    def _places(self) -> list[datetime]:
        """Up to when each shard is taken whose turn it is, or may come."""
        mine = {shard_id: held.lease for shard_id, held in self._held.items()}
        leases_now = [mine.get(shard.id) or self._known.get(shard.id) for shard in self._turn]
        return [lease.taken_to or lease.created_at if lease else _LONG_AGO for lease in leases_now]

    def _tell_lag(self) -> None:
        if not self.failed and (places := self._places()) and _LONG_AGO not in places:
            metrics.feed_lag(self.consumer.name, (wiring.clock().now() - min(places)).total_seconds())

    @staticmethod
    def _third() -> timedelta:
        return timedelta(seconds=settings.FEED_LEASE_SECONDS / 3)
