"""How goals and tasks are read and written. A task, its copies and its goal's counts move in one transaction."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, cast

from goalgraph.auth.actor import Actor
from goalgraph.table import keys, table
from goalgraph.table.items import CoreItem
from goalgraph.table.port import Key
from goalgraph.table.table import MAX_TRANSACTION, Check, Delete, Operation, Page, Put, Update
from goals.domain import ACTIVE, DONE, MAX_GOALS, MAX_TASKS, GoalRef, TaskRef
from goals.items import AgendaEntry, DueEntry, Goal, GoalQuota, Task, copies_of
from goals.series import later


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


def task(actor: Actor, ref: TaskRef) -> Task | None:
    return cast("Task | None", table(actor).get(keys.task(ref.goal.goal_id, ref.task_id), consistent=True))


def goals_and_tasks(actor: Actor, refs: Sequence[TaskRef]) -> list[tuple[Goal | None, Task | None]]:
    """Several tasks, each with its goal, in one round trip for every 50."""
    places = [key for ref in refs for key in (keys.goal(ref.goal.owner_id, ref.goal.goal_id), keys.task(ref.goal.goal_id, ref.task_id))]
    found = table(actor).get_many(places, consistent=True)
    return list(zip(cast("list[Goal | None]", found[::2]), cast("list[Task | None]", found[1::2]), strict=True))


def profiles(actor: Actor, user_ids: Sequence[str]) -> dict[str, CoreItem | None]:
    """What lies at the keys of members' profiles, for `users.services` to read."""
    return dict(zip(user_ids, table(actor).get_many([keys.profile(user_id) for user_id in user_ids], consistent=True), strict=True))


def tasks_of(actor: Actor, ref: GoalRef, *, consistent: bool = False) -> list[Task]:
    """Oldest first: the at most `MAX_TASKS` that the goal counts, and for each series the occurrences of the last 90 days that are done."""
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


def create_goal(actor: Actor, goal: Goal, most_active: int) -> None:
    """The goal and the count against its owner's caps. Position 1 fails when a cap is reached or nothing was ever counted."""
    within = (GoalQuota.active < most_active) & (GoalQuota.total < MAX_GOALS)
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


TaskChange = tuple[Task | None, Task | None]
"""A task before and after; None before it was planned, and once it is gone."""


def write_tasks(actor: Actor, goal: Goal, changes: Sequence[TaskChange], now: datetime, where: tzinfo = UTC) -> None:
    """Write `changes`, the copies that follow from them, and the goal's counts; `where` is the owner's time zone, where a task repeats.

    Position 0 fails when the goal is gone, archived or full, and where a task goes also when anything in the goal changed since `goal` was
    read, which has to be before the task was. Position n fails when somebody else changed the n-th task.
    """
    copies: dict[Key, Operation] = {}
    for before, after in changes:
        copies |= _moved(before, after, now, where)
    table(actor).transact([_counted(goal, changes), *map(_written, changes), *copies.values()])


def _written(change: TaskChange) -> Operation:
    before, after = change
    if after is not None:
        return Put(after)
    assert before is not None
    return Delete(before.key(), Task.version == before.version, item=before)


def _counted(goal: Goal, changes: Sequence[TaskChange]) -> Update:
    """Each change of a task writes its goal too, so that archiving, which reads the tasks first, notices what came in between."""
    tasks = sum(_share(after)[0] - _share(before)[0] for before, after in changes)
    done = sum(_share(after)[1] - _share(before)[1] for before, after in changes)
    condition = Goal.status == ACTIVE
    if tasks > 0:
        condition &= Goal.task_count < MAX_TASKS
    if any(after is None for _, after in changes):  # a Delete takes place on what is gone already, and must not count again
        condition &= (Goal.version == goal.version) & (Goal.write_id == goal.write_id)
    return Update(goal.key(), [Goal.task_count.add(tasks), Goal.done_count.add(done)], condition, item=goal)


def _share(task: Task | None) -> tuple[int, int]:
    """What a task adds to its goal's counts: of tasks, and of those that are done."""
    return (0, 0) if task is None or not task.counted else (1, int(task.status == DONE))


def _moved(before: Task | None, after: Task | None, now: datetime, where: tzinfo) -> dict[Key, Operation]:
    """The copies that change, by key. A reminder whose time has passed gets no new entry, but one that still waits is left to the sweep."""
    old, new = _following(before, now, where), _following(after, now, where)
    changed = {key: copy for key, copy in new.items() if key not in old or copy.attribute_values != old[key].attribute_values}
    deletions: dict[Key, Operation] = {key: Delete(key) for key in old if key not in new}
    puts = {key: Put(copy, overwrite=True) for key, copy in changed.items() if not (isinstance(copy, DueEntry) and copy.at <= now)}
    return deletions | puts


def _following(task: Task | None, now: datetime, where: tzinfo) -> dict[Key, CoreItem]:
    """What follows from a task; of one that repeats and is overdue also where its reminders stand by now. (Where the sweep is late, or the
    owner was in another zone, they stand elsewhere, and are dropped in their time: what counts is what the task says then.)"""
    copies = copies_of(task)
    if task is None or task.repeat is None:
        return copies
    missed = [copy for copy in copies.values() if isinstance(copy, DueEntry) and copy.at <= now]
    coming = [entry for entry in (later(entry, task, where, now) for entry in missed) if entry is not None]
    return {entry.key(): entry for entry in coming} | copies


# Reminders -------------------------------------------------------------------------------------------------------------------------


def unchanged(task: Task) -> Check:
    """Holds while nobody wrote `task` since it was read."""
    return Check(task.key(), (Task.version == task.version) & (Task.write_id == task.write_id))


def moved_on(entry: DueEntry, later: DueEntry | None) -> tuple[Operation, ...]:
    """Takes `entry` out of its bucket if it is the one that was read, and puts the one that comes next into its own."""
    gone = Delete(entry.key(), DueEntry.write_id == entry.write_id, item=entry)
    return (gone,) if later is None else (gone, Put(later, overwrite=True))


def write(actor: Actor, operations: Sequence[Operation]) -> None:
    table(actor).transact(operations)
