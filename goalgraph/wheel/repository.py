"""What sweeps read and write of the wheel."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from goalgraph.auth.actor import Actor
from goalgraph.table import keys, table
from goalgraph.table.items import CoreItem
from goalgraph.table.port import ConditionFailed
from goalgraph.table.table import seconds
from goalgraph.wheel.items import FailedEntry, SweepLease, WheelShard

PAGE = 100
LEASE_KEPT = timedelta(hours=1)
"""How long a lease that nobody gave back lies there, for the count of those who came to an end."""


@dataclass(frozen=True, slots=True, order=True)
class Bucket:
    """A minute (UTC) of a shard of the wheel."""

    minute: datetime
    shard: int


# Watermarks ------------------------------------------------------------------------------------------------------------------------------


def watermarks(actor: Actor, shards: Sequence[int]) -> list[WheelShard | None]:
    """In the order of `shards`; None for one that was never swept."""
    return cast("list[WheelShard | None]", table(actor).get_many([keys.wheel_shard(shard) for shard in shards]))


def move_watermark(actor: Actor, shard: int, known: WheelShard | None, until: datetime) -> None:
    """Never backwards: where another tick came first, the later of the two stays."""
    with suppress(ConditionFailed):
        if known is None:
            table(actor).put(WheelShard(shard=shard, swept_until=until))
        else:
            table(actor).update(known.key(), [WheelShard.swept_until.set(until)], condition=WheelShard.swept_until < until)


# Buckets ---------------------------------------------------------------------------------------------------------------------------------


def has_work(actor: Actor, bucket: Bucket, *, consistent: bool) -> bool:
    """Whether there is an entry in `bucket` that a sweep would not pass by. An empty one costs one read of nothing."""
    try:
        if not table(actor).query(keys.due_bucket(bucket.minute, bucket.shard), limit=1, consistent=consistent).items:
            return False
        failed = failed_marks(actor, bucket)
        return not failed or any(mark_of(entry) not in failed for page in pages(actor, bucket) for entry in page)
    except ValueError:  # an entry of a type that a newer release wrote: not for us to pass by
        return True


def pages(actor: Actor, bucket: Bucket) -> Iterator[list[CoreItem]]:
    """The entries of `bucket` as they are now. What is taken out or put in meanwhile disturbs nothing."""
    after, more = None, True
    while more:
        page = table(actor).query(keys.due_bucket(bucket.minute, bucket.shard), limit=PAGE, after=after, consistent=True)
        yield page.items
        after, more = page.cursors[-1] if page.cursors else None, page.has_more


def entry(actor: Actor, bucket: Bucket, sk: str) -> CoreItem | None:
    return table(actor).get(keys.entry_in(bucket.minute, bucket.shard, sk), consistent=True)


# Leases ----------------------------------------------------------------------------------------------------------------------------------


def take_lease(actor: Actor, bucket: Bucket, holder: str, now: datetime, until: datetime) -> SweepLease | None:
    """None while somebody else has it."""
    lease = SweepLease(minute=bucket.minute, shard=bucket.shard, holder=holder, until=until, ttl=seconds(until + LEASE_KEPT))
    try:
        return cast("SweepLease", table(actor).put(lease))
    except ConditionFailed as error:
        found = error.current
    if found is None or found.until > now:
        return None
    found.holder, found.until, found.lost, found.ttl = holder, until, found.lost + 1, lease.ttl
    try:
        return cast("SweepLease", table(actor).put(found))
    except ConditionFailed:
        return None


def renew_lease(actor: Actor, lease: SweepLease, until: datetime) -> SweepLease | None:
    """None where somebody else took it meanwhile."""
    lease.until, lease.ttl = until, seconds(until + LEASE_KEPT)
    try:
        return cast("SweepLease", table(actor).put(lease))
    except ConditionFailed:
        return None


def give_back_lease(actor: Actor, lease: SweepLease) -> None:
    with suppress(ConditionFailed):
        table(actor).delete(lease.key(), condition=SweepLease.holder == lease.holder)


# What failed -----------------------------------------------------------------------------------------------------------------------------


def mark_of(entry: CoreItem) -> tuple[str, str]:
    """Tells an entry from all others, and from a later one at the same place."""
    return entry.key().sk, entry.write_id


def mark_failed(actor: Actor, bucket: Bucket, entry: CoreItem) -> None:
    sk, write_id = mark_of(entry)
    table(actor).put(FailedEntry(minute=bucket.minute, shard=bucket.shard, entry_sk=sk, entry_write_id=write_id), overwrite=True)


def failed_marks(actor: Actor, bucket: Bucket) -> set[tuple[str, str]]:
    found = table(actor).query(keys.failed_entries(bucket.shard, bucket.minute), consistent=True).items
    return {(each.entry_sk, each.entry_write_id) for each in found}


def failed_entries(actor: Actor, shard: int) -> list[FailedEntry]:
    """Oldest first."""
    return table(actor).query(keys.failed_entries(shard), consistent=True).items


def forget_failed(actor: Actor, bucket: Bucket, sk: str) -> None:
    table(actor).delete(keys.failed_entry(bucket.minute, bucket.shard, sk))
