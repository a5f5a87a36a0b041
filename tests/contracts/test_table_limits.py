"""Contract: too large is said in words, by us at 8 KB and by the store at 400 KB, and nothing is written then."""

import pytest
from pynamodb.expressions.operand import Path

from goalgraph.auth.actor import Actor
from goalgraph.table.metering import item_size
from goalgraph.table.port import STORE_ITEM_BYTES, Adapter, ItemTooLarge, Key
from goalgraph.table.port import Put as RawPut
from goalgraph.table.port import Update as RawUpdate
from goalgraph.table.table import MAX_ITEM_BYTES, Put, Table, Update
from tests.contracts.table_items import Probe, new_partition, probe_key, raw_item, raw_size, table_of


@pytest.fixture
def items(adapter: Adapter, actor: Actor) -> Table:
    return table_of(adapter, actor)


def of_size(items: Table, size: int) -> Probe:
    """A new item that takes exactly `size` bytes once it is stored."""
    stored = items.put(Probe(probe_id="p", text_value=""))
    items.delete(stored.key())
    return Probe(probe_id="p", text_value="é" * ((size - raw_size(stored)) // 2) + "x" * ((size - raw_size(stored)) % 2))


def test_8_kb_is_the_most(items: Table, actor: Actor) -> None:
    stored = items.put(of_size(items, MAX_ITEM_BYTES))
    assert raw_size(stored) == 8192
    items.delete(stored.key())
    with pytest.raises(ItemTooLarge, match="Probe takes 8193 bytes, and 8192 is the most"):
        items.put(of_size(items, MAX_ITEM_BYTES + 1))
    assert items.get(stored.key(), consistent=True) is None


def test_8_kb_is_the_most_in_a_transaction_too(items: Table, actor: Actor) -> None:
    with pytest.raises(ItemTooLarge, match="8192 is the most"):
        items.transact([Put(Probe(probe_id="small")), Put(of_size(items, MAX_ITEM_BYTES + 1))])
    assert items.get(probe_key(actor.user_id, "small"), consistent=True) is None


def test_an_update_by_more_than_8_kb_is_refused(items: Table, actor: Actor) -> None:
    stored = items.put(Probe(probe_id="p", text_value="short"))
    large = [Probe.text_value.set("x" * 5_000), Probe.mood.set("x" * 5_000)]
    with pytest.raises(ItemTooLarge, match="10000 bytes"):
        items.update(stored.key(), large)
    with pytest.raises(ItemTooLarge, match="10000 bytes"):
        items.transact([Update(stored.key(), large)])
    assert items.get(stored.key(), consistent=True).text_value == "short"


def test_400_kb_is_the_most_of_the_store(adapter: Adapter) -> None:
    pk = new_partition()
    room = STORE_ITEM_BYTES - item_size(raw_item(pk, text={"S": ""}))
    fits, over = raw_item(pk, text={"S": "x" * room}), raw_item(pk, text={"S": "x" * (room + 1)})
    with pytest.raises(ItemTooLarge, match=r"409601 bytes is over the store's 409600"):
        adapter.put(over, None)
    with pytest.raises(ItemTooLarge):
        adapter.transact([RawPut(raw_item(pk, "other")), RawPut(over)], pk[:36])
    assert adapter.get(Key(pk, "one"), consistent=True) is None
    assert adapter.get(Key(pk, "other"), consistent=True) is None
    adapter.put(fits, None)
    assert adapter.get(Key(pk, "one"), consistent=True) == fits


def test_an_update_that_grows_an_item_beyond_400_kb_is_refused(adapter: Adapter) -> None:
    pk = new_partition()
    adapter.put(raw_item(pk, text={"S": "x" * 300_000}), None)
    more = [Path("more").set("x" * 200_000)]
    with pytest.raises(ItemTooLarge):
        adapter.update(Key(pk, "one"), more, None)
    with pytest.raises(ItemTooLarge):
        adapter.transact([RawPut(raw_item(pk, "other")), RawUpdate(Key(pk, "one"), more)], pk[:36])
    assert set(adapter.get(Key(pk, "one"), consistent=True)) == {"PK", "SK", "text"}
    assert adapter.get(Key(pk, "other"), consistent=True) is None
