"""Tasks: planning, doing, and the copies that move with them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from goalgraph import wiring
from goalgraph.errors import Conflict, Forbidden, GoalGraphError, Invalid, NotFound, QuotaExceeded
from goalgraph.table.metering import metered
from goals import services, task_services
from goals.domain import MAX_TASKS
from goals.items import copies_of
from tests.fixtures import FakeClock, new_user
from tests.goals.world import agenda_entries_of, due_entries_of
from users import services as users


@pytest.fixture(autouse=True)
def world(memory_world: FakeClock) -> FakeClock:
    return memory_world


@pytest.fixture
def goal(actor):
    return services.create_goal(actor, {"title": "Run"})


def test_a_task_is_found_by_its_id_in_its_goal_and_on_the_agenda(actor, goal, world):
    due = world.now() + timedelta(hours=3)
    made = task_services.add_task(actor, goal.id, {"title": "Step", "due_at": due, "nlp_plan": {"steps": [1, 2.5, "x", None, True]}})

    for found in (
        task_services.task(actor, made.id),
        task_services.tasks(actor, goal.id)[0],
        task_services.agenda(actor, limit=10).items[0],
        services.home(actor).agenda[0],
    ):
        assert (found.id, found.goal_id, found.title, found.due_at, found.status) == (made.id, goal.id, "Step", due, "open")
    plan = {"steps": [1, 2.5, "x", None, True]}
    assert task_services.task(actor, made.id).nlp_plan == plan
    assert task_services.plans(actor, services.home(actor).agenda) == {made.ref: plan}


def test_doing_and_reopening_moves_progress_agenda_and_wheel(actor, goal, world):
    due = world.now() + timedelta(days=1)
    tasks = [task_services.add_task(actor, goal.id, {"title": f"Step {n}", "due_at": due}) for n in range(4)]

    for _ in range(2):  # the second time changes nothing
        assert task_services.mark_task_done(actor, tasks[0].id).status == "done"
    assert services.goal(actor, goal.id).progress == 0.25
    assert len(task_services.agenda(actor, limit=10).items) == len(due_entries_of(actor)) == 3

    for _ in range(2):
        assert task_services.reopen_task(actor, tasks[0].id).done_at is None
    assert services.goal(actor, goal.id).progress == 0.0
    assert len(task_services.agenda(actor, limit=10).items) == len(due_entries_of(actor)) == 4


def test_a_changed_due_time_moves_task_copy_and_wheel_together(actor, goal, world):
    first, second = world.now() + timedelta(days=1), world.now() + timedelta(days=40)
    task = task_services.add_task(actor, goal.id, {"title": "Step", "due_at": first})

    task_services.update_task(actor, task.id, {"due_at": second})
    assert task_services.task(actor, task.id).due_at == second
    assert [entry.due_at for entry in agenda_entries_of(actor)] == [second]
    assert [entry.at for entry in due_entries_of(actor)] == [second]

    task_services.update_task(actor, task.id, {"due_at": None})
    assert [entry.due_at for entry in agenda_entries_of(actor)] == [None]
    assert due_entries_of(actor) == []


def test_reminders_stand_on_the_wheel_and_replace_the_default(actor, goal, world):
    due, early = world.now() + timedelta(days=2), world.now() + timedelta(hours=1)
    reminders = [{"at": early}, {"minutes_before": 30}, {"minutes_before": 30}]
    task = task_services.add_task(actor, goal.id, {"title": "Step", "due_at": due, "reminders": reminders})

    assert sorted(entry.at for entry in due_entries_of(actor)) == [early, due - timedelta(minutes=30)]
    assert [entry.minutes_before for entry in task_services.task(actor, task.id).reminders] == [None, 30]

    task_services.update_task(actor, task.id, {"due_at": due + timedelta(days=1)})
    assert sorted(entry.at for entry in due_entries_of(actor)) == [early, due + timedelta(days=1, minutes=-30)]

    task_services.update_task(actor, task.id, {"reminders": None})
    assert [entry.at for entry in due_entries_of(actor)] == [due + timedelta(days=1)]


def test_a_reminder_whose_minute_has_come_is_left_to_the_sweep(actor, goal, world):
    task = task_services.add_task(actor, goal.id, {"title": "Step", "due_at": world.now() + timedelta(hours=1)})
    world.advance(hours=2)

    task_services.update_task(actor, task.id, {"title": "Renamed"})

    assert len(due_entries_of(actor)) == 1
    task_services.add_task(actor, goal.id, {"title": "Overdue from the start", "due_at": world.now() - timedelta(days=1)})
    assert len(due_entries_of(actor)) == 1


def test_a_deleted_task_leaves_nothing(actor, goal, world):
    task = task_services.add_task(actor, goal.id, {"title": "Step", "due_at": world.now() + timedelta(days=1)})
    done = task_services.add_task(actor, goal.id, {"title": "Done"})
    task_services.mark_task_done(actor, done.id)

    assert task_services.delete_task(actor, task.id).title == "Step"
    assert services.goal(actor, goal.id).progress == 1.0
    task_services.delete_task(actor, done.id)

    with pytest.raises(NotFound):
        task_services.delete_task(actor, task.id)
    found = services.goal(actor, goal.id)
    assert (found.task_count, found.done_count, task_services.tasks(actor, goal.id)) == (0, 0, [])
    assert agenda_entries_of(actor) == due_entries_of(actor) == []


def test_a_goal_has_room_for_so_many_tasks_exactly(actor, goal):
    def attempt(number: int) -> str:
        try:
            return task_services.add_task(actor, goal.id, {"title": f"Step {number}"}).status
        except GoalGraphError as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(MAX_TASKS + 10)))

    assert (outcomes.count("open"), outcomes.count("QUOTA_EXCEEDED")) == (MAX_TASKS, 10)
    assert services.goal(actor, goal.id).task_count == len(task_services.tasks(actor, goal.id)) == MAX_TASKS
    with pytest.raises(QuotaExceeded):
        task_services.add_task(actor, goal.id, {"title": "One more"})


def test_many_who_say_done_at_once_count_once(actor, goal):
    task = task_services.add_task(actor, goal.id, {"title": "Step"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: task_services.mark_task_done(actor, task.id), range(16)))

    assert services.goal(actor, goal.id).done_count == 1


def test_whoever_is_assigned_sees_the_task_and_may_do_it_and_no_more(actor, goal, world):
    helper, stranger = new_user(), new_user()
    for member in (helper, stranger):
        users.upsert_profile(member, {"nickname": "H"})
    task = task_services.add_task(actor, goal.id, {"title": "Step", "due_at": world.now(), "assignees": [helper.user_id]})

    assert [entry.id for entry in task_services.assigned(helper, limit=10).items] == [task.id]
    assert services.home(helper).agenda == task_services.agenda(helper, limit=10).items == []
    assert task_services.mark_task_done(helper, task.id).status == "done"
    assert task_services.assigned(helper, limit=10).items == task_services.agenda(actor, limit=10).items == []
    task_services.reopen_task(helper, task.id)
    for use_case in (task_services.delete_task, lambda who, which: task_services.update_task(who, which, {"title": "Mine"})):
        with pytest.raises((Forbidden, NotFound)):
            use_case(helper, task.id)
    with pytest.raises(NotFound):
        task_services.task(stranger, task.id)
    with pytest.raises(NotFound):
        services.goal(helper, goal.id)

    task_services.update_task(actor, task.id, {"assignees": None})
    assert task_services.assigned(helper, limit=10).items == []
    with pytest.raises(NotFound):
        task_services.task(helper, task.id)


def test_a_block_ends_an_assignment_wherever_it_is_shown(actor, goal):
    helper = new_user()
    users.upsert_profile(helper, {"nickname": "H"})
    task = task_services.add_task(actor, goal.id, {"title": "Step", "assignees": [helper.user_id]})
    users.block(helper, actor.user_id)

    with pytest.raises(NotFound):
        task_services.mark_task_done(helper, task.id)
    with pytest.raises(Invalid) as refused:
        task_services.add_task(actor, goal.id, {"title": "Again", "assignees": [helper.user_id]})
    assert refused.value.field == "assignees"
    task_services.update_task(actor, task.id, {"title": "Can you still read me?"})
    assert task_services.assigned(helper, limit=10).items == services.home(helper).agenda == []


def test_whoever_is_assigned_may_decline_also_behind_a_block(actor, goal):
    helper = new_user()
    users.upsert_profile(helper, {"nickname": "H"})
    task = task_services.add_task(actor, goal.id, {"title": "Step", "assignees": [helper.user_id, actor.user_id]})
    users.block(helper, actor.user_id)

    for _ in range(2):
        assert task_services.decline_task(helper, task.id)
    users.unblock(helper, actor.user_id)

    assert task_services.task(actor, task.id).assignees == [actor.user_id]
    assert task_services.assigned(helper, limit=10).items == []
    assert task_services.decline_task(new_user(), task.id)
    with pytest.raises(NotFound):
        task_services.decline_task(helper, "nonsense")


def test_strangers_cannot_fill_a_members_home(actor):
    users.upsert_profile(actor, {"nickname": "A"})
    for _ in range(3):
        stranger = new_user()
        goal = services.create_goal(stranger, {"title": "Spam"})
        for number in range(20):
            task_services.add_task(stranger, goal.id, {"title": f"Do {number}", "nlp_plan": "x" * 4000, "assignees": [actor.user_id]})

    with metered() as meter:
        home = services.home(actor)

    assert (home.agenda, meter.round_trips, meter.read_units) == ([], 1, 0.5)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"title": "\x07"}, "title"),
        ({"due_at": datetime(2027, 7, 1, 12, 0)}, "dueAt"),  # noqa: DTZ001 - the point
        ({"due_at": datetime(1999, 12, 31, tzinfo=UTC)}, "dueAt"),
        ({"due_at": datetime(2200, 1, 1, tzinfo=UTC)}, "dueAt"),
        ({"due_at": datetime.max.replace(tzinfo=UTC)}, "dueAt"),
        ({"nlp_plan": [[[[[[[[[[1]]]]]]]]]]}, "nlpPlan"),
        ({"nlp_plan": "x" * 4096}, "nlpPlan"),
        ({"nlp_plan": {"n": float("nan")}}, "nlpPlan"),
        ({"nlp_plan": {"s": "\ud800"}}, "nlpPlan"),
        ({"assignees": ["nobody-at-all"]}, "assignees"),
        ({"assignees": ["a#b"]}, "assignees"),
        ({"assignees": [f"u{n}" for n in range(6)]}, "assignees"),
        ({"reminders": [{"minutes_before": 5}]}, "reminders"),
        ({"reminders": [{}]}, "reminders"),
        ({"reminders": [{"at": datetime(2027, 1, 1, tzinfo=UTC), "minutes_before": 5}]}, "reminders"),
        ({"reminders": [{"minutes_before": -1}]}, "reminders"),
        ({"reminders": [{"at": datetime(2027, 1, 1)}]}, "reminders"),  # noqa: DTZ001
        ({"reminders": [{"minutes_before": n} for n in range(6)]}, "reminders"),
    ],
)
def test_bad_input_names_its_field_and_changes_nothing(actor, goal, fields, named):
    task = task_services.add_task(actor, goal.id, {"title": "Step"})

    for use_case in (
        lambda: task_services.add_task(actor, goal.id, {"title": "New", **fields}),
        lambda: task_services.update_task(actor, task.id, {"title": "Changed", **fields}),
    ):
        with pytest.raises(Invalid) as refused:
            use_case()
        assert refused.value.field == named
    assert [stored.title for stored in task_services.tasks(actor, goal.id)] == ["Step"]


def test_the_agenda_ends_where_asked_and_turns_its_pages_both_ways(actor, goal, world):
    days = [5, 1, 9, 3, 7]
    for day in days:
        task_services.add_task(actor, goal.id, {"title": f"Day {day}", "due_at": world.now() + timedelta(days=day)})
    task_services.add_task(actor, goal.id, {"title": "Some time"})

    def titles(**page) -> list[str]:
        return [task.title for task in task_services.agenda(actor, **page).items]

    assert titles(limit=10) == ["Day 1", "Day 3", "Day 5", "Day 7", "Day 9", "Some time"]
    assert titles(until=world.now() + timedelta(days=5), limit=10) == ["Day 1", "Day 3", "Day 5"]
    first = task_services.agenda(actor, limit=2)
    assert titles(limit=2, after=first.cursors[-1]) == ["Day 5", "Day 7"]
    assert titles(limit=2, after=first.cursors[-1], forward=False) == ["Day 1"]
    with pytest.raises(Invalid):
        task_services.agenda(actor, datetime(2027, 1, 1), limit=10)  # noqa: DTZ001


def test_an_archived_goals_task_cannot_be_changed(actor, goal):
    task = task_services.add_task(actor, goal.id, {"title": "Step"})
    services.archive_goal(actor, goal.id)

    for use_case in (task_services.mark_task_done, task_services.delete_task):
        with pytest.raises(Conflict):
            use_case(actor, task.id)


@settings(max_examples=40, stateful_step_count=25, suppress_health_check=list(HealthCheck))
class TasksAndCopies(RuleBasedStateMachine):
    """Whatever is done in whatever order, the counts are the tasks' and the copies are those of the open tasks."""

    tasks = Bundle("tasks")

    @initialize()
    def begin(self) -> None:
        self.actor = new_user()
        self.goal = services.create_goal(self.actor, {"title": "Goal"})
        self.clock = wiring.clock()

    @rule(target=tasks, days=st.one_of(st.none(), st.integers(1, 400)), before=st.lists(st.integers(0, 600), max_size=3))
    def add(self, days, before):
        due = None if days is None else self.clock.now() + timedelta(days=days)
        reminders = [] if due is None else [{"minutes_before": minutes} for minutes in before]
        return task_services.add_task(self.actor, self.goal.id, {"title": "Step", "due_at": due, "reminders": reminders}).id

    @rule(task=tasks, days=st.integers(1, 400))
    def move(self, task, days):
        task_services.update_task(self.actor, task, {"due_at": self.clock.now() + timedelta(days=days)})

    @rule(task=tasks)
    def do(self, task):
        task_services.mark_task_done(self.actor, task)

    @rule(task=tasks)
    def reopen(self, task):
        task_services.reopen_task(self.actor, task)

    @rule(task=consumes(tasks))
    def remove(self, task):
        task_services.delete_task(self.actor, task)

    @invariant()
    def copies_follow_from_tasks(self):
        tasks = task_services.tasks(self.actor, self.goal.id)
        goal = services.goal(self.actor, self.goal.id)
        assert (goal.task_count, goal.done_count) == (len(tasks), sum(task.status == "done" for task in tasks))
        expected = {key for task in tasks for key in copies_of(task)}
        assert {entry.key() for entry in (*agenda_entries_of(self.actor), *due_entries_of(self.actor))} == expected


def test_copies_always_follow_from_tasks():
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(TasksAndCopies)
