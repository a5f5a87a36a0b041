"""Contract: what is put is what is got, with its stamps, and every conditional write keeps its condition."""

import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from pynamodb.expressions.operand import Path

from goalgraph import trace
from goalgraph.auth.actor import Actor
from goalgraph.table.port import Adapter, ConditionFailed, Key
from goalgraph.table.table import Table
from tests.contracts.table_items import Clockwork, Counter, Place, Probe, counter_key, probe_key, table_of, values_of
from tests.fixtures import FakeClock, new_user

KINDS = {
    "text_value": "Ziel 🎯 é\n\x01",
    "number": -12.5,
    "yes": False,
    "names": {"ana", "bruno"},
    "numbers": {1, -2, 3.25},
    "blob": b"\x00\xff\xfeB",
    "blobs": {b"\x00", b'"B":'},
    "document": {"steps": [1, 2.5, None, True, {"B": "no binary"}], "": ""},
    "things": ["a", 1, True, None, b"\x00\x01", ["nested", {"B": "text", "deep": b"\xff"}], {"B": b"\x02"}],
    "places": [Place(city="São Paulo", floor=3), Place(city="Roma", since=datetime(2027, 1, 1, tzinfo=UTC))],
    "home": Place(city="Łódź", since=datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    "happened_at": datetime(2027, 7, 1, 9, 30, 0, 1, tzinfo=timezone(timedelta(hours=-3))),
}


@pytest.fixture
def items(adapter: Adapter, actor: Actor, clock: FakeClock) -> Table:
    return Table(adapter, actor, clock)


@pytest.mark.parametrize("name", KINDS)
def test_an_attribute_of_each_kind_comes_back_as_it_was(items: Table, actor: Actor, name: str) -> None:
    value = KINDS[name]
    items.put(Probe(probe_id=name, **{name: value}))
    found = items.get(probe_key(actor.user_id, name), consistent=True)
    assert isinstance(found, Probe)
    expected = Probe(probe_id=name, **{name: value})
    assert values_of(found)[name] == values_of(expected)[name]
    assert type(getattr(found, name)) is type(getattr(expected, name))


@pytest.mark.parametrize("edge", ["", "~", "\x00", "\x7f", "'\"\\", " ", "\ufeff", "\U0010ffff", "null", "x" * 5000])
def test_any_text_is_a_value(items: Table, actor: Actor, edge: str) -> None:
    items.put(Probe(probe_id="p", text_value=edge))
    assert items.get(probe_key(actor.user_id, "p"), consistent=True).text_value == edge


@pytest.mark.parametrize("number", [0, 1, -1, 10**20, 2**63, 0.1, -1e-20, 123456789.123456])
def test_any_number_is_a_value(items: Table, actor: Actor, number: float) -> None:
    items.put(Probe(probe_id="p", number=number))
    assert items.get(probe_key(actor.user_id, "p"), consistent=True).number == number


def test_an_empty_set_is_no_attribute_and_empty_lists_are(items: Table, actor: Actor) -> None:
    items.put(Probe(probe_id="p", names=set(), blobs=set(), numbers=set(), things=[], document={}))
    found = items.get(probe_key(actor.user_id, "p"), consistent=True)
    assert (found.names, found.blobs, found.numbers, found.things, found.document) == (None, None, None, [], {})


def test_what_the_caller_did_not_say_is_the_default(items: Table, actor: Actor) -> None:
    items.put(Probe(probe_id="p"))
    assert items.get(probe_key(actor.user_id, "p"), consistent=True).mood == "calm"


def test_a_missing_attribute_is_refused(items: Table) -> None:
    with pytest.raises(ValueError, match=r"Probe\.probe_id is missing"):
        items.put(Probe(owner_id="x", text_value="no id"))


def test_text_that_is_no_unicode_is_refused(items: Table) -> None:
    with pytest.raises(ValueError, match="surrogates"):
        items.put(Probe(probe_id="p", text_value="\ud800"))


def test_the_table_stamps_what_it_stores(adapter: Adapter, actor: Actor, clock: FakeClock) -> None:
    trace_id = trace.start("trace-of-the-first-write")
    stored = Table(adapter, actor, clock).put(Probe(probe_id="p"))
    noon = clock.now()
    raw = adapter.get(probe_key(actor.user_id, "p"), consistent=True)
    assert raw == {
        **probe_key(actor.user_id, "p").raw(),
        "type": {"S": "ProbeItem"},
        "createdAt": {"S": "2027-07-01T12:00:00.000000Z"},
        "updatedAt": {"S": "2027-07-01T12:00:00.000000Z"},
        "ownerId": {"S": actor.user_id},
        "actorId": {"S": actor.user_id},
        "traceId": {"S": trace_id},
        "writeId": {"S": stored.write_id},
        "version": {"N": "1"},
        "probeId": {"S": "p"},
        "mood": {"S": "calm"},
    }
    assert (stored.created_at, stored.updated_at, stored.version) == (noon, noon, 1)


def test_later_writes_stamp_who_and_when_and_keep_owner_and_birth(adapter: Adapter, actor: Actor, clock: FakeClock) -> None:
    born = clock.now()
    key = probe_key(actor.user_id, "p")
    Table(adapter, actor, clock).put(Probe(probe_id="p"))
    helper = new_user()
    theirs = Table(adapter, helper, clock)
    clock.advance(hours=1)
    trace.start("trace-of-the-put")
    put = theirs.put(theirs.get(key, consistent=True))
    assert (put.owner_id, put.actor_id, put.created_at, put.updated_at) == (actor.user_id, helper.user_id, born, clock.now())
    assert (put.trace_id, put.version) == ("trace-of-the-put", 2)
    clock.advance(hours=1)
    trace.start("trace-of-the-update")
    updated = theirs.update(key, [Probe.mood.set("glad")])
    assert (updated.owner_id, updated.created_at, updated.updated_at) == (actor.user_id, born, clock.now())
    assert (updated.trace_id, updated.version, updated.mood) == ("trace-of-the-update", 3, "glad")
    assert len({put.write_id, updated.write_id}) == 2
    assert values_of(theirs.get(key, consistent=True)) == values_of(updated)


def test_what_put_returns_is_what_get_returns_and_the_argument_stays_as_it_was(items: Table, actor: Actor) -> None:
    given = Probe(probe_id="p", text_value="x")
    stored = items.put(given)
    assert values_of(items.get(probe_key(actor.user_id, "p"), consistent=True)) == values_of(stored)
    assert given.version is None
    assert items.put(stored).version == 2


def test_a_new_item_does_not_replace_one_that_is_there(items: Table, actor: Actor) -> None:
    first = items.put(Probe(probe_id="p", text_value="first"))
    with pytest.raises(ConditionFailed) as refusal:
        items.put(Probe(probe_id="p", text_value="second"))
    assert values_of(refusal.value.current) == values_of(first)
    assert items.get(probe_key(actor.user_id, "p"), consistent=True).text_value == "first"


def test_a_loaded_item_is_not_put_over_what_others_wrote_since(items: Table, actor: Actor) -> None:
    items.put(Probe(probe_id="p"))
    mine, theirs = (items.get(probe_key(actor.user_id, "p"), consistent=True) for _ in range(2))
    theirs.mood = "theirs"
    items.put(theirs)
    mine.mood = "mine"
    with pytest.raises(ConditionFailed) as refusal:
        items.put(mine)
    assert (refusal.value.current.mood, refusal.value.current.version) == ("theirs", 2)


def test_a_loaded_item_is_not_put_over_a_later_one_of_the_same_version(items: Table, actor: Actor) -> None:
    """Deleted and made again, or overwritten, an item starts at version 1 once more."""
    loaded = items.put(Probe(probe_id="p", text_value="loaded"))
    items.put(Probe(probe_id="p", text_value="overwritten"), overwrite=True)
    with pytest.raises(ConditionFailed):
        items.put(loaded)
    items.delete(loaded.key())
    items.put(Probe(probe_id="p", text_value="made again"))
    with pytest.raises(ConditionFailed):
        items.put(loaded)
    assert items.get(loaded.key(), consistent=True).text_value == "made again"


def test_a_loaded_item_that_was_deleted_is_not_put(items: Table) -> None:
    loaded = items.put(Probe(probe_id="p"))
    items.delete(loaded.key())
    with pytest.raises(ConditionFailed) as refusal:
        items.put(loaded)
    assert refusal.value.current is None


def test_overwrite_replaces_the_whole_item(items: Table, actor: Actor) -> None:
    items.put(Probe(probe_id="p", text_value="old", number=1))
    items.put(Probe(probe_id="p", text_value="new"), overwrite=True)
    found = items.get(probe_key(actor.user_id, "p"), consistent=True)
    assert (found.text_value, found.number) == ("new", None)


def test_put_keeps_a_condition_of_the_callers_as_well(items: Table, actor: Actor) -> None:
    loaded = items.put(Probe(probe_id="p", number=1))
    with pytest.raises(ConditionFailed):
        items.put(loaded, condition=Probe.number > 1)
    with pytest.raises(ConditionFailed):
        items.put(Probe(probe_id="p"), condition=Probe.number > 1, overwrite=True)
    assert items.put(loaded, condition=Probe.number == 1).version == 2
    items.put(Probe(probe_id="p", number=5), condition=Probe.number < 2, overwrite=True)
    assert items.get(probe_key(actor.user_id, "p"), consistent=True).number == 5


def test_update_changes_what_it_names_and_nothing_else(items: Table, actor: Actor) -> None:
    items.put(Probe(probe_id="p", text_value="stays", number=1, names={"goes"}))
    updated = items.update(probe_key(actor.user_id, "p"), [Probe.number.set(2), Probe.names.remove()], condition=Probe.number == 1)
    assert (updated.text_value, updated.number, updated.names) == ("stays", 2, None)


def test_update_never_creates(items: Table, actor: Actor) -> None:
    key = probe_key(actor.user_id, "nobody")
    with pytest.raises(ConditionFailed) as refusal:
        items.update(key, [Probe.mood.set("glad")])
    assert refusal.value.current is None
    assert items.get(key, consistent=True) is None


def test_update_keeps_its_condition(items: Table) -> None:
    stored = items.put(Probe(probe_id="p", number=1))
    with pytest.raises(ConditionFailed) as refusal:
        items.update(stored.key(), [Probe.number.set(2)], condition=Probe.number > 1)
    assert values_of(refusal.value.current) == values_of(stored)


@pytest.mark.parametrize(
    "action",
    [Counter.count.add(1), Counter.count.set(Counter.count + 1), Counter.count.set(Counter.count - 1)],
    ids=["ADD", "SET a sum", "SET a difference"],
)
def test_update_refuses_to_count(items: Table, actor: Actor, action: object) -> None:
    items.put(Counter(count=7))
    with pytest.raises(TypeError, match="transaction"):
        items.update(counter_key(actor.user_id), [action])
    assert items.get(counter_key(actor.user_id), consistent=True).count == 7


@pytest.mark.parametrize("name", ["PK", "SK", "version", "updatedAt", "writeId"])
def test_update_refuses_keys_and_stamps(items: Table, actor: Actor, name: str) -> None:
    items.put(Probe(probe_id="p"))
    with pytest.raises(TypeError, match="changes once"):
        items.update(probe_key(actor.user_id, "p"), [Path(name).set("x")])


def test_update_refuses_an_operand_that_is_not_there(items: Table, actor: Actor) -> None:
    items.put(Probe(probe_id="p"))
    with pytest.raises(ValueError, match="attribute"):
        items.update(probe_key(actor.user_id, "p"), [Probe.mood.set(Probe.text_value)])


def test_delete_is_the_same_twice(items: Table) -> None:
    stored = items.put(Probe(probe_id="p"))
    items.delete(stored.key())
    items.delete(stored.key())
    assert items.get(stored.key(), consistent=True) is None


def test_delete_keeps_its_condition_for_an_item_that_is_there(items: Table) -> None:
    stored = items.put(Probe(probe_id="p", number=1))
    with pytest.raises(ConditionFailed) as refusal:
        items.delete(stored.key(), condition=Probe.number == 2)
    assert values_of(refusal.value.current) == values_of(stored)
    items.delete(stored.key(), condition=Probe.number == 1)
    items.delete(stored.key(), condition=Probe.number == 1)
    assert items.get(stored.key(), consistent=True) is None


def test_get_many_answers_in_the_order_of_its_keys_beyond_one_batch(adapter: Adapter, actor: Actor) -> None:
    items = table_of(adapter, actor, Clockwork())
    for number in range(0, 230, 2):
        items.put(Probe(probe_id=f"p{number}", number=number))
    wanted = [probe_key(actor.user_id, f"p{number}") for number in (*range(229, -1, -1), 4, 4)]
    found = items.get_many(wanted, consistent=True)
    expected = [number if number % 2 == 0 else None for number in (*range(229, -1, -1), 4, 4)]
    assert [item.number if item else None for item in found] == expected
    assert items.get_many([]) == []


def test_what_a_newer_release_wrote_is_passed_over_and_what_an_older_one_did_not_is_the_default(adapter: Adapter, items: Table) -> None:
    stored = items.put(Probe(probe_id="p"))
    raw = dict(adapter.get(stored.key(), consistent=True))
    del raw["mood"]
    raw["futureAttribute"] = {"S": "unheard of"}
    adapter.put(raw, None)
    found = items.get(stored.key(), consistent=True)
    assert found.mood == "calm"
    assert items.put(found).version == 2


def test_an_item_of_an_unknown_type_is_an_error(adapter: Adapter, items: Table) -> None:
    key = Key(f"PROBES#{uuid.uuid4().hex}", "X")
    adapter.put({**key.raw(), "type": {"S": "NobodyKnows"}}, None)
    with pytest.raises(ValueError, match="NobodyKnows"):
        items.get(key, consistent=True)
