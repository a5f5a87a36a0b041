"""Goals and tasks in GraphQL."""

from datetime import datetime
from typing import Any

import graphene
from graphene.relay import Connection

from billing import services as billing
from billing.schema import PlanSubscription
from gamification import services as gamification
from gamification.schema import GameStats
from goalgraph.graphql import relay
from goalgraph.graphql.scalars import JSON, DateTime
from goalgraph.table.table import Page
from goals import items, services, task_services
from goals.domain import MAX_ACTIVE_GOALS, MAX_TASKS
from goals.recurrence import FROM_DUE
from users.schema import User


class Reminder(graphene.ObjectType):
    """When to remind of a task."""

    id = graphene.ID(required=True, description="Which reminder of the task.")
    at = DateTime(description="At this instant, whatever the due time is.")
    minutes_before = graphene.Int(description="This many minutes before the task is due.")


class Task(graphene.ObjectType):
    """A step towards a goal."""

    id = graphene.ID(required=True, description="The task's id; it carries its goal's.")
    goal_id = graphene.ID(required=True, description="Of which goal.")
    title = graphene.String(required=True, description="What is to be done.")
    nlp_plan = JSON(description="The plan behind the task, as the coach or a client wrote it.")
    due_at = DateTime(description="When it is to be done; null: some time.")
    status = graphene.String(required=True, description="open or done.")
    assignees = graphene.List(graphene.NonNull(graphene.ID), description="Who is to do it, beside the goal's owner.")
    reminders = graphene.List(
        graphene.NonNull(Reminder), required=True, description="Its own reminders. Without any, it is reminded of when it is due."
    )
    repeat = graphene.String(description="The rule by which it comes again, as it holds from this occurrence on (an RRULE of RFC 5545).")
    repeat_from = graphene.String(description="What the rule's interval counts from: due or completion; null where it does not repeat.")
    done_at = DateTime(description="When it was done.")
    created_at = DateTime(required=True, description="When it was planned.")

    @staticmethod
    def resolve_repeat_from(task: items.TaskFields, _: graphene.ResolveInfo) -> str | None:
        return None if task.repeat is None else task.repeat_from or FROM_DUE

    @staticmethod
    def resolve_nlp_plan(task: items.TaskFields, info: graphene.ResolveInfo) -> Any:
        """A copy has no plan: of all copies that the operation shows, the plans are looked up at once, when the first one is asked for."""
        if isinstance(task, items.Task):
            return task.nlp_plan
        if not isinstance(task, items.TaskCopy) or not task.has_plan:
            return None
        cache = info.context.cache
        if task.ref not in cache.get(_PLANS, {}):
            cache[_PLANS] = dict.fromkeys((copy.ref for copy in cache[_COPIES]), None)
            cache[_PLANS] |= task_services.plans(info.context.actor, cache[_COPIES])
        return cache[_PLANS].get(task.ref)


_COPIES, _PLANS = "copies of tasks", "plans of tasks"


def _shown(info: graphene.ResolveInfo, copies: list[Any]) -> None:
    """Remember what copies the operation shows."""
    info.context.cache.setdefault(_COPIES, []).extend(copies)


TaskConnection: type[Connection] = relay.connection(Task, "tasks")


class Goal(graphene.ObjectType):
    """What a member wants to reach."""

    id = graphene.ID(required=True, description="The goal's id.")
    user_id = graphene.ID(required=True, description="Whose goal it is.")
    title = graphene.String(required=True, description="The goal in a few words.")
    description = graphene.String(description="The goal in more words.")
    tags = graphene.List(graphene.NonNull(graphene.String), description="What it is about; matching and offers go by it.")
    created_at = DateTime(required=True, description="When it was set.")
    status = graphene.String(required=True, description="active or archived.")
    visibility = graphene.String(
        required=True,
        description="Who sees it with its tasks: private (its owner; those assigned see their tasks) or public (all members).",
    )
    progress = graphene.Float(required=True, description="The share of its tasks that are done, 0 to 1.")
    task_count = graphene.Int(required=True, description="How many tasks it has, done ones included.")
    done_count = graphene.Int(required=True, description="How many of them are done.")
    tasks = graphene.Field(graphene.NonNull(TaskConnection), description="Its tasks, oldest first.", **relay.PAGE_ARGUMENTS)

    @staticmethod
    def resolve_tasks(goal: items.Goal, info: graphene.ResolveInfo, **page: Any) -> Connection:
        def fetch(*, limit: int, after: str | None, forward: bool) -> Page:
            return task_services.tasks_page(info.context.actor, goal, limit=limit, after=after, forward=forward)

        return relay.resolve(TaskConnection, fetch, **page)


