"""What members do with goals. Tasks have their own page: `goals.task_services`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Conflict, Forbidden, NotFound, QuotaExceeded
from goalgraph.ids import new_id
from goalgraph.table import settled
from goalgraph.table.items import CoreItem
from goalgraph.table.port import TransactionCanceled
from goals import repository
from goals.domain import ACTIVE, ARCHIVED, MAX_GOALS, OPEN, PUBLIC, GoalRef, checked_goal, most_active
from goals.items import AgendaEntry, Goal
from users import services as users

if TYPE_CHECKING:
    from users.items import Profile


@dataclass(frozen=True, slots=True)
class Home:
    """What a member sees first."""

    user: "Profile"
    goals: list[Goal]
    agenda: list[AgendaEntry]
    others: list[CoreItem]
    """What other contexts keep in the same stretch of the table, for them to show."""


def home(actor: Actor) -> Home:
    """Profile, active goals, open tasks and what else belongs there, in one query of the table."""
    items = repository.home_of(actor, actor.user_id)
    goals = [item for item in items if isinstance(item, Goal) and item.status == ACTIVE]
    agenda = [item for item in items if isinstance(item, AgendaEntry)]
    others = [item for item in items if not isinstance(item, Goal | AgendaEntry)]
    return Home(users.profile_among(actor, items), goals, agenda, others)


def goals_of(actor: Actor, user_id: str, *, archived: bool = False) -> list[Goal]:
    """A member's goals, oldest first, as far as the actor may see them. Raises NotFound for a member the actor may not see."""
    if user_id != actor.user_id:
        users.user(actor, user_id)
    own = user_id == actor.user_id
    goals = repository.goals_of(actor, user_id)
    return [goal for goal in goals if (own or goal.visibility == PUBLIC) and (archived or goal.status == ACTIVE)]


def goal(actor: Actor, goal_id: str) -> Goal:
    """Raises NotFound: absent, private and blocked look the same."""
    ref = GoalRef.found(goal_id)
    return visible(actor, repository.goal(actor, ref, consistent=True))


def create_goal(actor: Actor, fields: Mapping[str, Any], *, goal_id: str | None = None) -> Goal:
    """A new active goal of the actor's, or the one that an earlier attempt made under `goal_id`.

    Raises Invalid, and QuotaExceeded beyond the active ones of the actor's plan, exactly, however many calls run at once.
    """
    new = Goal(goal_id=goal_id or new_id(), owner_id=actor.user_id, created_at=wiring.clock().now(), **checked_goal(fields))

    most = most_active(actor.tier)

    def attempt() -> Goal:
        try:
            repository.create_goal(actor, new, most)
        except TransactionCanceled as error:
            if (made := error.current(0)) is not None:
                return made
            if not error.failed(1):
                raise
            if (quota := error.current(1)) is not None:
                raise _over_quota(int(quota.active), most) from error
            repository.create_first_goal(actor, new)
        return new

    return settled(attempt)


def update_goal(actor: Actor, goal_id: str, changes: Mapping[str, Any]) -> Goal:
    """Change fields of one's own active goal. Raises Invalid, NotFound, Forbidden, Conflict."""
    ref, checked = GoalRef.found(goal_id), checked_goal(changes)

    def attempt() -> Goal:
        changed = owned(actor, repository.goal(actor, ref, consistent=True)).copy()
        if changed.status != ACTIVE:
            raise Conflict("This goal is archived.")
        for name, value in checked.items():
            setattr(changed, name, value)
        return repository.save_goal(actor, changed)

    return settled(attempt)


def archive_goal(actor: Actor, goal_id: str) -> Goal:
    """Put one's own goal away; its open tasks leave the agenda, and no reminder comes any more. Repeating it changes nothing."""
    ref = GoalRef.found(goal_id)

    def attempt() -> Goal:
        found = owned(actor, repository.goal(actor, ref, consistent=True))
        open_tasks = [task for task in repository.tasks_of(actor, ref, consistent=True) if task.status == OPEN]
        if found.status == ARCHIVED:
            repository.drop_copies(actor, open_tasks)  # of a first attempt that died half-way
            return found
        archived = found.copy()
        archived.status, archived.archived_at = ARCHIVED, wiring.clock().now()
        repository.archive_goal(actor, archived, open_tasks)
        return archived

    return settled(attempt)


# What the services of tasks decide by as well ----------------------------------------------------------------------------------------


def visible(actor: Actor, goal: Goal | None) -> Goal:
    """`goal` if the actor may see it. Raises NotFound otherwise."""
    if goal is None:
        raise NotFound
    if goal.owner_id != actor.user_id and (goal.visibility != PUBLIC or users.blocked(actor, goal.owner_id)):
        raise NotFound
    return goal


def owned(actor: Actor, goal: Goal | None) -> Goal:
    """`goal` if it is the actor's own. Raises NotFound where the actor may not even see it, Forbidden where seeing is all."""
    if visible(actor, goal).owner_id != actor.user_id:
        raise Forbidden
    assert goal is not None
    return goal


def _over_quota(active: int, most: int) -> QuotaExceeded:
    if active >= most:
        return QuotaExceeded(f"You have {active} active goals, and your plan has {most}. Archive one to begin another.")
    return QuotaExceeded(f"You have {MAX_GOALS} goals in all, and that is the most.")
