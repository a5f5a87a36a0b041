"""The `payments` port on Stripe, by its own library. `STRIPE_API_BASE` leads it, and dj-stripe, elsewhere."""

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import wraps
from http import HTTPStatus
from typing import Any, ParamSpec, TypeVar

import stripe

from goalgraph.ports.payments import (
    Agreement,
    CheckoutSession,
    CustomerGone,
    Event,
    KeyUsed,
    NotVerified,
    PaymentsRefused,
    PaymentsUnavailable,
    Price,
)

logging.getLogger("stripe").setLevel(logging.WARNING)  # it logs each request, and what an error says, which may name a customer

P = ParamSpec("P")
T = TypeVar("T")

_SESSIONS = 20
_PAID_INVOICES = 10
"""Among so many of the latest paid invoices is one that cost something: the others are of trials, and of what credit paid."""
_ENDED = ("canceled", "incomplete_expired")
_MISSING = "resource_missing"
_HEADER_LENGTH = 4096
_TIMESTAMP = re.compile(r"t=([0-9]{1,12})", re.ASCII)
_OPEN_PAYMENT = "open"


def _told(call: Callable[P, T]) -> Callable[P, T]:
    """Stripe's exceptions in the words of the port. What they say stays out: it may name a customer."""

    @wraps(call)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return call(*args, **kwargs)
        except stripe.IdempotencyError as error:
            raise KeyUsed from error
        except (stripe.InvalidRequestError, stripe.CardError) as error:
            raise PaymentsRefused(error.code or type(error).__name__) from error
        except stripe.StripeError as error:
            raise PaymentsUnavailable(type(error).__name__) from error

    return wrapped


