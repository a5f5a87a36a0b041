"""The table's changes in tests: a table in memory that has a stream, and what a stream tells since it was last asked."""

import itertools
import threading
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from goalgraph import wiring
from goalgraph.feed.changes import Change, change_of
from goalgraph.feed.taking import _know_all_items, _of_the_feed
from goalgraph.table.memory import MemoryTable
from goalgraph.table.port import Key, Operation, Put, Raw

_sequences = itertools.count(1)


def record(kind: str, old: Raw | None, new: Raw | None) -> dict[str, Any]:
    """A record of DynamoDB Streams, as GetRecords has it."""
    image = new or old
    assert image is not None
    facts: dict[str, Any] = {
        "ApproximateCreationDateTime": wiring.clock().now(),
        "Keys": {name: image[name] for name in ("PK", "SK")},
        "SequenceNumber": f"{next(_sequences):021d}",
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    if old is not None:
        facts["OldImage"] = old
    if new is not None:
        facts["NewImage"] = new
    return {"eventName": kind, "eventSource": "aws:dynamodb", "eventVersion": "1.1", "dynamodb": facts}


class StreamedTable(MemoryTable):
    """A MemoryTable whose changes are in the shard `shard-0` of the stream in `PORTS`, a RecordedStream."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._one_writer = threading.RLock()

    def put(self, raw: Raw, condition: Any) -> None:
        self._told([_key(raw)], lambda: super(StreamedTable, self).put(raw, condition))

    def update(self, key: Key, actions: Sequence[Any], condition: Any) -> Raw:
        return self._told([key], lambda: super(StreamedTable, self).update(key, actions, condition))

    def delete(self, key: Key, condition: Any) -> None:
        self._told([key], lambda: super(StreamedTable, self).delete(key, condition))

    def transact(self, operations: Sequence[Operation], token: str) -> None:
        keys = [_key(operation.raw) if isinstance(operation, Put) else operation.key for operation in operations]
        self._told(keys, lambda: super(StreamedTable, self).transact(operations, token))

    def _told(self, keys: Sequence[Key], write: Any) -> Any:
        with self._one_writer:
            before = [self._items.get(key) for key in keys]
            answer = write()
            for key, old in zip(keys, before, strict=True):
                new = self._items.get(key)
                if new != old:
                    kind = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
                    wiring.stream().append("shard-0", record(kind, old, new))  # type: ignore[attr-defined]
            return answer


def _key(raw: Raw) -> Key:
    return Key(raw["PK"]["S"], raw["SK"]["S"])


_read_to: WeakKeyDictionary[Any, dict[str, str]] = WeakKeyDictionary()


def changes_since() -> list[Change]:
    """What changed in the table since this was last asked, without what the feed itself wrote."""
    _know_all_items()
    stream = wiring.stream()
    places = _read_to.setdefault(stream, {})
    found: list[Any] = []
    for shard in stream.shards():
        cursor = places.get(shard.id) or stream.cursor(shard.id, None)
        while (batch := stream.read(cursor)).records:
            found += batch.records
            assert batch.cursor is not None
            cursor = batch.cursor
        places[shard.id] = cursor
    return [change_of(each) for each in found if not _of_the_feed(each)]
