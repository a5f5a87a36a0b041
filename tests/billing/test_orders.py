"""Events out of order: whichever comes first and whichever last, what Stripe says in the end is what the member has."""

import itertools
import json
import random
from typing import Any

import pytest
import stripe
from djstripe.models import Event

from billing import account_services, ledger
from billing.models import Account
from goalgraph import wiring
from goalgraph.ports.payments import Agreement
from tests.billing.world import MEMORY, Buyer, World
from tests.fixtures import FakeClock


class Remembering(ledger._Client):
    """Stripe's answers to questions do not change while the same events come in many orders, so each is asked once."""

    def __init__(self) -> None:
        super().__init__(timeout=10)
        self.known: dict[str, Any] = {}

    def request_with_retries(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        if method != "get":
            return super().request_with_retries(method, url, *args, **kwargs)
        if url not in self.known:
            self.known[url] = super().request_with_retries(method, url, *args, **kwargs)
        return self.known[url]


def life(world: World) -> tuple[Buyer, list[dict[str, Any]], list[list[Agreement]]]:
    """A subscription that is begun, canceled, uncanceled, paused, and canceled within the pause, in six events of its own; and what Stripe
    said after each of them."""
    buyer = world.begin()
    buyer.pay()
    answers = [wiring.payments().agreements(buyer.customer_id)] * 2
    changes: list[Any] = [
        {"cancel_at_period_end": True},
        {"cancel_at_period_end": False},
        {"pause_collection": {"behavior": "void"}},
        {"cancel_at_period_end": True},
    ]
    for change in changes:
        world.fake.client.subscriptions.update(buyer.agreement.id, change)
        answers.append(wiring.payments().agreements(buyer.customer_id))
    told = [event for event in world.fake.events() if event.type.startswith("customer.subscription.")]
    events = [json.loads(world.signed(event.id)[0]) for event in told]
    assert len(events) == len(answers) == 6
    return buyer, events, answers


def state_of(buyer: Buyer) -> tuple[Any, ...]:
    stored = buyer.stored
    assert stored is not None
    return (buyer.tier, stored.state, stored.interval, stored.period_ends, stored.grace_ends, stored.cancels, stored.rev)


@pytest.mark.parametrize("first", range(6))
def test_all_720_orders_of_six_events_come_to_one_state(world: World, monkeypatch, settings, first: int):
    """120 of them begin with each of the six. That one state is the same for all: it is what Stripe says, after six revisions."""
    buyer, events, answers = life(world)
    monkeypatch.setattr(stripe, "default_http_client", Remembering())
    happened = 0  # Stripe is as far as the latest event that it told of, or further
    monkeypatch.setattr(type(wiring.payments()), "agreements", lambda *_: answers[happened])
    (agreement,) = answers[-1]
    dice, found, orders = random.Random(first), set(), 0

    for order in itertools.permutations(events):
        if order[0] is not events[first]:
            continue
        orders += 1
        looked_at, happened = dice.sample(range(6), 2), 0
        for place, event in enumerate(order):
            happened = max(happened, events.index(event))
            assert account_services.receive(event)
            if place in looked_at:  # the projection runs in between as well, or late
                world.work()
                assert (stored := buyer.stored) is not None
                (then,) = answers[happened]
                assert (stored.cancels, stored.state == "paused") == (then.ends_at is not None, then.paused)
        world.work()
        found.add(state_of(buyer))
        begin_anew(world, buyer, settings)

    assert orders == 120
    assert found == {("premium", "paused", "month", agreement.period_ends, agreement.period_ends, True, 6)}


def begin_anew(world: World, buyer: Buyer, settings: Any) -> None:
    """Nothing was ever told, and the table is empty. The clock is where it was."""
    Event.objects.all().delete()
    Account.objects.filter(pk=buyer.account_id).update(rev=0, published_rev=0)
    instant = world.clock.now()
    settings.PORTS = settings.PORTS | {"table": {**MEMORY["table"]}}
    clock = wiring.clock()
    assert isinstance(clock, FakeClock)
    world.clock, clock.instant = clock, instant


def test_an_answer_of_stripes_that_is_older_than_the_revision_does_not_win(world: World, monkeypatch):
    """Two projections: the slow one asked before the cancellation, and writes after the quick one."""
    buyer = world.buyer()
    world.settle()
    payments = type(wiring.payments())
    ask = payments.agreements
    before = ask(wiring.payments(), buyer.customer_id)

    def slow(self: Any, customer_id: str) -> Any:
        monkeypatch.setattr(payments, "agreements", ask)
        world.fake.client.subscriptions.cancel(buyer.agreement.id)
        world.deliver_all()
        world.work()
        assert buyer.tier == "free"
        return before

    account_services.revise(buyer.account_id)
    monkeypatch.setattr(payments, "agreements", slow)
    world.work()
    assert buyer.tier == "free"
    assert buyer.account.published_rev == buyer.account.rev
