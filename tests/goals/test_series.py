"""Tasks that repeat: what follows when one is done, and what that takes back; the goal's counts meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from goalgraph.graphql.context import Context
from goalgraph.graphql.schema import schema
from goalgraph.table.metering import metered
from goals import services, task_services
from goals.domain import DAYS_OF_PAST_OCCURRENCES, MAX_TASKS
from tests.fixtures import FakeClock, new_user
from tests.goals.world import agenda_entries_of, due_entries_of
from users import services as users

SAO_PAULO, LISBON = ZoneInfo("America/Sao_Paulo"), ZoneInfo("Europe/Lisbon")


@pytest.fixture(autouse=True)
def world(memory_world: FakeClock) -> FakeClock:
    return memory_world


@pytest.fixture
def goal(actor):
    users.upsert_profile(actor, {"nickname": "Ana", "timezone": "America/Sao_Paulo"})
    return services.create_goal(actor, {"title": "Run"})


def add(actor, goal, due: str = "2027-07-02T10:00:00Z", **fields):
    """Seven o'clock in São Paulo, the morning after the clock of these tests."""
    fields = {"title": "Run", "due_at": datetime.fromisoformat(due), "repeat": "FREQ=DAILY", **fields}
    return task_services.add_task(actor, goal.id, fields)


def open_one(actor, goal):
    (found,) = (task for task in task_services.tasks(actor, goal.id) if task.status == "open")
    return found


def counts(actor, goal) -> tuple[int, int]:
    found = services.goal(actor, goal.id)
    return found.task_count, found.done_count


def local(instant: datetime, where: ZoneInfo = SAO_PAULO) -> str:
    return instant.astimezone(where).strftime("%m-%d %H:%M")


def test_doing_one_plans_the_next_with_all_that_it_had(actor, goal, world):
    helper = new_user()
    users.upsert_profile(helper, {"nickname": "H"})
    early = datetime(2027, 7, 1, 21, tzinfo=UTC)  # the evening before, six o'clock there
    reminders = [{"minutes_before": 30}, {"at": early}]
    task = add(actor, goal, nlp_plan={"km": 5}, assignees=[helper.user_id], reminders=reminders)
    world.advance(days=1)

    done = task_services.mark_task_done(helper, task.id)
    following = open_one(actor, goal)

    assert (done.status, done.done_by, done.done_at) == ("done", helper.user_id, world.now())
    assert local(following.due_at) == "07-03 07:00"
    assert (following.title, following.nlp_plan, following.assignees) == ("Run", {"km": 5}, [helper.user_id])
    assert (following.repeat, following.series_id, following.owner_id) == ("FREQ=DAILY", task.task_id, actor.user_id)
    assert [(each.minutes_before, each.at and local(each.at)) for each in following.reminders] == [(30, None), (None, "07-02 18:00")]
    assert [(entry.task_ref, local(entry.at)) for entry in due_entries_of(actor)] == [
        (following.id, "07-02 18:00"),
        (following.id, "07-03 06:30"),
    ]
    assert [entry.id for entry in agenda_entries_of(actor)] == [following.id]
    assert [entry.id for entry in task_services.assigned(helper, limit=10).items] == [following.id]
    assert counts(actor, goal) == (1, 0)


def test_doing_it_twice_plans_one(actor, goal):
    task = add(actor, goal)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: task_services.mark_task_done(actor, task.id), range(16)))
    task_services.mark_task_done(actor, task.id)

    assert len(task_services.tasks(actor, goal.id)) == 2
    assert counts(actor, goal) == (1, 0)


