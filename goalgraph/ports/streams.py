"""The table's stream of changes, in the shape of DynamoDB Streams: shards that follow from each other, and records in order in each.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class StreamUnavailable(Exception):
    """The stream did not answer, or refused for load. Ask again later."""


class CursorExpired(Exception):
    """A cursor is too old (15 minutes in DynamoDB). Get a new one for the same place."""


class Trimmed(Exception):
    """What stood at that place is gone: older than 24 hours, or the stream began anew."""


class ShardGone(Exception):
    """There is no such shard any more: it was closed, and all of it is older than 24 hours."""


@dataclass(frozen=True, slots=True)
class Shard:
    """`parent_id` names the shard whose keys it took over; it may be gone from the stream. A key's changes are in one shard at a time."""

    id: str
    parent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Records in the order of the shard (see `goalgraph.feed.changes.change_of`), and where to go on. No cursor: the shard is closed, and
    this was the rest of it. No record and a cursor: nothing more for now, as far as can be told."""

    records: Sequence[Mapping[str, Any]]
    cursor: str | None


class ChangeStream(Protocol):
    """Every call may block on the network and raises StreamUnavailable."""

    def shards(self) -> list[Shard]:
        """All that hold records, closed ones included, in any order."""

    def cursor(self, shard_id: str, after: str | None) -> str:
        """The place behind the record whose sequence is `after`; None: at the oldest record that is there.

        Raises Trimmed where that record is not there any more, ShardGone.
        """

    def read(self, cursor: str) -> Batch:
        """At most 1,000 records. Raises CursorExpired, Trimmed, ShardGone."""
