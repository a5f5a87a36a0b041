"""What Stripe tells, on its way to the table. An account's row is its own outbox: `rev` grows with each event, a projection reads what
Stripe says *then*, and `published_rev` follows.

Died before the commit, Stripe sends the event again; after it, the sweep finds the row; between the table and `published_rev`, it is
projected once more, which changes nothing.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from billing import domain, ledger, repository
from billing.domain import Standing
from billing.items import Subscription
from billing.models import Account
from billing.plans import FREE
from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.ports.payments import CustomerGone, Event, PaymentsRefused, PaymentsUnavailable
from goalgraph.table import until_won
from users import services as users

logger = logging.getLogger(__name__)
T = TypeVar("T")

PROJECT = "billing.tasks.project"
SETTLE_SECONDS = 5
"""How long a sweep leaves a row to the task that its change enqueued."""
SWEPT = 500
RETRY_SECONDS, RETRY_MOST_SECONDS = 20, 3600
"""After how long an account is projected again that could not be: twice as long each time, up to an hour."""
_MOST_DOUBLINGS = 8
_OF_NO_CUSTOMER = ("price.", "product.")
_CUSTOMER_DELETED = "customer.deleted"
_NOTHING = Standing(domain.ENDED, FREE, None, None, None, cancels=False)
"""What somebody has of a plan who had it once, and of whom Stripe says nothing any more."""


# Events ----------------------------------------------------------------------------------------------------------------------------------


def receive(event: Event) -> bool:
    """Take a verified event: into the ledger, and with it the account's next revision, or neither. False: it changed nothing.

    One that came before changes nothing, nor does one of a customer who is not ours. Raises what the ledger raises; then the account has
    a new revision all the same, because what a member pays for does not wait for our books.
    """
    if ledger.has(event["id"]):
        return False
    customer_id = customer_of(event)
    if customer_id is None:
        return _received_without_customer(event)
    try:
        return _received(event, customer_id)
    except Exception:
        _revised(customer_id=customer_id)
        raise


def _received(event: Event, customer_id: str) -> bool:
    with transaction.atomic():
        # First of all the update: its lock lets nobody else in with an event of the same customer.
        if not _revised(customer_id=customer_id):
            logger.info("an event of a customer who is not ours", extra={"data": {"event": event["id"], "type": event["type"]}})
            return False
        if ledger.has(event["id"]):
            transaction.set_rollback(True)
            return False
        ledger.record(event)
        if event["type"] == _CUSTOMER_DELETED:
            _forget(customer_id)
    return True


def customer_of(event: Event) -> str | None:
    """The id of the customer whom an event is about. Refunds and disputes name a payment only. Its customer is in the ledger, or comes
    there with the payment's own event; the repair of the night takes a refund that was told before."""
    about = event["data"]["object"]
    found = about.get("id") if about.get("object") == "customer" else about.get("customer")
    found = found.get("id") if isinstance(found, dict) else found
    if isinstance(found, str):
        return found
    return ledger.payer_of(charge_id=about.get("charge"), intent_id=about.get("payment_intent"))


def _received_without_customer(event: Event) -> bool:
    if not event["type"].startswith(_OF_NO_CUSTOMER):
        return False
    with transaction.atomic():
        ledger.record(event)
    return True


def _revised(**which: object) -> bool:
    """Give an account its next revision, and have it projected once that is committed. False: there is no such account."""
    with transaction.atomic():
        changed = Account.objects.filter(**which).update(rev=F("rev") + 1, **_due_anew())
        if changed:
            account_id = Account.objects.values_list("pk", flat=True).get(**which)
            transaction.on_commit(lambda: wiring.jobs().enqueue(PROJECT, account_id=str(account_id)))
    return bool(changed)


def _due_anew() -> dict[str, Any]:
    now = wiring.clock().now()
    return {"revised_at": now, "due_at": now + timedelta(seconds=SETTLE_SECONDS), "tries": 0}


def revise(account_id: UUID) -> None:
    """Have an account looked up at Stripe again, and projected."""
    _revised(pk=account_id)


def forget_customer(customer_id: str) -> None:
    """Stripe deleted this customer, and ended with them all that they paid for. Who buys again becomes a new one."""
    with transaction.atomic():
        if _revised(customer_id=customer_id):
            _forget(customer_id)


def _forget(customer_id: str) -> None:
    Account.objects.filter(customer_id=customer_id).update(customer_id=None, generation=F("generation") + 1)


# Projection ------------------------------------------------------------------------------------------------------------------------------


def project(account_id: str) -> bool:
    """Write to the table what Stripe says now of an account, unless it has a later revision. False: there was nothing to do.

    Raises PaymentsUnavailable, PaymentsRefused, and what the table raises; the sweep has it tried again.
    """
    account = Account.objects.filter(pk=account_id).first()
    if account is None or account.published_rev >= account.rev:
        return False
    # The revision is from before Stripe is asked: whatever happens there after the answer has a later one.
    try:
        found = standing_at_stripe(account)
    except CustomerGone:
        forget_customer(str(account.customer_id))  # that is a revision of its own, which is projected next
        return True
    if found is not None:
        until_won(lambda: _write(account, found))
    Account.objects.filter(pk=account.pk, published_rev__lt=account.rev).update(published_rev=account.rev)
    return True


