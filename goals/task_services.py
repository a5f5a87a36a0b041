"""What members do with tasks: the goal's owner plans them, whoever is assigned may do them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from django.conf import settings

from goalgraph import wiring
from goalgraph.auth.actor import PREMIUM, Actor
from goalgraph.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from goalgraph.ids import new_id
from goalgraph.inputs import instant
from goalgraph.table import settled
from goalgraph.table.keys import shard_of
from goalgraph.table.port import TransactionCanceled
from goalgraph.table.table import Page, seconds
from goals import repository
from goals.domain import ACTIVE, DAYS_OF_PAST_OCCURRENCES, DONE, MAX_TASKS, OPEN, GoalRef, ReminderRule, TaskRef, checked_task
from goals.items import Goal, Reminder, Task, TaskCopy
from goals.recurrence import occurrence_id, zone
from goals.repository import TaskChange
from goals.series import begin, end, next_of
from goals.services import owned, visible
from users import services as users
from users.sanction_services import require_voice


def task(actor: Actor, task_id: str) -> Task:
    """Raises NotFound for a task of a goal the actor may not see and is not assigned to."""
    return _visible_task(actor, TaskRef.found(task_id))[1]


def tasks(actor: Actor, goal_id: str) -> list[Task]:
    """All tasks of a goal, oldest first. Raises NotFound."""
    ref = GoalRef.found(goal_id)
    visible(actor, repository.goal(actor, ref, consistent=True))
    return repository.tasks_of(actor, ref, consistent=True)


def tasks_page(actor: Actor, goal: Goal, *, limit: int, after: str | None = None, forward: bool = True) -> Page:
    """Tasks of a goal that the actor was already shown."""
    return repository.tasks_page(actor, goal.ref, limit=limit, after=after, forward=forward)


def agenda(actor: Actor, until: datetime | None = None, *, limit: int, after: str | None = None, forward: bool = True) -> Page:
    """The actor's open tasks by due time up to and including `until`; without it all, the undated last. Raises Invalid."""
    last = None if until is None else instant(until, field="until")
    return repository.agenda_page(actor, last, limit=limit, after=after, forward=forward)


def assigned(actor: Actor, *, limit: int, after: str | None = None, forward: bool = True) -> Page:
    """What others gave the actor to do, by due time, the undated last; without those of members one of the two has blocked."""
    page = repository.assignments_page(actor, limit=limit, after=after, forward=forward)
    apart = users.blocked_among(actor, {task.owner_id for task in page.items})
    shown = [(task, cursor) for task, cursor in zip(page.items, page.cursors, strict=True) if task.owner_id not in apart]
    return Page([task for task, _ in shown], [cursor for _, cursor in shown], page.has_more)


def plans(actor: Actor, copies: Sequence[TaskCopy]) -> dict[TaskRef, Any]:
    """The plans of tasks that the actor was already shown copies of, by the task's reference."""
    refs = [copy.ref for copy in copies if copy.has_plan]
    return repository.plans_of(actor, refs) if refs else {}


def add_task(actor: Actor, goal_id: str, fields: Mapping[str, Any], *, task_id: str | None = None) -> Task:
    """A new open task in one's own active goal, or the one that an earlier attempt made under `task_id`.

    Raises Invalid, NotFound, Forbidden, Conflict, QuotaExceeded.
    """
    ref, checked, now = GoalRef.found(goal_id), checked_task(fields), wiring.clock().now()
    place = TaskRef(task_id or new_id(), ref)
    found, made = repository.goal_and_task(actor, place) if task_id else (repository.goal(actor, ref, consistent=True), None)
    goal = owned(actor, found)
    if made is not None:
        return made
    shard = _due_shard(place.task_id, priority=actor.tier == PREMIUM)
    new = Task(task_id=place.task_id, short_goal_id=ref.goal_id, owner_id=ref.owner_id, due_shard=shard, created_at=now)
    where = _zone(actor, ref.owner_id) if checked.get("repeat") else UTC
    _fill(actor, new, checked, where)

    def attempt() -> Task:
        try:
            repository.write_tasks(actor, goal, [(None, new)], now, where)
        except TransactionCanceled as error:
            if (made := error.current(1)) is not None:
                return made
            raise _goal_refusal(error, adds=True) or error from error
        return new

    return settled(attempt)


