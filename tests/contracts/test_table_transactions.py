"""Contract: a transaction is all or nothing, says why it was canceled, and takes effect once under its token."""

import pytest
from pynamodb.expressions.operand import Path

from goalgraph.auth.actor import Actor
from goalgraph.table.port import CONDITION_FAILED, Adapter, Key, TokenUsed, TransactionCanceled
from goalgraph.table.port import Put as RawPut
from goalgraph.table.port import Update as RawUpdate
from goalgraph.table.table import Check, Delete, Put, Table, Update
from tests.contracts.table_items import Clockwork, Counter, Probe, counter_key, new_partition, probe_key, raw_item, table_of, values_of
from tests.fixtures import new_user


@pytest.fixture
def items(adapter: Adapter, actor: Actor) -> Table:
    return table_of(adapter, actor, Clockwork())


def test_all_operations_take_effect_together(items: Table, actor: Actor) -> None:
    loaded = items.put(Probe(probe_id="loaded", number=1))
    gone = items.put(Probe(probe_id="gone"))
    checked = items.put(Probe(probe_id="checked", number=3))
    items.put(Counter(count=7))
    loaded.number = 2
    items.transact(
        [
            Put(Probe(probe_id="new")),
            Put(loaded),
            Update(counter_key(actor.user_id), [Counter.count.add(-2)], Counter.count > 5),
            Delete(gone.key(), Probe.mood == "calm"),
            Check(checked.key(), Probe.number == 3),
        ]
    )
    new, after, away, same = items.get_many([probe_key(actor.user_id, "new"), loaded.key(), gone.key(), checked.key()], consistent=True)
    assert (new.version, after.number, after.version, away) == (1, 2, 2, None)
    assert values_of(same) == values_of(checked)
    counter = items.get(counter_key(actor.user_id), consistent=True)
    assert (counter.count, counter.version, counter.write_id) == (5, 2, new.write_id)


def test_one_failure_cancels_all_and_each_reason_stands_at_its_place(items: Table, actor: Actor) -> None:
    there = items.put(Probe(probe_id="there", number=1))
    other = items.put(Probe(probe_id="other", number=1))
    missing = probe_key(actor.user_id, "missing")
    with pytest.raises(TransactionCanceled) as canceled:
        items.transact(
            [
                Put(Probe(probe_id="new")),
                Put(Probe(probe_id="there")),
                Check(other.key(), Probe.number == 2),
                Update(missing, [Probe.mood.set("glad")]),
                Delete(probe_key(actor.user_id, "nothing"), Probe.number == 1),
                Delete(probe_key(actor.user_id, "nothing either")),
            ]
        )
    reasons = canceled.value.reasons
    assert [reason and reason.code for reason in reasons] == [None, CONDITION_FAILED, CONDITION_FAILED, CONDITION_FAILED, None, None]
    assert [canceled.value.failed(place) for place in range(6)] == [False, True, True, True, False, False]
    assert values_of(reasons[1].current) == values_of(there)
    assert values_of(reasons[2].current) == values_of(other)
    assert reasons[3].current is None
    assert items.get(probe_key(actor.user_id, "new"), consistent=True) is None
    assert items.get(missing, consistent=True) is None


def test_a_loaded_item_keeps_its_version_check(items: Table, actor: Actor) -> None:
    loaded = items.put(Probe(probe_id="p"))
    items.update(loaded.key(), [Probe.mood.set("changed")])
    with pytest.raises(TransactionCanceled) as canceled:
        items.transact([Put(loaded), Put(Probe(probe_id="new"))])
    assert canceled.value.failed(0)
    assert canceled.value.reasons[0].current.mood == "changed"
    items.transact([Put(loaded, overwrite=True)])


def test_the_same_token_counts_once_though_stamps_differ(items: Table, actor: Actor) -> None:
    """The caller heard nothing and asks again, later: the stamps, and so the bytes of the request, are others by then."""
    items.put(Counter())
    more = Update(counter_key(actor.user_id), [Counter.count.add(1)])
    for _ in range(3):
        items.transact([more], token=f"counted-{actor.user_id}")
    items.transact([more], token=f"counted-again-{actor.user_id}")
    assert items.get(counter_key(actor.user_id), consistent=True).count == 2


