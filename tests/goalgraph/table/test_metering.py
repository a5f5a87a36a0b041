"""What an operation costs, against the examples and rules that AWS publishes (the pages are named in `goalgraph.table.metering`)."""

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from goalgraph.auth.actor import Actor
from goalgraph.table.memory import MemoryTable
from goalgraph.table.metering import Charge, item_size, metered, read_units, write_units
from goalgraph.table.port import ConditionFailed
from goalgraph.table.table import Check, Delete, Put, Table, Update, seconds
from tests.contracts.table_items import Counter, Entry, Probe, counter_key, entries_of, probe_key, raw_size
from tests.fixtures import FakeClock

KB = 1024


@pytest.fixture
def items(actor: Actor, clock: FakeClock) -> Table:
    return Table(MemoryTable(), actor, clock)


@pytest.mark.parametrize(
    ("raw", "size"),
    [
        ({"shirt-color": {"S": "R"}, "shirt-size": {"S": "M"}}, 23),  # the page's own example
        ({}, 0),
        ({"é": {"S": "é"}}, 4),
        ({"n": {"N": "27"}}, 1 + 2),
        ({"n": {"N": "-27"}}, 1 + 3),
        ({"n": {"N": "461"}}, 1 + 3),
        ({"n": {"N": "1000000"}}, 1 + 2),  # zeros at either end are not kept
        ({"n": {"N": "0.0001"}}, 1 + 2),
        ({"n": {"N": "0"}}, 1 + 2),
        ({"n": {"N": "12345678901234567890123456789012345678"}}, 1 + 20),
        ({"b": {"B": b"\x00\x01\x02"}}, 1 + 3),
        ({"t": {"BOOL": True}}, 1 + 1),
        ({"z": {"NULL": True}}, 1 + 1),
        ({"s": {"SS": ["a", "bc"]}}, 1 + 3),
        ({"s": {"NS": ["1", "22"]}}, 1 + 4),
        ({"s": {"BS": [b"a", b"bc"]}}, 1 + 3),
        ({"l": {"L": []}}, 1 + 3),
        ({"m": {"M": {}}}, 1 + 3),
        ({"l": {"L": [{"S": "a"}, {"N": "1"}]}}, 1 + 3 + (1 + 1) + (1 + 2)),
        ({"m": {"M": {"key": {"S": "a"}}}}, 1 + 3 + (1 + 3 + 1)),
        ({"m": {"M": {"l": {"L": [{"BOOL": True}]}}}}, 1 + 3 + (1 + 1 + 3 + (1 + 1))),
    ],
)
def test_the_size_of_an_item(raw: dict, size: int) -> None:
    assert item_size(raw) == size


@pytest.mark.parametrize(
    ("size", "strong", "eventual"),
    [
        (0, 1, 0.5),
        (1, 1, 0.5),
        (4 * KB, 1, 0.5),
        (4 * KB + 1, 2, 1),
        (8 * KB, 2, 1),
        (int(3.5 * KB), 1, 0.5),
        (int(40.8 * KB), 11, 5.5),  # the page: ten items of 40.8 KB together are rounded up to 44 KB
        (1500 * 64, 24, 12),  # and 1,500 items of 64 bytes are 96 KB
    ],
)
def test_read_units(size: int, strong: float, eventual: float) -> None:
    assert (read_units(size, consistent=True), read_units(size, consistent=False)) == (strong, eventual)


@pytest.mark.parametrize(("size", "units"), [(1, 1), (512, 1), (KB, 1), (KB + 1, 2), (int(3.5 * KB), 4), (8 * KB, 8)])
def test_write_units(size: int, units: float) -> None:
    raw = {"a": {"S": "x" * (size - 1)}}
    assert write_units(raw) == units
    assert write_units(raw, transactional=True) == 2 * units


def test_each_index_is_a_write_more_and_never_transactional() -> None:
    raw = {"a": {"S": "x" * 1500}, "GSI1PK": {"S": "p"}, "GSI1SK": {"S": "s"}, "GSI4PK": {"S": "p"}, "GSI4SK": {"S": "s"}}
    assert write_units(raw) == 2 + 2 + 2
    assert write_units(raw, transactional=True) == 4 + 2 + 2
    del raw["GSI4SK"]
    assert write_units(raw) == 2 + 2


def test_a_get_costs_by_the_items_size_and_something_when_there_is_none(items: Table, actor: Actor) -> None:
    items.put(Probe(probe_id="large", text_value="x" * 5_000))
    with metered() as meter:
        items.get(probe_key(actor.user_id, "large"), consistent=True)
        items.get(probe_key(actor.user_id, "large"))
        items.get(probe_key(actor.user_id, "none"), consistent=True)
        items.get(probe_key(actor.user_id, "none"))
    assert [charge.read_units for charge in meter.charges] == [2, 1, 1, 0.5]
    assert (meter.round_trips, meter.read_units, meter.write_units) == (4, 4.5, 0)


