"""Whatever members and time do in whatever order: the books balance, and a saved state is the same state."""

import orjson
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from goalgraph.adapters.local.stripe import checkout, clock, objects, payments, subscriptions
from goalgraph.adapters.local.stripe.controls import set_works
from goalgraph.adapters.local.stripe.customers import default_method
from goalgraph.adapters.local.stripe.fake import Fake
from goalgraph.adapters.local.stripe.params import Json, Params
from goalgraph.adapters.local.stripe.routing import Call
from goalgraph.adapters.local.stripe.state import State

STATUSES = {"trialing", "active", "past_due", "unpaid", "canceled"}


class Lives(RuleBasedStateMachine):
    @initialize(trial=st.sampled_from([None, "7"]), then=st.sampled_from(["cancel", "mark_unpaid", "leave"]))
    def begin(self, trial: str | None, then: str) -> None:
        self.fake = Fake()
        self.fake.state.after_retries = then
        product = self.fake.add("product", objects.product("Premium", 0))
        self.prices = [
            self.fake.add("price", objects.price(product["id"], "eur", amount, objects.recurring(interval, 1)))
            for interval, amount in (("month", 699), ("year", 6990))
        ]
        self.customer = self.fake.add("customer", objects.customer("ana@example.com", None))
        data = {"trial_period_days": trial} if trial else {}
        wanted = {
            "mode": "subscription",
            "customer": self.customer["id"],
            "line_items": [{"price": self.prices[0]["id"], "quantity": "1"}],
            "success_url": "https://shop.example/",
            "subscription_data": data,
        }
        session = checkout.create(self.fake, Call(Params(wanted)))
        assert checkout.complete(self.fake, session, "4242424242424242") is None

    @property
    def subscription(self) -> Json:
        return self.fake.all("subscription")[0]

    def runs(self) -> bool:
        return hasattr(self, "fake") and self.subscription["ended_at"] is None

    @rule(days=st.sampled_from([0, 1, 3, 5, 7, 31, 45]))
    def wait(self, days: int) -> None:
        clock.advance(self.fake, self.fake.now() + days * subscriptions.DAY)

    @rule(works=st.booleans())
    def card(self, works: bool) -> None:
        method = default_method(self.fake, self.customer["id"])
        assert method
        set_works(method, works)

    @precondition(runs)
    @rule(days=st.integers(0, 16))
    def fail_to_pay(self, days: int) -> None:
        """Until the end of the period with a card that does not work, and some days of tries after it."""
        set_works(default_method(self.fake, self.customer["id"]), False)
        clock.advance(self.fake, subscriptions.item_of(self.fake, self.subscription)["current_period_end"])
        clock.advance(self.fake, self.fake.now() + days * subscriptions.DAY)

    @precondition(runs)
    @rule(wanted=st.booleans())
    def cancel_at_period_end(self, wanted: bool) -> None:
        with self.fake.change(self.subscription):
            subscriptions.cancel_at_period_end(self.fake, self.subscription, wanted)

    @precondition(runs)
    @rule(which=st.integers(0, 1), prorate=st.booleans())
    def switch(self, which: int, prorate: bool) -> None:
        item = subscriptions.item_of(self.fake, self.subscription)
        subscriptions.switch(self.fake, self.subscription, item, self.prices[which], 1, prorate=prorate)

    @precondition(runs)
    @rule(behaviour=st.sampled_from([None, "void", "keep_as_draft", "mark_uncollectible"]))
    def pause(self, behaviour: str | None) -> None:
        with self.fake.change(self.subscription):
            self.subscription["pause_collection"] = {"behavior": behaviour, "resumes_at": None} if behaviour else None

    @precondition(runs)
    @rule(resolve=st.integers(0, 2))
    def cancel(self, resolve: int) -> None:
        if resolve == 2:  # seldom, since nothing much happens afterwards
            subscriptions.end(self.fake, self.subscription, None)

    @rule()
    def pay_what_is_open(self) -> None:
        for invoice in self.fake.all("invoice"):
            if invoice["status"] == "open":
                subscriptions.retry(self.fake, invoice)

    @invariant()
    def the_books_balance(self) -> None:
        charged = sum(each["amount"] for each in self.fake.all("charge") if each["paid"])
        invoices = self.fake.all("invoice")
        assert charged == sum(each["amount_paid"] for each in invoices)
        assert all(each["amount_paid"] + each["amount_remaining"] == each["amount_due"] for each in invoices)
        settled = sum(each["total"] for each in invoices if each["status"] != "draft")
        due = sum(each["amount_due"] for each in invoices if each["status"] != "draft")
        assert self.customer["balance"] == settled - due <= 0, "what is not asked for is credit"

    @invariant()
    def nothing_is_left_undone(self) -> None:
        assert clock.advance(self.fake, self.fake.now()) == 0
        assert self.subscription["status"] in STATUSES
        assert (self.subscription["status"] == "canceled") == (self.subscription["ended_at"] is not None)
        ended = self.subscription["ended_at"] is not None
        assert not (ended and any(each["next_payment_attempt"] for each in self.fake.all("invoice")))

    @invariant()
    def one_period_follows_the_other(self) -> None:
        cycles = [each for each in self.fake.all("invoice") if each["billing_reason"] == "subscription_cycle"]
        starts = [each["period_start"] for each in cycles]
        assert starts == sorted(set(starts)), "no period is billed twice"
        assert all(payments.subscription_of(each) == self.subscription["id"] for each in cycles)

    @invariant()
    def what_is_saved_is_what_there_is(self) -> None:
        state = self.fake.state
        held = {name: getattr(state, name) for name in State.__slots__}
        assert orjson.loads(orjson.dumps(held)) == held


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)
