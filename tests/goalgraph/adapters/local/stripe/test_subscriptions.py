"""Subscriptions through their lives: begun, renewed, unpaid, switched, paused, refunded, ended."""

import pytest
import stripe

from goalgraph.adapters.local.stripe.subscriptions import period_end_after
from tests.goalgraph.adapters.local.stripe.shop import MONTHLY, YEARLY

DAY = 86400


def ends(subscription) -> int:
    return subscription["items"].data[0].current_period_end


def test_what_paying_at_checkout_makes(shop):
    subscription = shop.fake.buy(shop.customer, shop.month, metadata={"plan": "premium"})
    assert subscription.status == "active"
    assert subscription.metadata.to_dict() == {"plan": "premium"}
    assert subscription["items"].data[0].price.id == shop.month
    invoice = shop.fake.client.invoices.retrieve(subscription.latest_invoice, {"expand": ["payments"]})
    assert (invoice.status, invoice.amount_paid, invoice.billing_reason) == ("paid", MONTHLY, "subscription_create")
    assert invoice.parent.subscription_details.subscription == subscription.id
    intent = shop.fake.client.payment_intents.retrieve(invoice.payments.data[0].payment.payment_intent, {"expand": ["latest_charge"]})
    assert (intent.latest_charge.status, intent.latest_charge.amount, intent.customer) == ("succeeded", MONTHLY, shop.customer)
    told = shop.types()
    expected = ["customer.subscription.created", "invoice.created", "invoice.finalized", "charge.succeeded", "invoice.paid"]
    assert [each for each in told if each in expected] == expected
    assert told[-1] == "checkout.session.completed"
    assert {"invoice.payment_succeeded", "payment_intent.succeeded", "payment_method.attached"} < set(told)


def test_a_declined_card_buys_nothing(shop):
    session = shop.fake.client.checkout.sessions.create(
        {
            "mode": "subscription",
            "customer": shop.customer,
            "line_items": [{"price": shop.month, "quantity": 1}],
            "success_url": "https://shop.example/",
        }
    )
    assert shop.fake.pay(session.url, "4000000000000002").status_code == 422
    assert shop.fake.client.subscriptions.list({"status": "all"}).data == []
    assert shop.types()[-2:] == ["charge.failed", "payment_intent.payment_failed"]
    assert shop.fake.pay(session.url).status_code == 303, "another card may be tried"
    assert shop.fake.pay(session.url).status_code == 404, "and nobody pays twice"
    assert len(shop.fake.client.subscriptions.list({"customer": shop.customer}).data) == 1


def test_a_trial_costs_nothing_until_it_ends(shop):
    subscription = shop.fake.buy(shop.customer, shop.month, trial_period_days=14)
    assert subscription.status == "trialing"
    assert ends(subscription) == subscription.trial_end
    assert shop.fake.client.charges.list({"customer": shop.customer}).data == []
    shop.fake.clock(days=13)
    assert "customer.subscription.trial_will_end" in shop.types()
    shop.fake.clock(days=1.1)
    assert shop.status(subscription.id) == "active"
    assert [charge.amount for charge in shop.fake.client.charges.list({"customer": shop.customer}).data] == [MONTHLY]


def test_it_is_renewed_each_month_at_its_own_time(shop):
    subscription = shop.fake.buy(shop.customer, shop.month)
    shop.fake.clock(days=95)
    invoices = shop.fake.client.invoices.list({"subscription": subscription.id}).data
    assert [each.billing_reason for each in invoices] == ["subscription_cycle"] * 3 + ["subscription_create"]
    starts = [each.period_start for each in reversed(invoices)]
    assert starts == sorted(starts)
    assert [each.period_end for each in reversed(invoices)][:-1] == starts[1:]
    assert all(each.created == each.period_start for each in invoices)


def test_the_thirty_first_comes_back_after_february():
    january = 1_769_817_600  # 2026-01-31 00:00 UTC
    monthly = {"interval": "month", "interval_count": 1}
    february = period_end_after(january, monthly, january)
    assert february == january + 28 * DAY
    assert period_end_after(january, monthly, february) == february + 31 * DAY


