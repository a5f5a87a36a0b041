"""Pure rules of billing: what a member has of what Stripe says, and until when."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from billing.plans import FREE, plan
from goalgraph.ports.payments import Agreement

TRIAL, ACTIVE, GRACE, PAUSED, ENDED = "trial", "active", "grace", "paused", "ended"
STATES = (TRIAL, ACTIVE, GRACE, PAUSED, ENDED)

_PAID = {"trialing": TRIAL, "active": ACTIVE, "past_due": GRACE}
"""Statuses that grant something. The others (incomplete, incomplete_expired, unpaid, canceled, paused) grant nothing."""
_UNPAID = frozenset({"draft", "open"})
"""Invoices that somebody may still pay. Stripe leaves one a draft for an hour."""
_CLOSED_UNPAID = frozenset({"void", "uncollectible", "kept"})
"""Invoices that nobody pays any more: https://docs.stripe.com/invoicing/overview#invoice-statuses."""
LIVE = frozenset({"trialing", "active", "past_due", "unpaid", "paused"})
"""Statuses of a subscription that goes on, or may: who has one changes it in the portal and buys no second one."""
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account has of one plan. `tier` is granted until `grace_ends`, and then is over by time alone, whoever is late to say so."""

    state: str
    tier: str
    interval: str | None
    period_ends: datetime | None
    grace_ends: datetime | None
    cancels: bool


def standing(agreements: Iterable[Agreement], plan_id: str, grace: timedelta) -> Standing | None:
    """What all of a customer's subscriptions to one plan come to: the one that grants most, for longest. None: there never was one.

    Their order does not matter. `grace` is for how long after the beginning of a period that nobody paid the plan still holds.
    """
    found = [(agreement, _standing(agreement, plan_id, grace)) for agreement in agreements if agreement.plan_id == plan_id]
    if not found:
        return None
    return max(found, key=lambda pair: _worth(*pair))[1]


def granted(tier: str, grace_ends: datetime | None, now: datetime) -> str:
    """The tier that holds at `now`."""
    return tier if grace_ends is None or now < grace_ends else FREE


def as_of(found: Standing, now: datetime) -> Standing:
    """A standing as the clock has it: one whose time ran out is over."""
    if granted(found.tier, found.grace_ends, now) == found.tier:
        return found
    return replace(found, state=ENDED, tier=FREE)


def _standing(agreement: Agreement, plan_id: str, grace: timedelta) -> Standing:
    cancels = agreement.ends_at is not None
    state = _state(agreement)
    bought = plan(plan_id)
    if bought is None or state == ENDED or (state == PAUSED and not _holds_paused(agreement)):
        return Standing(state, FREE, agreement.interval, agreement.period_ends, None, cancels)
    return Standing(state, bought.tier, agreement.interval, agreement.period_ends, _until(agreement, state, grace), cancels)


def _state(agreement: Agreement) -> str:
    state = _PAID.get(agreement.status, PAUSED if agreement.status == "paused" else ENDED)
    if state not in (PAUSED, ENDED) and agreement.refunded:
        return ENDED
    if state != ENDED and agreement.paused:
        return PAUSED
    # Stripe calls it active as well where a pause let a period go by without payment (https://docs.stripe.com/billing/subscriptions/pause).
    return ENDED if state == ACTIVE and agreement.invoice in _CLOSED_UNPAID else state


def _holds_paused(agreement: Agreement) -> bool:
    """A pause takes nothing away of what is paid already."""
    return agreement.status in _PAID and agreement.invoice == "paid"


def _until(agreement: Agreement, state: str, grace: timedelta) -> datetime:
    """Until when it is paid. One that goes on has the grace of its next period, should the word of its payment be late or not come; one
    that is paused has none, because nobody pays the next period."""
    unpaid = state == GRACE or (state == ACTIVE and agreement.invoice in _UNPAID)
    until = agreement.period_ends if state == PAUSED else (agreement.period_starts if unpaid else agreement.period_ends) + grace
    return until if agreement.ends_at is None else min(until, agreement.ends_at)


def _worth(agreement: Agreement, standing: Standing) -> tuple[bool, datetime, bool, datetime, str]:
    """What sorts subscriptions: granting before not, the longest, one that may go on again, the newest; and never a tie."""
    return (standing.tier != FREE, standing.grace_ends or _NEVER, standing.state == PAUSED, agreement.created, agreement.id)
