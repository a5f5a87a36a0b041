"""Sends events again that the stream still has (24 hours), without touching leases or checkpoints.

An event made anew has the id that it had, so handlers that were done with it do nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from goalgraph import wiring
from goalgraph.feed import leases
from goalgraph.feed.changes import Change
from goalgraph.feed.dispatch import Dispatch
from goalgraph.feed.events import Event
from goalgraph.feed.taking import Record, portions, take, written_at
from goalgraph.ports.streams import Shard, ShardGone, Trimmed

EMPTY_READS = 5
"""So many reads of nothing in a row are the end of an open shard: DynamoDB may give an empty page where there is more behind it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What was done with a page: how many records of it were from the time asked for, and how many tasks were sent."""

    shard_id: str
    records: int
    tasks: int
    note: str = ""


class _Replay(Dispatch):
    """Dispatches to one subscriber, or to all, and counts."""

    def __init__(self, subscriber: str | None) -> None:
        super().__init__()
        self.subscriber = subscriber
        self.tasks = 0

    def take(self, shard_id: str, changes: Sequence[Change]) -> None:
        events: list[Event] = [event for change in changes for event in self.events(shard_id, change)]
        self.tasks += self.send(events, self.subscriber)


def replay(begin: datetime | None, *, from_checkpoint: bool = False, subscriber: str | None = None) -> Iterator[Progress]:
    """Send what follows from changes written at `begin` or later (None: all there are), or behind the stored checkpoints, up to now.

    Yields what was done with each page. Raises StreamUnavailable, JobsUnavailable; it may be repeated from the start.
    """
    ended = wiring.clock().now()
    known = leases.stored(Dispatch.name) if from_checkpoint else {}
    dispatch = _Replay(subscriber)
    for shard in _in_order(wiring.stream().shards()):
        lease = known.get(shard.id)
        after = lease.sequence if lease else None
        yield from _replay_shard(dispatch, shard.id, after, begin, ended)


def _replay_shard(dispatch: _Replay, shard_id: str, after: str | None, begin: datetime | None, ended: datetime) -> Iterator[Progress]:
    stream = wiring.stream()
    try:
        cursor: str | None = stream.cursor(shard_id, after)
    except Trimmed:
        yield Progress(shard_id, 0, 0, "the checkpoint is gone from the stream, so from the oldest record that is there")
        cursor = stream.cursor(shard_id, None)
    except ShardGone:
        return
    empty = 0
    while cursor is not None and empty < EMPTY_READS:
        batch = stream.read(cursor)
        cursor = batch.cursor
        empty = 0 if batch.records else empty + 1
        chosen: list[Record] = [record for record in batch.records if begin is None or written_at(record) >= begin]
        sent = dispatch.tasks
        for records in portions(chosen):
            take(dispatch, shard_id, records)
        if batch.records:
            yield Progress(shard_id, len(chosen), dispatch.tasks - sent)
            if written_at(batch.records[-1]) > ended:
                return


def _in_order(shards: Sequence[Shard]) -> list[Shard]:
    """Parents before their children."""
    ordered: list[Shard] = []
    left: Mapping[str, Shard] = {shard.id: shard for shard in shards}
    while left:
        turn = [shard for shard in left.values() if shard.parent_id not in left]
        ordered += turn
        left = {shard_id: shard for shard_id, shard in left.items() if shard not in turn}
    return ordered
