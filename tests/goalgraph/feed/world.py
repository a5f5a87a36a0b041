"""A stream whose shards split, a table and consumers that can be interrupted at every point, and readers that come and go."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from chat.items import ReadMark
from goalgraph import wiring
from goalgraph.adapters.streams import RecordedStream
from goalgraph.feed.changes import Change
from goalgraph.ports.streams import Batch, Shard
from goalgraph.table.memory import MemoryTable
from goalgraph.table.port import Key, Operation, Raw, RawPage, Span
from tests.streams import record


class Killed(BaseException):
    """The process died here."""


class Fate:
    """Counts the points at which something may happen: before each call to a port takes effect, and after, when its answer is lost."""

    def __init__(self) -> None:
        self.points = 0
        self.strikes_at: int | None = None
        self.blow: Callable[[], BaseException] = Killed

    def point(self) -> None:
        self.points += 1
        if self.points == self.strikes_at:
            raise self.blow()

    def around(self, call: Callable[[], Any]) -> Any:
        self.point()
        answer = call()
        self.point()
        return answer


fate = Fate()


class FatefulStream(RecordedStream):
    def shards(self) -> list[Shard]:
        return fate.around(super().shards)

    def cursor(self, shard_id: str, after: str | None) -> str:
        return fate.around(lambda: super(FatefulStream, self).cursor(shard_id, after))

    def read(self, cursor: str) -> Batch:
        return fate.around(lambda: super(FatefulStream, self).read(cursor))


class FatefulTable(MemoryTable):
    def query(self, span: Span, **more: Any) -> RawPage:
        return fate.around(lambda: super(FatefulTable, self).query(span, **more))

    def put(self, raw: Raw, condition: Any) -> None:
        fate.around(lambda: super(FatefulTable, self).put(raw, condition))

    def update(self, key: Key, actions: Sequence[Any], condition: Any) -> Raw:
        return fate.around(lambda: super(FatefulTable, self).update(key, actions, condition))

    def transact(self, operations: Sequence[Operation], token: str) -> None:
        fate.around(lambda: super(FatefulTable, self).transact(operations, token))


class Collector:
    """A consumer that keeps what it was given, in order."""

    def __init__(self, name: str = "collector") -> None:
        self.name = name
        self.taken: list[tuple[str, int]] = []
        self.failing = False

    def take(self, shard_id: str, changes: Sequence[Change]) -> None:
        if self.failing:
            raise RuntimeError("no")
        for change in changes:
            fate.point()
            self.taken.append((change.item.user_id, int(change.item.seq)))

    @property
    def first_seen(self) -> dict[str, list[int]]:
        """By key: its changes in the order in which they were first given."""
        seen: defaultdict[str, list[int]] = defaultdict(list)
        for key, number in self.taken:
            if number not in seen[key]:
                seen[key].append(number)
        return dict(seen)


class Source:
    """Writes numbered changes of keys into the stream in the `stream` port, each into the shard that has its key at the moment."""

    def __init__(self, keys: Sequence[str] = ("a", "b", "c", "d")) -> None:
        self.written: defaultdict[str, list[int]] = defaultdict(list)
        self.shard_of = dict.fromkeys(keys, "shard-0")
        self.sequences: list[str] = []
        self._shards = 1

    @property
    def stream(self) -> RecordedStream:
        return wiring.stream()

    def write(self, key: str = "a") -> None:
        number = len(self.written[key]) + 1
        made = numbered(key, number)
        self.stream.append(self.shard_of[key], made)
        self.sequences.append(made["dynamodb"]["SequenceNumber"])
        self.written[key].append(number)

    def split(self, shard_id: str) -> list[str]:
        """A shard is closed, and its keys go to two new ones (or to one, where it has but one key)."""
        self.stream.close(shard_id)
        keys = [key for key, shard in self.shard_of.items() if shard == shard_id]
        children = []
        for part in (keys[::2], keys[1::2]):
            child = f"shard-{self._shards}"
            self._shards += 1
            self.stream.open(child, shard_id)
            children.append(child)
            self.shard_of.update(dict.fromkeys(part, child))
        return children


def numbered(key: str, number: int) -> dict[str, Any]:
    """The record of the `number`-th change of the read mark of a member `key`."""
    return record("MODIFY" if number > 1 else "INSERT", _mark(key, number - 1) if number > 1 else None, _mark(key, number))


def _mark(key: str, number: int) -> Raw:
    now = wiring.clock().now()
    mark = ReadMark(room_id="r", user_id=key, seq=number, owner_id=key, created_at=now, updated_at=now, actor_id=key)
    mark.trace_id, mark.write_id, mark.version = "trace-of-a-test", f"{key}{number}", number
    return mark.to_raw(None)
