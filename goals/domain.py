"""Pure rules of goals and tasks: ids that carry their place, caps, reminders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple, Self

from billing.plans import ACTIVE_GOALS, FREE, limit
from goalgraph import inputs
from goalgraph.errors import Invalid, NotFound
from goalgraph.ids import is_id
from goals import recurrence

MAX_GOALS = 200
"""Goals a member may keep in all, archived ones included."""
MAX_ACTIVE_GOALS = limit(FREE, ACTIVE_GOALS) or MAX_GOALS
"""On the free plan."""
MAX_TASKS = 50
"""Tasks in one goal, done ones included. A series counts as one of them."""
DAYS_OF_PAST_OCCURRENCES = 90
"""How long the done occurrences of a series are kept while it goes on."""
MAX_ASSIGNEES = 5
MAX_REMINDERS = 5
MAX_TAGS = 10
MAX_PLAN_BYTES = 4096
MAX_MINUTES_BEFORE = 4 * 7 * 24 * 60

ACTIVE, ARCHIVED = "active", "archived"
OPEN, DONE = "open", "done"
PUBLIC, PRIVATE = "public", "private"
VISIBILITIES = (PRIVATE, PUBLIC)

_LONGEST_ID = 256


class GoalRef(NamedTuple):
    """A goal's public id: `<goal>.<owner>`, both of which its key needs. It sorts by time, as its first part does."""

    goal_id: str
    owner_id: str

    def __str__(self) -> str:
        return f"{self.goal_id}.{self.owner_id}"

    @classmethod
    def parse(cls, public_id: str) -> Self | None:
        """None for what cannot be an id of ours."""
        goal_id, _, owner_id = public_id[:_LONGEST_ID].partition(".")
        return cls(goal_id, owner_id) if is_id(goal_id) and is_id(owner_id) else None

    @classmethod
    def found(cls, public_id: str) -> Self:
        """Raises NotFound for what cannot be an id of ours: nothing is there by it."""
        ref = cls.parse(public_id)
        if ref is None:
            raise NotFound
        return ref


class TaskRef(NamedTuple):
    """A task's public id: `<task>.<goal>.<owner>`, so that it alone leads to the task and its goal."""

    task_id: str
    goal: GoalRef

    def __str__(self) -> str:
        return f"{self.task_id}.{self.goal}"

    @classmethod
    def parse(cls, public_id: str) -> Self | None:
        """None for what cannot be an id of ours."""
        task_id, _, rest = public_id[:_LONGEST_ID].partition(".")
        goal = GoalRef.parse(rest)
        return cls(task_id, goal) if goal and is_id(task_id) else None

    @classmethod
    def found(cls, public_id: str) -> Self:
        """Raises NotFound for what cannot be an id of ours: nothing is there by it."""
        ref = cls.parse(public_id)
        if ref is None:
            raise NotFound
        return ref


@dataclass(frozen=True, slots=True)
class ReminderRule:
    """Either an instant, or minutes before the task is due."""

    at: datetime | None
    minutes_before: int | None

    def instant(self, due_at: datetime | None) -> datetime | None:
        if self.at is not None:
            return self.at
        return None if due_at is None or self.minutes_before is None else due_at - timedelta(minutes=self.minutes_before)


def most_active(tier: str) -> int:
    """How many goals a member of a tier may have active at once."""
    return limit(tier, ACTIVE_GOALS) or MAX_GOALS


def progress(tasks: int, done: int) -> float:
    """The share of tasks done, 0 to 1; 0 while there are none."""
    return done / tasks if tasks else 0.0


def _required(check: Any) -> Any:
    def checked(value: Any, *, field: str) -> Any:
        if value is None:
            raise Invalid("This cannot be empty.", field=field)
        return check(value, field=field)

    return checked


def assignees(values: Sequence[str], *, field: str) -> list[str]:
    distinct = list(dict.fromkeys(values))
    if len(distinct) > MAX_ASSIGNEES:
        raise Invalid(f"At most {MAX_ASSIGNEES} people on one task, please.", field=field)
    if not all(map(is_id, distinct)):
        raise Invalid("One of these is not a member's id.", field=field)
    return distinct


def reminders(values: Sequence[Mapping[str, Any]], *, field: str) -> list[ReminderRule]:
    if len(values) > MAX_REMINDERS:
        raise Invalid(f"At most {MAX_REMINDERS} reminders on one task, please.", field=field)
    return list(dict.fromkeys(_reminder(value, field) for value in values))


def _reminder(value: Mapping[str, Any], field: str) -> ReminderRule:
    at, before = value.get("at"), value.get("minutes_before")
    if (at is None) == (before is None):
        raise Invalid("A reminder has either a time or minutes before the due time.", field=field)
    if before is not None and not 0 <= before <= MAX_MINUTES_BEFORE:
        raise Invalid(f"0 to {MAX_MINUTES_BEFORE} minutes before, please.", field=field)
    return ReminderRule(None if at is None else inputs.instant(at, field=field), before)


def repeat(value: str, *, field: str) -> str:
    return recurrence.parse(value, field=field).text


_title = partial(inputs.text, longest=200)
_GOAL_CHECKS: dict[str, Any] = {
    "title": _required(_title),
    "description": partial(inputs.text, longest=1000, lines=True),
    "tags": partial(inputs.tags, most=MAX_TAGS),
    "visibility": partial(inputs.one_of, allowed=VISIBILITIES),
}
_TASK_CHECKS: dict[str, Any] = {
    "title": _required(_title),
    "due_at": inputs.instant,
    "nlp_plan": partial(inputs.json_document, most_bytes=MAX_PLAN_BYTES),
    "assignees": assignees,
    "reminders": reminders,
    "repeat": repeat,
    "repeat_from": partial(inputs.one_of, allowed=recurrence.STARTS),
}
_API_NAMES = {"due_at": "dueAt", "nlp_plan": "nlpPlan", "repeat_from": "repeatFrom"}
_CLEARED: dict[str, Any] = {"tags": [], "assignees": [], "reminders": [], "visibility": PRIVATE}


def checked_goal(changes: Mapping[str, Any]) -> dict[str, Any]:
    """A goal's fields as they are stored: a null clears. Raises Invalid naming the field as the API spells it."""
    return _checked(changes, _GOAL_CHECKS)


def checked_task(changes: Mapping[str, Any]) -> dict[str, Any]:
    """A task's fields as they are stored: a null clears. Raises Invalid naming the field as the API spells it."""
    return _checked(changes, _TASK_CHECKS)


def _checked(changes: Mapping[str, Any], checks: Mapping[str, Any]) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for name, value in changes.items():
        field = _API_NAMES.get(name, name)
        clears = value is None and name != "title"
        checked[name] = _CLEARED.get(name) if clears else checks[name](value, field=field)
    return checked
