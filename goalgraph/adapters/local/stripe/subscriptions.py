"""Subscriptions: begun, changed, paused, canceled, and billed when their time has come.

The states are Stripe's (docs.stripe.com/billing/subscriptions/overview#subscription-statuses). `clock.py` calls what happens by time.
"""

from datetime import UTC, datetime

from dateutil.relativedelta import relativedelta

from goalgraph.adapters.local.stripe import objects, payments
from goalgraph.adapters.local.stripe.customers import attached, default_method
from goalgraph.adapters.local.stripe.errors import invalid
from goalgraph.adapters.local.stripe.fake import Fake
from goalgraph.adapters.local.stripe.params import Json

DAY = 86400
ENDED = ("canceled", "incomplete_expired")
BILLED = ("active", "past_due")
TRIAL_WARNING = 3 * DAY
Line = tuple[Json, int]
"""A price and how many of it."""


def item_of(fake: Fake, subscription: Json) -> Json:
    """Its first item, whose period is the subscription's."""
    return fake.get("subscription_item", subscription["items"]["data"][0])


def price_of(fake: Fake, subscription: Json) -> Json:
    return fake.get("price", item_of(fake, subscription)["price"])


def period_end_after(anchor: int, recurring: Json, moment: int) -> int:
    """The first end of a period after `moment`, counted from the anchor, so that the 31st comes back after February."""
    start, count = datetime.fromtimestamp(anchor, UTC), 1
    while (end := _later(start, recurring, count)) <= moment:
        count += 1
    return end


def _later(start: datetime, recurring: Json, count: int) -> int:
    step = count * recurring["interval_count"]
    return int((start + relativedelta(**{f"{recurring['interval']}s": step})).timestamp())


def begin(
    fake: Fake,
    customer: Json,
    lines: list[Line],
    *,
    metadata: Json,
    method_id: str | None = None,
    trial_end: int | None = None,
    without_method: str = "create_invoice",
) -> Json:
    """A new subscription with its first invoice: `trialing`, `active`, or `incomplete` where it was not paid.

    `without_method` is what happens at the end of the trial to one without a payment method: `cancel`, `pause` or `create_invoice`.
    """
    now = fake.now()
    first = lines[0][0]
    subscription = fake.add("subscription", objects.subscription(customer["id"], first["currency"], now, metadata))
    subscription["default_payment_method"] = method_id
    subscription["trial_settings"]["end_behavior"]["missing_payment_method"] = without_method
    end = trial_end or period_end_after(now, first["recurring"], now)
    items = [
        fake.add("subscription_item", objects.subscription_item(subscription["id"], price["id"], count, now, end)) for price, count in lines
    ]
    subscription["items"] = objects.listing([each["id"] for each in items], f"/v1/subscription_items?subscription={subscription['id']}")
    if trial_end:
        subscription |= {"status": "trialing", "trial_start": now, "trial_end": trial_end, "billing_cycle_anchor": trial_end}
    fake.emit("customer.subscription.created", subscription)
    if customer["currency"] is None:
        customer["currency"] = first["currency"]
    amounts = [
        (item, price, 0 if trial_end else price["unit_amount"] * count, False) for item, (price, count) in zip(items, lines, strict=True)
    ]
    invoice = payments.draft(fake, subscription, amounts, (now, end), "subscription_create")
    payments.finalize(fake, invoice)
    if payments.pay(fake, invoice, retry=False) is None and not trial_end:
        with fake.change(subscription):
            subscription["status"] = "active"
    return subscription


def bill(fake: Fake, subscription: Json, amounts: list[tuple[Json, Json, int, bool]], period: tuple[int, int], reason: str) -> None:
    """Invoice a subscription that runs, and let its status follow from the payment."""
    invoice = payments.draft(fake, subscription, amounts, period, reason)
    pause = subscription["pause_collection"]
    if subscription["status"] == "unpaid" or (pause and pause["behavior"] == "keep_as_draft"):
        with fake.change(invoice):
            invoice["auto_advance"] = False
        return
    payments.finalize(fake, invoice)
    if pause:
        payments.close(fake, invoice, {"void": "void", "mark_uncollectible": "uncollectible"}[pause["behavior"]])
        return
    invoice_was_tried(fake, invoice, payments.pay(fake, invoice))


def renew(fake: Fake, subscription: Json) -> None:
    """A period has ended: the next one begins and is billed, or the subscription ends."""
    item, price = item_of(fake, subscription), price_of(fake, subscription)
    start = item["current_period_end"]
    if subscription["cancel_at_period_end"]:
        end(fake, subscription, "cancellation_requested")
        return
    if subscription["status"] == "trialing" and not _end_trial(fake, subscription):
        return
    with fake.change(subscription):
        subscription["status"] = "active" if subscription["status"] == "trialing" else subscription["status"]
        _set_period(fake, subscription, start, period_end_after(subscription["billing_cycle_anchor"], price["recurring"], start))
    bill(fake, subscription, _full_amounts(fake, subscription), (start, item["current_period_end"]), "subscription_cycle")


def _end_trial(fake: Fake, subscription: Json) -> bool:
    """Whether the trial goes over into a paid period, which wants a payment method where the subscription says so."""
    has_method = subscription["default_payment_method"] or default_method(fake, subscription["customer"])
    behaviour = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    if has_method or behaviour == "create_invoice":
        return True
    if behaviour == "cancel":
        end(fake, subscription, None)
    else:
        with fake.change(subscription):
            subscription["status"] = "paused"
        fake.emit("customer.subscription.paused", subscription)
    return False


