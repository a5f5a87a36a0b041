"""What members do with tasks: the goal's owner plans them, whoever is assigned may do them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from goalgraph.ids import new_id
from goalgraph.inputs import instant
from goalgraph.table import settled
from goalgraph.table.keys import shard_of
from goalgraph.table.port import TransactionCanceled
from goalgraph.table.table import Page
from goals import repository
from goals.domain import ACTIVE, DONE, MAX_TASKS, OPEN, GoalRef, ReminderRule, TaskRef, checked_task
from goals.items import Goal, Reminder, Task, TaskCopy
from goals.services import owned, visible
from users import services as users


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
    shard = shard_of(place.task_id, settings.DUE_SHARDS)
    new = Task(task_id=place.task_id, short_goal_id=ref.goal_id, owner_id=ref.owner_id, due_shard=shard, created_at=now)
    _fill(actor, new, checked)

    def attempt() -> Task:
        try:
            repository.add_task(actor, goal, new, now)
        except TransactionCanceled as error:
            if (made := error.current(1)) is not None:
                return made
            raise _goal_refusal(error) or error from error
        return new

    return settled(attempt)


def update_task(actor: Actor, task_id: str, changes: Mapping[str, Any]) -> Task:
    """Change fields of a task in one's own active goal. Raises Invalid, NotFound, Forbidden, Conflict."""
    checked = checked_task(changes)

    def change(goal: Goal, task: Task) -> None:
        owned(actor, goal)
        _fill(actor, task, checked)

    return _changed(actor, task_id, change)


def mark_task_done(actor: Actor, task_id: str) -> Task:
    """For the goal's owner and those assigned. Repeating it changes nothing. Raises NotFound, Forbidden, Conflict."""

    def change(goal: Goal, task: Task) -> None:
        _check_may_do(actor, goal, task)
        if task.status != DONE:
            task.status, task.done_at = DONE, wiring.clock().now()

    return _changed(actor, task_id, change)


def reopen_task(actor: Actor, task_id: str) -> Task:
    """Take back `mark_task_done`. Repeating it changes nothing. Raises NotFound, Forbidden, Conflict."""

    def change(goal: Goal, task: Task) -> None:
        _check_may_do(actor, goal, task)
        task.status, task.done_at = OPEN, None

    return _changed(actor, task_id, change)


def decline_task(actor: Actor, task_id: str) -> bool:
    """Take oneself off a task that somebody else gave one to do, whoever has blocked whom. Repeating it changes nothing."""
    ref = TaskRef.found(task_id)

    def attempt() -> bool:
        goal, before = repository.goal_and_task(actor, ref)
        if goal is None or before is None or actor.user_id not in before.assignees:
            return True
        after = before.copy()
        after.assignees = [user_id for user_id in before.assignees if user_id != actor.user_id]
        repository.change_task(actor, goal, before, after, wiring.clock().now())
        return True

    return settled(attempt)


def delete_task(actor: Actor, task_id: str) -> Task:
    """Remove a task of one's own active goal, and return it as it was. Raises NotFound, Forbidden, Conflict."""
    ref = TaskRef.found(task_id)

    def attempt() -> Task:
        goal, found = _visible_task(actor, ref)
        owned(actor, goal)
        try:
            repository.delete_task(actor, goal, found, wiring.clock().now())
        except TransactionCanceled as error:
            raise _goal_refusal(error) or error from error
        return found

    return settled(attempt)


def _changed(actor: Actor, task_id: str, change: Callable[[Goal, Task], None]) -> Task:
    """Read a task, let `change` change it, write it with its copies; again from the start when somebody else wrote in between."""
    ref = TaskRef.found(task_id)

    def attempt() -> Task:
        goal, before = _visible_task(actor, ref)
        after = before.copy()
        change(goal, after)
        if after.attribute_values == before.attribute_values:
            return before
        try:
            repository.change_task(actor, goal, before, after, wiring.clock().now())
        except TransactionCanceled as error:
            raise _goal_refusal(error) or error from error
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


def _goal_refusal(error: TransactionCanceled) -> Exception | None:
    """Why a change of a task was refused for its goal's sake; None when it was not."""
    if not error.failed(0):
        return None
    goal = error.current(0)
    if goal is None:
        return NotFound()
    if goal.status != ACTIVE:
        return Conflict("This goal is archived.")
    return QuotaExceeded(f"This goal has {MAX_TASKS} tasks, and that is the most.")


def _fill(actor: Actor, task: Task, checked: Mapping[str, Any]) -> None:
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


def _reminders(rules: Sequence[ReminderRule]) -> list[Reminder]:
    return [Reminder(id=new_id(), at=rule.at, minutes_before=rule.minutes_before) for rule in rules]  # type: ignore[no-untyped-call]


def _check_assignees(actor: Actor, user_ids: Sequence[str]) -> None:
    """Only members whom the actor can see may be given something to do."""
    for user_id in user_ids:
        try:
            users.user(actor, user_id)
        except NotFound as error:
            raise Invalid("One of these is no member you can see.", field="assignees") from error