@pytest.mark.parametrize(
    ("repeat", "done", "expected"),
    [
        ("FREQ=DAILY", "2027-07-02T09:00:00Z", "07-03 07:00"),  # an hour early: not once more the same day
        ("FREQ=DAILY", "2027-07-06T10:00:00Z", "07-07 07:00"),  # days late: the first to come
        ("FREQ=DAILY", "2027-07-06T09:59:00Z", "07-06 07:00"),
        ("FREQ=DAILY;INTERVAL=3", "2027-07-06T12:00:00Z", "07-08 07:00"),  # it keeps its beat
        ("FREQ=WEEKLY;BYDAY=MO,TH", "2027-07-02T12:00:00Z", "07-05 07:00"),
        ("FREQ=MONTHLY", "2027-07-02T12:00:00Z", "08-02 07:00"),
    ],
)
def test_the_next_one_comes_after_both_its_due_time_and_now(goal, world, repeat, done, expected):
    actor = Actor(goal.owner_id)
    task = add(actor, goal, repeat=repeat)
    world.instant = datetime.fromisoformat(done)

    task_services.mark_task_done(actor, task.id)

    assert local(open_one(actor, goal).due_at) == expected


@pytest.mark.parametrize(
    ("repeat", "done", "expected"),
    [
        ("FREQ=DAILY;INTERVAL=3", "2027-07-06T12:00:00Z", "07-09 07:00"),
        ("FREQ=DAILY;INTERVAL=3", "2027-07-07T02:00:00Z", "07-09 07:00"),  # late in the evening of the 6th
        ("FREQ=DAILY;INTERVAL=3", "2027-07-01T13:00:00Z", "07-04 07:00"),  # early
        ("FREQ=WEEKLY", "2027-07-06T12:00:00Z", "07-13 07:00"),
    ],
)
def test_what_counts_from_completion_does(goal, world, repeat, done, expected):
    actor = Actor(goal.owner_id)
    task = add(actor, goal, repeat=repeat, repeat_from="completion")
    world.instant = datetime.fromisoformat(done)

    task_services.mark_task_done(actor, task.id)

    following = open_one(actor, goal)
    assert (local(following.due_at), following.repeat_from) == (expected, "completion")


def test_a_count_runs_down_and_the_last_one_counts_as_done(actor, goal, world):
    task, rules = add(actor, goal, repeat="FREQ=DAILY;COUNT=3"), []
    for _ in range(3):
        rules.append(task.repeat)
        task_services.mark_task_done(actor, task.id)
        left = [each for each in task_services.tasks(actor, goal.id) if each.status == "open"]
        assert counts(actor, goal) == ((1, 0) if left else (1, 1))
        task = left[0] if left else task

    assert rules == ["FREQ=DAILY;COUNT=3", "FREQ=DAILY;COUNT=2", "FREQ=DAILY;COUNT=1"]
    assert [each.status for each in task_services.tasks(actor, goal.id)] == ["done"] * 3
    assert due_entries_of(actor) == agenda_entries_of(actor) == []

    task_services.reopen_task(actor, task.id)
    assert counts(actor, goal) == (1, 0)


def test_a_year_of_mornings_never_fills_the_goal(actor, goal, world):
    for number in range(MAX_TASKS - 1):
        task_services.add_task(actor, goal.id, {"title": f"Step {number}"})
    task = add(actor, goal, nlp_plan="x" * 4000)
    for _ in range(120):
        world.instant = task.due_at
        task_services.mark_task_done(actor, task.id)
        task = next(each for each in task_services.tasks(actor, goal.id) if each.status == "open" and each.repeat)

    assert counts(actor, goal) == (MAX_TASKS, 0)
    kept = [each for each in task_services.tasks(actor, goal.id) if each.status == "done"]
    assert len(kept) == DAYS_OF_PAST_OCCURRENCES
    with metered() as meter:
        task_services.tasks(actor, goal.id)
    assert meter.read_units < 30
    with pytest.raises(QuotaExceeded):
        task_services.add_task(actor, goal.id, {"title": "One more"})
    assert services.archive_goal(actor, goal.id).status == "archived"
    assert due_entries_of(actor) == agenda_entries_of(actor) == []


