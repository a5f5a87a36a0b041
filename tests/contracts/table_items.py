"""Items to probe the table with, and raw items to probe an adapter with."""

import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, tzinfo
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from pynamodb.attributes import (
    BinaryAttribute,
    BinarySetAttribute,
    BooleanAttribute,
    JSONAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    NumberSetAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
)

from goalgraph.auth.actor import Actor
from goalgraph.table import definition
from goalgraph.table.attributes import InstantAttribute
from goalgraph.table.items import CoreItem
from goalgraph.table.keys import SK
from goalgraph.table.metering import item_size
from goalgraph.table.port import IndexKey, Key, Raw, Span
from goalgraph.table.table import Table
from tests.fixtures import FakeClock

T = TypeVar("T")

ON_A_FIXTURE = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
"""For Hypothesis on a table that all examples share: each example names partitions of its own."""


class Place(MapAttribute):
    city = UnicodeAttribute()
    since = InstantAttribute(null=True)
    floor = NumberAttribute(null=True)


class Probe(CoreItem, discriminator="ProbeItem"):
    """One attribute of each kind that a context may use."""

    probe_id = UnicodeAttribute()
    text_value = UnicodeAttribute(null=True)
    number = NumberAttribute(null=True)
    yes = BooleanAttribute(null=True)
    names = UnicodeSetAttribute(null=True)
    numbers = NumberSetAttribute(null=True)
    blob = BinaryAttribute(null=True, legacy_encoding=False)
    blobs = BinarySetAttribute(null=True, legacy_encoding=False)
    document = JSONAttribute(null=True)
    things = ListAttribute(null=True)
    places = ListAttribute(of=Place, null=True)
    home = Place(null=True)
    happened_at = InstantAttribute(null=True)
    mood = UnicodeAttribute(default="calm")

    def key(self) -> Key:
        return probe_key(self.owner_id, self.probe_id)


class Counter(CoreItem, discriminator="ProbeCounter"):
    """A number that many want to change at once."""

    count = NumberAttribute(default=0)

    def key(self) -> Key:
        return counter_key(self.owner_id)


class Entry(CoreItem, discriminator="ProbeEntry"):
    """Stands in the base table and in each index, in the order of `rank`; entries may share a rank in an index."""

    name = UnicodeAttribute()
    rank = UnicodeAttribute()
    padding = UnicodeAttribute(null=True)

    def key(self) -> Key:
        return Key(f"PROBES#{self.owner_id}", f"ENTRY#{self.rank}#{self.name}")

    def index_keys(self) -> tuple[IndexKey, ...]:
        return tuple(IndexKey(index, f"{index}#{self.owner_id}", f"RANK#{self.rank}") for index in definition.INDEXES)


def probe_key(owner_id: str, probe_id: str) -> Key:
    return Key(f"PROBES#{owner_id}", f"PROBE#{probe_id}")


def counter_key(owner_id: str) -> Key:
    return Key(f"PROBES#{owner_id}", "COUNTER")


def entries_of(owner_id: str, index: str | None = None) -> Span:
    """All entries of an owner, in the base table or in an index."""
    return Span(f"PROBES#{owner_id}", SK.startswith("ENTRY#")) if index is None else Span(f"{index}#{owner_id}", index=index)


def values_of(item: CoreItem) -> dict[str, Any]:
    """All that an item holds, for comparison. (Items have no equality of their own.)"""
    return {name: _plain(value) for name, value in item.attribute_values.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, MapAttribute):
        return {name: _plain(entry) for name, entry in value.attribute_values.items() if entry is not None}
    return [_plain(entry) for entry in value] if isinstance(value, list) else value


def instants(zones: st.SearchStrategy[tzinfo]) -> st.SearchStrategy[datetime]:
    """Aware datetimes of all years but the calendar's edges, where some time zones leave it."""
    first, last = datetime(1, 1, 3), datetime(9999, 12, 29)  # noqa: DTZ001 - as Hypothesis wants them
    return st.datetimes(first, last, timezones=zones)


def new_partition() -> str:
    return f"RAW#{uuid.uuid4().hex}"


def raw_item(pk: str, sk: str = "one", **attributes: dict[str, Any]) -> Raw:
    return {**Key(pk, sk).raw(), **attributes}


class Clockwork(FakeClock):
    """A clock that goes on by a second each time somebody looks."""

    def now(self) -> datetime:
        self.advance(seconds=1)
        return super().now()


def at_once(work: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """What each of `work` returned or raised, all of them run side by side."""
    with ThreadPoolExecutor(len(work)) as pool:
        futures = [pool.submit(each) for each in work]
    return [future.exception() or future.result() for future in futures]  # type: ignore[misc]


def table_of(adapter: Any, actor: Actor, clock: FakeClock | None = None) -> Table:
    return Table(adapter, actor, clock or FakeClock())


def raw_size(item: CoreItem, tenant_id: str | None = None) -> int:
    """Bytes the item takes in the table."""
    return item_size(item.to_raw(tenant_id))
