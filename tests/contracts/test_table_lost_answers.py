"""Contract: a call that took effect, whose answer got lost, and which was therefore made again, does no harm.

Twice over: an adapter under which every call happens twice (what an SDK's retry amounts to), and DynamoDB behind a real proxy that lets
each request take effect and cuts the connection instead of answering.
"""

import uuid
from collections.abc import Callable, Iterator

import pytest
from django.conf import settings

from goalgraph.auth.actor import Actor
from goalgraph.table.dynamodb import DynamoTable
from goalgraph.table.memory import MemoryTable
from goalgraph.table.port import Adapter, ConditionFailed, TransactionCanceled
from goalgraph.table.table import Check, Delete, Put, Table, Update
from tests.contracts.table_items import Clockwork, Counter, Probe, at_once, counter_key, probe_key, table_of
from tests.faults import Loopback, LosesAnswers, cutting_first_answers, forward_to
from tests.fixtures import new_user


@pytest.fixture(params=["memory, each call made twice", "dynamodb, each call made twice", "dynamodb, each connection cut"])
def lossy(request: pytest.FixtureRequest) -> Iterator[Adapter]:
    if request.param.startswith("memory"):
        yield LosesAnswers(MemoryTable())
        return
    dynamo: DynamoTable = request.getfixturevalue("dynamo_table")
    if request.param.endswith("twice"):
        yield LosesAnswers(dynamo)
        return
    with Loopback(cutting_first_answers(forward_to(settings.AWS_ENDPOINT_URL))) as proxy:
        yield DynamoTable(name=dynamo.name, region=settings.AWS_REGION, endpoint_url=proxy.url, pool=64)
        operations = proxy.operations()
        assert len(operations) >= 2
        assert len(operations) % 2 == 0  # each was cut once, and asked for once more


@pytest.fixture
def items(lossy: Adapter, actor: Actor) -> Table:
    return table_of(lossy, actor, Clockwork())


def test_200_counts_land_exactly(items: Table, actor: Actor) -> None:
    items.put(Counter())

    def count(name: int) -> Callable[[], None]:
        more = Update(counter_key(actor.user_id), [Counter.count.add(1)])

        def work() -> None:
            for turn in range(10):
                items.transact([more], token=f"{actor.user_id}-{name}-{turn}")

        return work

    assert at_once([count(name) for name in range(20)]) == [None] * 20
    assert items.get(counter_key(actor.user_id), consistent=True).count == 200


def test_counts_without_a_token_of_the_callers_land_exactly(items: Table, actor: Actor) -> None:
    items.put(Counter())
    for turn in range(20):
        items.transact([Put(Probe(probe_id=f"marker-{turn}")), Update(counter_key(actor.user_id), [Counter.count.add(1)])])
    assert items.get(counter_key(actor.user_id), consistent=True).count == 20


def test_of_many_claims_one_believes_it_owns_and_it_does(lossy: Adapter) -> None:
    for _ in range(5):
        prize = f"prize-{uuid.uuid4().hex}"
        claimants = [new_user() for _ in range(10)]

        def claim(claimant: Actor, prize: str = prize) -> Callable[[], Probe]:
            return lambda: table_of(lossy, claimant).put(Probe(owner_id="all", probe_id=prize, text_value=claimant.user_id))

        outcomes = at_once([claim(claimant) for claimant in claimants])
        (owner,) = [each for each in outcomes if isinstance(each, Probe)]
        losers = [each for each in outcomes if isinstance(each, ConditionFailed)]
        stored = table_of(lossy, new_user()).get(probe_key("all", prize), consistent=True)
        assert len(losers) == 9
        assert (owner.text_value, owner.write_id, owner.version) == (stored.text_value, stored.write_id, 1)
        assert {each.current.text_value for each in losers} == {stored.text_value}


def test_the_true_owner_of_a_conditional_write_is_not_refused(items: Table, actor: Actor) -> None:
    stored = items.put(Probe(probe_id="p", number=1))
    stored.number = 2
    stored = items.put(stored)
    assert (stored.number, stored.version) == (2, 2)
    stored = items.put(stored, condition=Probe.number == 2)
    updated = items.update(stored.key(), [Probe.number.set(5)], condition=Probe.number == 2)
    assert (updated.number, updated.version) == (5, 4)
    items.put(Probe(probe_id="p", number=6), condition=Probe.number == 5, overwrite=True)
    items.delete(stored.key(), condition=Probe.number == 6)
    assert items.get(stored.key(), consistent=True) is None


def test_a_stale_writer_is_refused_all_the_same(items: Table) -> None:
    mine = items.put(Probe(probe_id="p", number=1))
    items.update(mine.key(), [Probe.number.set(2)])
    with pytest.raises(ConditionFailed) as refusal:
        items.put(mine)
    assert refusal.value.current.number == 2
    with pytest.raises(ConditionFailed):
        items.update(mine.key(), [Probe.number.set(3)], condition=Probe.number == 1)
    with pytest.raises(ConditionFailed):
        items.delete(mine.key(), condition=Probe.number == 1)


def test_the_true_owner_of_a_transaction_is_not_refused(items: Table, actor: Actor) -> None:
    loaded = items.put(Probe(probe_id="loaded"))
    gone = items.put(Probe(probe_id="gone"))
    checked = items.put(Probe(probe_id="checked"))
    operations = [
        Put(Probe(probe_id="new")),
        Put(loaded),
        Delete(gone.key(), Probe.version == 1),
        Check(checked.key(), Probe.version == 1),
    ]
    items.transact(operations)
    with pytest.raises(TransactionCanceled) as canceled:
        items.transact(operations)
    assert [canceled.value.failed(place) for place in range(4)] == [True, True, False, False]
    new, after = items.get_many([probe_key(actor.user_id, "new"), loaded.key()], consistent=True)
    assert (new.version, after.version) == (1, 2)


def test_reading_is_as_ever(items: Table, actor: Actor) -> None:
    for number in range(5):
        items.put(Probe(probe_id=f"p{number}"))
    keys = [probe_key(actor.user_id, f"p{number}") for number in range(6)]
    assert [item and item.probe_id for item in items.get_many(keys, consistent=True)] == ["p0", "p1", "p2", "p3", "p4", None]
