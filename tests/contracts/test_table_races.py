"""Contract: whoever races, one wins, and nothing that was won is lost."""

import threading
from collections import Counter as Tally
from collections.abc import Callable

from goalgraph.table import until_won
from goalgraph.table.port import Adapter, ConditionFailed, TransactionCanceled
from goalgraph.table.table import Put, Update
from tests.contracts.table_items import Counter, Probe, at_once, counter_key, probe_key, table_of
from tests.fixtures import new_user

PATIENCE = 100_000
"""Tries of a race in which everybody wins in the end."""


def test_of_100_that_put_one_key_one_wins_and_all_others_see_the_winner(adapter: Adapter) -> None:
    owner = new_user()
    start = threading.Barrier(100)

    def claim() -> Probe:
        claimant = new_user()
        items = table_of(adapter, claimant)
        start.wait()
        return items.put(Probe(owner_id=owner.user_id, probe_id="prize", text_value=claimant.user_id))

    outcomes = at_once([claim] * 100)
    (winner,) = [each for each in outcomes if isinstance(each, Probe)]
    losers = [each for each in outcomes if isinstance(each, ConditionFailed)]
    assert len(losers) == 99
    assert {each.current.text_value for each in losers} == {winner.text_value}
    assert table_of(adapter, owner).get(probe_key(owner.user_id, "prize"), consistent=True).text_value == winner.text_value


def test_50_writers_of_100_updates_by_version_lose_none(adapter: Adapter) -> None:
    owner = new_user()
    items = table_of(adapter, owner)
    items.put(Counter())

    def write() -> None:
        counter: Counter | None = None

        def step() -> None:
            nonlocal counter
            mine = counter or items.get(counter_key(owner.user_id), consistent=True)
            mine.count += 1
            counter = None
            counter = items.put(mine)

        for _ in range(100):
            until_won(step, tries=PATIENCE)

    assert at_once([write] * 50) == [None] * 50
    final = items.get(counter_key(owner.user_id), consistent=True)
    assert (final.count, final.version) == (5_000, 5_001)


def test_transactions_on_one_counter_are_exact(adapter: Adapter) -> None:
    owner = new_user()
    items = table_of(adapter, owner)
    items.put(Counter())

    def count(writer: int) -> Callable[[], None]:
        def work() -> None:
            for turn in range(25):
                marker = Put(Probe(probe_id=f"{writer}-{turn}"))
                until_won(lambda marker=marker: items.transact([marker, Update(counter_key(owner.user_id), [Counter.count.add(1)])]))

        return work

    assert at_once([count(writer) for writer in range(20)]) == [None] * 20
    assert items.get(counter_key(owner.user_id), consistent=True).count == 500


def test_a_cap_holds_however_many_try(adapter: Adapter) -> None:
    """The way of a quota: a conditional count and the thing counted, in one transaction."""
    owner = new_user()
    items = table_of(adapter, owner)
    items.put(Counter())
    start = threading.Barrier(40)

    def take(number: int) -> Callable[[], None]:
        def work() -> None:
            start.wait()
            room = Update(counter_key(owner.user_id), [Counter.count.add(1)], Counter.count < 5)
            items.transact([room, Put(Probe(probe_id=f"taken-{number}"))])

        return work

    outcomes = at_once([take(number) for number in range(40)])
    refusals = [each for each in outcomes if isinstance(each, TransactionCanceled)]
    assert Tally(map(type, outcomes)) == {type(None): 5, TransactionCanceled: 35}
    assert all(each.failed(0) and not each.failed(1) for each in refusals)
    taken = items.get_many([probe_key(owner.user_id, f"taken-{number}") for number in range(40)], consistent=True)
    assert sum(each is not None for each in taken) == 5
