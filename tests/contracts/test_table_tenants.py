"""Contract: what one tenant stores, no other tenant and nobody without one can read or change, whatever the ids."""

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goalgraph.auth.actor import Actor
from goalgraph.ids import ID_PATTERN
from goalgraph.table.keys import InvalidKey
from goalgraph.table.port import Adapter, ConditionFailed, TransactionCanceled
from goalgraph.table.table import Check, Delete, Put, Table, Update
from tests.contracts.table_items import ON_A_FIXTURE, Counter, Entry, Probe, counter_key, entries_of, probe_key, table_of
from tests.fixtures import new_user

IDS = st.from_regex(ID_PATTERN, fullmatch=True) | st.sampled_from(["TENANT", "USER", "a", "a:b", "a.b", "A"])
INDEXES = [None, *(f"GSI{number}" for number in range(1, 7))]


def tables(adapter: Adapter, user_id: str, *tenants: str | None) -> list[Table]:
    return [table_of(adapter, Actor(user_id=user_id, tenant_id=tenant)) for tenant in tenants]


@settings(ON_A_FIXTURE, max_examples=30)
@given(tenants=st.lists(IDS, min_size=2, max_size=2, unique=True), user=IDS, probe=IDS)
def test_the_same_ids_in_two_tenants_and_in_none_are_three_items(adapter: Adapter, tenants: list[str], user: str, probe: str) -> None:
    mark = uuid.uuid4().hex
    owner, name = f"{user[:80]}{mark}", f"{probe[:80]}{mark}"
    places = tables(adapter, owner, *tenants, None)
    key = probe_key(owner, name)
    for number, items in enumerate(places):
        assert items.get(key, consistent=True) is None
        items.put(Probe(probe_id=name, number=number))
        items.put(Entry(name="e", rank=str(number)))
        items.put(Counter(count=number))
        items.transact([Update(counter_key(owner), [Counter.count.add(10)], Counter.count == number), Check(key, Probe.number == number)])
    for number, items in enumerate(places):
        assert items.get(key, consistent=True).number == number
        assert [item.number for item in items.get_many([key], consistent=True)] == [number]
        assert items.get(counter_key(owner), consistent=True).count == number + 10
        for index in INDEXES:
            assert [entry.rank for entry in items.query(entries_of(owner, index)).items] == [str(number)]
    places[0].delete(key)
    assert [items.get(key, consistent=True) is None for items in places] == [True, False, False]


def test_no_write_reaches_into_another_tenant(adapter: Adapter) -> None:
    owner = new_user().user_id
    theirs, mine, nobodys = tables(adapter, owner, "acme", "bolt", None)
    stored = theirs.put(Probe(probe_id="p", text_value="theirs"))
    for items in (mine, nobodys):
        with pytest.raises(ConditionFailed) as refusal:
            items.update(stored.key(), [Probe.text_value.set("mine")])
        assert refusal.value.current is None
        with pytest.raises(ConditionFailed):
            items.put(stored)
        for operation in (Update(stored.key(), [Probe.mood.set("x")]), Check(stored.key(), Probe.mood.exists()), Put(stored)):
            with pytest.raises(TransactionCanceled) as canceled:
                items.transact([operation])
            assert canceled.value.reasons[0].current is None
        items.delete(stored.key())
        items.transact([Delete(stored.key())])
    assert theirs.get(stored.key(), consistent=True).text_value == "theirs"


@pytest.mark.parametrize("tenant", ["", "#", "a#b", "a#", "TENANT#a", "a\n", "ä", "x" * 129])
def test_a_malformed_tenant_has_no_table(adapter: Adapter, tenant: str) -> None:
    items = table_of(adapter, Actor(user_id="ana", tenant_id=tenant))
    for call in (
        lambda: items.get(probe_key("ana", "p")),
        lambda: items.get_many([probe_key("ana", "p")]),
        lambda: items.query(entries_of("ana")),
        lambda: items.put(Probe(probe_id="p")),
        lambda: items.delete(probe_key("ana", "p")),
        lambda: items.transact([Put(Probe(probe_id="p"))]),
    ):
        with pytest.raises(InvalidKey):
            call()