def warn_of_trial_end(fake: Fake, subscription: Json) -> None:
    subscription["_warned"] = True
    fake.emit("customer.subscription.trial_will_end", subscription)


def _set_period(fake: Fake, subscription: Json, start: int, end_of_it: int) -> None:
    for item_id in subscription["items"]["data"]:
        item = fake.get("subscription_item", item_id)
        item["current_period_start"], item["current_period_end"] = start, end_of_it


def _full_amounts(fake: Fake, subscription: Json) -> list[tuple[Json, Json, int, bool]]:
    items = [fake.get("subscription_item", item_id) for item_id in subscription["items"]["data"]]
    prices = [fake.get("price", item["price"]) for item in items]
    return [(item, price, price["unit_amount"] * item["quantity"], False) for item, price in zip(items, prices, strict=True)]


def invoice_was_tried(fake: Fake, invoice: Json, decline_code: str | None) -> None:
    """Let the status follow from the payment of one of its invoices; after the last try, do what the settings say."""
    subscription = fake.get("subscription", payments.subscription_of(invoice))
    if subscription["status"] in ENDED:
        return
    if decline_code is None:
        others = [each for each in fake.all("invoice") if each["status"] == "open" and payments.subscription_of(each) == subscription["id"]]
        if subscription["status"] in ("past_due", "unpaid", "incomplete") and not others:
            with fake.change(subscription):
                subscription["status"] = "active"
        return
    if subscription["status"] == "active":
        with fake.change(subscription):
            subscription["status"] = "past_due"
    if invoice["next_payment_attempt"] is None and subscription["status"] == "past_due":
        _give_up(fake, subscription)


def _give_up(fake: Fake, subscription: Json) -> None:
    match fake.state.after_retries:
        case "cancel":
            end(fake, subscription, "payment_failed")
        case "mark_unpaid":
            with fake.change(subscription):
                subscription["status"] = "unpaid"


def retry(fake: Fake, invoice: Json) -> None:
    """The time has come to try a failed payment again."""
    invoice_was_tried(fake, invoice, payments.pay(fake, invoice))


def end(fake: Fake, subscription: Json, reason: str | None) -> None:
    """It is over now, and what was not paid is not asked for again."""
    now = fake.now()
    subscription |= {"status": "canceled", "ended_at": now, "canceled_at": subscription["canceled_at"] or now}
    subscription["cancellation_details"]["reason"] = subscription["cancellation_details"]["reason"] or reason
    for invoice in fake.all("invoice"):
        if invoice["next_payment_attempt"] and payments.subscription_of(invoice) == subscription["id"]:
            with fake.change(invoice):
                invoice["next_payment_attempt"], invoice["auto_advance"] = None, False
    fake.emit("customer.subscription.deleted", subscription)


# Changes on demand. Each is to be called within `fake.change(subscription)`, which announces what it changed.


def cancel_at_period_end(fake: Fake, subscription: Json, wanted: bool) -> None:
    ends = item_of(fake, subscription)["current_period_end"] if wanted else None
    subscription |= {"cancel_at_period_end": wanted, "cancel_at": ends, "canceled_at": fake.now() if wanted else None}
    subscription["cancellation_details"]["reason"] = "cancellation_requested" if wanted else None


def end_trial_now(fake: Fake, subscription: Json) -> None:
    subscription["trial_end"] = subscription["billing_cycle_anchor"] = fake.now()
    _set_period(fake, subscription, item_of(fake, subscription)["current_period_start"], fake.now())


def use_method(fake: Fake, subscription: Json, named: str | None) -> None:
    customer = fake.get("customer", subscription["customer"])
    subscription["default_payment_method"] = attached(fake, customer, named)["id"] if named else None


def switch(fake: Fake, subscription: Json, item: Json, price: Json, quantity: int, *, prorate: bool) -> None:
    """Another price or quantity, from now on. Announces itself.

    In a trial nothing is billed. Another interval begins a new period now (docs.stripe.com/billing/subscriptions/change-price). What was
    paid of the old period and not used is given as credit, all of it on an invoice of its own at once; Stripe leaves a change within the
    same interval to the next invoice.
    """
    if price["currency"] != subscription["currency"]:
        raise invalid("The price must have the currency of the subscription.", param="items")
    old, old_quantity = fake.get("price", item["price"]), item["quantity"]
    if (old["id"], old_quantity) == (price["id"], quantity):
        return
    start, ends, now = item["current_period_start"], item["current_period_end"], fake.now()
    other_interval = old["recurring"] != price["recurring"]
    in_trial = subscription["status"] == "trialing"
    with fake.change(subscription):
        item["price"], item["quantity"] = price["id"], quantity
        if other_interval and not in_trial:
            subscription["billing_cycle_anchor"] = now
            _set_period(fake, subscription, now, period_end_after(now, price["recurring"], now))
    if in_trial or not (prorate or other_interval):
        return
    left = (ends - now) / (ends - start) if ends > start else 0
    credit = (item, old, -round(old["unit_amount"] * old_quantity * left), True)
    owed = (item, price, round(price["unit_amount"] * quantity * (1 if other_interval else left)), not other_interval)
    period = (now, item["current_period_end"])
    bill(fake, subscription, [credit, owed] if prorate else [owed], period, "subscription_update")
