"""How goals and tasks are read and written. A task, its copies and its goal's counts move in one transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast

from goalgraph.auth.actor import Actor
from goalgraph.table import keys, table
from goalgraph.table.items import CoreItem
from goalgraph.table.table import MAX_TRANSACTION, Delete, Operation, Page, Put, Update
from goals.domain import ACTIVE, MAX_ACTIVE_GOALS, MAX_GOALS, MAX_TASKS, GoalRef, TaskRef
from goals.items import AgendaEntry, Goal, GoalQuota, Task, copies_of


def goal(actor: Actor, ref: GoalRef, *, consistent: bool = False) -> Goal | None:
    return cast("Goal | None", table(actor).get(keys.goal(ref.owner_id, ref.goal_id), consistent=consistent))


def goals_of(actor: Actor, user_id: str) -> list[Goal]:
    """Oldest first."""
    return cast("list[Goal]", table(actor).query(keys.goals_of(user_id)).items)


def goal_and_task(actor: Actor, ref: TaskRef) -> tuple[Goal | None, Task | None]:
    """A task with its goal, in one round trip."""
    places = [keys.goal(ref.goal.owner_id, ref.goal.goal_id), keys.task(ref.goal.goal_id, ref.task_id)]
    found = table(actor).get_many(places, consistent=True)
    return cast("Goal | None", found[0]), cast("Task | None", found[1])


def tasks_of(actor: Actor, ref: GoalRef, *, consistent: bool = False) -> list[Task]:
    """Oldest first; a goal has at most `MAX_TASKS`."""
    return cast("list[Task]", table(actor).query(keys.tasks_of(ref.goal_id), consistent=consistent).items)


def tasks_page(actor: Actor, ref: GoalRef, *, limit: int, after: str | None, forward: bool) -> Page:
    return table(actor).query(keys.tasks_of(ref.goal_id), limit=limit, after=after, forward=forward)


def agenda_page(actor: Actor, until: datetime | None, *, limit: int, after: str | None, forward: bool) -> Page:
    """The actor's open tasks by due time, the undated last."""
    return table(actor).query(keys.agenda_of(actor.user_id, until), limit=limit, after=after, forward=forward)


def assignments_page(actor: Actor, *, limit: int, after: str | None, forward: bool) -> Page:
    """What others gave the actor to do, by due time, the undated last."""
    return table(actor).query(keys.assignments_of(actor.user_id), limit=limit, after=after, forward=forward)


def plans_of(actor: Actor, refs: Sequence[TaskRef]) -> dict[TaskRef, Any]:
    """The plans of some tasks; those without one are left out."""
    found = table(actor).get_many([keys.task(ref.goal.goal_id, ref.task_id) for ref in refs])
    return {task.ref: task.nlp_plan for task in cast("list[Task | None]", found) if task is not None and task.nlp_plan is not None}


def home_of(actor: Actor, user_id: str) -> list[CoreItem]:
    """All that the home screen shows, in one query."""
    return table(actor).query(keys.home_of(user_id)).items


# Writing ---------------------------------------------------------------------------------------------------------------------------


def save_goal(actor: Actor, goal: Goal) -> Goal:
    return cast("Goal", table(actor).put(goal))


def create_goal(actor: Actor, goal: Goal) -> None:
    """The goal and the count against its owner's caps. Position 1 fails when a cap is reached or nothing was ever counted."""
    within = (GoalQuota.active < MAX_ACTIVE_GOALS) & (GoalQuota.total < MAX_GOALS)
    counted = Update(keys.goal_quota(actor.user_id), [GoalQuota.active.add(1), GoalQuota.total.add(1)], within)
    table(actor).transact([Put(goal), counted])


def create_first_goal(actor: Actor, goal: Goal) -> None:
    table(actor).transact([Put(goal), Put(GoalQuota(owner_id=actor.user_id, active=1, total=1))])


def archive_goal(actor: Actor, goal: Goal, open_tasks: Iterable[Task]) -> None:
    """The goal, the count and the copies of its tasks. What one transaction does not hold goes in further ones: agenda entries are in the
    first, the rest (due entries, assignments) leads to a goal that is archived, and whoever follows it there sees that."""
    counted = Update(keys.goal_quota(goal.owner_id), [GoalQuota.active.add(-1)])
    first: list[Operation] = [Put(goal), counted]
    deletions = _deletions(open_tasks)
    room = MAX_TRANSACTION - len(first)
    table(actor).transact([*first, *deletions[:room]])
    _transact_all(actor, deletions[room:])


def drop_copies(actor: Actor, tasks: Iterable[Task]) -> None:
    """Remove whatever copies of `tasks` still lie about."""
    _transact_all(actor, _deletions(tasks))


def _deletions(tasks: Iterable[Task]) -> list[Operation]:
    copies = [(key, copy) for task in tasks for key, copy in copies_of(task).items()]
    copies.sort(key=lambda entry: not isinstance(entry[1], AgendaEntry))
    return [Delete(key) for key, _ in copies]


def _transact_all(actor: Actor, operations: Sequence[Operation]) -> None:
    for start in range(0, len(operations), MAX_TRANSACTION):
        table(actor).transact(operations[start : start + MAX_TRANSACTION])


def add_task(actor: Actor, goal: Goal, task: Task, now: datetime) -> None:
    """Position 0 fails when the goal is gone, archived or full."""
    table(actor).transact([_counted(goal, tasks=1), Put(task), *_moved(None, task, now)])


def change_task(actor: Actor, goal: Goal, before: Task, after: Task, now: datetime) -> None:
    """Position 0 fails when the goal is gone or archived, position 1 when somebody else changed the task."""
    done = int(after.status != before.status) * (1 if after.done_at else -1)
    table(actor).transact([_counted(goal, done=done), Put(after), *_moved(before, after, now)])


def delete_task(actor: Actor, goal: Goal, task: Task, now: datetime) -> None:
    """Position 0 fails when the goal is gone or archived, position 1 when somebody else changed the task."""
    gone = Delete(task.key(), Task.version == task.version, item=task)
    counted = _counted(goal, tasks=-1, done=-1 if task.done_at else 0)
    table(actor).transact([counted, gone, *_moved(task, None, now)])


def _counted(goal: Goal, *, tasks: int = 0, done: int = 0) -> Update:
    """Each change of a task writes its goal too, so that archiving, which reads the tasks first, notices what came in between."""
    alive = Goal.status == ACTIVE
    condition = alive & (Goal.task_count < MAX_TASKS) if tasks > 0 else alive
    return Update(goal.key(), [Goal.task_count.add(tasks), Goal.done_count.add(done)], condition, item=goal)


def _moved(before: Task | None, after: Task | None, now: datetime) -> Sequence[Operation]:
    """The copies that change. A reminder whose minute has passed gets no new entry, but one that still waits is left to the sweep."""
    old, new = copies_of(before), copies_of(after)
    deletions = [Delete(key) for key in old if key not in new]
    puts = [Put(copy, overwrite=True) for key, copy in new.items() if _to_write(copy, old.get(key), now)]
    return [*deletions, *puts]


def _to_write(copy: CoreItem, old: CoreItem | None, now: datetime) -> bool:
    if old is not None:
        return copy.attribute_values != old.attribute_values
    at: datetime | None = copy.attribute_values.get("at")
    return at is None or at > now
