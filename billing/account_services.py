"""What Stripe tells, on its way to the table. An account's row is its own outbox: `rev` grows with each event, a projection reads what
Stripe says *then*, and `published_rev` follows.

Died before the commit, Stripe sends the event again; after it, the sweep finds the row; between the table and `published_rev`, it is
projected once more, which changes nothing.
"""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F

from billing import domain, ledger, repository
from billing.domain import Standing
from billing.items import Subscription
from billing.models import Account
from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.ports.payments import Event
from goalgraph.table import until_won
from users import services as users

logger = logging.getLogger(__name__)

PROJECT = "billing.tasks.project"
SETTLE_SECONDS = 5
"""How long a sweep leaves a row to the task that its change enqueued."""
SWEPT = 500
_OF_NO_CUSTOMER = ("price.", "product.")


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
    return True


def customer_of(event: Event) -> str | None:
    """The id of the customer whom an event is about."""
    about = event["data"]["object"]
    found = about.get("id") if about.get("object") == "customer" else about.get("customer")
    found = found.get("id") if isinstance(found, dict) else found
    return found if isinstance(found, str) else None


def _received_without_customer(event: Event) -> bool:
    if not event["type"].startswith(_OF_NO_CUSTOMER):
        return False
    with transaction.atomic():
        ledger.record(event)
    return True


def _revised(**which: object) -> bool:
    """Give an account its next revision, and have it projected once that is committed. False: there is no such account."""
    with transaction.atomic():
        changed = Account.objects.filter(**which).update(rev=F("rev") + 1, revised_at=wiring.clock().now())
        if changed:
            account_id = Account.objects.values_list("pk", flat=True).get(**which)
            transaction.on_commit(lambda: wiring.jobs().enqueue(PROJECT, account_id=str(account_id)))
    return bool(changed)


def revise(account_id: UUID) -> None:
    """Have an account looked up at Stripe again, and projected."""
    _revised(pk=account_id)


# Projection ------------------------------------------------------------------------------------------------------------------------------


def project(account_id: str) -> bool:
    """Write to the table what Stripe says now of an account, unless it has a later revision. False: there was nothing to do.

    Raises PaymentsUnavailable, PaymentsRefused, and what the table raises; the sweep has it tried again.
    """
    account = Account.objects.filter(pk=account_id).first()
    if account is None or account.customer_id is None or account.published_rev >= account.rev:
        return False
    # The revision is from before Stripe is asked: whatever happens there after the answer has a later one.
    found = standing_at_stripe(account)
    if found is not None:
        until_won(lambda: _write(account, found))
    Account.objects.filter(pk=account.pk, published_rev__lt=account.rev).update(published_rev=account.rev)
    return True


def standing_at_stripe(account: Account) -> Standing | None:
    """What an account has by what Stripe says, and by the clock. None: it never bought anything. Raises as `Payments` does."""
    agreements = wiring.payments().agreements(account.customer_id) if account.customer_id else []
    _warn_of_two(account, sum(agreement.status in domain.LIVE for agreement in agreements))
    found = domain.standing(agreements, account.plan_id, timedelta(days=settings.BILLING_GRACE_DAYS))
    return None if found is None else domain.as_of(found, wiring.clock().now())


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
            return
        item = before.copy()
        item.rev = account.rev
    item.tier, item.state, item.interval = found.tier, found.state, found.interval
    item.period_ends, item.grace_ends, item.cancels = found.period_ends, found.grace_ends, found.cancels
    repository.save(actor, item, users.tier_change(actor, account.user_id, found.tier) if account.user_id else ())


def _item(account: Account) -> Subscription:
    return Subscription(
        owner_id=account.user_id or account.tenant_id, plan_id=account.plan_id, rev=account.rev, tenant_wide=not account.user_id
    )


def _warn_of_two(account: Account, live: int) -> None:
    if live > 1:
        logger.warning("an account pays for more than one subscription", extra={"data": {"account": str(account.pk), "live": live}})


# What was missed -------------------------------------------------------------------------------------------------------------------------


def sweep() -> int:
    """Have accounts projected whose task was lost, or failed; returns how many."""
    before = wiring.clock().now() - timedelta(seconds=SETTLE_SECONDS)
    waiting = Account.objects.filter(published_rev__lt=F("rev"), customer_id__isnull=False, revised_at__lte=before)
    found = list(waiting.order_by("revised_at").values_list("pk", flat=True)[:SWEPT])
    for account_id in found:
        wiring.jobs().enqueue(PROJECT, account_id=str(account_id))
    return len(found)


def repair(after: str | None = None, *, most: int) -> tuple[int, str | None]:
    """Compare up to `most` accounts, by their ids behind `after`, with Stripe, and have those projected that the table has otherwise.

    Returns how many these were, and the last id, None at the end. Raises as `Payments` does.
    """
    rows = Account.objects.filter(customer_id__isnull=False).order_by("pk")
    batch = list((rows if after is None else rows.filter(pk__gt=after))[:most])
    different = [account for account in batch if standing_at_stripe(account) != stored_standing(account)]
    for account in different:
        logger.warning("an account was not as Stripe has it", extra={"data": {"account": str(account.pk)}})
        revise(account.pk)
    return len(different), str(batch[-1].pk) if len(batch) == most else None


def receive_missed(since: datetime) -> int:
    """Take the events since then that never came; returns how many changed something. Raises as `Payments` does."""
    missed = [event for event in wiring.payments().events(since) if not ledger.has(event["id"])]
    return sum(receive(event) for event in reversed(missed))
