"""dj-stripe takes what the stand-in serves, as it takes Stripe's own."""

import json

import pytest
from django.conf import settings
from djstripe import models

from tests.goalgraph.adapters.local.stripe.shop import MONTHLY

pytestmark = pytest.mark.django_db


def synced(model, object_id: str):
    key = settings.STRIPE_SECRET_KEY
    return model.sync_from_stripe_data(model(id=object_id).api_retrieve(api_key=key), api_key=key)


@pytest.fixture
def history(shop) -> dict[str, str]:
    """A subscription with all that comes of it, and a refund: ids by kind."""
    client = shop.fake.client
    subscription = shop.fake.buy(shop.customer, shop.month)
    charge = client.charges.list({"customer": shop.customer}).data[0]
    refund = client.refunds.create({"charge": charge.id, "amount": 100})
    return {
        "Product": shop.product,
        "Price": shop.year,
        "Customer": shop.customer,
        "Subscription": subscription.id,
        "SubscriptionItem": subscription["items"].data[0].id,
        "Invoice": subscription.latest_invoice,
        "Charge": charge.id,
        "PaymentIntent": charge.payment_intent,
        "PaymentMethod": charge.payment_method,
        "BalanceTransaction": charge.balance_transaction,
        "Refund": refund.id,
        "Event": shop.fake.events()[-1].id,
        "Session": client.checkout.sessions.list().data[0].id,
    }


def test_every_kind_of_object_is_taken(history):
    for name, object_id in history.items():
        row = synced(getattr(models, name), object_id)
        assert row.id == object_id, name
        assert row.djstripe_owner_account_id == "acct_goalgraphlocal", name


def test_the_rows_say_what_was_bought(shop, history):
    for name in ("Subscription", "Invoice", "Charge", "Refund"):
        synced(getattr(models, name), history[name])
    subscription = models.Subscription.objects.get()
    assert subscription.customer_id == shop.customer
    assert subscription.status == "active"
    assert subscription.items.get().price.id == shop.month
    assert models.Price.objects.get(id=shop.month).product_id == shop.product
    charge = models.Charge.objects.get()
    assert int(charge.amount * 100) == MONTHLY
    assert (charge.customer_id, charge.status) == (shop.customer, "succeeded")
    assert models.Refund.objects.get().charge_id == charge.id
    assert models.Invoice.objects.get().customer_id == shop.customer


def test_every_event_of_a_life_is_processed(shop):
    subscription = shop.fake.buy(shop.customer, shop.month, trial_period_days=7)
    shop.fake.clock(days=8)
    shop.fake.card_works(shop.customer, works=False)
    shop.fake.clock(days=31)
    shop.fake.client.subscriptions.cancel(subscription.id)
    events = shop.fake.events()
    for event in events:
        models.Event.process(json.loads(str(event)), api_key=settings.STRIPE_SECRET_KEY)
    assert models.Event.objects.count() == len(events) > 20
    assert models.Subscription.objects.get().status == "canceled"
