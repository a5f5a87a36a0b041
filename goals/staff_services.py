"""What staff see of a member. Reading is all: nothing here writes."""

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from goalgraph.auth.actor import Actor
from goalgraph.errors import NotFound
from goalgraph.ids import is_id
from goalgraph.table.items import CoreItem
from goals import repository
from goals.domain import ACTIVE
from goals.items import AgendaEntry, Goal, Task
from users import staff_services as staff

if TYPE_CHECKING:
    from users.items import Profile

audit = logging.getLogger("goalgraph.audit")


@dataclass(frozen=True, slots=True)
class Overview:
    """A member as support sees them, private goals included."""

    profile: "Profile | None"
    """None while the member has never written one."""
    goals: list[Goal]
    """Active ones first, each group with the newest first."""
    agenda: list[AgendaEntry]
    blocks: int
    more_blocks: bool
    others: list[CoreItem]
    """What other contexts keep in the same stretch of the table, for them to show."""
    tasks: dict[str, list[Task]] = field(default_factory=dict)
    """Tasks by the `goal_id` of their goal: of the active goals, and of the one that was asked for."""


def overview(actor: Actor, user_id: str, *, opened: str | None = None) -> Overview:
    """All that support needs about a member of the actor's tenant; `opened` is the `goal_id` of an archived goal to show with its tasks.

    Takes at most 8 round trips: the member's stretch of the table, the blocks, and the tasks of at most 5 active goals and the opened one.
    Whoever is seen leaves an audit line that names the two people by id; what was typed in vain may be anything, and is not written down.
    Raises Forbidden for who is not of the staff, and NotFound for a malformed id and for a member of whom the table holds nothing.
    """
    staff.require_staff(actor)
    if not is_id(user_id) or not (actor.tenant_id is None or is_id(actor.tenant_id)):
        raise NotFound
    items = repository.home_of(actor, user_id)
    blocks, more_blocks = staff.block_count(actor, user_id)
    if not items and not blocks:
        raise NotFound
    audit.info("member.looked_up", extra={"data": {"staff": actor.user_id, "member": user_id, "tenant": actor.tenant_id}})
    goals = sorted((item for item in items if isinstance(item, Goal)), key=_active_and_new_first)
    return Overview(
        profile=staff.profile_among(actor, items),
        goals=goals,
        agenda=[item for item in items if isinstance(item, AgendaEntry)],
        blocks=blocks,
        more_blocks=more_blocks,
        others=[item for item in items if not isinstance(item, Goal | AgendaEntry)],
        tasks={goal.goal_id: repository.tasks_of(actor, goal.ref) for goal in goals if goal.status == ACTIVE or goal.goal_id == opened},
    )


def _active_and_new_first(goal: Goal) -> tuple[bool, float]:
    return goal.status != ACTIVE, -goal.created_at.timestamp()
