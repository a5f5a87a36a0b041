"""A wheel in memory: entries of two kinds whose turns leave a trace in the table, queues that a test empties itself, and a clock."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from pynamodb.attributes import UnicodeAttribute

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.ids import new_id
from goalgraph.ports.jobs import JobsUnavailable
from goalgraph.table import table
from goalgraph.table.items import CoreItem
from goalgraph.table.keys import shard_of
from goalgraph.table.port import Key, TransactionCanceled
from goalgraph.table.table import Delete, Put
from goalgraph.wheel import sweeping, tasks
from goalgraph.wheel.repository import Bucket
from goals.items import DueEntry
from notifications.items import DigestEntry
from tests.fixtures import FakeClock

FREE, PREMIUM = 2, 1
"""Shards."""


class Turned(CoreItem, discriminator="TestTurned"):
    """Stands where an entry was turned. It can be put there once only."""

    name = UnicodeAttribute()

    def key(self) -> Key:
        return Key(f"TURNED#{self.name}", "TURNED")


class Queues:
    """A `jobs` port whose tasks wait until a test runs them. `down`: the broker takes nothing. `doubling`: it delivers each twice."""

    def __init__(self) -> None:
        self.waiting: list[tuple[str, str, dict[str, Any]]] = []
        self.dead: list[tuple[str, dict[str, Any]]] = []
        self.down = self.doubling = False

    def enqueue(self, name: str, **arguments: Any) -> None:
        self.send(name, queue="default", **arguments)

    def send(self, name: str, *, queue: str, **arguments: Any) -> None:
        if self.down:
            raise JobsUnavailable
        self.waiting += [(queue, name, arguments)] * (2 if self.doubling else 1)

    def take(self) -> list[tuple[str, str, dict[str, Any]]]:
        taken, self.waiting = self.waiting, []
        return taken

    def run(self) -> None:
        """All that waits, and what comes of it. A task stays until it is done, and is dead when it failed three times."""
        while self.waiting:
            _, name, arguments = self.waiting[0]
            if not any(succeeds(name, arguments) for _ in range(3)):
                self.dead.append((name, arguments))
            del self.waiting[0]


def succeeds(name: str, arguments: dict[str, Any]) -> bool:
    module, _, task = name.rpartition(".")
    assert module == tasks.__name__
    try:
        getattr(tasks, task)(**arguments)
    except RuntimeError:
        return False
    return True


@dataclass
class Wheel:
    """`poison` names entries whose turn raises; `calls` are the turns that were asked for, by their entries' names."""

    clock: FakeClock
    queues: Queues
    actor: Actor = SYSTEM
    poison: set[str] = field(default_factory=set)
    calls: list[list[str]] = field(default_factory=list)
    twice: Counter[str] = field(default_factory=Counter)
    """Entries that a turn found done: two were at work at once. Nothing came of it."""

    @property
    def minute(self) -> datetime:
        return sweeping.minute_of(self.clock.now())

    @property
    def turns(self) -> dict[str, Any]:
        return {"DueEntry": self.turn, "DigestEntry": self.turn}

    def turn(self, actor: Actor, entries: Sequence[Any], now: datetime) -> None:
        self.calls.append([name_of(entry) for entry in entries])
        for entry in entries:
            if name_of(entry) in self.poison:
                raise RuntimeError(name_of(entry))
            self.do(actor, entry)

    def do(self, actor: Actor, entry: Any) -> None:
        try:
            table(actor).transact([Delete(entry.key(), item=entry), Put(Turned(name=name_of(entry)))])
        except TransactionCanceled:
            self.twice[name_of(entry)] += 1

    def add(self, count: int = 1, *, minutes: float = 0, shard: int | None = None, premium: bool = False) -> list[str]:
        """New reminders, due so many minutes from now. Their names."""
        return [self._add(new_id(), self.minute + timedelta(minutes=minutes), shard, premium) for _ in range(count)]

    def _add(self, task_id: str, at: datetime, shard: int | None, premium: bool) -> str:
        place = FREE + shard_of(task_id, PREMIUM) if premium else shard_of(task_id, FREE)
        entry = DueEntry(task_ref="t", task_id=task_id, reminder_id="due", at=at, shard=place if shard is None else shard)
        table(self.actor).put(entry)
        return task_id

    def add_digest(self, *, shard: int = 0) -> str:
        user_id = new_id()
        table(self.actor).put(DigestEntry(user_id=user_id, at=self.minute, shard=shard))
        return user_id

    def entry(self, name: str) -> Any:
        """A reminder of a minute that is over since at most two hours, as it stands on the wheel."""
        found = [entry for entry in self.left() if name_of(entry) == name]
        return found[0] if found else None

    def left(self) -> list[Any]:
        """What stands in the buckets of the last two hours and the next."""
        minutes = [self.minute + timedelta(minutes=offset) for offset in range(-120, 60)]
        buckets = [Bucket(minute, shard) for minute in minutes for shard in range(FREE + PREMIUM)]
        return [entry for bucket in buckets for page in sweeping.repository.pages(self.actor, bucket) for entry in page]

    def done(self, names: Iterable[str]) -> list[str]:
        wanted = list(names)
        found = table(self.actor).get_many([Key(f"TURNED#{name}", "TURNED") for name in wanted])
        return [name for name, item in zip(wanted, found, strict=True) if item is not None]

    def tick(self) -> list[Bucket]:
        return sweeping.tick(self.actor, self.clock.now())

    def go_round(self) -> None:
        """A tick, and all that comes of it."""
        self.tick()
        self.queues.run()

    def watermarks(self) -> list[datetime | None]:
        found = sweeping.repository.watermarks(self.actor, range(FREE + PREMIUM))
        return [each and each.swept_until for each in found]

    def in_tenant(self, tenant_id: str) -> "Wheel":
        return replace(self, actor=replace(SYSTEM, tenant_id=tenant_id))


def name_of(entry: Any) -> str:
    return str(entry.task_id if isinstance(entry, DueEntry) else entry.user_id)


def new_wheel() -> Wheel:
    return Wheel(wiring.port("clock"), wiring.port("jobs"))
