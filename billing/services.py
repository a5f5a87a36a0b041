"""What a member has of plans. It comes from the table; buying and what Stripe tells have pages of their own."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from billing import domain, plans, repository
from billing.items import Subscription
from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.table.items import CoreItem
from goalgraph.table.port import Key


@dataclass(frozen=True, slots=True)
class Entitlements:
    """What the actor may do at the moment. A limit that is None is none."""

    tier: str
    features: list[str]
    rooms_per_day: int | None
    active_goals: int | None


def entitlements(actor: Actor) -> Entitlements:
    """Of the tier that the actor was found to have when the operation began."""
    return Entitlements(
        tier=actor.tier,
        features=sorted(plans.features(actor.tier)),
        rooms_per_day=plans.limit(actor.tier, plans.ROOMS_PER_DAY),
        active_goals=plans.limit(actor.tier, plans.ACTIVE_GOALS),
    )


def subscription(actor: Actor) -> Subscription | None:
    """What the actor has, or had: the plan of their own, or of their tenant where theirs grants nothing. As it stands by now."""
    return best_of(repository.subscriptions_of(actor))


def keys_of(actor: Actor) -> list[Key]:
    """Where the plans of a member lie: their own, and their tenant's."""
    return repository.keys_of(actor)


def best_of(found: Iterable[CoreItem | None]) -> Subscription | None:
    """Out of what lies at `keys_of`, or in the stretch that home reads: the plan that grants something by now, one's own first. None where
    there never was one."""
    there = [as_of_now(item) for item in found if isinstance(item, Subscription)]
    return next((item for item in there if item.tier != plans.FREE), there[0] if there else None)


def grace_of(item: Subscription) -> datetime | None:
    """Until when a subscription holds that nobody paid for; None for one that is paid, or over."""
    return item.grace_ends if item.state == domain.GRACE else None


def as_of_now(stored: Subscription) -> Subscription:
    """A subscription as the clock has it: one whose time ran out grants nothing, though nobody wrote it yet."""
    tier = domain.granted(stored.tier, stored.grace_ends, wiring.clock().now())
    if tier == stored.tier:
        return stored
    over = stored.copy()
    over.tier, over.state = tier, domain.ENDED
    return over
