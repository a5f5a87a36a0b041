"""Contract: an item past its `ttl` is gone for everybody, however long the store lets it lie."""

import pytest

from goalgraph.auth.actor import Actor
from goalgraph.table import metering
from goalgraph.table.port import Adapter, ConditionFailed, TransactionCanceled
from goalgraph.table.table import Check, Delete, Put, Table, Update, seconds
from tests.contracts.table_items import Entry, Probe, entries_of, probe_key
from tests.fixtures import FakeClock


@pytest.fixture
def items(adapter: Adapter, actor: Actor, clock: FakeClock) -> Table:
    return Table(adapter, actor, clock)


@pytest.fixture
def expired(items: Table, clock: FakeClock) -> Probe:
    """An item whose time came a second ago."""
    stored = items.put(Probe(probe_id="p", text_value="old", ttl=seconds(clock.now()) + 60))
    clock.advance(seconds=61)
    return stored


def test_an_item_is_there_until_its_second_comes(items: Table, clock: FakeClock) -> None:
    stored = items.put(Probe(probe_id="p", ttl=seconds(clock.now()) + 60))
    clock.advance(seconds=59.999)
    assert items.get(stored.key(), consistent=True).expires_at() > clock.now()
    clock.advance(seconds=0.001)
    assert items.get(stored.key(), consistent=True) is None


def test_reading_does_not_find_it(items: Table, actor: Actor, expired: Probe) -> None:
    assert items.get(expired.key(), consistent=True) is None
    assert items.get_many([expired.key()], consistent=True) == [None]


def test_a_new_item_takes_its_place_once(items: Table, expired: Probe) -> None:
    assert items.put(Probe(probe_id="p", text_value="new")).version == 1
    with pytest.raises(ConditionFailed) as refusal:
        items.put(Probe(probe_id="p", text_value="newer"))
    assert refusal.value.current.text_value == "new"


def test_a_new_item_takes_its_place_in_a_transaction(items: Table, expired: Probe) -> None:
    items.transact([Put(Probe(probe_id="p", text_value="new"))])
    with pytest.raises(TransactionCanceled):
        items.transact([Put(Probe(probe_id="p", text_value="newer"))])
    assert items.get(expired.key(), consistent=True).text_value == "new"


def test_update_and_put_do_not_bring_it_back(items: Table, expired: Probe) -> None:
    with pytest.raises(ConditionFailed) as refusal:
        items.update(expired.key(), [Probe.mood.set("glad")])
    assert refusal.value.current is None
    with pytest.raises(ConditionFailed) as refusal:
        items.put(expired)
    assert refusal.value.current is None


def test_conditions_read_it_as_absent(items: Table, expired: Probe) -> None:
    items.transact([Check(expired.key(), Probe.text_value.does_not_exist())])
    items.transact([Check(expired.key(), Probe.text_value != "old")])
    for operation in (
        Check(expired.key(), Probe.text_value == "old"),
        Check(expired.key(), Probe.text_value.exists()),
        Update(expired.key(), [Probe.mood.set("glad")]),
    ):
        with pytest.raises(TransactionCanceled) as canceled:
            items.transact([operation])
        assert canceled.value.failed(0)
        assert canceled.value.reasons[0].current is None


def test_conditions_hold_as_ever_for_an_item_whose_time_has_not_come(items: Table, clock: FakeClock) -> None:
    stored = items.put(Probe(probe_id="p", text_value="x", ttl=seconds(clock.now()) + 60))
    items.transact([Check(stored.key(), Probe.text_value == "x")])
    with pytest.raises(TransactionCanceled):
        items.transact([Check(stored.key(), Probe.text_value != "x")])
    with pytest.raises(ConditionFailed):
        items.delete(stored.key(), condition=Probe.text_value == "y")
    with pytest.raises(ConditionFailed):
        items.put(Probe(probe_id="p"))
    assert items.update(stored.key(), [Probe.mood.set("glad")]).mood == "glad"


def test_deleting_it_is_no_conflict(items: Table, expired: Probe) -> None:
    items.delete(expired.key(), condition=Probe.text_value == "another")
    items.transact([Delete(expired.key(), Probe.text_value == "another")])


@pytest.mark.parametrize("index", [None, "GSI1", "GSI6"])
@pytest.mark.parametrize("forward", [True, False])
def test_a_page_is_full_though_expired_items_lie_between(
    items: Table, actor: Actor, clock: FakeClock, index: str | None, forward: bool
) -> None:
    past, future = seconds(clock.now()) - 1, seconds(clock.now()) + 60
    alive = [f"{number:03}" for number in range(0, 60, 7)]
    for number in range(60):
        rank = f"{number:03}"
        items.put(Entry(name="e", rank=rank, ttl=future if rank in alive else past))
    read, after = [], None
    while True:
        page = items.query(entries_of(actor.user_id, index), limit=4, after=after, forward=forward)
        read.append([entry.rank for entry in page.items])
        if not page.has_more:
            break
        after = page.cursors[-1]
    ordered = alive if forward else alive[::-1]
    assert read == [ordered[:4], ordered[4:8], ordered[8:]]


def test_nothing_but_expired_items_is_no_further_page(items: Table, actor: Actor, clock: FakeClock) -> None:
    for rank in "abc":
        items.put(Entry(name="e", rank=rank))
    for rank in "xyz":
        items.put(Entry(name="e", rank=rank, ttl=seconds(clock.now()) - 1))
    page = items.query(entries_of(actor.user_id), limit=3)
    assert ([entry.rank for entry in page.items], page.has_more) == (list("abc"), False)
    assert items.query(entries_of(actor.user_id), limit=0).has_more
    assert [entry.rank for entry in items.query(entries_of(actor.user_id)).items] == list("abc")
    assert not items.query(entries_of("nobody-else"), limit=0).has_more


def test_many_expired_items_do_not_cost_a_round_trip_each(items: Table, actor: Actor, clock: FakeClock) -> None:
    puts = [Put(Entry(name="e", rank=f"{number:03}", ttl=seconds(clock.now()) - (number > 2))) for number in range(300)]
    clock.advance(seconds=-0.5)  # the first three have half a second left
    for start in range(0, 300, 100):
        items.transact(puts[start : start + 100])
    with metering.metered() as meter:
        page = items.query(entries_of(actor.user_id), limit=3)
    assert ([entry.rank for entry in page.items], page.has_more) == (["000", "001", "002"], False)
    assert meter.round_trips <= 5


def test_a_probe_key_is_free_again_for_others(items: Table, actor: Actor, expired: Probe) -> None:
    """A lease that ran out is taken by exactly one of those who want it."""
    outcomes = []
    for name in ("ana", "bruno"):
        try:
            outcomes.append(items.put(Probe(probe_id="p", text_value=name)).text_value)
        except ConditionFailed as refusal:
            outcomes.append(refusal.current.text_value)
    assert outcomes == ["ana", "ana"]
    assert items.get(probe_key(actor.user_id, "p"), consistent=True).text_value == "ana"