def update_task(actor: Actor, task_id: str, changes: Mapping[str, Any]) -> Task:
    """Change fields of a task in one's own active goal; of what repeats, this occurrence and those that follow it.

    Raises Invalid, NotFound, Forbidden, Conflict.
    """
    checked = checked_task(changes)

    def change(goal: Goal, task: Task, where: tzinfo) -> Sequence[TaskChange]:
        owned(actor, goal)
        _fill(actor, task, checked, where)
        return ()

    return _changed(actor, task_id, change, repeats=checked.get("repeat") is not None)


def mark_task_done(actor: Actor, task_id: str) -> Task:
    """For the goal's owner and those assigned. Repeating it changes nothing. Of what repeats, the next occurrence is there with it.

    Raises NotFound, Forbidden, Conflict.
    """

    def change(goal: Goal, task: Task, where: tzinfo) -> Sequence[TaskChange]:
        _check_may_do(actor, goal, task)
        if task.status == DONE:
            return ()
        task.status, task.done_at, task.done_by = DONE, wiring.clock().now(), actor.user_id
        following = next_of(task, where)
        if following is None:
            return ()
        priority = actor.tier == PREMIUM if actor.user_id == task.owner_id else task.due_shard >= settings.DUE_SHARDS
        following.due_shard = _due_shard(following.task_id, priority=priority)
        task.counted, task.ttl = False, seconds(task.done_at + timedelta(days=DAYS_OF_PAST_OCCURRENCES))
        task.nlp_plan = None  # the next one has it: 90 mornings of 4 KB would make a goal's tasks dear to read
        return [(None, following)]

    return _changed(actor, task_id, change)


def reopen_task(actor: Actor, task_id: str) -> Task:
    """Take back `mark_task_done`, and with it the next occurrence of what repeats. Repeating it changes nothing.

    Raises NotFound, Forbidden, QuotaExceeded, and Conflict where the next occurrence was done or changed since.
    """

    def change(goal: Goal, task: Task, _: tzinfo) -> Sequence[TaskChange]:
        _check_may_do(actor, goal, task)
        if task.status != DONE:
            return ()
        following = None if task.counted else _untouched_following(actor, task)
        task.status, task.done_at, task.done_by = OPEN, None, None
        task.counted, task.ttl = True, None
        if following is None:
            return ()
        task.nlp_plan = following.nlp_plan
        return [(following, None)]

    return _changed(actor, task_id, change)


def _untouched_following(actor: Actor, task: Task) -> Task | None:
    """What followed `task`; None where that was deleted. Raises Conflict where it was done or changed."""
    following = repository.task(actor, TaskRef(occurrence_id(task.task_id, task.done_at), task.ref.goal))
    if following is not None and (following.status != OPEN or following.version != 1):
        raise Conflict("The next one was done or changed since, so this one stays done.")
    return following


def decline_task(actor: Actor, task_id: str) -> bool:
    """Take oneself off a task that somebody else gave one to do, whoever has blocked whom. Repeating it changes nothing."""
    ref = TaskRef.found(task_id)

    def attempt() -> bool:
        goal, before = repository.goal_and_task(actor, ref)
        if goal is None or before is None or actor.user_id not in before.assignees:
            return True
        after = before.copy()
        after.assignees = [user_id for user_id in before.assignees if user_id != actor.user_id]
        repository.write_tasks(actor, goal, [(before, after)], wiring.clock().now())
        return True

    return settled(attempt)


def delete_task(actor: Actor, task_id: str) -> Task:
    """Remove a task of one's own active goal, and return it as it was. The open one of a series ends it.

    Raises NotFound, Forbidden, Conflict.
    """
    ref = TaskRef.found(task_id)

    def attempt() -> Task:
        goal, _ = _visible_task(actor, ref)
        owned(actor, goal)
        found = repository.task(actor, ref)  # again, for it has to be read after the goal
        if found is None:
            raise NotFound
        try:
            repository.write_tasks(actor, goal, [(found, None)], wiring.clock().now())
        except TransactionCanceled as error:
            raise _goal_refusal(error) or error from error
        return found

    return settled(attempt)


_Change = Callable[[Goal, Task, tzinfo], Sequence[TaskChange]]
"""Changes a task in place, and tells what else changes with it. The zone is the owner's where the task repeats."""


