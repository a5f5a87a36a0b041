"""What goals and tasks tell of themselves: each change one event, and bookkeeping none."""

from datetime import UTC, datetime, timedelta

import pytest

from goalgraph.auth.actor import Actor
from goals import services, task_services
from goals.events import completion_id
from goals.items import Task
from tests.fixtures import new_user
from tests.streams import StreamingWorld
from users import services as users

MINE = ("goal.created", "goal.changed", "goal.archived", "task.created", "task.changed", "task.deleted", "task.completed")
ALL = (*MINE, "task.reopened", "task.assigned")
TOMORROW = datetime(2027, 7, 2, 10, tzinfo=UTC)


@pytest.fixture
def world(streaming_world: StreamingWorld) -> StreamingWorld:
    return streaming_world


@pytest.fixture
def goal(world, actor):
    users.upsert_profile(actor, {"nickname": "Ana"})
    return services.create_goal(actor, {"title": "Run"})


def told(world: StreamingWorld) -> list[str]:
    return [event.type for event in world.events(*ALL)]


def test_the_life_of_a_goal_is_told_without_its_counts(world, actor, goal):
    services.update_goal(actor, goal.id, {"title": "Run far"})
    services.update_goal(actor, goal.id, {"tags": ["running"]})
    task_services.add_task(actor, goal.id, {"title": "Step"})
    services.archive_goal(actor, goal.id)

    assert told(world) == ["goal.created", "goal.changed", "goal.changed", "task.created", "goal.archived"]
    assert {(event.user_id, event.data["goalId"]) for event in world.events(*ALL)} == {(actor.user_id, goal.id)}


def test_the_life_of_a_task_is_told(world, actor, goal):
    task = task_services.add_task(actor, goal.id, {"title": "Step"})
    task_services.update_task(actor, task.id, {"due_at": TOMORROW})
    task_services.update_task(actor, task.id, {"due_at": TOMORROW})  # changes nothing
    task_services.mark_task_done(actor, task.id)
    task_services.mark_task_done(actor, task.id)
    task_services.reopen_task(actor, task.id)
    task_services.delete_task(actor, task.id)

    assert told(world) == ["goal.created", "task.created", "task.changed", "task.completed", "task.reopened", "task.deleted"]
    assert {event.data["taskId"] for event in world.events(*ALL) if event.type.startswith("task")} == {task.id}


def test_a_completion_is_named_so_that_it_can_be_taken_back(world, actor, goal):
    helper = new_user()
    users.upsert_profile(helper, {"nickname": "H"})
    task = task_services.add_task(actor, goal.id, {"title": "Step", "assignees": [helper.user_id]})
    first = task_services.mark_task_done(helper, task.id)
    task_services.reopen_task(actor, task.id)
    world.clock.advance(seconds=1)
    task_services.mark_task_done(actor, task.id)

    completed, again = world.events("task.completed")
    (reopened,) = world.events("task.reopened")
    assert completed.data == {
        "taskId": task.id,
        "goalId": goal.id,
        "doneBy": helper.user_id,
        "doneAt": "2027-07-01T12:00:00.000000Z",
        "dueAt": None,
        "completionId": completion_id(task.id, first.done_at),
    }
    assert reopened.data == {name: completed.data[name] for name in ("taskId", "goalId", "doneBy", "completionId")}
    assert (reopened.user_id, reopened.actor_id) == (actor.user_id, actor.user_id)
    assert (again.data["doneBy"], again.data["completionId"] != completed.data["completionId"]) == (actor.user_id, True)


def test_a_completion_tells_when_the_task_was_due(world, actor, goal):
    task = task_services.add_task(actor, goal.id, {"title": "Step", "due_at": TOMORROW})
    task_services.mark_task_done(actor, task.id)

    (completed,) = world.events("task.completed")
    assert completed.data["dueAt"] == "2027-07-02T10:00:00.000000Z"


def test_each_newly_assigned_member_is_told_of_once(world, actor, goal):
    first, second = new_user(), new_user()
    for member in (first, second):
        users.upsert_profile(member, {"nickname": "H"})
    fields = {"title": "Step", "assignees": [actor.user_id, first.user_id], "due_at": TOMORROW, "repeat": "FREQ=DAILY"}
    task = task_services.add_task(actor, goal.id, fields)
    task_services.update_task(actor, task.id, {"assignees": [second.user_id, first.user_id]})
    task_services.decline_task(first, task.id)
    task_services.mark_task_done(second, task.id)  # the next one is theirs as well, which is no news

    assigned = world.events("task.assigned")
    assert [(event.user_id, event.data["assigneeId"]) for event in assigned] == [(each.user_id,) * 2 for each in (first, second)]
    assert told(world)[1:] == [
        "task.created",
        "task.assigned",
        "task.changed",
        "task.assigned",
        "task.changed",
        "task.completed",
        "task.created",
    ]


def test_the_next_occurrence_comes_and_goes_with_the_completion(world, actor, goal):
    task = task_services.add_task(actor, goal.id, {"title": "Step", "due_at": TOMORROW, "repeat": "FREQ=DAILY"})
    task_services.mark_task_done(actor, task.id)
    task_services.reopen_task(actor, task.id)

    assert told(world)[1:] == ["task.created", "task.completed", "task.created", "task.reopened", "task.deleted"]
    created, following = world.events("task.created")
    assert world.events("task.deleted")[0].data == following.data != created.data


def test_what_time_removes_is_no_deletion(world, actor, goal):
    task = task_services.add_task(actor, goal.id, {"title": "Step", "due_at": TOMORROW, "repeat": "FREQ=DAILY"})
    done = task_services.mark_task_done(actor, task.id)
    world.clock.advance(days=91)
    world.table.expire(done.key())

    assert "task.deleted" not in told(world)


def test_a_task_of_before_there_was_done_by_was_done_by_its_owner(world, actor, goal):
    task = task_services.add_task(actor, goal.id, {"title": "Step"})
    done = task_services.mark_task_done(actor, task.id)
    for record in world.table.records:
        for image in ("OldImage", "NewImage"):
            record["dynamodb"].get(image, {}).pop("doneBy", None)
    task_services.reopen_task(actor, task.id)

    assert isinstance(done, Task)
    assert [event.data["doneBy"] for event in world.events("task.completed", "task.reopened")] == [actor.user_id] * 2


def test_what_a_premium_member_does_goes_first(world):
    ana = Actor("ana", tier="premium")
    goal = services.create_goal(ana, {"title": "Run"})
    task_services.add_task(ana, goal.id, {"title": "Step", "due_at": TOMORROW + timedelta(days=1)})

    assert [(event.type, event.priority) for event in world.events(*ALL)] == [("goal.created", True), ("task.created", True)]
