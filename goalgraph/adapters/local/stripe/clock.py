"""Time: what becomes due, in the order in which it does."""

from collections.abc import Callable, Iterator
from functools import partial

from goalgraph.adapters.local.stripe import checkout, subscriptions
from goalgraph.adapters.local.stripe.fake import Fake
from goalgraph.adapters.local.stripe.params import Json

Due = tuple[int, Callable[[], None]]
MAX_STEPS = 10_000


def advance(fake: Fake, target: int) -> int:
    """Let everything happen that is due until `target`, each at its own time, and set the clock there; says how much happened.

    Raises ValueError where that would be more than `MAX_STEPS`.
    """
    for step in range(MAX_STEPS):
        upcoming = min(_due(fake), key=lambda each: each[0], default=None)
        if upcoming is None or upcoming[0] > target:
            fake.set_clock(max(target, fake.now()))
            return step
        moment, happen = upcoming
        if moment > fake.now():
            fake.set_clock(moment)
        happen()
    raise ValueError(f"More than {MAX_STEPS} things would happen until then.")


def _due(fake: Fake) -> Iterator[Due]:
    for subscription in fake.all("subscription"):
        yield from _due_of(fake, subscription)
    for invoice in fake.all("invoice"):
        if invoice["next_payment_attempt"]:
            yield invoice["next_payment_attempt"], partial(subscriptions.retry, fake, invoice)
    for session in fake.all("checkout.session"):
        if session["status"] == "open":
            yield session["expires_at"], partial(checkout.expire, fake, session)


def _due_of(fake: Fake, subscription: Json) -> Iterator[Due]:
    status = subscription["status"]
    if status in (*subscriptions.ENDED, "paused", "incomplete"):
        return
    item = subscriptions.item_of(fake, subscription)
    if subscription["cancel_at"] and not subscription["cancel_at_period_end"]:
        yield subscription["cancel_at"], lambda: subscriptions.end(fake, subscription, "cancellation_requested")
    if status == "trialing" and not subscription.get("_warned"):
        yield item["current_period_end"] - subscriptions.TRIAL_WARNING, lambda: subscriptions.warn_of_trial_end(fake, subscription)
    pause = subscription["pause_collection"]
    if pause and pause["resumes_at"]:
        yield pause["resumes_at"], lambda: _unpause(fake, subscription)
    yield item["current_period_end"], lambda: subscriptions.renew(fake, subscription)


def _unpause(fake: Fake, subscription: Json) -> None:
    with fake.change(subscription):
        subscription["pause_collection"] = None
