"""What staff may do with members. Staff act under a scope of their own, which the back office alone gives."""

from collections.abc import Iterable
from dataclasses import replace

from goalgraph.auth.actor import Actor
from goalgraph.errors import Forbidden
from goalgraph.table.items import CoreItem
from users import repository
from users.items import Profile

STAFF_SCOPE = "staff"
_COUNTED = 100


def staff_actor(username: str, tenant_id: str | None = None) -> Actor:
    """The actor of somebody of the staff, at work in one tenant (None: the open platform). Who may become one, the back office checks."""
    return Actor(user_id=username, tenant_id=tenant_id, scopes=frozenset({STAFF_SCOPE}))


def require_staff(actor: Actor) -> None:
    """Raises Forbidden for anybody who is not of the staff."""
    if STAFF_SCOPE not in actor.scopes:
        raise Forbidden("Only staff may see this.")


def profile_among(actor: Actor, items: Iterable[CoreItem]) -> Profile | None:
    """The profile as it is stored, out of what a query of a member's partition found; None before there is one. Raises Forbidden."""
    require_staff(actor)
    return next((item for item in items if isinstance(item, Profile)), None)


def block_count(actor: Actor, user_id: str) -> tuple[int, bool]:
    """How many members `user_id` has blocked, counted up to 100, and whether there are more. Whom, nobody is told. Raises Forbidden."""
    require_staff(actor)
    page = repository.blocks_of(replace(actor, user_id=user_id), limit=_COUNTED, after=None, forward=True)
    return len(page.items), page.has_more
