"""Two use cases at once on one task, in every order of their steps: counts, copies and series stay exact."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import override_settings

from goalgraph import wiring
from goalgraph.errors import Conflict, NotFound
from goalgraph.table.memory import MemoryTable
from goals import services, task_services
from tests.fixtures import FakeClock, new_user
from tests.goals.interleaving import SteppingTable, orders

USE_CASES: dict[str, Callable] = {
    "do": task_services.mark_task_done,
    "reopen": task_services.reopen_task,
    "delete": task_services.delete_task,
    "rename": lambda actor, task_id: task_services.update_task(actor, task_id, {"title": "Other"}),
    "stop": lambda actor, task_id: task_services.update_task(actor, task_id, {"repeat": None}),
}


@pytest.fixture(autouse=True)
def stepping(memory_world: FakeClock):
    SteppingTable.adapter = MemoryTable()
    with override_settings(PORTS=settings.PORTS | {"table": {"BACKEND": "tests.goals.interleaving.SteppingTable"}}):
        yield


def check(actor, goal, *tasks) -> None:
    """What is left of `tasks` is all that the goal has and counts."""
    kept, found = task_services.tasks(actor, goal.id), services.goal(actor, goal.id)
    counted = [task for task in kept if task.counted]
    opened = sorted(task.id for task in kept if task.status == "open")
    assert (found.task_count, found.done_count) == (len(counted), sum(task.status == "done" for task in counted))
    assert len(opened) <= 1
    assert sorted(task.id for task in services.home(actor).agenda) == opened
    assert all(task.counted or task.status == "done" for task in kept)


@pytest.mark.parametrize("repeat", [None, "FREQ=DAILY", "FREQ=DAILY;COUNT=1"])
@pytest.mark.parametrize(
    ("first", "second"), [("delete", "delete"), ("do", "do"), ("do", "delete"), ("do", "rename"), ("do", "stop"), ("delete", "rename")]
)
def test_two_at_once_on_an_open_task(first, second, repeat):
    for run in orders():
        actor, due = new_user(), wiring.clock().now() + timedelta(hours=1)
        goal = services.create_goal(actor, {"title": "Run"})
        task = task_services.add_task(actor, goal.id, {"title": "Step", "due_at": due, "repeat": repeat})

        run(*(attempt(USE_CASES[name], actor, task.id) for name in (first, second)))

        check(actor, goal)


@pytest.mark.parametrize("other", ["do", "delete", "rename"])
def test_reopening_while_something_happens_to_what_follows(other):
    for run in orders():
        actor, due = new_user(), wiring.clock().now() + timedelta(hours=1)
        goal = services.create_goal(actor, {"title": "Run"})
        task = task_services.add_task(actor, goal.id, {"title": "Step", "due_at": due, "repeat": "FREQ=DAILY"})
        task_services.mark_task_done(actor, task.id)
        following = next(each for each in task_services.tasks(actor, goal.id) if each.status == "open")

        run(attempt(USE_CASES["reopen"], actor, task.id), attempt(USE_CASES[other], actor, following.id))

        check(actor, goal)


def attempt(use_case: Callable, actor, task_id: str) -> Callable[[], None]:
    """`use_case`, which may come too late."""

    def run() -> None:
        with suppress(NotFound, Conflict):
            use_case(actor, task_id)

    return run