def standing_at_stripe(account: Account) -> Standing | None:
    """What an account has by what Stripe says, and by the clock. None: it never bought anything; ended, where the table has something of
    which Stripe says nothing any more. Raises as `Payments` does."""
    agreements = wiring.payments().agreements(account.customer_id) if account.customer_id else []
    _warn_of_two(account, sum(agreement.status in domain.LIVE for agreement in agreements))
    found = domain.standing(agreements, account.plan_id, timedelta(days=settings.BILLING_GRACE_DAYS))
    if found is None:
        return None if stored_standing(account) is None else _NOTHING
    return domain.as_of(found, wiring.clock().now())


def stored_standing(account: Account) -> Standing | None:
    """What the table has of an account."""
    item = repository.stored(actor_of(account), _item(account))
    return None if item is None else Standing(item.state, item.tier, item.interval, item.period_ends, item.grace_ends, bool(item.cancels))


def actor_of(account: Account) -> Actor:
    """The platform itself, in the account's tenant."""
    return replace(SYSTEM, tenant_id=account.tenant_id or None)


def _write(account: Account, found: Standing) -> None:
    actor, item = actor_of(account), _item(account)
    before = repository.stored(actor, item)
    if before is not None:
        if before.rev >= account.rev:
            _catch_up(account, int(before.rev))
            return
        item = before.copy()
        item.rev = account.rev
    item.tier, item.state, item.interval = found.tier, found.state, found.interval
    item.period_ends, item.grace_ends, item.cancels = found.period_ends, found.grace_ends, found.cancels
    repository.save(actor, item, users.tier_change(actor, account.user_id, found.tier) if account.user_id else ())


def _catch_up(account: Account, rev: int) -> None:
    """The table's revision comes from SQL. Where it is ahead of SQL, that was restored from a backup, and goes on behind it."""
    with transaction.atomic():
        if Account.objects.filter(pk=account.pk, rev__lt=rev).update(rev=rev):
            logger.warning("SQL is behind the table", extra={"data": {"account": str(account.pk), "rev": rev}})
            revise(account.pk)


def _item(account: Account) -> Subscription:
    return Subscription(
        owner_id=account.user_id or account.tenant_id, plan_id=account.plan_id, rev=account.rev, tenant_wide=not account.user_id
    )


def _warn_of_two(account: Account, live: int) -> None:
    if live > 1:
        logger.warning("an account pays for more than one subscription", extra={"data": {"account": str(account.pk), "live": live}})


# What was missed -------------------------------------------------------------------------------------------------------------------------


def sweep() -> int:
    """Have accounts projected whose task was lost, or failed; returns how many. Those that fail again and again come ever more rarely, and
    so do not stand before the others."""
    now = wiring.clock().now()
    found = list(Account.objects.filter(published_rev__lt=F("rev"), due_at__lte=now).order_by("due_at")[:SWEPT])
    for account in found:
        wait = min(RETRY_SECONDS * 2 ** min(account.tries, _MOST_DOUBLINGS), RETRY_MOST_SECONDS)
        account.due_at, account.tries = now + timedelta(seconds=wait), account.tries + 1
    Account.objects.bulk_update(found, ["due_at", "tries"], batch_size=100)
    for account in found:
        wiring.jobs().enqueue(PROJECT, account_id=str(account.pk))
    return len(found)


@dataclass(frozen=True, slots=True)
class Repaired:
    """What came of a batch: how many of it were amiss and are put right, and how many could not be looked at, which the log tells of."""

    amiss: int
    failed: int


def accounts_behind(after: str | None, most: int) -> tuple[list[Account], str | None]:
    """Up to `most` accounts to be repaired, by their ids behind `after`; and behind which id the next ones are, None at the end."""
    rows = Account.objects.filter(customer_id__isnull=False).order_by("pk")
    batch = list((rows if after is None else rows.filter(pk__gt=after))[:most])
    return batch, str(batch[-1].pk) if len(batch) == most else None


def repair(accounts: list[Account]) -> Repaired:
    """Compare accounts with Stripe, and have those projected that the table has otherwise. One that fails does not stop the others."""
    return _each(accounts, _repaired, lambda account: {"account": str(account.pk)})


def _repaired(account: Account) -> bool:
    try:
        if standing_at_stripe(account) == stored_standing(account):
            return False
    except CustomerGone:
        forget_customer(str(account.customer_id))
        return True
    logger.warning("an account was not as Stripe has it", extra={"data": {"account": str(account.pk)}})
    revise(account.pk)
    return True


def receive_missed(events: list[Event]) -> Repaired:
    """Take those of Stripe's events that never came. One that fails does not stop the others."""
    return _each([event for event in reversed(events) if not ledger.has(event["id"])], receive, lambda event: {"event": event["id"]})


def _each(batch: list[T], do: Callable[[T], bool], named: Callable[[T], dict[str, str]]) -> Repaired:
    amiss = failed = 0
    for one in batch:
        try:
            amiss += do(one)
        except (PaymentsUnavailable, PaymentsRefused) as error:
            failed += 1
            logger.warning("not repaired: %s", error, extra={"data": named(one)})
        except Exception:
            failed += 1
            logger.exception("not repaired", extra={"data": named(one)})
    return Repaired(amiss, failed)