def _changed(actor: Actor, task_id: str, change: _Change, *, repeats: bool = False) -> Task:
    """Read a task, let `change` change it, write it with its copies; again from the start when somebody else wrote in between."""
    ref = TaskRef.found(task_id)

    def attempt() -> Task:
        goal, before = _visible_task(actor, ref)
        where = _zone(actor, goal.owner_id) if repeats or before.repeat is not None else UTC
        after = before.copy()
        others = change(goal, after, where)
        if after.attribute_values == before.attribute_values:
            return before
        try:
            repository.write_tasks(actor, goal, [(before, after), *others], wiring.clock().now(), where)
        except TransactionCanceled as error:
            adds = not (before.counted or others)  # a past occurrence whose successor was deleted
            raise _goal_refusal(error, adds=adds) or error from error
        return after

    return settled(attempt)


def _visible_task(actor: Actor, ref: TaskRef) -> tuple[Goal, Task]:
    goal, task = repository.goal_and_task(actor, ref)
    if goal is None or task is None:
        raise NotFound
    if actor.user_id not in task.assignees or users.blocked(actor, goal.owner_id):
        visible(actor, goal)
    return goal, task


def _check_may_do(actor: Actor, goal: Goal, task: Task) -> None:
    if actor.user_id not in (goal.owner_id, *task.assignees):
        raise Forbidden


def _goal_refusal(error: TransactionCanceled, *, adds: bool = False) -> Exception | None:
    """Why a change of a task was refused for its goal's sake; None when it was not."""
    if not error.failed(0):
        return None
    goal = error.current(0)
    if goal is None:
        return NotFound()
    if goal.status != ACTIVE:
        return Conflict("This goal is archived.")
    if adds and goal.task_count >= MAX_TASKS:
        return QuotaExceeded(f"This goal has {MAX_TASKS} tasks, and that is the most.")
    return None


def _due_shard(task_id: str, *, priority: bool) -> int:
    """Where on the due wheel a new task's entries stand; premium members' behind the others."""
    if priority and settings.DUE_PRIORITY_SHARDS:
        return int(settings.DUE_SHARDS + shard_of(task_id, settings.DUE_PRIORITY_SHARDS))
    return shard_of(task_id, settings.DUE_SHARDS)


def _zone(actor: Actor, user_id: str) -> tzinfo:
    """A member's time zone."""
    return zone(users.addressee(repository.profiles(actor, [user_id])[user_id]).timezone)


def _fill(actor: Actor, task: Task, checked: Mapping[str, Any], where: tzinfo) -> None:
    due_at = task.due_at
    for name, value in checked.items():
        match name:
            case "reminders":
                task.reminders = _reminders(value)
            case "assignees":
                _check_assignees(actor, [user_id for user_id in value if user_id not in task.assignees])
                task.assignees = value
            case _:
                setattr(task, name, value)
    if task.due_at is None and any(reminder.at is None for reminder in task.reminders):
        raise Invalid("A reminder before the due time needs a due time.", field="reminders")
    _repeat(task, checked, where, moved=task.due_at != due_at)


def _repeat(task: Task, checked: Mapping[str, Any], where: tzinfo, *, moved: bool) -> None:
    """Begin, end or go on with a series, as the fields of `task` now say."""
    if task.repeat is None:
        if checked.get("repeat_from") is not None:
            raise Invalid("This needs a rule to repeat by.", field="repeatFrom")
        end(task)
    elif task.due_at is None:
        raise Invalid("What repeats needs a due time.", field="repeat")
    elif moved or checked.get("repeat") is not None:
        begin(task, where, moved=moved)


def _reminders(rules: Sequence[ReminderRule]) -> list[Reminder]:
    return [Reminder(id=new_id(), at=rule.at, minutes_before=rule.minutes_before) for rule in rules]  # type: ignore[no-untyped-call]


def _check_assignees(actor: Actor, user_ids: Sequence[str]) -> None:
    """Only members whom the actor can see may be given something to do. Raises Forbidden for who is muted."""
    if any(user_id != actor.user_id for user_id in user_ids):
        require_voice(actor)
    for user_id in user_ids:
        try:
            users.user(actor, user_id)
        except NotFound as error:
            raise Invalid("One of these is no member you can see.", field="assignees") from error