class Home(graphene.ObjectType):
    """What a member sees first. Without the plans of tasks it is one round trip to the table."""

    user = graphene.Field(graphene.NonNull(User), description="The member who asks.")
    goals = graphene.List(graphene.NonNull(Goal), required=True, description="Their active goals, oldest first.")
    agenda = graphene.List(
        graphene.NonNull(Task), required=True, description="The open tasks of their goals by due time, the undated last."
    )
    game_stats = graphene.Field(graphene.NonNull(GameStats), description="Their points and streaks.")

    subscription = graphene.Field(PlanSubscription, description="What they have of a plan of their own; null: never any.")

    @staticmethod
    def resolve_subscription(home: services.Home, _: graphene.ResolveInfo) -> Any:
        return billing.best_of(home.others)

    @staticmethod
    def resolve_game_stats(home: services.Home, _: graphene.ResolveInfo) -> Any:
        return gamification.stats_among(home.others)


class GoalInput(graphene.InputObjectType):
    """A new goal."""

    title = graphene.String(required=True, description="1 to 200 characters.")
    description = graphene.String(description="1 to 1000 characters, in lines.")
    tags = graphene.List(graphene.NonNull(graphene.String), description="At most 10.")
    visibility = graphene.String(description="private (as it is without this) or public.")


class GoalPatch(graphene.InputObjectType):
    """Changes of a goal. A field that is left out stays as it is, a null clears it."""

    title = graphene.String(description="1 to 200 characters.")
    description = graphene.String(description="1 to 1000 characters, in lines.")
    tags = graphene.List(graphene.NonNull(graphene.String), description="At most 10.")
    visibility = graphene.String(description="private or public.")


class ReminderInput(graphene.InputObjectType):
    """When to remind of a task: either `at` or `minutesBefore`."""

    at = DateTime(description="At this instant.")
    minutes_before = graphene.Int(description="This many minutes before the task is due, at most four weeks.")


class TaskInput(graphene.InputObjectType):
    """A new task."""

    goal_id = graphene.ID(required=True, description="Of which goal.")
    title = graphene.String(required=True, description="1 to 200 characters.")
    due_at = DateTime(description="When it is to be done.")
    nlp_plan = JSON(description="At most 4096 bytes and 8 levels.")
    assignees = graphene.List(graphene.NonNull(graphene.ID), description="At most 5 members who are to do it.")
    reminders = graphene.List(graphene.NonNull(ReminderInput), description="At most 5.")
    repeat = graphene.String(
        description="An RRULE of RFC 5545 of at most 200 characters, such as FREQ=WEEKLY;BYDAY=MO,TH. It takes the time of day from dueAt."
    )
    repeat_from = graphene.String(description="What the rule's interval counts from: due (as it is without this) or completion.")


class TaskPatch(graphene.InputObjectType):
    """Changes of a task. A field that is left out stays as it is, a null clears it."""

    title = graphene.String(description="1 to 200 characters.")
    due_at = DateTime(description="When it is to be done.")
    nlp_plan = JSON(description="At most 4096 bytes and 8 levels.")
    assignees = graphene.List(graphene.NonNull(graphene.ID), description="At most 5 members who are to do it.")
    reminders = graphene.List(graphene.NonNull(ReminderInput), description="At most 5.")
    repeat = graphene.String(
        description="An RRULE of RFC 5545 of at most 200 characters, such as FREQ=WEEKLY;BYDAY=MO,TH. It takes the time of day from dueAt."
    )
    repeat_from = graphene.String(description="What the rule's interval counts from: due (as it is without this) or completion.")


class Query:
    goals = graphene.List(
        graphene.NonNull(Goal),
        required=True,
        user_id=graphene.ID(required=True, description="Whose."),
        archived=graphene.Boolean(description="Also those that were archived.", default_value=False),
        description="A member's goals, oldest first, as far as one may see them.",
    )
    goal = graphene.Field(graphene.NonNull(Goal), id=graphene.ID(required=True, description="Which."), description="One goal.")
    tasks = graphene.List(
        graphene.NonNull(Task),
        required=True,
        goal_id=graphene.ID(required=True, description="Of which goal."),
        description="All tasks of a goal, oldest first.",
    )
    task = graphene.Field(graphene.NonNull(Task), id=graphene.ID(required=True, description="Which."), description="One task.")
    agenda = graphene.Field(
        graphene.NonNull(TaskConnection),
        until=DateTime(description="Only tasks due by then."),
        description="The open tasks of one's own goals by due time; without `until` all of them, the undated last.",
        **relay.PAGE_ARGUMENTS,
    )
    assigned_tasks = graphene.Field(
        graphene.NonNull(TaskConnection),
        description="The open tasks that others gave one to do, by due time, the undated last.",
        **relay.PAGE_ARGUMENTS,
    )
    home = graphene.Field(graphene.NonNull(Home), description="What a member sees first.")

    @staticmethod
    def resolve_goals(_: Any, info: graphene.ResolveInfo, user_id: str, archived: bool) -> list[items.Goal]:
        return services.goals_of(info.context.actor, user_id, archived=archived)

    @staticmethod
    def resolve_goal(_: Any, info: graphene.ResolveInfo, id: str) -> items.Goal:
        return services.goal(info.context.actor, id)

    @staticmethod
    def resolve_tasks(_: Any, info: graphene.ResolveInfo, goal_id: str) -> list[items.Task]:
        return task_services.tasks(info.context.actor, goal_id)

    @staticmethod
    def resolve_task(_: Any, info: graphene.ResolveInfo, id: str) -> items.Task:
        return task_services.task(info.context.actor, id)

    @staticmethod
    def resolve_agenda(_: Any, info: graphene.ResolveInfo, until: datetime | None = None, **page: Any) -> Connection:
        def fetch(*, limit: int, after: str | None, forward: bool) -> Page:
            found = task_services.agenda(info.context.actor, until, limit=limit, after=after, forward=forward)
            _shown(info, found.items)
            return found

        return relay.resolve(TaskConnection, fetch, **page)

    @staticmethod
    def resolve_assigned_tasks(_: Any, info: graphene.ResolveInfo, **page: Any) -> Connection:
        def fetch(*, limit: int, after: str | None, forward: bool) -> Page:
            found = task_services.assigned(info.context.actor, limit=limit, after=after, forward=forward)
            _shown(info, found.items)
            return found

        return relay.resolve(TaskConnection, fetch, **page)

    @staticmethod
    def resolve_home(_: Any, info: graphene.ResolveInfo) -> services.Home:
        home = services.home(info.context.actor)
        _shown(info, home.agenda)
        return home