def test_a_batch_rounds_each_item_by_itself_and_counts_missing_ones(items: Table, actor: Actor) -> None:
    """AWS's example: items of 1.5 KB and 6.5 KB are 4 KB and 8 KB, not 8 KB together."""
    items.put(Probe(probe_id="a", text_value="x" * 1_000))
    items.put(Probe(probe_id="b", text_value="x" * 6_500))
    keys = [probe_key(actor.user_id, name) for name in ("a", "b", "none", "a")]
    with metered() as meter:
        items.get_many(keys, consistent=True)
        items.get_many(keys)
        items.get_many([probe_key(actor.user_id, f"none-{number}") for number in range(101)])
    assert [(charge.items, charge.read_units) for charge in meter.charges] == [(3, 4), (3, 2), (100, 50), (1, 0.5)]


def test_a_query_rounds_its_items_together(items: Table, actor: Actor) -> None:
    for number in range(10):
        items.put(Entry(name="e", rank=str(number), padding="x" * 500))
    size = sum(raw_size(item) for item in items.query(entries_of(actor.user_id)).items)
    with metered() as meter:
        items.query(entries_of(actor.user_id), consistent=True)
        items.query(entries_of(actor.user_id, "GSI2"))
        items.query(entries_of("nobody"))
    units = -(-size // (4 * KB))
    assert meter.charges == [
        Charge("query", None, 10, read_units=units),
        Charge("query", "GSI2", 10, read_units=units / 2),
        Charge("query", None, 0, read_units=0.5),
    ]


def test_a_page_reads_one_item_more_and_expired_ones_cost_too(items: Table, actor: Actor, clock: FakeClock) -> None:
    for number in range(6):
        items.put(Entry(name="e", rank=str(number), ttl=seconds(clock.now()) + (-1 if number in (1, 2) else 60)))
    with metered() as meter:
        page = items.query(entries_of(actor.user_id), limit=2)
    assert [entry.rank for entry in page.items] == ["0", "3"]
    assert sum(charge.items for charge in meter.charges) >= 5
    assert meter.round_trips == 2


def test_writes_cost_by_the_items_size_and_its_indexes(items: Table, actor: Actor) -> None:
    with metered() as meter:
        stored = items.put(Probe(probe_id="p", text_value="x" * 1_500))
        items.put(Entry(name="e", rank="1"))
        items.update(stored.key(), [Probe.number.set(1)])
        items.delete(stored.key())
    assert [(charge.verb, charge.write_units) for charge in meter.charges] == [("put", 2), ("put", 7), ("update", 2), ("delete", 1)]


def test_a_transaction_costs_twice(items: Table, actor: Actor) -> None:
    """What it does not store whole, it knows the size and the indexes of where the caller had it at hand."""
    items.put(Counter())
    large = items.put(Probe(probe_id="large", text_value="x" * 1_500))
    indexed = items.put(Entry(name="e", rank="1"))
    with metered() as meter:
        items.transact(
            [
                Put(Probe(probe_id="new", text_value="x" * 1_500)),
                Put(Entry(name="e", rank="2")),
                Update(counter_key(actor.user_id), [Counter.count.add(1)]),
                Update(large.key(), [Probe.mood.set("glad")], item=large),
                Delete(probe_key(actor.user_id, "gone")),
                Delete(indexed.key(), item=indexed),
                Check(probe_key(actor.user_id, "none"), Probe.mood.does_not_exist()),
            ]
        )
    assert (meter.round_trips, meter.charges[0].items) == (1, 7)
    assert meter.write_units == 4 + (2 + 6) + 2 + 4 + 2 + (2 + 6) + 2


def test_a_meter_sees_what_happens_inside_it_and_its_copies(items: Table, actor: Actor) -> None:
    key = probe_key(actor.user_id, "p")
    items.get(key)
    with metered() as outer:
        items.get(key)
        with metered() as inner:
            items.get(key)
            items.get(key)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(copy_context().run, items.get, key).result()
            pool.submit(items.get, key).result()
    items.get(key)
    assert (outer.round_trips, inner.round_trips) == (2, 2)


def test_a_refused_write_raises_under_a_meter_as_ever(items: Table) -> None:
    items.put(Probe(probe_id="p"))
    with metered(), pytest.raises(ConditionFailed):
        items.put(Probe(probe_id="p"))
