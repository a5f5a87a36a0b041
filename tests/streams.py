"""What the table's stream would say: a table in memory that keeps a record of each change, in the shape of DynamoDB Streams."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from goalgraph import wiring
from goalgraph.feed.changes import Change, change_of
from goalgraph.feed.events import Event
from goalgraph.feed.registry import events_of
from goalgraph.table.memory import MemoryTable
from goalgraph.table.port import Key, Raw
from tests.fixtures import FakeClock

Record = dict[str, Any]


class StreamingTable(MemoryTable):
    """Keeps what its writes changed, in their order. A write that leaves an item as it was makes no record, as in DynamoDB.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.records: list[Record] = []
        self._numbers = itertools.count(100_000_000_000_000_000_001)

    def _store(self, key: Key, raw: Raw | None) -> None:
        old = self._items.get(key)
        super()._store(key, raw)
        if raw != old:
            self.records.append(self._record(key, old, raw))

    def _record(self, key: Key, old: Raw | None, new: Raw | None) -> Record:
        facts: Record = {
            "ApproximateCreationDateTime": wiring.clock().now().replace(microsecond=0),
            "Keys": key.raw(),
            "SequenceNumber": str(next(self._numbers)),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        }
        facts |= {name: image for name, image in (("OldImage", old), ("NewImage", new)) if image is not None}
        kind = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
        return {"eventID": facts["SequenceNumber"], "eventName": kind, "eventSource": "aws:dynamodb", "dynamodb": facts}

    def expire(self, key: Key) -> None:
        """Remove an item as the store does when its `ttl` is over."""
        with self._lock:
            assert key in self._items
            self._store(key, None)
            self.records[-1]["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


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
        return [change_of(record) for record in self.table.records]

    def events(self, *types: str) -> list[Event]:
        """What follows from it, in the words of the contexts' translators; without `types`: all."""
        return [event for event in events_of(self.changes()) if not types or event.type in types]


@pytest.fixture
def streaming_world(memory_world: FakeClock) -> Iterator[StreamingWorld]:
    """`memory_world`, whose writes are kept as the records of a stream."""
    with override_settings(PORTS=settings.PORTS | {"table": {"BACKEND": "tests.streams.StreamingTable"}}):
        yield StreamingWorld()