def test_reopening_takes_the_next_one_back(actor, goal, world):
    task = add(actor, goal, nlp_plan={"km": 5})
    entries = [entry.key() for entry in due_entries_of(actor)]
    task_services.mark_task_done(actor, task.id)
    following = open_one(actor, goal)

    for _ in range(2):
        reopened = task_services.reopen_task(actor, task.id)

    assert (reopened.status, reopened.done_at, reopened.done_by, reopened.ttl) == ("open", None, None, None)
    assert reopened.nlp_plan == {"km": 5}
    assert [each.id for each in task_services.tasks(actor, goal.id)] == [task.id]
    assert [entry.key() for entry in due_entries_of(actor)] == entries
    assert counts(actor, goal) == (1, 0)
    with pytest.raises(NotFound):
        task_services.task(actor, following.id)
    world.advance(minutes=1)
    task_services.mark_task_done(actor, task.id)
    assert local(open_one(actor, goal).due_at) == "07-03 07:00"


@pytest.mark.parametrize("touch", ["done", "changed"])
def test_what_was_followed_by_one_that_was_touched_stays_done(actor, goal, touch):
    task = add(actor, goal)
    task_services.mark_task_done(actor, task.id)
    following = open_one(actor, goal)
    if touch == "done":
        task_services.mark_task_done(actor, following.id)
    else:
        task_services.update_task(actor, following.id, {"title": "Swim"})

    with pytest.raises(Conflict, match="stays done"):
        task_services.reopen_task(actor, task.id)

    assert task_services.task(actor, task.id).status == "done"
    assert counts(actor, goal) == (1, 0)


def test_deleting_the_open_one_ends_the_series(actor, goal):
    task = add(actor, goal)
    task_services.mark_task_done(actor, task.id)
    task_services.delete_task(actor, open_one(actor, goal).id)

    assert counts(actor, goal) == (0, 0)
    assert [each.status for each in task_services.tasks(actor, goal.id)] == ["done"]
    assert due_entries_of(actor) == []

    task_services.reopen_task(actor, task.id)  # it takes its place in the goal again
    assert counts(actor, goal) == (1, 0)
    assert len(due_entries_of(actor)) == 1


def test_a_place_that_was_given_away_meanwhile_is_not_taken_again(actor, goal):
    task = add(actor, goal)
    task_services.mark_task_done(actor, task.id)
    task_services.delete_task(actor, open_one(actor, goal).id)
    for number in range(MAX_TASKS):
        task_services.add_task(actor, goal.id, {"title": f"Step {number}"})

    with pytest.raises(QuotaExceeded):
        task_services.reopen_task(actor, task.id)
    task_services.delete_task(actor, task.id)

    assert counts(actor, goal) == (MAX_TASKS, 0)


def test_many_who_delete_one_at_once_count_once(actor, goal):
    task, _ = add(actor, goal), add(actor, goal)

    def attempt(_: int) -> str:
        try:
            return task_services.delete_task(actor, task.id).title
        except NotFound:
            return "gone"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(attempt, range(16)))

    assert outcomes.count("Run") >= 1
    assert counts(actor, goal) == (1, 0)


def test_a_rule_is_changed_and_cleared(actor, goal, world):
    task = add(actor, goal, repeat_from="completion")

    changed = task_services.update_task(actor, task.id, {"repeat": "freq=weekly", "repeat_from": None})
    assert (changed.repeat, changed.repeat_from) == ("FREQ=WEEKLY", None)

    cleared = task_services.update_task(actor, task.id, {"repeat": None})
    assert (cleared.repeat, cleared.repeat_from, cleared.due_wall) == (None, None, None)
    task_services.mark_task_done(actor, task.id)
    assert counts(actor, goal) == (1, 1)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"repeat": "FREQ=HOURLY"}, "repeat"),
        ({"repeat": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}, "repeat"),
        ({"repeat": "FREQ=DAILY", "due_at": None}, "repeat"),
        ({"repeat": "FREQ=DAILY", "repeat_from": "whenever"}, "repeatFrom"),
        ({"repeat": None, "repeat_from": "completion"}, "repeatFrom"),
    ],
)
def test_what_cannot_repeat_is_refused_by_its_field(actor, goal, fields, named):
    task = add(actor, goal)

    for attempt in (
        lambda: task_services.update_task(actor, task.id, fields),
        lambda: task_services.add_task(actor, goal.id, {"title": "New", **fields}),
    ):
        with pytest.raises(Invalid) as refused:
            attempt()
        assert refused.value.field == named
    with pytest.raises(Invalid):
        task_services.update_task(actor, task.id, {"due_at": None})