@pytest.mark.parametrize(("then", "status"), [("cancel", "canceled"), ("mark_unpaid", "unpaid"), ("leave", "past_due")])
def test_what_nobody_pays_is_tried_again_and_then_given_up(shop, then, status):
    shop.fake.control("after_retries", then=then)
    subscription = shop.fake.buy(shop.customer, shop.month)
    shop.fake.card_works(shop.customer, works=False)
    shop.fake.clock(to=ends(subscription))
    assert shop.status(subscription.id) == "past_due"
    assert shop.fake.client.customers.retrieve(shop.customer).delinquent
    shop.fake.clock(days=16)
    assert shop.status(subscription.id) == status
    assert len(shop.fake.events("invoice.payment_failed")) == 4
    assert len(shop.fake.events("customer.subscription.deleted")) == (status == "canceled")


def test_a_card_that_works_again_pays_what_is_open(shop):
    subscription = shop.fake.buy(shop.customer, shop.month)
    shop.fake.card_works(shop.customer, works=False)
    shop.fake.clock(to=ends(subscription))
    invoice = shop.fake.client.subscriptions.retrieve(subscription.id).latest_invoice
    with pytest.raises(stripe.CardError):
        shop.fake.client.invoices.pay(invoice)
    shop.fake.card_works(shop.customer, works=True)
    shop.fake.clock(days=6)
    assert shop.status(subscription.id) == "active"
    assert shop.fake.client.invoices.retrieve(invoice).status == "paid"
    with pytest.raises(stripe.InvalidRequestError):
        shop.fake.client.invoices.pay(invoice)


def test_canceled_at_the_end_of_the_period_and_taken_back(shop):
    subscriptions = shop.fake.client.subscriptions
    subscription = shop.fake.buy(shop.customer, shop.month)
    canceled = subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    assert (canceled.status, canceled.cancel_at, canceled.cancel_at_period_end) == ("active", ends(subscription), True)
    resumed = subscriptions.update(subscription.id, {"cancel_at_period_end": False})
    assert (resumed.cancel_at, resumed.canceled_at) == (None, None)
    subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    shop.fake.clock(to=ends(subscription))
    ended = subscriptions.retrieve(subscription.id)
    assert (ended.status, ended.ended_at) == ("canceled", ends(subscription))
    assert len(shop.fake.client.invoices.list({"subscription": subscription.id}).data) == 1
    with pytest.raises(stripe.InvalidRequestError):
        subscriptions.update(subscription.id, {"cancel_at_period_end": False})
    with pytest.raises(stripe.InvalidRequestError):
        subscriptions.cancel(subscription.id)


def test_ended_ones_are_listed_only_when_asked_for(shop):
    subscription = shop.fake.buy(shop.customer, shop.month)
    shop.fake.client.subscriptions.cancel(subscription.id)
    assert shop.fake.client.subscriptions.list({"customer": shop.customer}).data == []
    assert [each.id for each in shop.fake.client.subscriptions.list({"customer": shop.customer, "status": "all"}).data] == [subscription.id]


