"""Which events follow from a change of a goal or a task (docs/events/)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, cast

from goalgraph.feed.changes import Change
from goalgraph.feed.events import Event, Translator, event
from goalgraph.ids import id_of
from goalgraph.table.attributes import instant_text
from goals.domain import ARCHIVED, DONE
from goals.items import Goal, Task

_OF_A_GOAL = ("title", "description", "tags", "visibility")
_OF_A_TASK = ("title", "due_at", "nlp_plan", "assignees", "reminders", "repeat", "repeat_from")
"""What members write. The rest is bookkeeping: counts, places, stamps."""


def goal_events(change: Change) -> Iterable[Event]:
    old, new = cast("Goal | None", change.old), cast("Goal | None", change.new)
    if new is None:
        return
    if old is None:
        yield event(change, "goal.created", goalId=new.id)
    elif new.status == ARCHIVED != old.status:
        yield event(change, "goal.archived", goalId=new.id)
    elif _differ(old, new, _OF_A_GOAL):
        yield event(change, "goal.changed", goalId=new.id)


def task_events(change: Change) -> Iterable[Event]:
    old, new = cast("Task | None", change.old), cast("Task | None", change.new)
    if new is None:
        yield event(change, "task.deleted", **_ids(cast("Task", old)))
    elif old is None:
        yield event(change, "task.created", **_ids(new))
    elif new.status != old.status:
        yield _done(change, "task.completed", new) if new.status == DONE else _done(change, "task.reopened", old)
    elif _differ(old, new, _OF_A_TASK):
        yield event(change, "task.changed", **_ids(new))
    if new is not None and not (old is None and new.continues):  # the next occurrence goes to those who have it already
        for user_id in _newly_assigned(old, new):
            yield event(change, "task.assigned", user_id=user_id, tell=user_id, assigneeId=user_id, **_ids(new))


def completion_id(task_id: str, done_at: datetime) -> str:
    """The id of a completion: a task that is reopened and done again has another one."""
    return id_of(done_at, "completion", task_id)


def _done(change: Change, type: str, task: Task) -> Event:
    """`task` is as it was while it was done: after the change, or before it."""
    facts: dict[str, Any] = {"doneBy": task.done_by or task.owner_id, "completionId": completion_id(task.id, task.done_at)}
    if type == "task.completed":
        facts |= {"doneAt": instant_text(task.done_at), "dueAt": None if task.due_at is None else instant_text(task.due_at)}
    return event(change, type, **_ids(task), **facts)


def _ids(task: Task) -> dict[str, str]:
    return {"taskId": task.id, "goalId": task.goal_id}


def _newly_assigned(old: Task | None, new: Task) -> list[str]:
    known = {new.owner_id, *(old.assignees if old is not None else ())}
    return [user_id for user_id in new.assignees if user_id not in known]


def _differ(old: Goal | Task, new: Goal | Task, names: Iterable[str]) -> bool:
    before, after = old.attributes_raw(), new.attributes_raw()
    stored = [type(new).get_attributes()[name].attr_name for name in names]
    return any(before.get(name) != after.get(name) for name in stored)


TRANSLATORS: Mapping[str, Translator] = {"Goal": goal_events, "Task": task_events}