def test_a_time_that_clocks_leapt_over_is_back_the_next_day(actor, goal, world):
    users.upsert_profile(actor, {"timezone": "America/New_York"})
    world.instant = datetime(2027, 3, 12, tzinfo=UTC)
    task = add(actor, goal, due="2027-03-13T07:30:00Z")  # half past two
    shown = []
    for _ in range(3):
        shown.append(local(task.due_at, ZoneInfo("America/New_York")))
        task_services.update_task(actor, task.id, {"title": "Sleep", "repeat": "FREQ=DAILY"})
        task_services.mark_task_done(actor, task.id)
        task = open_one(actor, goal)

    assert shown == ["03-13 02:30", "03-14 03:30", "03-15 02:30"]


def test_a_series_moves_with_the_member(actor, goal):
    task = add(actor, goal)
    users.upsert_profile(actor, {"timezone": "Europe/Lisbon"})

    task_services.update_task(actor, task.id, {"title": "By the sea"})
    assert local(task_services.task(actor, task.id).due_at) == "07-02 07:00"  # this one is as planned
    task_services.mark_task_done(actor, task.id)

    assert local(open_one(actor, goal).due_at, LISBON) == "07-03 07:00"


def test_a_helper_in_another_zone_does_not_move_it(actor, goal):
    helper = new_user()
    users.upsert_profile(helper, {"nickname": "H", "timezone": "Asia/Tokyo"})
    task = add(actor, goal, assignees=[helper.user_id])

    task_services.mark_task_done(helper, task.id)

    assert local(open_one(actor, goal).due_at) == "07-03 07:00"


def test_an_overdue_series_goes_on_reminding(actor, goal, world):
    add(actor, goal, due="2027-06-20T10:00:00Z", reminders=[{"minutes_before": 60}, {"minutes_before": 0}])
    assert [local(entry.at) for entry in due_entries_of(actor)] == ["07-02 06:00", "07-02 07:00"]

    add(actor, goal, due="2027-06-20T10:00:00Z", repeat_from="completion")
    assert len(due_entries_of(actor)) == 2  # it has no next one before it is done


def test_only_who_may_do_it_makes_the_next_one(actor, goal):
    stranger = new_user()
    services.update_goal(actor, goal.id, {"visibility": "public"})
    task = add(actor, goal)

    with pytest.raises(Forbidden):
        task_services.mark_task_done(stranger, task.id)

    assert counts(actor, goal) == (1, 0)


def test_premium_members_entries_stand_in_the_shards_behind_the_others(actor, goal):
    premium = Actor(actor.user_id, tier="premium")
    helper = new_user(tier="premium")
    users.upsert_profile(helper, {"nickname": "H"})
    shards = range(settings.DUE_SHARDS, settings.DUE_SHARDS + settings.DUE_PRIORITY_SHARDS)

    first = [add(premium, goal, assignees=[helper.user_id]) for _ in range(12)]
    plain = [add(actor, goal, assignees=[helper.user_id]) for _ in range(12)]
    assert {task.due_shard for task in first} <= set(shards)
    assert {task.due_shard for task in plain} <= set(range(settings.DUE_SHARDS))

    for task in (*first, *plain):  # a helper's plan does not matter
        task_services.mark_task_done(helper, task.id)
    following = [task for task in task_services.tasks(actor, goal.id) if task.status == "open"]
    assert sum(task.due_shard in shards for task in following) == len(first)


