"""Goals and tasks where it is hard: on DynamoDB with many at once, with every answer lost once, with a store that gives up half-way."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import override_settings

from goalgraph import wiring
from goalgraph.errors import GoalGraphError
from goalgraph.ids import new_id
from goalgraph.table.memory import MemoryTable
from goalgraph.table.port import TableUnavailable
from goals import services, task_services
from goals.domain import MAX_ACTIVE_GOALS
from tests.faults import LosesAnswers
from tests.goals.world import agenda_entries_of, due_entries_of
from users import services as users


class ForgetfulTable(LosesAnswers):
    """A table in memory whose every answer gets lost once."""

    def __init__(self) -> None:
        super().__init__(MemoryTable())


class FailingTable(MemoryTable):
    """A table in memory that stops answering after so many transactions."""

    left = 1_000_000

    def transact(self, operations, token):
        type(self).left -= 1
        if type(self).left < 0:
            raise TableUnavailable("gone")
        super().transact(operations, token)


def ports_with(table: type) -> dict[str, dict[str, str]]:
    return settings.PORTS | {"table": {"BACKEND": f"{__name__}.{table.__name__}"}, "clock": {"BACKEND": "tests.fixtures.FakeClock"}}


@pytest.fixture
def forgetful_world() -> Iterator[None]:
    with override_settings(PORTS=ports_with(ForgetfulTable)):
        yield


@pytest.fixture
def failing_world() -> Iterator[type[FailingTable]]:
    FailingTable.left = 1_000_000
    with override_settings(PORTS=ports_with(FailingTable)):
        yield FailingTable


def outcome(use_case: Callable[[], object]) -> str:
    try:
        use_case()
    except GoalGraphError as error:
        return error.code
    return "ok"


@pytest.mark.usefixtures("forgetful_world")
def test_with_every_answer_lost_once_each_effect_happens_once(actor):
    users.upsert_profile(actor, {"nickname": "Ana"})
    users.upsert_profile(actor, {"nickname": "Bia"})
    outcomes = [outcome(lambda: services.create_goal(actor, {"title": "Goal"})) for _ in range(MAX_ACTIVE_GOALS + 1)]
    goals = services.goals_of(actor, actor.user_id)
    due = wiring.clock().now() + timedelta(days=1)
    tasks = [task_services.add_task(actor, goals[0].id, {"title": f"Step {n}", "due_at": due}) for n in range(4)]
    task_services.mark_task_done(actor, tasks[0].id)
    task_services.mark_task_done(actor, tasks[1].id)
    task_services.reopen_task(actor, tasks[1].id)
    task_services.delete_task(actor, tasks[2].id)
    services.archive_goal(actor, goals[1].id)

    assert outcomes == ["ok"] * MAX_ACTIVE_GOALS + ["QUOTA_EXCEEDED"]
    goal = services.goal(actor, goals[0].id)
    assert (goal.task_count, goal.done_count) == (3, 1)
    assert len(task_services.agenda(actor, limit=10).items) == 2
    assert outcome(lambda: services.create_goal(actor, {"title": "Room again"})) == "ok"
    assert outcome(lambda: services.create_goal(actor, {"title": "Full again"})) == "QUOTA_EXCEEDED"


@pytest.mark.usefixtures("dynamo_world")
def test_on_dynamodb_caps_and_counts_are_exact_for_many_at_once(actor):
    with ThreadPoolExecutor(16) as pool:
        goals = list(pool.map(lambda n: outcome(lambda: services.create_goal(actor, {"title": f"Goal {n}"})), range(24)))
    assert (goals.count("ok"), goals.count("QUOTA_EXCEEDED")) == (MAX_ACTIVE_GOALS, 24 - MAX_ACTIVE_GOALS)

    goal = services.goals_of(actor, actor.user_id)[0]
    due = wiring.clock().now() + timedelta(days=1)
    with ThreadPoolExecutor(8) as pool:
        tasks = list(pool.map(lambda n: task_services.add_task(actor, goal.id, {"title": f"Step {n}", "due_at": due}), range(24)))
        list(pool.map(lambda task: task_services.mark_task_done(actor, task.id), tasks[:12] * 2))

    found = services.goal(actor, goal.id)
    assert (found.task_count, found.done_count, found.progress) == (24, 12, 0.5)
    assert len(services.home(actor).agenda) == 12
    services.archive_goal(actor, goal.id)
    assert services.home(actor).agenda == []


def test_a_goal_whose_archiving_died_half_way_is_finished_by_the_next_try(actor, failing_world):
    goal = services.create_goal(actor, {"title": "Big"})
    due = wiring.clock().now() + timedelta(days=30)
    reminders = [{"minutes_before": minutes} for minutes in range(5)]
    for number in range(40):  # 240 copies: more than one transaction holds
        task_services.add_task(actor, goal.id, {"title": f"Step {number}", "due_at": due, "reminders": reminders})
    failing_world.left = 1

    with pytest.raises(TableUnavailable):
        services.archive_goal(actor, goal.id)
    assert due_entries_of(actor)

    failing_world.left = 100
    assert services.archive_goal(actor, goal.id).status == "archived"
    assert agenda_entries_of(actor) == due_entries_of(actor) == []


def test_a_transaction_that_fails_changes_nothing(actor, failing_world):
    goal = services.create_goal(actor, {"title": "Goal"})
    task = task_services.add_task(actor, goal.id, {"title": "Step", "due_at": wiring.clock().now() + timedelta(days=1)})
    failing_world.left = 0

    for use_case in (task_services.mark_task_done, task_services.delete_task):
        with pytest.raises(TableUnavailable):
            use_case(actor, task.id)

    assert services.goal(actor, goal.id).done_count == 0
    assert len(task_services.agenda(actor, limit=10).items) == len(due_entries_of(actor)) == 1


def test_a_second_attempt_under_the_same_id_makes_nothing_new(actor, failing_world):
    goal_id, task_id = new_id(), new_id()
    first = services.create_goal(actor, {"title": "Goal"}, goal_id=goal_id)
    for _ in range(MAX_ACTIVE_GOALS - 1):
        services.create_goal(actor, {"title": "Another"})
    task = task_services.add_task(actor, first.id, {"title": "Step"}, task_id=task_id)

    assert services.create_goal(actor, {"title": "Goal"}, goal_id=goal_id).id == first.id
    assert task_services.add_task(actor, first.id, {"title": "Step"}, task_id=task_id).id == task.id

    assert len(services.goals_of(actor, actor.user_id)) == MAX_ACTIVE_GOALS
    assert services.goal(actor, first.id).task_count == 1
