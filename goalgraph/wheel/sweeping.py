"""Turning the wheel: ticks find the buckets whose minute has come, sweeps empty them (docs/adr/0011-due-wheel.md).

Correctness rests on two things alone: a turn takes an entry out of its bucket in the transaction that does what the entry is there for, and
a bucket is looked at until it was found empty. Leases, queues and marks save work; each may be lost, doubled or late.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from secrets import token_hex

from django.conf import settings

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.table.items import CoreItem
from goalgraph.table.port import TableError, TableUnavailable
from goalgraph.wheel import registry, repository
from goalgraph.wheel.items import SweepLease, WheelShard
from goalgraph.wheel.repository import Bucket

logger = logging.getLogger(__name__)

MINUTE = timedelta(minutes=1)
MOST_SWEEPS = 120
"""Sweeps of a shard that one tick may ask for. Later minutes are left to later ticks."""
DEADLY = 3
"""So many workers in a row that came to an end in one bucket are no chance: its entries are tried in tasks of their own."""


def queue_of(shard: int) -> str:
    """Where what concerns a shard of the wheel waits: premium members' entries stand in the shards after the others."""
    return f"due{settings.PRIORITY}" if shard >= settings.DUE_SHARDS else "due"


def minute_of(instant: datetime) -> datetime:
    return instant.replace(second=0, microsecond=0)


# Ticks -----------------------------------------------------------------------------------------------------------------------------------


def tick(actor: Actor, now: datetime) -> list[Bucket]:
    """Have every bucket swept that is due at `now` and not known to be empty, the oldest first, and return those.

    Once a minute is enough; twice, late or by several at once does no harm. Raises JobsUnavailable when the broker takes nothing, and
    TableUnavailable; the next tick then finds the same again.
    """
    found = due_buckets(actor, now)
    for bucket in found:
        wiring.jobs().send(
            "goalgraph.wheel.tasks.sweep",
            queue=queue_of(bucket.shard),
            minute=bucket.minute.isoformat(),
            shard=bucket.shard,
            tenant_id=actor.tenant_id,
        )
    return found


def due_buckets(actor: Actor, now: datetime) -> list[Bucket]:
    """The buckets that are due at `now` and hold something to do, the oldest first; watermarks move over those that are done.

    It ends in good time for a task: with very many, the later ones are left to the next call.
    """
    deadline = wiring.clock().now() + timedelta(seconds=settings.WHEEL_SWEEP_SECONDS / 2)
    shards = range(settings.DUE_SHARDS + settings.DUE_PRIORITY_SHARDS)
    known = zip(shards, repository.watermarks(actor, shards), strict=True)
    found: list[Bucket] = []
    for shard, watermark in sorted(known, key=lambda pair: _start(pair[1], now)):  # the one that lags most goes first
        found += _look(actor, shard, watermark, now, deadline)
    return sorted(found)


def _start(watermark: WheelShard | None, now: datetime) -> datetime:
    """The first minute that has to be looked at. The last minutes always are, whatever the watermark says: a clock that was ahead may have
    moved it too far, and an entry may be written by a clock that lags."""
    first = minute_of(now) - timedelta(minutes=settings.WHEEL_START_MINUTES) if watermark is None else watermark.swept_until
    return min(first, _settled(now))


def _settled(now: datetime) -> datetime:
    """No entry comes any more to a minute before this one."""
    return minute_of(now) - timedelta(minutes=settings.WHEEL_OVERLAP_MINUTES)


def _look(actor: Actor, shard: int, watermark: WheelShard | None, now: datetime, deadline: datetime) -> list[Bucket]:
    found: list[Bucket] = []
    minute = swept_until = _start(watermark, now)
    while minute <= now and len(found) < MOST_SWEEPS and wiring.clock().now() < deadline:
        bucket, settled = Bucket(minute, shard), minute < _settled(now)
        minute += MINUTE
        if repository.has_work(actor, bucket, consistent=settled):  # only what is settled is proven empty for good
            found.append(bucket)
        elif settled and not found:
            swept_until = minute
    if watermark is None or swept_until > watermark.swept_until:
        repository.move_watermark(actor, shard, watermark, swept_until)
    return found


# Sweeps ----------------------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Swept:
    """What a sweep did: entries whose turn went well, and entries that were left to tasks of their own."""

    turned: int = 0
    failed: int = 0


def sweep(actor: Actor, bucket: Bucket, *, hand_off: bool = True) -> Swept:
    """Turn the entries of `bucket` until it is empty, or until it is time to stop; the next tick has the rest swept.

    Does nothing before the bucket's minute has come by our own clock, nor while another worker has the lease. An entry whose turn fails,
    alone as well, gets a task of its own (`turn_one`; without `hand_off` only the mark) and is passed by from then on.
    Raises TableUnavailable and JobsUnavailable, which say nothing about an entry.
    """
    now = wiring.clock().now()
    if bucket.minute > now or not repository.has_work(actor, bucket, consistent=False):
        return Swept()
    lease = repository.take_lease(actor, bucket, token_hex(8), now, now + _lease_time())
    if lease is None:
        return Swept()
    running = _Sweep(actor, bucket, lease, hand_off, deadline=now + timedelta(seconds=settings.WHEEL_SWEEP_SECONDS))
    try:
        running.run()
    finally:
        running.give_back()
    return running.swept


