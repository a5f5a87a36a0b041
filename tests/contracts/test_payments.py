"""What the `payments` port promises, on Stripe's own library against the stand-in over HTTP. It was never run against Stripe itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings

from goalgraph.adapters.stripe import StripePayments
from goalgraph.ports.payments import KeyUsed, PaymentsRefused, PaymentsUnavailable, Price
from tests.stripe import StripeFake

MONTH = Price("goalgraph_premium_month", "month", 699, "eur")
YEAR = Price("goalgraph_premium_year", "year", 6990, "eur")
PLAN: dict[str, Any] = {"name": "GoalGraph Premium", "description": "More.", "prices": [MONTH, YEAR]}


def adapter(url: str, **more: Any) -> StripePayments:
    return StripePayments(api_key=settings.STRIPE_SECRET_KEY, api_base=url, version=settings.STRIPE_API_VERSION, retries=0, **more)


@pytest.fixture
def payments(stripe_fake: StripeFake) -> StripePayments:
    found = adapter(stripe_fake.url)
    found.ensure_plan("premium", **PLAN)
    return found


@pytest.fixture
def customer_id(payments: StripePayments) -> str:
    return payments.create_customer(key="customer:1", metadata={"user_id": "ana", "tenant_id": ""})


def opened(payments: StripePayments, customer_id: str, key: str = "k", **more: Any) -> Any:
    facts = {"plan_id": "premium", "interval": "month", "lookup_key": MONTH.lookup_key, "trial_days": 0}
    pages = {"success_url": "https://app.example/done", "cancel_url": "https://app.example/"}
    return payments.open_session(key=key, customer_id=customer_id, **(facts | pages | more))


def test_a_customer_is_made_once_for_a_key(payments: StripePayments, customer_id: str):
    again = payments.create_customer(key="customer:1", metadata={"user_id": "ana", "tenant_id": ""})
    assert again == customer_id
    assert payments.create_customer(key="customer:2", metadata={"user_id": "ana", "tenant_id": ""}) != customer_id


def test_plans_are_made_once(payments: StripePayments):
    assert payments.ensure_plan("premium", **PLAN) == []
    gold = Price("gold_month", "month", 999, "eur")
    assert payments.ensure_plan("gold", name="Gold", description="Most.", prices=[gold]) == [
        "created product goalgraph_gold",
        "created price gold_month",
    ]


def test_a_page_is_open_until_it_is_closed_or_paid(payments: StripePayments, customer_id: str, stripe_fake: StripeFake):
    first = opened(payments, customer_id)
    assert (first.plan_id, first.interval, payments.sessions(customer_id)) == ("premium", "month", [first])
    payments.close_session(first.id)
    payments.close_session(first.id)
    second = opened(payments, customer_id, "k2", interval="year", lookup_key=YEAR.lookup_key)
    stripe_fake.pay(second.url)
    payments.close_session(second.id)
    assert [(each.id, each.url) for each in payments.sessions(customer_id)] == [(second.id, None), (first.id, None)]


def test_a_key_is_for_one_thing(payments: StripePayments, customer_id: str):
    assert opened(payments, customer_id) == opened(payments, customer_id)
    with pytest.raises(KeyUsed):
        opened(payments, customer_id, interval="year", lookup_key=YEAR.lookup_key)


def test_what_is_not_there_is_refused(payments: StripePayments, customer_id: str):
    with pytest.raises(PaymentsRefused):
        opened(payments, customer_id, lookup_key="nothing")
    with pytest.raises(PaymentsRefused):
        opened(payments, "cus_nobody")
    with pytest.raises(PaymentsRefused):
        payments.portal("cus_nobody", return_url="https://app.example/")
    with pytest.raises(PaymentsRefused):
        payments.refund_and_cancel("sub_nothing", key="r")
    with pytest.raises(PaymentsRefused):
        payments.close_session("cs_nothing")


def test_who_bought_nothing_has_nothing(payments: StripePayments, customer_id: str):
    assert payments.agreements(customer_id) == []
    assert payments.sessions(customer_id) == []


def test_an_agreement_is_what_was_bought(payments: StripePayments, customer_id: str, stripe_fake: StripeFake):
    stripe_fake.pay(opened(payments, customer_id, trial_days=14).url)
    (trial,) = payments.agreements(customer_id)
    assert (trial.status, trial.plan_id, trial.interval, trial.ends_at, trial.paused, trial.refunded) == (
        "trialing",
        "premium",
        "month",
        None,
        False,
        False,
    )
    assert trial.period_ends - trial.period_starts == timedelta(days=14)
    stripe_fake.clock(days=15)
    (paid,) = payments.agreements(customer_id)
    assert (paid.status, paid.period_starts) == ("active", trial.period_ends)


def test_a_cancellation_says_when(payments: StripePayments, customer_id: str, stripe_fake: StripeFake):
    stripe_fake.pay(opened(payments, customer_id).url)
    (agreement,) = payments.agreements(customer_id)
    stripe_fake.client.subscriptions.update(agreement.id, {"cancel_at_period_end": True})
    (canceled,) = payments.agreements(customer_id)
    assert canceled.ends_at == agreement.period_ends
    moment = agreement.created + timedelta(days=3)
    stripe_fake.client.subscriptions.update(agreement.id, {"cancel_at": int(moment.timestamp())})
    assert payments.agreements(customer_id)[0].ends_at == moment


def test_more_than_a_page_of_agreements_is_read(payments: StripePayments, customer_id: str, stripe_fake: StripeFake):
    (price,) = stripe_fake.client.prices.list({"lookup_keys": [MONTH.lookup_key]}).data
    for _ in range(101):
        made = stripe_fake.client.subscriptions.create({"customer": customer_id, "items": [{"price": price.id}], "trial_period_days": 3})
        stripe_fake.client.subscriptions.cancel(made.id)
    assert len(payments.agreements(customer_id)) == 101


def test_a_refund_is_given_once_and_ends_it(payments: StripePayments, customer_id: str, stripe_fake: StripeFake):
    stripe_fake.pay(opened(payments, customer_id).url)
    (agreement,) = payments.agreements(customer_id)
    assert [payments.refund_and_cancel(agreement.id, key="r") for _ in range(2)] == [699, 699]
    (ended,) = payments.agreements(customer_id)
    assert ended.status == "canceled"


def test_a_trial_is_ended_and_nothing_is_given_back(payments: StripePayments, customer_id: str, stripe_fake: StripeFake):
    stripe_fake.pay(opened(payments, customer_id, trial_days=14).url)
    (agreement,) = payments.agreements(customer_id)
    assert payments.refund_and_cancel(agreement.id, key="r") == 0


def test_what_was_given_back_whole_is_told_while_it_goes_on(payments: StripePayments, customer_id: str, stripe_fake: StripeFake):
    stripe_fake.pay(opened(payments, customer_id).url)
    (charge,) = stripe_fake.client.charges.list({"customer": customer_id}).data
    stripe_fake.client.refunds.create({"charge": charge.id, "amount": 100})
    assert not payments.agreements(customer_id)[0].refunded
    stripe_fake.client.refunds.create({"charge": charge.id})
    (refunded,) = payments.agreements(customer_id)
    assert (refunded.status, refunded.refunded) == ("active", True)


def test_the_portal_has_an_address(payments: StripePayments, customer_id: str, stripe_fake: StripeFake):
    assert payments.portal(customer_id, return_url="https://app.example/").startswith(stripe_fake.url)


def test_events_come_newest_first_page_by_page(payments: StripePayments):
    begin = datetime.now(UTC) - timedelta(minutes=1)
    for number in range(120):
        payments.create_customer(key=f"many:{number}", metadata={})
    found, last = payments.events(begin)
    assert (len(found), found[-1]["id"]) == (100, last)
    while last is not None:
        page, last = payments.events(begin, last)
        found += page
    assert len({event["id"] for event in found}) == len(found) > 120
    assert [event["created"] for event in found] == sorted((event["created"] for event in found), reverse=True)
    assert payments.events(datetime.now(UTC) + timedelta(hours=1)) == ([], None)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_provider_that_does_not_serve_is_unavailable(payments: StripePayments, stripe_fake: StripeFake, status: int):
    stripe_fake.fail(path="/v1/subscriptions", status=status)
    with pytest.raises(PaymentsUnavailable):
        payments.agreements("cus_1")


def test_a_provider_that_is_away_or_wants_another_key_is_unavailable(stripe_fake: StripeFake):
    with pytest.raises(PaymentsUnavailable):
        adapter("http://127.0.0.1:9", timeout=2).agreements("cus_1")
    other = StripePayments(api_key="sk_test_another", api_base=stripe_fake.url, version=settings.STRIPE_API_VERSION, retries=0)
    with pytest.raises(PaymentsUnavailable):
        other.agreements("cus_1")


def test_a_lost_answer_is_asked_for_again(stripe_fake: StripeFake):
    patient = StripePayments(api_key=settings.STRIPE_SECRET_KEY, api_base=stripe_fake.url, version=settings.STRIPE_API_VERSION, retries=1)
    stripe_fake.fail(path="/v1/customers", method="POST", after=True)
    customer_id = patient.create_customer(key="customer:lost", metadata={"user_id": "bia"})
    assert [customer.id for customer in stripe_fake.client.customers.list({}).data] == [customer_id]
