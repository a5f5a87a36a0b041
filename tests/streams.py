"""What the table's stream would say: a table in memory that keeps a record of each change, in the shape of DynamoDB Streams.

`memory_world` has it, so any test may ask `changes_since()`, and feed readers find the same records in the `stream` port.
"""

import itertools
from typing import Any
from weakref import WeakKeyDictionary

import pytest

from goalgraph import wiring
from goalgraph.adapters.streams import RecordedStream
from goalgraph.feed.changes import Change, change_of
from goalgraph.feed.events import Event
from goalgraph.feed.registry import events_of
from goalgraph.table.keys import OF_THE_FEED
from goalgraph.table.memory import MemoryTable
from goalgraph.table.port import Key, Raw
from tests.fixtures import FakeClock

Record = dict[str, Any]
SHARD = "shard-0"

_numbers = itertools.count(100_000_000_000_000_000_001)


def record(kind: str, old: Raw | None, new: Raw | None) -> Record:
    """As GetRecords has it (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html)."""
    image = new or old
    assert image is not None
    facts: Record = {
        "ApproximateCreationDateTime": wiring.clock().now().replace(microsecond=0),
        "Keys": {name: image[name] for name in ("PK", "SK")},
        "SequenceNumber": str(next(_numbers)),
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    facts |= {name: each for name, each in (("OldImage", old), ("NewImage", new)) if each is not None}
    return {"eventID": facts["SequenceNumber"], "eventName": kind, "eventSource": "aws:dynamodb", "eventVersion": "1.1", "dynamodb": facts}


class StreamingTable(MemoryTable):
    """Keeps what its writes changed, in their order, and tells the `stream` port. A write that leaves an item as it was makes no record,
    as in DynamoDB."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.records: list[Record] = []

    def _store(self, key: Key, raw: Raw | None) -> None:
        old = self._items.get(key)
        super()._store(key, raw)
        if raw != old:
            self._tell(record("INSERT" if old is None else "REMOVE" if raw is None else "MODIFY", old, raw))

    def expire(self, key: Key) -> None:
        """Remove an item as the store does when its `ttl` is over."""
        with self._lock:
            old = self._items[key]
            super()._store(key, None)
            expired = record("REMOVE", old, None)
            self._tell(expired | {"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}})

    def _tell(self, told: Record) -> None:
        self.records.append(told)
        stream = wiring.stream()
        if isinstance(stream, RecordedStream):
            stream.append(SHARD, told)


_read_to: WeakKeyDictionary[Any, dict[str, str]] = WeakKeyDictionary()


def changes_since() -> list[Change]:
    """What the `stream` port tells since this was last asked, without what the feed itself wrote."""
    stream = wiring.stream()
    places = _read_to.setdefault(stream, {})
    found: list[Record] = []
    for shard in stream.shards():
        cursor = places.get(shard.id) or stream.cursor(shard.id, None)
        while (batch := stream.read(cursor)).records:
            found += batch.records
            assert batch.cursor is not None
            cursor = batch.cursor
        places[shard.id] = cursor
    return [change_of(told) for told in found if not told["dynamodb"]["Keys"]["PK"]["S"].startswith(OF_THE_FEED)]


class StreamingWorld:
    """Services on a `StreamingTable`, at a clock that stands still."""

    @property
    def clock(self) -> FakeClock:
        clock = wiring.clock()
        assert isinstance(clock, FakeClock)
        return clock

    @property
    def table(self) -> StreamingTable:
        table = wiring.table_adapter()
        assert isinstance(table, StreamingTable)
        return table

    def changes(self) -> list[Change]:
        """All that happened so far, as the feed reads it."""
        return [change_of(told) for told in self.table.records]

    def events(self, *types: str) -> list[Event]:
        """What follows from it, in the words of the contexts' translators; without `types`: all."""
        return [event for event in events_of(self.changes()) if not types or event.type in types]


@pytest.fixture
def streaming_world(memory_world: FakeClock) -> StreamingWorld:
    """`memory_world`, with what its stream tells."""
    return StreamingWorld()