def test_without_a_token_each_call_counts(items: Table, actor: Actor) -> None:
    items.put(Counter())
    for _ in range(3):
        items.transact([Update(counter_key(actor.user_id), [Counter.count.add(1)])])
    assert items.get(counter_key(actor.user_id), consistent=True).count == 3


def test_a_canceled_transaction_has_not_used_its_token(items: Table, actor: Actor) -> None:
    token = f"late-{actor.user_id}"
    more = Update(counter_key(actor.user_id), [Counter.count.add(1)])
    with pytest.raises(TransactionCanceled):
        items.transact([more], token=token)
    items.put(Counter())
    items.transact([more], token=token)
    items.transact([more], token=token)
    assert items.get(counter_key(actor.user_id), consistent=True).count == 1


def test_tokens_of_two_tenants_do_not_meet(adapter: Adapter) -> None:
    token = f"shared-{'x' * 100}-{new_user().user_id}"
    for tenant in ("acme", "bolt", None):
        items = table_of(adapter, Actor(user_id="same", tenant_id=tenant))
        items.put(Counter(), overwrite=True)
        items.transact([Update(counter_key("same"), [Counter.count.add(1)])], token=token)
        assert items.get(counter_key("same"), consistent=True).count == 1


def test_an_adapter_knows_the_transaction_of_a_token_and_tells_another(adapter: Adapter) -> None:
    pk = new_partition()
    count = [RawUpdate(Key(pk, "one"), [Path("n").add(1)])]
    adapter.transact(count, pk[:36])
    adapter.transact(count, pk[:36])
    with pytest.raises(TokenUsed):
        adapter.transact([RawUpdate(Key(pk, "one"), [Path("n").add(2)])], pk[:36])
    assert adapter.get(Key(pk, "one"), consistent=True) == raw_item(pk, n={"N": "1"})


def test_100_operations_are_the_most(items: Table, actor: Actor) -> None:
    def puts(count: int) -> list[Put]:
        return [Put(Probe(probe_id=f"p{number}")) for number in range(count)]

    with pytest.raises(ValueError, match="1 to 100 operations, not 101"):
        items.transact(puts(101))
    with pytest.raises(ValueError, match="not 0"):
        items.transact([])
    items.transact(puts(100))
    found = items.get_many([probe_key(actor.user_id, f"p{number}") for number in range(101)], consistent=True)
    assert [item is not None for item in found] == [True] * 100 + [False]


def test_two_operations_on_one_item_are_refused(adapter: Adapter, items: Table, actor: Actor) -> None:
    stored = items.put(Probe(probe_id="p"))
    twice = [Put(Probe(probe_id="new")), Update(stored.key(), [Probe.mood.set("x")]), Check(stored.key(), Probe.mood.exists())]
    with pytest.raises(ValueError, match="one operation an item"):
        items.transact(twice)
    pk = new_partition()
    with pytest.raises(ValueError, match=r"one operation an item|multiple operations on one item"):
        adapter.transact([RawPut(raw_item(pk)), RawPut(raw_item(pk))], pk[:36])
    assert adapter.get(Key(pk, "one"), consistent=True) is None


def test_an_operand_that_is_not_there_is_refused_and_nothing_is_written(items: Table, actor: Actor) -> None:
    stored = items.put(Probe(probe_id="p"))
    with pytest.raises(ValueError, match="attribute"):
        items.transact([Put(Probe(probe_id="new")), Update(stored.key(), [Probe.mood.set(Probe.text_value)])])
    assert items.get(probe_key(actor.user_id, "new"), consistent=True) is None


def test_sums_may_be_set(items: Table, actor: Actor) -> None:
    items.put(Counter(count=5))
    items.transact([Update(counter_key(actor.user_id), [Counter.count.set(Counter.count + 3)])])
    items.transact([Update(counter_key(actor.user_id), [Counter.count.set(Counter.count - 1)])])
    assert items.get(counter_key(actor.user_id), consistent=True).count == 7
