"""What follows when what Stripe says of a plan becomes something else."""

from collections.abc import Iterator

from billing.items import Subscription
from goalgraph.feed.changes import Change
from goalgraph.feed.events import Event, Translator, event
from goalgraph.table.attributes import instant_text

_TOLD = ("tier", "state", "interval", "period_ends", "grace_ends", "cancels")
"""A revision alone, after an event that changed nothing here, is no news."""


def _of_subscription(change: Change) -> Iterator[Event]:
    new, old = change.new, change.old
    if not isinstance(new, Subscription):
        return
    before = None if not isinstance(old, Subscription) else [getattr(old, name) for name in _TOLD]
    if before == [getattr(new, name) for name in _TOLD]:
        return
    yield event(
        change,
        "subscription.changed",
        user_id=new.owner_id,
        planId=new.plan_id,
        tier=new.tier,
        tierBefore=old.tier if isinstance(old, Subscription) else "free",
        state=new.state,
        stateBefore=old.state if isinstance(old, Subscription) else None,
        interval=new.interval,
        periodEnds=None if new.period_ends is None else instant_text(new.period_ends),
        cancels=bool(new.cancels),
        tenantWide=bool(new.tenant_wide),
    )


TRANSLATORS: dict[str, Translator] = {"Subscription": _of_subscription}
