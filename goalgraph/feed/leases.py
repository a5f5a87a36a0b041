"""Which shards are whose turn, who reads them, and how far: the checkpoints of a consumer, and the leases on them.

A lease and its checkpoint are one item, and each write of it holds only while nobody else wrote it since (the version and write id of the
item we know). So a process that was too slow, and whose shard somebody else has by now, moves no checkpoint.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import cast

from django.conf import settings

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM
from goalgraph.feed.items import FeedShard
from goalgraph.ports.streams import Shard
from goalgraph.table import keys, table
from goalgraph.table.port import ConditionFailed
from goalgraph.table.table import seconds

KEPT = timedelta(days=7)
"""How long a checkpoint lies there after its last move; the stream keeps its records for 24 hours."""

Stored = Mapping[str, FeedShard]


class LeaseLost(Exception):
    """Somebody else has the shard."""


def stored(consumer: str) -> dict[str, FeedShard]:
    """What is known of the consumer's shards, by their ids."""
    found = table(SYSTEM).query(keys.feed_shards_of(consumer), consistent=True).items
    return {item.shard_id: item for item in cast("list[FeedShard]", found)}


def unread(shards: Sequence[Shard], known: Stored) -> list[Shard]:
    """The shards whose turn it is: not read to their end, and their parents are. A parent that is gone from the stream counts as read."""
    left = {shard.id for shard in shards if not (shard.id in known and known[shard.id].finished)}
    return [shard for shard in shards if shard.id in left and shard.parent_id not in left]


def fair_share(turn: Sequence[Shard], known: Stored, me: str, now: datetime) -> list[Shard]:
    """Which more of `turn` the process `me` should take.

    Those that nobody holds, up to its share; else one of whoever has at least two more than it.
    """
    holders = {shard.id: holder_of(known.get(shard.id), now) for shard in turn}
    count = Counter(holder for holder in holders.values() if holder)
    share = -(-len(turn) // len({*count, me}))
    free = [shard for shard in turn if holders[shard.id] is None]
    if free:
        return free[: max(0, share - count[me])]
    richest, most = max(count.items(), key=lambda entry: entry[1], default=(me, 0))
    return [shard for shard in turn if holders[shard.id] == richest][:1] if most >= count[me] + 2 else []


def holder_of(lease: FeedShard | None, now: datetime) -> str | None:
    """Who reads the shard at the moment."""
    return lease.holder if lease and lease.holder and lease.held_until and lease.held_until > now else None


def take(consumer: str, shard_id: str, lease: FeedShard | None, me: str) -> FeedShard | None:
    """Take a shard that was found as `lease`; None where somebody else was quicker."""
    taken = lease.copy() if lease else FeedShard(consumer=consumer, shard_id=shard_id)
    taken.holder = me
    try:
        return save(taken)
    except LeaseLost:
        return None


def save(lease: FeedShard) -> FeedShard:
    """Store how far its holder is, and keep the shard for a while more. Raises LeaseLost."""
    now = wiring.clock().now()
    lease.held_until = now + timedelta(seconds=settings.FEED_LEASE_SECONDS) if lease.holder else None
    lease.ttl = seconds(now + KEPT)
    try:
        return cast("FeedShard", table(SYSTEM).put(lease))
    except ConditionFailed as error:
        if error.current is None or lease.holder is None or error.current.holder != lease.holder:
            raise LeaseLost from error
        # An earlier write of ours took effect though it seemed to fail.
        lease.version, lease.write_id = error.current.version, error.current.write_id
    try:
        return cast("FeedShard", table(SYSTEM).put(lease))
    except ConditionFailed as error:
        raise LeaseLost from error


def lag(consumer: str) -> timedelta | None:
    """For how long the consumer has not been at the end of the stream, as stored; None where it never ran."""
    behind = [item.taken_to or item.created_at for item in stored(consumer).values() if not item.finished]
    return wiring.clock().now() - min(behind) if behind else None
