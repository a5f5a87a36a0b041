"""Tasks that repeat: which one follows when one is done, and what a reminder does of one that is not.

Nothing here reads or writes. `where` is the time zone of the goal's owner as it is now: a series keeps its wall time and moves with them.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta, tzinfo

from goals.domain import ReminderRule
from goals.items import DueEntry, Reminder, Task, reminder_rules
from goals.recurrence import FROM_COMPLETION, check_comes, following, occurrence_id, occurrences, restarted, shifted, wall_of


def begin(task: Task, where: tzinfo, *, moved: bool) -> None:
    """Let the rule of `task` hold from its due time on, which was `moved` or not. Raises Invalid for a rule that gives no other date."""
    assert task.rule is not None
    if moved or task.due_wall is None:
        task.due_wall = wall_of(task.due_at, where).isoformat()
    check_comes(task.rule, task.wall)
    task.series_id = task.series_id or task.task_id


def end(task: Task) -> None:
    task.repeat = task.repeat_from = task.due_wall = None


def next_of(task: Task, where: tzinfo) -> Task | None:
    """The open task that follows `task`, which is done; None where that does not repeat, or was the last one. It has no `due_shard` yet.

    It is due at the first occurrence behind `task` that comes later than its due time and `done_at`. A rule that counts from completion
    starts anew on the local day of `done_at`.
    """
    if task.rule is None:
        return None
    if task.repeat_from == FROM_COMPLETION:
        found = following(task.rule, restarted(task.wall, task.done_at, where), where, task.done_at)
    else:
        found = following(task.rule, task.wall, where, max(task.due_at, task.done_at))
    if found is None:
        return None
    return Task(
        task_id=occurrence_id(task.task_id, task.done_at),
        short_goal_id=task.short_goal_id,
        owner_id=task.owner_id,
        created_at=task.done_at,
        title=task.title,
        nlp_plan=task.nlp_plan,
        assignees=task.assignees,
        reminders=[_moved(reminder, found.wall - task.wall, where) for reminder in task.reminders],
        repeat=found.rule.text,
        repeat_from=task.repeat_from,
        series_id=task.series_id,
        due_at=found.at,
        due_wall=found.wall.isoformat(),
    )


def follows(entry: DueEntry, task: Task, where: tzinfo) -> bool:
    """Whether `entry` still is what the task, as it is now, asks for."""
    rule = dict(reminder_rules(task)).get(entry.reminder_id)
    if entry.user_id is not None:
        return True
    if rule is None:
        return False
    if entry.due_wall is None:
        return rule.instant(task.due_at) == entry.at
    return comes(task, datetime.fromisoformat(entry.due_wall), where)


def comes(task: Task, wall: datetime, where: tzinfo) -> bool:
    """Whether an occurrence of `task`, which is not done, is due at the wall time `wall`, behind the one that it is now."""
    if task.rule is None or task.repeat_from == FROM_COMPLETION:
        return False
    behind = (found.wall for found in occurrences(task.rule, task.wall, where) if found.wall >= wall)
    return next(behind, None) == wall


def later(entry: DueEntry, task: Task, where: tzinfo, now: datetime) -> DueEntry | None:
    """Where the reminder `entry` stands once it was given, while `task` is not done: at the rule's next occurrence to come.

    None where the task does not repeat, counts from its completion, which is still to come, or where the rule has ended.
    """
    return next((coming for coming in _behind(entry, task, where) if coming.at > now), None)


def newest(entry: DueEntry, task: Task, where: tzinfo, now: datetime) -> DueEntry:
    """The last of `entry` and what comes behind it whose time has come by `now`: after an outage it stands for all that were missed.

    It is never stored: its minute may be one that the wheel has done with.
    """
    found = entry
    for coming in _behind(entry, task, where):
        if coming.at > now:
            break
        found = coming
    return found


def _behind(entry: DueEntry, task: Task, where: tzinfo) -> Iterator[DueEntry]:
    """The same reminder of the occurrences behind that of `entry`, in order."""
    rule = dict(reminder_rules(task)).get(entry.reminder_id)
    if rule is None or task.rule is None or task.repeat_from == FROM_COMPLETION:
        return
    last = task.wall if entry.due_wall is None else datetime.fromisoformat(entry.due_wall)
    for found in occurrences(task.rule, task.wall, where):
        at = _reminded(rule, found.at, found.wall - task.wall, where)
        if found.wall > last and at > entry.at:
            place = {"task_ref": entry.task_ref, "task_id": entry.task_id, "reminder_id": entry.reminder_id, "shard": entry.shard}
            yield DueEntry(owner_id=task.owner_id, at=at, due_at=found.at, due_wall=found.wall.isoformat(), **place)


def _moved(reminder: Reminder, by: timedelta, where: tzinfo) -> Reminder:
    at = None if reminder.at is None else shifted(reminder.at, by, where)
    return Reminder(id=reminder.id, at=at, minutes_before=reminder.minutes_before)  # type: ignore[no-untyped-call]


def _reminded(rule: ReminderRule, due_at: datetime, by: timedelta, where: tzinfo) -> datetime:
    """When to remind of an occurrence that is due at `due_at`, `by` local days behind the one that `rule` was written for."""
    if rule.at is not None:
        return shifted(rule.at, by, where)
    return due_at - timedelta(minutes=rule.minutes_before or 0)
