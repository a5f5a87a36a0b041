"""What moderators forbid members: to write to others for a while (muted), or to be here at all (suspended).

The item says until when. Every edge reads it (`goalgraph.auth.standing`), so a sanction begins within seconds and ends by itself. Why it
was laid on, and by whom, is the history of the moderators' cases.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Forbidden
from goalgraph.table import settled
from goalgraph.table.items import CoreItem
from goalgraph.table.table import seconds
from users import repository
from users.domain import MUTED_WORDS, later, sanction_words
from users.items import Sanction

KEPT = timedelta(days=1)
"""How long the item stays after the last sanction of it is over."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Until when a member may not write, or do anything (UTC; None: they may). `reason` is in words for the member."""

    muted_until: datetime | None = None
    suspended_until: datetime | None = None
    reason: str | None = None


def sanction(
    actor: Actor, user_id: str, *, muted_until: datetime | None = None, suspended_until: datetime | None = None, reason: str
) -> Sanction:
    """Forbid a member to write, or to do anything, until then (UTC). What was forbidden for longer stays; repeating it changes nothing.

    Raises Forbidden unless the actor is staff or the platform; Conflict.
    """

    def more(found: Standing) -> Standing:
        return Standing(later(found.muted_until, muted_until), later(found.suspended_until, suspended_until), reason)

    return stand(actor, user_id, more)


def lift(actor: Actor, user_id: str) -> Sanction:
    """Forbid a member nothing any more. Raises Forbidden unless the actor is staff or the platform; Conflict."""
    return stand(actor, user_id, lambda _: Standing())


def stand(actor: Actor, user_id: str, decide: Callable[[Standing], Standing]) -> Sanction:
    """Make a member's standing what `decide` makes of the one they have. It is asked again where somebody else changed it meanwhile, after
    that was read: so what it looks up elsewhere is never older than what it overwrites.

    Who is suspended by that is signed off at once. Raises Forbidden unless the actor is staff or the platform; Conflict.
    """
    if not actor.scopes & {"staff", "system"}:
        raise Forbidden

    def attempt() -> Sanction:
        before = repository.sanction(actor, user_id)
        found = sanction_of(before, wiring.clock().now())
        wanted = decide(_standing(found))
        if (found.muted_until, found.suspended_until) == (wanted.muted_until, wanted.suspended_until):
            return found
        after = before.copy() if before else Sanction(user_id=user_id, owner_id=user_id)
        after.muted_until, after.suspended_until, after.reason = wanted.muted_until, wanted.suspended_until, wanted.reason
        end = later(wanted.muted_until, wanted.suspended_until) or wiring.clock().now()
        after.ttl = seconds(end + KEPT)
        return repository.save_sanction(actor, after)

    stands = settled(attempt)
    if stands.suspended_until is not None:
        wiring.live().dismiss(user_id, "suspended", tenant_id=actor.tenant_id)
    return stands


def sanction_of(found: CoreItem | None, now: datetime) -> Sanction:
    """What is forbidden at `now` (UTC), out of the item at a sanction's key, which others read together with items of their own. What is
    over is None."""
    sanction = found.copy() if isinstance(found, Sanction) else Sanction()
    if sanction.muted_until is not None and sanction.muted_until <= now:
        sanction.muted_until = None
    if sanction.suspended_until is not None and sanction.suspended_until <= now:
        sanction.suspended_until = None
    return sanction


def standing(actor: Actor, user_id: str) -> Standing:
    """What a member is forbidden now. Raises Forbidden unless the actor is staff or the platform."""
    if not actor.scopes & {"staff", "system"}:
        raise Forbidden
    return _standing(sanction_of(repository.sanction(actor, user_id), wiring.clock().now()))


def _standing(found: Sanction) -> Standing:
    return Standing(found.muted_until, found.suspended_until, found.reason)


def require_voice(actor: Actor) -> None:
    """Raises Forbidden where the actor is muted: for what reaches other members."""
    if actor.muted_until is not None and actor.muted_until > wiring.clock().now():
        raise Forbidden(sanction_words(MUTED_WORDS, actor.muted_until))
