"""The items of goals and tasks, and the copies that follow from a task."""

from datetime import datetime

from pynamodb.attributes import BooleanAttribute, ListAttribute, MapAttribute, NumberAttribute, UnicodeAttribute

from goalgraph.table import keys
from goalgraph.table.attributes import InstantAttribute, JSONText
from goalgraph.table.items import CoreItem
from goalgraph.table.port import Key
from goals.domain import ACTIVE, OPEN, PRIVATE, GoalRef, ReminderRule, TaskRef, progress
from goals.recurrence import Rule, parse

DEFAULT_REMINDER = "due"
"""The reminder of a task that has none of its own: at its due minute."""


class Goal(CoreItem, discriminator="Goal"):
    """What a member wants to reach. It counts its tasks, so that progress costs no read of them."""

    goal_id = UnicodeAttribute()
    title = UnicodeAttribute()
    description = UnicodeAttribute(null=True)
    tags: ListAttribute[str] = ListAttribute(of=UnicodeAttribute, default=list)  # type: ignore[arg-type]
    status = UnicodeAttribute(default=ACTIVE)
    visibility = UnicodeAttribute(default=PRIVATE)
    task_count = NumberAttribute(default=0)
    done_count = NumberAttribute(default=0)
    archived_at = InstantAttribute(null=True)

    @property
    def ref(self) -> GoalRef:
        return GoalRef(self.goal_id, self.owner_id)

    @property
    def id(self) -> str:
        return str(self.ref)

    @property
    def user_id(self) -> str:
        return self.owner_id

    @property
    def progress(self) -> float:
        return progress(int(self.task_count), int(self.done_count))

    def key(self) -> Key:
        return keys.goal(self.owner_id, self.goal_id)


class GoalQuota(CoreItem, discriminator="GoalQuota"):
    """Counts a member's goals; it moves in the transaction that makes or archives one, so the cap is exact."""

    active = NumberAttribute(default=0)
    total = NumberAttribute(default=0)

    def key(self) -> Key:
        return keys.goal_quota(self.owner_id)


class Reminder(MapAttribute):
    """One reminder of a task: at an instant, or minutes before it is due."""

    id = UnicodeAttribute()
    at = InstantAttribute(null=True)
    minutes_before = NumberAttribute(attr_name="minutesBefore", null=True)

    def rule(self) -> ReminderRule:
        return ReminderRule(self.at, None if self.minutes_before is None else int(self.minutes_before))


class TaskFields(CoreItem):
    """What a task and its copies both hold: all but the plan, which may be large."""

    task_id = UnicodeAttribute()
    short_goal_id = UnicodeAttribute(attr_name="goalId")
    title = UnicodeAttribute()
    due_at = InstantAttribute(null=True)
    status = UnicodeAttribute(default=OPEN)
    done_at = InstantAttribute(null=True)
    assignees: ListAttribute[str] = ListAttribute(of=UnicodeAttribute, default=list)  # type: ignore[arg-type]
    reminders: ListAttribute[Reminder] = ListAttribute(of=Reminder, default=list)
    repeat = UnicodeAttribute(null=True)
    """The rule by which it comes again, as it holds from this occurrence on."""
    repeat_from = UnicodeAttribute(null=True)
    due_shard = NumberAttribute()
    """Where on the due wheel its entries stand; kept, so that they are found again when the number of shards has changed."""

    @property
    def ref(self) -> TaskRef:
        return TaskRef(self.task_id, GoalRef(self.short_goal_id, self.owner_id))

    @property
    def id(self) -> str:
        return str(self.ref)

    @property
    def goal_id(self) -> str:
        return str(self.ref.goal)