_GOAL_ID = graphene.ID(required=True, description="Which goal.")
_TASK_ID = graphene.ID(required=True, description="Which task.")


class Mutation:
    create_goal = graphene.Field(
        graphene.NonNull(Goal), input=GoalInput(required=True, description="The goal."), description="Set a goal; at most 5 are active."
    )
    update_goal = graphene.Field(
        graphene.NonNull(Goal), id=_GOAL_ID, input=GoalPatch(required=True, description="What changes."), description="Change a goal."
    )
    archive_goal = graphene.Field(
        graphene.NonNull(Goal), id=_GOAL_ID, description="Put a goal away. Its open tasks leave the agenda, and no reminder comes any more."
    )
    add_task = graphene.Field(
        graphene.NonNull(Task), input=TaskInput(required=True, description="The task."), description="Plan a task; a goal has at most 50."
    )
    update_task = graphene.Field(
        graphene.NonNull(Task), id=_TASK_ID, input=TaskPatch(required=True, description="What changes."), description="Change a task."
    )
    mark_task_done = graphene.Field(
        graphene.NonNull(Task), task_id=_TASK_ID, description="Say that a task is done. Of what repeats, the next occurrence is planned."
    )
    reopen_task = graphene.Field(
        graphene.NonNull(Task),
        task_id=_TASK_ID,
        description="Say that a task is not done after all. The next occurrence goes, unless it was done or changed.",
    )
    decline_task = graphene.Boolean(
        required=True, task_id=_TASK_ID, description="Take oneself off a task that somebody else gave one to do. Always true."
    )
    delete_task = graphene.Field(graphene.NonNull(Task), task_id=_TASK_ID, description="Remove a task; answers with what it was.")

    @staticmethod
    def resolve_create_goal(_: Any, info: graphene.ResolveInfo, input: dict[str, Any]) -> items.Goal:
        return services.create_goal(info.context.actor, input, goal_id=info.context.new_id())

    @staticmethod
    def resolve_update_goal(_: Any, info: graphene.ResolveInfo, id: str, input: dict[str, Any]) -> items.Goal:
        return services.update_goal(info.context.actor, id, input)

    @staticmethod
    def resolve_archive_goal(_: Any, info: graphene.ResolveInfo, id: str) -> items.Goal:
        return services.archive_goal(info.context.actor, id)

    @staticmethod
    def resolve_add_task(_: Any, info: graphene.ResolveInfo, input: dict[str, Any]) -> items.Task:
        fields = {name: value for name, value in input.items() if name != "goal_id"}
        return task_services.add_task(info.context.actor, input["goal_id"], fields, task_id=info.context.new_id())

    @staticmethod
    def resolve_update_task(_: Any, info: graphene.ResolveInfo, id: str, input: dict[str, Any]) -> items.Task:
        return task_services.update_task(info.context.actor, id, input)

    @staticmethod
    def resolve_mark_task_done(_: Any, info: graphene.ResolveInfo, task_id: str) -> items.Task:
        return task_services.mark_task_done(info.context.actor, task_id)

    @staticmethod
    def resolve_reopen_task(_: Any, info: graphene.ResolveInfo, task_id: str) -> items.Task:
        return task_services.reopen_task(info.context.actor, task_id)

    @staticmethod
    def resolve_decline_task(_: Any, info: graphene.ResolveInfo, task_id: str) -> bool:
        return task_services.decline_task(info.context.actor, task_id)

    @staticmethod
    def resolve_delete_task(_: Any, info: graphene.ResolveInfo, task_id: str) -> items.Task:
        return task_services.delete_task(info.context.actor, task_id)


LIST_SIZES = {
    "Query.goals": 2 * MAX_ACTIVE_GOALS,
    "Query.tasks": MAX_TASKS,
    "Home.goals": MAX_ACTIVE_GOALS,
    "Home.agenda": 2 * MAX_TASKS,
}
"""About how long the lists without pages are, for the cost of a request."""
