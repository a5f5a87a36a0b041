"""Which entries of the due wheel still have to be reminded of, and where they go then (docs/reminders.md)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from django.conf import settings

from goalgraph.auth.actor import Actor
from goalgraph.errors import Conflict, NotFound
from goalgraph.table.attributes import instant_text
from goalgraph.table.port import TransactionCanceled
from goalgraph.table.table import Delete, Operation, Put
from goals import repository
from goals.domain import ACTIVE, OPEN, TaskRef
from goals.items import DueEntry, Goal, Task
from goals.recurrence import zone
from goals.series import comes, follows, later, newest
from users import services as users

__all__ = ["DueEntry", "Outcome", "drop", "due", "snooze", "still_concerns"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to be done about one entry.

    `recipients` are to be reminded; there are none where the entry was overtaken by what happened to its task. `checks` hold while the task
    is still as it was read, `moving` takes the entry out of its bucket or to its next one and begins with them: whoever writes in one
    transaction with them knows that nobody completed or changed the task meanwhile. `about` is the reminder that is given: that of `entry`,
    or the newest one that was missed like it.
    """

    entry: DueEntry
    about: DueEntry
    title: str = ""
    due_at: datetime | None = None
    recipients: tuple[str, ...] = ()
    checks: tuple[Operation, ...] = ()
    moving: tuple[Operation, ...] = ()

    @property
    def task_id(self) -> str:
        return str(self.entry.task_ref)

    @property
    def owner_id(self) -> str:
        """Whose task it is."""
        return str(self.entry.owner_id)

    @property
    def at(self) -> datetime:
        """When to remind."""
        at: datetime = self.about.at
        return at

    @property
    def due_wall(self) -> str | None:
        """Which later occurrence it is about, where the task repeats and was not done in time; for `still_concerns`."""
        wall: str | None = self.about.due_wall
        return wall

    @property
    def not_after(self) -> datetime:
        """When it is too late to remind."""
        return self.at + timedelta(hours=settings.REMINDER_EXPIRES_HOURS)

    @property
    def dedupe(self) -> str:
        """The same for the same reminder of the same occurrence, whenever it is asked for."""
        return "|".join((self.task_id, self.entry.reminder_id, instant_text(self.at)))


def due(actor: Actor, entries: Sequence[DueEntry], now: datetime) -> list[Outcome]:
    """One outcome for each of `entries`, in their order.

    `actor` is the platform, in the tenant. Reads all tasks and goals in one round trip, then the time zones of the owners of those that
    repeat, then for each task that was given to others who has blocked whom.
    """
    found = repository.goals_and_tasks(actor, [TaskRef.found(entry.task_ref) for entry in entries])
    zones = _zones(actor, [task for _, task in found if task is not None and task.repeat is not None])
    pairs = zip(entries, found, strict=True)
    return [_outcome(actor, entry, *pair, where=zones.get(entry.owner_id, UTC), now=now) for entry, pair in pairs]


def still_concerns(actor: Actor, task_id: str, user_id: str, due_at: datetime | None = None, due_wall: str | None = None) -> bool:
    """Whether a task is still `user_id`'s to do: it is there and open, its goal active, and they own it or are assigned to it.

    With `due_at` also whether it is due when it was said to be; with `due_wall` as well, whether the rule still gives that occurrence.
    Whether one has blocked the other is not looked at. `actor` is the platform, in the tenant.
    """
    ref = TaskRef.parse(task_id)
    goal, task = (None, None) if ref is None else repository.goal_and_task(actor, ref)
    if task is None or not _open(goal, task) or user_id not in (task.owner_id, *task.assignees):
        return False
    if due_wall is None:
        return due_at in (None, task.due_at)
    where = _zones(actor, [task]).get(task.owner_id, UTC)
    return comes(task, datetime.fromisoformat(due_wall), where)


def snooze(actor: Actor, task_id: str, name: str, at: datetime, before: datetime | None) -> tuple[Operation, ...]:
    """What has the actor, and nobody else, reminded of a task at `at`, in place of the reminder called `name` at `before`.

    Raises NotFound where the task is gone or not the actor's to do, Conflict where it is done.
    """
    goal, task = repository.goal_and_task(actor, TaskRef.found(task_id))
    if goal is None or task is None or actor.user_id not in (task.owner_id, *task.assignees):
        raise NotFound
    if not _open(goal, task):
        raise Conflict("This task is done.")
    entry, other = (_snoozed(actor, task, name, instant) for instant in (at, before or at))
    gone = () if other.key() == entry.key() else (Delete(other.key()),)
    return (Put(entry, overwrite=True), *gone)


def drop(actor: Actor, outcome: Outcome) -> bool:
    """Write `moving` of an entry of which nobody is to be reminded. False where its task changed meanwhile."""
    try:
        repository.write(actor, outcome.moving)
    except TransactionCanceled:
        return False
    return True


def _snoozed(actor: Actor, task: Task, name: str, at: datetime) -> DueEntry:
    place = {"task_ref": task.id, "task_id": task.task_id, "reminder_id": name, "shard": task.due_shard}
    return DueEntry(owner_id=task.owner_id, user_id=actor.user_id, at=at, **place)


def _open(goal: Goal | None, task: Task | None) -> bool:
    return goal is not None and task is not None and goal.status == ACTIVE and task.status == OPEN


def _zones(actor: Actor, tasks: Sequence[Task]) -> dict[str, tzinfo]:
    """The time zones of the owners of `tasks`, by user id."""
    owners = list(dict.fromkeys(task.owner_id for task in tasks))
    found = repository.profiles(actor, owners) if owners else {}
    return {user_id: zone(users.addressee(profile).timezone) for user_id, profile in found.items()}


def _outcome(actor: Actor, entry: DueEntry, goal: Goal | None, task: Task | None, *, where: tzinfo, now: datetime) -> Outcome:
    checks = () if task is None else (repository.unchanged(task),)
    if task is None or not _open(goal, task) or not follows(entry, task, where):
        return Outcome(entry, entry, checks=checks, moving=(*checks, *repository.moved_on(entry, None)))
    about = newest(entry, task, where, now)
    return Outcome(
        entry,
        about,
        title=task.title,
        due_at=about.due_at or task.due_at,
        recipients=_recipients(actor, entry, task),
        checks=checks,
        moving=(*checks, *repository.moved_on(entry, later(entry, task, where, now))),
    )


def _recipients(actor: Actor, entry: DueEntry, task: Task) -> tuple[str, ...]:
    """The owner and those assigned, without those of whom the owner or they have blocked the other; of a snooze whoever asked for it."""
    others = [user_id for user_id in task.assignees if user_id != task.owner_id]
    apart = users.blocked_among(replace(actor, user_id=task.owner_id), others) if others else set()
    concerned = (task.owner_id, *(user_id for user_id in others if user_id not in apart))
    return concerned if entry.user_id is None else tuple(user_id for user_id in concerned if user_id == entry.user_id)
