"""Buying, and changing what was bought: on Stripe's pages, to which members are sent."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from billing import account_services, domain, plans, services
from billing.models import Account
from billing.plans import Plan
from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Conflict, Forbidden, Invalid, NotFound, RateLimited
from goalgraph.ports.payments import CheckoutSession, CustomerGone, KeyUsed, PaymentsRefused, PaymentsUnavailable
from goalgraph.sql import sql

logger = logging.getLogger(__name__)

SCOPE = "billing"
"""Whose token has it may buy for their tenant."""
RETRY_SECONDS = 60
KEY_SECONDS = 300
"""For how long a page that Stripe failed to open is not asked for under another key."""
_TURNS = 4
_HAS_ONE = "You have a subscription already. Change it in the portal."
_HAS_NONE = "You have not bought anything yet."
_AWAY = "Payments are not to be reached now. Try again in a minute."


def create_checkout_session(
    actor: Actor, plan_id: str, interval: str, *, success_url: str | None = None, cancel_url: str | None = None
) -> CheckoutSession:
    """A page where the actor pays for a plan; the addresses are where they come back to, on our own pages.

    Two calls for the same give the same page, and one for something else, or with other addresses, closes the page before, so nobody pays
    twice. Raises Invalid; Forbidden for a tenant's plan without the scope; Conflict for who pays already; RateLimited while Stripe does not
    answer, or refuses.
    """
    plan = _bought(actor, plan_id)
    if plan.price(interval) is None:
        raise Invalid(f"One of {', '.join(price.interval for price in plan.prices)}, please.", field="interval")
    back = {"success_url": _own_page(success_url, "successUrl"), "cancel_url": _own_page(cancel_url, "cancelUrl")}
    if not plan.tenant_wide and (held := services.subscription(actor)) is not None and held.tenant_wide and held.tier == plan.tier:
        raise Conflict("Your company pays for this already.")
    for _ in range(_TURNS):
        with _told():
            session = _page(actor, plan, interval, back)
        if session is not None:
            return session
    raise Conflict


def create_portal_session(actor: Actor, plan_id: str, *, return_url: str | None = None) -> str:
    """The address of a page where the actor changes or cancels what they pay for. It holds for some minutes.

    Raises Invalid, Forbidden, NotFound for who never began to buy, RateLimited while Stripe does not answer, or refuses.
    """
    plan, back = _bought(actor, plan_id), _own_page(return_url, "returnUrl")
    with sql():
        account = Account.objects.filter(**_owner(actor, plan), customer_id__isnull=False).first()
    if account is None or account.customer_id is None:
        raise NotFound(_HAS_NONE)
    with _told():
        try:
            return wiring.payments().portal(account.customer_id, return_url=back)
        except CustomerGone as error:
            with sql():
                account_services.forget_customer(account.customer_id)
            raise NotFound(_HAS_NONE) from error


@contextmanager
def _told() -> Iterator[None]:
    """What Stripe does not do, in words for the member."""
    try:
        yield
    except (PaymentsUnavailable, PaymentsRefused) as error:  # a refusal is nothing that the member could change: our plans, or our key
        logger.warning("nothing can be bought: %s: %s", type(error).__name__, error)
        raise RateLimited(_AWAY, retry_after=RETRY_SECONDS) from error


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
        key = f"customer:{account.pk}:{account.generation}"
        customer_id = wiring.payments().create_customer(key=key, metadata=metadata)
        Account.objects.filter(pk=account.pk, customer_id__isnull=True).update(customer_id=customer_id)
        account.refresh_from_db()
    return account


def _page(actor: Actor, plan: Plan, interval: str, back: dict[str, str]) -> CheckoutSession | None:
    """As `_session`; None also where the customer was deleted at Stripe: the next turn makes another one."""
    with sql():
        account = _account(actor, plan)
    try:
        return _session(account, plan, interval, back)
    except CustomerGone:
        with sql():
            account_services.forget_customer(str(account.customer_id))
        return None


def _session(account: Account, plan: Plan, interval: str, back: dict[str, str]) -> CheckoutSession | None:
    """The one open page of an account. None: somebody else asked for another one at the same moment; look again."""
    payments, customer_id = wiring.payments(), account.customer_id
    assert customer_id is not None
    agreements = [agreement for agreement in payments.agreements(customer_id) if agreement.plan_id == plan.id]
    if any(agreement.status in domain.LIVE for agreement in agreements):
        raise Conflict(_HAS_ONE)
    sessions = payments.sessions(customer_id)
    wanted = (plan.id, interval, back["success_url"], back["cancel_url"])
    opened = [session for session in sessions if session.url is not None]
    same = [each for each in opened if (each.plan_id, each.interval, each.success_url, each.cancel_url) == wanted][:1]
    for session in opened:
        if session not in same:
            payments.close_session(session.id)
    if same:
        return same[0]
    # The key follows from the last page there was: of several who ask at once, all get the one page, or know that they came too late. It
    # does not follow from the addresses: then two could be open. Stripe keeps a failure under its key as well, so it changes with time.
    last = f"{sessions[0].id if sessions else customer_id}:{int(wiring.clock().now().timestamp()) // KEY_SECONDS}"
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
