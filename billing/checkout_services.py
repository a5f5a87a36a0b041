"""Buying, and changing what was bought: on Stripe's pages, to which members are sent."""

import hashlib
import logging
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from billing import domain, plans, services
from billing.models import Account
from billing.plans import Plan
from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Conflict, Forbidden, Invalid, NotFound
from goalgraph.ports.payments import CheckoutSession, KeyUsed
from goalgraph.sql import sql

logger = logging.getLogger(__name__)

SCOPE = "billing"
"""Whose token has it may buy for their tenant."""
_TURNS = 4
_HAS_ONE = "You have a subscription already. Change it in the portal."


def create_checkout_session(
    actor: Actor, plan_id: str, interval: str, *, success_url: str | None = None, cancel_url: str | None = None
) -> CheckoutSession:
    """A page where the actor pays for a plan; the addresses are where they come back to, on our own pages.

    Two calls for the same give the same page, and one for something else closes the page before, so nobody pays twice. Raises Invalid;
    Forbidden for a tenant's plan without the scope; Conflict for who pays already; PaymentsUnavailable, PaymentsRefused.
    """
    plan = _bought(actor, plan_id)
    if plan.price(interval) is None:
        raise Invalid(f"One of {', '.join(price.interval for price in plan.prices)}, please.", field="interval")
    back = {"success_url": _own_page(success_url, "successUrl"), "cancel_url": _own_page(cancel_url, "cancelUrl")}
    if not plan.tenant_wide and (held := services.subscription(actor)) is not None and held.tenant_wide and held.tier == plan.tier:
        raise Conflict("Your company pays for this already.")
    with sql():
        account = _account(actor, plan)
    for _ in range(_TURNS):
        session = _session(account, plan, interval, back)
        if session is not None:
            return session
    raise Conflict


def create_portal_session(actor: Actor, plan_id: str, *, return_url: str | None = None) -> str:
    """The address of a page where the actor changes or cancels what they pay for. It holds for some minutes.

    Raises Invalid, Forbidden, NotFound for who never began to buy, PaymentsUnavailable, PaymentsRefused.
    """
    plan, back = _bought(actor, plan_id), _own_page(return_url, "returnUrl")
    with sql():
        account = Account.objects.filter(**_owner(actor, plan), customer_id__isnull=False).first()
    if account is None or account.customer_id is None:
        raise NotFound("You have not bought anything yet.")
    return wiring.payments().portal(account.customer_id, return_url=back)


def _bought(actor: Actor, plan_id: str) -> Plan:
    plan = plans.plan(plan_id)
    if plan is None or not plan.prices:
        raise Invalid(f"One of {', '.join(each.id for each in plans.PLANS if each.prices)}, please.", field="planId")
    if plan.tenant_wide and (actor.tenant_id is None or SCOPE not in actor.scopes):
        raise Forbidden("Only who manages a company's billing may do that.")
    return plan


def _owner(actor: Actor, plan: Plan) -> dict[str, Any]:
    return {"tenant_id": actor.tenant_id or "", "user_id": "" if plan.tenant_wide else actor.user_id}


def _account(actor: Actor, plan: Plan) -> Account:
    """The account with its customer at Stripe. An attempt that died before it kept the customer's id is given the same customer again."""
    account, _ = Account.objects.get_or_create(**_owner(actor, plan))
    if account.customer_id is None:
        metadata = {"user_id": account.user_id, "tenant_id": account.tenant_id}
        customer_id = wiring.payments().create_customer(key=f"customer:{account.pk}", metadata=metadata)
        Account.objects.filter(pk=account.pk, customer_id__isnull=True).update(customer_id=customer_id)
        account.refresh_from_db()
    return account


def _session(account: Account, plan: Plan, interval: str, back: dict[str, str]) -> CheckoutSession | None:
    """The one open page of an account. None: somebody else asked for another one at the same moment; look again."""
    payments, customer_id = wiring.payments(), account.customer_id
    assert customer_id is not None
    agreements = [agreement for agreement in payments.agreements(customer_id) if agreement.plan_id == plan.id]
    if any(agreement.status in domain.LIVE for agreement in agreements):
        raise Conflict(_HAS_ONE)
    sessions = payments.sessions(customer_id)
    for session in sessions:
        if session.url is None:
            continue
        if (session.plan_id, session.interval) == (plan.id, interval):
            return session
        payments.close_session(session.id)
    # The key follows from the last page there was: of several who ask at once, all get the one page, or know that they came too late.
    last = sessions[0].id if sessions else ""
    try:
        return payments.open_session(
            key=f"checkout:{account.pk}:{hashlib.sha256(last.encode()).hexdigest()[:32]}",
            customer_id=customer_id,
            plan_id=plan.id,
            interval=interval,
            lookup_key=plan.lookup_key(interval),
            trial_days=0 if agreements else plan.trial_days,
            **back,
        )
    except KeyUsed:
        return None


def _own_page(url: str | None, field: str) -> str:
    """An address of ours; without one, where the application is. Stripe must not send members elsewhere in our name."""
    home = settings.APP_URL or settings.PUBLIC_URL
    if url is None:
        return f"{home}/"
    allowed = {_origin(own) for own in (home, settings.PUBLIC_URL, *settings.ALLOWED_ORIGINS) if own}
    if len(url) > 2048 or not url.isascii() or not url.isprintable() or " " in url or "\\" in url or _origin(url) not in allowed:
        raise Invalid("Give an address of this application.", field=field)
    return url


def _origin(url: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname, port or {"http": 80, "https": 443}[parts.scheme]