def test_the_api_takes_and_shows_the_rule_also_on_the_agenda(actor, goal):
    def ask(document: str) -> dict:
        result = schema.execute(document, context_value=Context(actor))
        assert result.errors is None, result.errors
        return result.data

    made = ask(
        f'mutation {{ addTask(input: {{goalId: "{goal.id}", title: "Run", dueAt: "2027-07-02T10:00:00Z", '
        'repeat: "FREQ=WEEKLY;BYDAY=MO", repeatFrom: "completion"}) { id repeat repeatFrom } }'
    )["addTask"]
    assert (made["repeat"], made["repeatFrom"]) == ("FREQ=WEEKLY;BYDAY=MO", "completion")
    shown = ask("{ home { agenda { repeat repeatFrom } } agenda { edges { node { repeat repeatFrom } } } }")
    assert shown["home"]["agenda"] == [shown["agenda"]["edges"][0]["node"]] == [{k: made[k] for k in ("repeat", "repeatFrom")}]

    patched = ask(f'mutation {{ updateTask(id: "{made["id"]}", input: {{repeatFrom: null}}) {{ repeat repeatFrom }} }}')["updateTask"]
    assert patched == {"repeat": "FREQ=WEEKLY;BYDAY=MO", "repeatFrom": "due"}
    cleared = ask(f'mutation {{ updateTask(id: "{made["id"]}", input: {{repeat: null}}) {{ repeat repeatFrom }} }}')["updateTask"]
    assert cleared == {"repeat": None, "repeatFrom": None}


class Series(RuleBasedStateMachine):
    """Whatever is done to the tasks of a goal, its counts follow from them, and a series has at most one open task."""

    @initialize()
    def begin(self) -> None:
        wiring.port.cache_clear()  # another empty table: the checks look through all of it
        self.clock: FakeClock = wiring.port("clock")
        self.actor = new_user()
        self.goal = services.create_goal(self.actor, {"title": "Goal"})

    def tasks(self):
        return task_services.tasks(self.actor, self.goal.id)

    def one(self, data):
        return data.draw(st.sampled_from([task.id for task in self.tasks()]))

    @rule(repeat=st.sampled_from(["FREQ=DAILY", "FREQ=DAILY;COUNT=2", "FREQ=WEEKLY", None]), days=st.integers(-3, 9))
    def add(self, repeat, days):
        due = self.clock.now() + timedelta(days=days)
        task_services.add_task(self.actor, self.goal.id, {"title": "Step", "due_at": due, "repeat": repeat})

    @precondition(lambda self: self.tasks())
    @rule(data=st.data(), hours=st.integers(0, 50))
    def do(self, data, hours):
        self.clock.advance(hours=hours)
        task_services.mark_task_done(self.actor, self.one(data))

    @precondition(lambda self: self.tasks())
    @rule(data=st.data())
    def reopen(self, data):
        task_id = self.one(data)
        try:
            task_services.reopen_task(self.actor, task_id)
        except Conflict:
            assert task_services.task(self.actor, task_id).status == "done"

    @precondition(lambda self: self.tasks())
    @rule(data=st.data(), changes=st.sampled_from([{"title": "Other"}, {"repeat": None}, {"repeat": "FREQ=DAILY"}]))
    def change(self, data, changes):
        task_services.update_task(self.actor, self.one(data), changes)

    @precondition(lambda self: self.tasks())
    @rule(data=st.data())
    def remove(self, data):
        task_services.delete_task(self.actor, self.one(data))

    @invariant()
    def counts_follow(self):
        tasks, goal = self.tasks(), services.goal(self.actor, self.goal.id)
        counted = [task for task in tasks if task.counted]
        assert (goal.task_count, goal.done_count) == (len(counted), sum(task.status == "done" for task in counted))
        assert all(task.status == "done" and task.ttl for task in tasks if not task.counted)
        assert all(task.ttl is None for task in counted)
        assert {entry.id for entry in agenda_entries_of(self.actor)} == {task.id for task in tasks if task.status == "open"}
        coming = {entry.task_ref for entry in due_entries_of(self.actor) if entry.at > self.clock.now()}
        assert coming <= {task.id for task in tasks if task.status == "open"}
        waiting = {entry.task_ref for entry in due_entries_of(self.actor)}
        assert waiting >= {task.id for task in tasks if task.status == "open" and task.repeat == "FREQ=DAILY"}


def test_counts_always_follow_from_the_tasks():
    modest = hypothesis_settings(max_examples=60, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Series, settings=modest)