def turn_one(actor: Actor, bucket: Bucket, sk: str) -> None:
    """Turn the entry of `bucket` at `sk`, which failed before. Raises what its turn raises; ValueError where it left the entry there."""
    entry = repository.entry(actor, bucket, sk)
    if entry is not None:
        _turn_of(entry)(actor, [entry], wiring.clock().now())
        left = repository.entry(actor, bucket, sk)
        if left is not None and left.write_id == entry.write_id:
            raise ValueError("a turn left its entry in the bucket")
    repository.forget_failed(actor, bucket, sk)


def failed(actor: Actor) -> Iterator[tuple[Bucket, str]]:
    """The entries that sweeps pass by: bucket and sort key."""
    for shard in range(settings.DUE_SHARDS + settings.DUE_PRIORITY_SHARDS):
        for each in repository.failed_entries(actor, shard):
            yield Bucket(each.minute, shard), each.entry_sk


def send_alone(actor: Actor, bucket: Bucket, sk: str) -> None:
    """Have an entry turned by a task of its own. Raises JobsUnavailable."""
    wiring.jobs().send(
        "goalgraph.wheel.tasks.turn_one",
        queue=queue_of(bucket.shard),
        minute=bucket.minute.isoformat(),
        shard=bucket.shard,
        sk=sk,
        tenant_id=actor.tenant_id,
    )


def _lease_time() -> timedelta:
    return timedelta(seconds=settings.WHEEL_LEASE_SECONDS)


def _type_of(entry: CoreItem) -> str:
    return str(type(entry).type.serialize(type(entry)))  # type: ignore[no-untyped-call]


def _groups(entries: Sequence[CoreItem]) -> Iterator[list[CoreItem]]:
    """Entries of one type each, as many as a turn takes."""
    for _, alike in groupby(sorted(entries, key=_type_of), key=_type_of):
        left = list(alike)
        while left:
            yield left[: registry.AT_ONCE]
            left = left[registry.AT_ONCE :]


def _turn_of(entry: CoreItem) -> registry.Turn:
    return registry.turns()[_type_of(entry)]


@dataclass(slots=True)
class _Sweep:
    """One sweep under way."""

    actor: Actor
    bucket: Bucket
    lease: SweepLease | None
    hand_off: bool
    deadline: datetime
    swept: Swept = field(default_factory=Swept)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def run(self) -> None:
        """Passes over the bucket until one finds nothing that is new."""
        self._seen = repository.failed_marks(self.actor, self.bucket)
        before = -1
        while before < len(self._seen) and not self._late():
            before = len(self._seen)
            self._pass()

    def give_back(self) -> None:
        try:
            if self.lease is not None:
                repository.give_back_lease(self.actor, self.lease)
        except TableError:
            logger.warning("a lease was not given back, and runs out")

    def _pass(self) -> None:
        for page in repository.pages(self.actor, self.bucket):
            new = [entry for entry in page if repository.mark_of(entry) not in self._seen]
            for entries in _groups(new):
                if self._late() or not self._holds_lease():
                    return
                self._turn(entries)
                self._seen.update(map(repository.mark_of, entries))

    def _late(self) -> bool:
        return wiring.clock().now() >= self.deadline

    def _holds_lease(self) -> bool:
        """Renewed when half of it is over. Where another has taken it, this sweep ends."""
        now = wiring.clock().now()
        if self.lease is not None and self.lease.until < now + _lease_time() / 2:
            self.lease = repository.renew_lease(self.actor, self.lease, now + _lease_time())
        return self.lease is not None

    def _turn(self, entries: Sequence[CoreItem]) -> None:
        if self.lease is not None and self.lease.lost >= DEADLY:
            self._fail(entries)
        elif not self._went_well(entries):
            for entry in entries:
                if len(entries) == 1 or self._late() or not self._went_well([entry]):
                    self._fail([entry])

    def _went_well(self, entries: Sequence[CoreItem]) -> bool:
        try:
            _turn_of(entries[0])(self.actor, entries, wiring.clock().now())
        except TableUnavailable:
            raise
        except Exception:  # one entry must not hold up the others, whatever is wrong with it
            logger.exception("a turn of the due wheel failed", extra={"data": {"type": _type_of(entries[0]), "entries": len(entries)}})
            return False
        self.swept.turned += len(entries)
        return True

    def _fail(self, entries: Sequence[CoreItem]) -> None:
        """The task comes first: were the mark first, and this process ended, nobody would turn the entry any more."""
        for entry in entries:
            if self.hand_off:
                send_alone(self.actor, self.bucket, entry.key().sk)
            repository.mark_failed(self.actor, self.bucket, entry)
            self.swept.failed += 1