class Task(TaskFields, discriminator="Task"):
    """A step towards a goal. `owner_id` is the goal's owner. Of what repeats, each occurrence is a task of its own."""

    nlp_plan = JSONText(null=True)
    done_by = UnicodeAttribute(null=True)
    series_id = UnicodeAttribute(null=True)
    """The `task_id` of the first occurrence; none where it never repeated."""
    due_wall = UnicodeAttribute(null=True)
    """Of what repeats: what the owner's clock shows when it is due. It stays where `due_at` had to give way to a leap of the clocks."""
    counted = BooleanAttribute(default=True)
    """Whether the goal counts it. An occurrence that is done leaves that to the next one."""

    @property
    def wall(self) -> datetime:
        """`due_wall`, a datetime without zone."""
        return datetime.fromisoformat(self.due_wall)

    @property
    def rule(self) -> Rule | None:
        return None if self.repeat is None else parse(self.repeat)

    @property
    def continues(self) -> bool:
        """Whether it follows an earlier occurrence."""
        return self.series_id not in (None, self.task_id)

    def key(self) -> Key:
        return keys.task(self.short_goal_id, self.task_id)


class TaskCopy(TaskFields):
    """A copy of an open task where somebody finds it by its due time. `has_plan` says whether the task has a plan to look up."""

    has_plan = BooleanAttribute(default=False)


class AgendaEntry(TaskCopy, discriminator="AgendaEntry"):
    """On the agenda of the goal's owner. It stands where the home screen's one query finds it."""

    def key(self) -> Key:
        return keys.agenda_entry(self.owner_id, self.due_at, self.task_id)


class Assignment(TaskCopy, discriminator="Assignment"):
    """Among what others gave a member to do. That is not for the member to bound, so it stands apart from their home."""

    assignee_id = UnicodeAttribute()

    def key(self) -> Key:
        return keys.assignment(self.assignee_id, self.due_at, self.task_id)


class DueEntry(CoreItem, discriminator="DueEntry"):
    """A reminder of an open task on the due wheel, at its minute."""

    task_ref = UnicodeAttribute()
    task_id = UnicodeAttribute()
    reminder_id = UnicodeAttribute()
    at = InstantAttribute()
    shard = NumberAttribute()
    due_wall = UnicodeAttribute(null=True)
    """Of a task that repeats and was not done in time: of which later occurrence it reminds, by its wall time."""
    due_at = InstantAttribute(null=True)
    """When that occurrence is due."""
    user_id = UnicodeAttribute(null=True)
    """Who asked to be reminded again; without it, all whom the task concerns."""

    def key(self) -> Key:
        return keys.due_entry(self.at, int(self.shard), self.task_id, self.reminder_id)


def copies_of(task: Task | None) -> dict[Key, CoreItem]:
    """What follows from a task and must change with it, by key: agenda entry, due entries, assignments. A task that is done has none."""
    if task is None or task.status != OPEN:
        return {}
    shared = {name: task.attribute_values.get(name) for name in TaskFields.get_attributes() if name not in CoreItem.get_attributes()}
    shared |= {"owner_id": task.owner_id, "has_plan": task.nlp_plan is not None}
    others = [user_id for user_id in task.assignees if user_id != task.owner_id]
    assignments = [Assignment(assignee_id=user_id, **shared) for user_id in others]
    return {copy.key(): copy for copy in (AgendaEntry(**shared), *_due_entries(task), *assignments)}


def _due_entries(task: Task) -> list[CoreItem]:
    return [
        DueEntry(owner_id=task.owner_id, task_ref=task.id, task_id=task.task_id, reminder_id=name, at=at, shard=int(task.due_shard))
        for name, at in due_instants(task)
    ]


def reminder_rules(task: TaskFields) -> list[tuple[str, ReminderRule]]:
    """How to remind of a task, each with the reminder's id."""
    return [(reminder.id, reminder.rule()) for reminder in task.reminders] or [(DEFAULT_REMINDER, ReminderRule(None, 0))]


def due_instants(task: Task) -> list[tuple[str, datetime]]:
    """When to remind of a task, each with the reminder's id."""
    instants = [(name, rule.instant(task.due_at)) for name, rule in reminder_rules(task)]
    return [(name, at) for name, at in instants if at is not None]