def test_to_yearly_begins_a_year_now_and_credits_what_was_not_used(shop):
    subscription = shop.fake.buy(shop.customer, shop.month)
    shop.fake.clock(advance=(ends(subscription) - subscription.start_date) // 2)
    item = subscription["items"].data[0].id
    changed = shop.fake.client.subscriptions.update(subscription.id, {"items": [{"id": item, "price": shop.year}]})
    assert changed["items"].data[0].price.id == shop.year
    invoice = shop.fake.client.invoices.retrieve(changed.latest_invoice)
    assert invoice.billing_reason == "subscription_update"
    credit, year = (line.amount for line in invoice.lines.data)
    assert year == YEARLY
    assert credit == pytest.approx(-MONTHLY / 2, abs=1)
    assert invoice.amount_paid == YEARLY + credit
    assert ends(changed) - invoice.created >= 365 * DAY


def test_to_monthly_leaves_a_credit_that_later_invoices_use(shop):
    subscription = shop.fake.buy(shop.customer, shop.year)
    item = subscription["items"].data[0].id
    changed = shop.fake.client.subscription_items.update(item, {"price": shop.month})
    assert changed.price.id == shop.month
    balance = shop.fake.client.customers.retrieve(shop.customer).balance
    assert balance == pytest.approx(MONTHLY - YEARLY, abs=2)
    shop.fake.clock(days=32)
    assert shop.fake.client.customers.retrieve(shop.customer).balance == balance + MONTHLY
    assert len(shop.fake.client.charges.list({"customer": shop.customer}).data) == 1, "the credit pays"


def test_a_pause_collects_nothing_until_it_is_over(shop):
    subscriptions = shop.fake.client.subscriptions
    subscription = shop.fake.buy(shop.customer, shop.month)
    resumes = ends(subscription) + 3 * DAY
    paused = subscriptions.update(subscription.id, {"pause_collection": {"behavior": "void", "resumes_at": resumes}})
    assert paused.pause_collection.behavior == "void"
    shop.fake.clock(to=ends(subscription))
    assert shop.fake.client.invoices.retrieve(subscriptions.retrieve(subscription.id).latest_invoice).status == "void"
    shop.fake.clock(to=resumes)
    assert subscriptions.retrieve(subscription.id).pause_collection is None
    shop.fake.clock(days=31)
    assert len(shop.fake.client.charges.list({"customer": shop.customer}).data) == 2


@pytest.mark.parametrize(("behaviour", "status"), [("cancel", "canceled"), ("pause", "paused"), ("create_invoice", "past_due")])
def test_a_trial_without_a_card_ends_as_was_wished(shop, behaviour, status):
    subscription = shop.fake.client.subscriptions.create(
        {
            "customer": shop.customer,
            "items": [{"price": shop.month}],
            "trial_period_days": 7,
            "trial_settings": {"end_behavior": {"missing_payment_method": behaviour}},
        }
    )
    shop.fake.clock(days=7.1)
    assert shop.status(subscription.id) == status


def test_a_paused_one_is_resumed_with_a_card(shop):
    client = shop.fake.client
    pausing = {"end_behavior": {"missing_payment_method": "pause"}}
    wanted = {"customer": shop.customer, "items": [{"price": shop.month}], "trial_period_days": 7, "trial_settings": pausing}
    subscription = client.subscriptions.create(wanted)
    shop.fake.clock(days=8)
    client.customers.update(shop.customer, {"invoice_settings": {"default_payment_method": "pm_card_visa"}})
    assert client.subscriptions.resume(subscription.id).status == "active"
    assert client.charges.list({"customer": shop.customer}).data[0].amount == MONTHLY


def test_a_trial_may_end_now(shop):
    subscription = shop.fake.buy(shop.customer, shop.month, trial_period_days=14)
    ended = shop.fake.client.subscriptions.update(subscription.id, {"trial_end": "now"})
    assert ended.status == "active"
    assert [charge.amount for charge in shop.fake.client.charges.list({"customer": shop.customer}).data] == [MONTHLY]


def test_refunds_give_back_no_more_than_was_paid(shop):
    shop.fake.buy(shop.customer, shop.month)
    client = shop.fake.client
    charge = client.charges.list({"customer": shop.customer}).data[0]
    client.refunds.create({"charge": charge.id, "amount": 200})
    assert not client.charges.retrieve(charge.id).refunded
    assert client.refunds.create({"payment_intent": charge.payment_intent}).amount == MONTHLY - 200
    whole = client.charges.retrieve(charge.id, {"expand": ["refunds"]})
    assert (whole.refunded, whole.amount_refunded, len(whole.refunds.data)) == (True, MONTHLY, 2)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.refunds.create({"charge": charge.id})
    assert refused.value.code == "charge_already_refunded"
    assert len(shop.fake.events("charge.refunded")) == 2


def test_a_session_expires_after_a_day(shop):
    wanted = {
        "mode": "subscription",
        "customer": shop.customer,
        "line_items": [{"price": shop.month, "quantity": 1}],
        "success_url": "https://shop.example/",
    }
    first, second = (shop.fake.client.checkout.sessions.create(wanted) for _ in range(2))
    assert shop.fake.client.checkout.sessions.expire(first.id).status == "expired"
    with pytest.raises(stripe.InvalidRequestError):
        shop.fake.client.checkout.sessions.expire(first.id)
    shop.fake.clock(days=1.01)
    assert shop.fake.client.checkout.sessions.retrieve(second.id).status == "expired"
    assert len(shop.fake.events("checkout.session.expired")) == 2
    assert shop.fake.pay(second.url or first.url or f"{shop.fake.url}/c/pay/{second.id}").status_code == 404
