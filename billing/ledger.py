"""What Stripe told us, kept by dj-stripe: events, and the customers, subscriptions, invoices, charges and refunds that they are about.

dj-stripe keeps of each object what Stripe says of it when it is asked, not what an event says, so it does not matter in which order
events come. Of its ways to take an event only `Event.process` is used: its own view stores a request before it verifies it.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import stripe
from django.conf import settings
from djstripe import models

from goalgraph.ports.payments import Event

_DECIMALS = Decimal(100)


def has(event_id: str) -> bool:
    return models.Event.objects.filter(id=event_id).exists()


def record(event: Event) -> None:
    """Keep an event, and what it is about, in the caller's transaction. It asks Stripe, and raises what dj-stripe raises."""
    _lead()
    _drop_keys_before()
    models.Event.process(dict(event), api_key=settings.STRIPE_SECRET_KEY)
    about = event["data"]["object"]
    if about.get("object") == "refund":  # dj-stripe keeps the event alone
        models.Refund.sync_from_stripe_data(models.Refund(id=about["id"]).api_retrieve(api_key=settings.STRIPE_SECRET_KEY))


def payer_of(*, charge_id: object = None, intent_id: object = None) -> str | None:
    """The customer whom a charge, or a payment intent, is of. None where the ledger has neither."""
    for model, payment_id in ((models.Charge, charge_id), (models.PaymentIntent, intent_id)):
        payment = model.objects.filter(id=payment_id).first() if isinstance(payment_id, str) else None
        if payment is not None and payment.customer_id is not None:
            return str(payment.customer_id)
    return None


def _drop_keys_before() -> None:
    """dj-stripe keeps each API key that it ever saw, and asks with the oldest one, also when that was revoked."""
    models.APIKey.objects.exclude(secret=settings.STRIPE_SECRET_KEY).delete()


@dataclass(frozen=True, slots=True)
class Payment:
    """A charge as staff see it: amounts in the currency's main unit."""

    id: str
    at: datetime | None
    amount: Decimal
    refunded: Decimal
    currency: str
    status: str


def payments_of(customer_id: str, most: int = 50) -> list[Payment]:
    """A customer's latest payments, the newest first."""
    charges = models.Charge.objects.filter(customer_id=customer_id).order_by("-created")[:most]
    return [_payment(charge) for charge in charges]


def _payment(charge: models.Charge) -> Payment:
    facts = charge.stripe_data
    return Payment(
        id=charge.id,
        at=charge.created,
        amount=Decimal(facts.get("amount") or 0) / _DECIMALS,
        refunded=Decimal(facts.get("amount_refunded") or 0) / _DECIMALS,
        currency=str(facts.get("currency") or "").upper(),
        status=str(facts.get("status") or ""),
    )


def _lead() -> None:
    """dj-stripe asks by stripe-python's global settings. (Its own setting for the address is one that its check calls a mistake.)"""
    stripe.api_base = settings.STRIPE_API_BASE
    stripe.max_network_retries = 1
    stripe.enable_telemetry = False
    if not isinstance(stripe.default_http_client, _Client):
        stripe.default_http_client = _Client(timeout=settings.STRIPE_TIMEOUT)


class _Client(stripe.RequestsClient):
    """Does not wait for an answer for 80 seconds, as the default one does."""