class StripePayments:
    """`secrets` are the webhook's signing secrets, newest first; `tolerance` is in seconds, both ways; `timeout` in seconds.

    A request whose answer did not come is made again up to `retries` times; each that writes carries a key, so it takes effect once.
    """

    def __init__(
        self,
        *,
        api_key: str,
        api_base: str,
        version: str,
        secrets: Sequence[str] = (),
        tolerance: int = 300,
        timeout: float = 10.0,
        retries: int = 2,
    ) -> None:
        self._secrets, self._tolerance = tuple(secrets), tolerance
        self._client = stripe.StripeClient(
            api_key or "none",
            stripe_version=version,
            base_addresses={"api": api_base},
            http_client=stripe.RequestsClient(timeout=timeout),
            max_network_retries=retries,
        ).v1

    # Deliveries ------------------------------------------------------------------------------------------------------------------

    def verified(self, body: bytes, signature: str | None, now: datetime) -> Event:
        """https://docs.stripe.com/webhooks#verify-manually. The time is checked here: stripe-python accepts what is yet to come."""
        if not signature or len(signature) > _HEADER_LENGTH:
            raise NotVerified("no signature")
        times = [found[1] for part in signature.split(",") if (found := _TIMESTAMP.fullmatch(part.strip()))]
        if len(times) != 1 or sum(part.strip().startswith("t=") for part in signature.split(",")) != 1:
            raise NotVerified("no time, or several")
        if not any(_signed(body, signature, secret) for secret in self._secrets):
            raise NotVerified("the signature is not ours")
        if abs(now.timestamp() - int(times[0])) > self._tolerance:
            raise NotVerified("too old, or ahead of time")
        return _event(body)

    # Customers -------------------------------------------------------------------------------------------------------------------

    @_told
    def create_customer(self, *, key: str, metadata: Mapping[str, str]) -> str:
        return self._client.customers.create({"metadata": dict(metadata)}, {"idempotency_key": key}).id

    @_told
    def agreements(self, customer_id: str) -> list[Agreement]:
        wanted: Any = {"customer": customer_id, "status": "all", "limit": 100, "expand": ["data.latest_invoice.payments"]}
        with self._of(customer_id):
            found = [_plain(subscription) for subscription in self._client.subscriptions.list(wanted).auto_paging_iter()]
        return [self._agreement(subscription) for subscription in found if subscription["items"]["data"]]

    @contextmanager
    def _of(self, customer_id: str) -> Iterator[None]:
        """Raises CustomerGone where Stripe itself says that the customer was deleted. One of whom it never heard was not: then the key is
        of another account, and nobody loses anything by that."""
        try:
            yield
        except stripe.InvalidRequestError as error:
            if error.code == _MISSING and error.param == "customer" and self._is_deleted(customer_id):
                raise CustomerGone(_MISSING) from error
            raise

    def _is_deleted(self, customer_id: str) -> bool:
        """https://docs.stripe.com/api/customers/delete: a deleted one can still be retrieved."""
        return bool(_plain(self._client.customers.retrieve(customer_id)).get("deleted"))

    def _agreement(self, subscription: Mapping[str, Any]) -> Agreement:
        """Since 2025-03-31 the period is each item's own; ours have one item. A price says in its metadata of which plan it is, also once
        a newer one has its lookup key."""
        item = subscription["items"]["data"][0]
        price = item["price"]
        ends_at = subscription.get("cancel_at") or (item["current_period_end"] if subscription.get("cancel_at_period_end") else None)
        paid, invoice = subscription["status"] in ("active", "trialing", "past_due"), subscription.get("latest_invoice")
        return Agreement(
            id=subscription["id"],
            status=subscription["status"],
            plan_id=(price.get("metadata") or {}).get("plan_id"),
            interval=(price.get("recurring") or {}).get("interval"),
            created=_instant(subscription["created"]),
            period_starts=_instant(item["current_period_start"]),
            period_ends=_instant(item["current_period_end"]),
            ends_at=None if ends_at is None else _instant(ends_at),
            paused=subscription.get("pause_collection") is not None,
            refunded=paid and self._refunded(invoice),
            invoice=None if invoice is None else _invoice_state(invoice),
        )

    def _refunded(self, invoice: Mapping[str, Any] | None) -> bool:
        """Whether all that was paid of an invoice was given back."""
        charges = [charge for charge in self._charges(invoice) if charge.get("paid")]
        return bool(charges) and all(charge["refunded"] for charge in charges)

    def _charges(self, invoice: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
        for payment in ((invoice or {}).get("payments") or {}).get("data", []):
            intent, charge = payment["payment"].get("payment_intent"), payment["payment"].get("charge")
            if payment["status"] != "paid":
                continue
            if intent is not None:
                found = _plain(self._client.payment_intents.retrieve(_id(intent), {"expand": ["latest_charge"]}))
                charge = found.get("latest_charge")
            if charge is not None:
                yield charge if isinstance(charge, Mapping) else _plain(self._client.charges.retrieve(charge))

    # Pages -----------------------------------------------------------------------------------------------------------------------

    @_told
    def sessions(self, customer_id: str) -> list[CheckoutSession]:
        with self._of(customer_id):
            found = self._client.checkout.sessions.list({"customer": customer_id, "limit": _SESSIONS})
        return [_session(_plain(session)) for session in found.data]

    @_told
    def open_session(
        self,
        *,
        key: str,
        customer_id: str,
        plan_id: str,
        interval: str,
        lookup_key: str,
        trial_days: int,
        success_url: str,
        cancel_url: str,
    ) -> CheckoutSession:
        prices = self._client.prices.list({"lookup_keys": [lookup_key], "active": True}).data
        if not prices:
            raise PaymentsRefused("no such price: run manage.py create_plans")
        metadata = {"plan_id": plan_id, "interval": interval}
        data: dict[str, Any] = {"metadata": metadata}
        if trial_days:
            # Without a way to pay a trial ends with its days: https://docs.stripe.com/billing/subscriptions/trials/free-trials
            data |= {"trial_period_days": trial_days, "trial_settings": {"end_behavior": {"missing_payment_method": "cancel"}}}
        wanted: Any = {
            "mode": "subscription",
            "customer": customer_id,
            "line_items": [{"price": prices[0].id, "quantity": 1}],
            "subscription_data": data,
            "metadata": metadata,
            "payment_method_collection": "always",
            "success_url": success_url,
            "cancel_url": cancel_url,
        }
        with self._of(customer_id):
            return _session(_plain(self._client.checkout.sessions.create(wanted, {"idempotency_key": key})))

    @_told
    def close_session(self, session_id: str) -> None:
        try:
            self._client.checkout.sessions.expire(session_id)
        except stripe.InvalidRequestError:
            if self._client.checkout.sessions.retrieve(session_id).status == "open":
                raise

    @_told
    def portal(self, customer_id: str, *, return_url: str) -> str:
        with self._of(customer_id):
            return self._client.billing_portal.sessions.create({"customer": customer_id, "return_url": return_url}).url

    # Staff and operations --------------------------------------------------------------------------------------------------------

    @_told
    def refund_and_cancel(self, agreement_id: str, *, key: str) -> int:
        found = self._client.subscriptions.retrieve(agreement_id)
        charges = [charge for charge in self._charges(self._latest_paid(agreement_id)) if charge.get("paid")]
        amount = sum(self._given_back(charge, key) for charge in charges)
        if found.status not in _ENDED:
            self._cancel(agreement_id)
        return amount

    def _latest_paid(self, agreement_id: str) -> Mapping[str, Any] | None:
        """The latest invoice of a subscription that somebody paid money for."""
        wanted: Any = {"subscription": agreement_id, "status": "paid", "limit": _PAID_INVOICES, "expand": ["data.payments"]}
        found = map(_plain, self._client.invoices.list(wanted).data)
        return next((invoice for invoice in found if invoice["amount_paid"]), None)

    def _given_back(self, charge: Mapping[str, Any], key: str) -> int:
        """Give back what is left of a charge; how much of it is given back then."""
        if charge["refunded"]:
            return int(charge["amount_refunded"])
        try:
            made = self._client.refunds.create({"charge": charge["id"]}, {"idempotency_key": f"{key}:{charge['id']}"})
        except stripe.InvalidRequestError as error:
            if error.code != "charge_already_refunded":
                raise
            return int(charge["amount"])
        return int(charge["amount_refunded"]) + made.amount

    def _cancel(self, agreement_id: str) -> None:
        """One that somebody else canceled in between, or whose answer was lost, is canceled."""
        try:
            self._client.subscriptions.cancel(agreement_id)
        except stripe.InvalidRequestError:
            if self._client.subscriptions.retrieve(agreement_id).status not in _ENDED:
                raise

    @_told
    def ensure_plan(self, plan_id: str, *, name: str, description: str, prices: Sequence[Price]) -> list[str]:
        made = []
        product_id, metadata = f"goalgraph_{plan_id}", {"plan_id": plan_id}
        try:
            self._client.products.retrieve(product_id)
        except stripe.InvalidRequestError as error:
            if error.http_status != HTTPStatus.NOT_FOUND:
                raise
            self._client.products.create({"id": product_id, "name": name, "description": description, "metadata": metadata})
            made.append(f"created product {product_id}")
        for price in prices:
            if self._client.prices.list({"lookup_keys": [price.lookup_key], "active": True}).data:
                continue
            wanted: Any = {
                "product": product_id,
                "currency": price.currency,
                "unit_amount": price.amount,
                "recurring": {"interval": price.interval},
                "lookup_key": price.lookup_key,
                "metadata": metadata,
            }
            self._client.prices.create(wanted, {"idempotency_key": f"price:{price.lookup_key}:{price.amount}:{price.currency}"})
            made.append(f"created price {price.lookup_key}")
        return made

    @_told
    def events(self, since: datetime, after: str | None = None) -> tuple[list[Event], str | None]:
        wanted: Any = {"created": {"gte": int(since.timestamp())}, "limit": 100}
        page = self._client.events.list(wanted | ({"starting_after": after} if after else {}))
        return [_plain(event) for event in page.data], page.data[-1].id if page.has_more else None


def _session(session: Mapping[str, Any]) -> CheckoutSession:
    metadata = session.get("metadata") or {}
    url = session.get("url") if session["status"] == _OPEN_PAYMENT else None
    back = session.get("success_url"), session.get("cancel_url")
    return CheckoutSession(session["id"], url, metadata.get("plan_id", ""), metadata.get("interval", ""), *back)


def _invoice_state(invoice: Mapping[str, Any]) -> str:
    """A draft that does not advance by itself is one of a pause that keeps them: https://docs.stripe.com/billing/subscriptions/pause."""
    return "kept" if invoice["status"] == "draft" and not invoice.get("auto_advance") else str(invoice["status"])


def _signed(body: bytes, header: str, secret: str) -> bool:
    try:
        return bool(stripe.WebhookSignature.verify_header(body, header, secret))
    except (stripe.SignatureVerificationError, UnicodeDecodeError, TypeError):
        return False


def _event(body: bytes) -> Event:
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotVerified("signed, but no JSON") from error
    if not isinstance(event, dict) or event.get("object") != "event" or not isinstance(event.get("id"), str):
        raise NotVerified("signed, but no event")
    if not isinstance(event.get("type"), str) or not isinstance((event.get("data") or {}).get("object"), dict):
        raise NotVerified("signed, but no event")
    return event


def _plain(found: stripe.StripeObject) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(str(found))
    return plain


def _id(value: Any) -> str:
    return str(value["id"] if isinstance(value, Mapping) else value)


def _instant(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
