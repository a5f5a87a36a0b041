"""Goals: who sees what, the cap that holds under concurrency, what archiving takes along."""

import contextlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from goalgraph.errors import Conflict, Forbidden, GoalGraphError, Invalid, NotFound, QuotaExceeded
from goalgraph.table.metering import metered
from goals import services, task_services
from goals.domain import MAX_ACTIVE_GOALS
from tests.fixtures import FakeClock, new_user
from tests.goals.world import due_entries_of
from users import services as users


@pytest.fixture(autouse=True)
def world(memory_world: FakeClock) -> FakeClock:
    return memory_world


def test_a_new_goal_is_private_active_and_without_progress(actor):
    made = services.create_goal(actor, {"title": "  Run a marathon ", "tags": ["Running"]})

    assert (made.title, made.tags, made.status, made.visibility, made.progress) == (
        "Run a marathon",
        ["running"],
        "active",
        "private",
        0.0,
    )
    found = services.goal(actor, made.id)
    assert (found.id, found.user_id, found.created_at) == (made.id, actor.user_id, made.created_at)


def test_goals_are_listed_oldest_first_and_without_the_archived_ones(actor):
    made = [services.create_goal(actor, {"title": f"Goal {n}"}) for n in range(3)]
    services.archive_goal(actor, made[1].id)

    assert [goal.title for goal in services.goals_of(actor, actor.user_id)] == ["Goal 0", "Goal 2"]
    assert [goal.title for goal in services.goals_of(actor, actor.user_id, archived=True)] == ["Goal 0", "Goal 1", "Goal 2"]


def test_a_patch_keeps_what_it_does_not_name(actor):
    made = services.create_goal(actor, {"title": "A", "description": "why", "tags": ["x"]})

    services.update_goal(actor, made.id, {"title": "B", "description": None})

    found = services.goal(actor, made.id)
    assert (found.title, found.description, found.tags) == ("B", None, ["x"])


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"title": ""}, "title"),
        ({"title": None}, "title"),
        ({"title": "\x00\x01\x02"}, "title"),
        ({"title": "x" * 201}, "title"),
        ({"title": "x" * 10_000_000}, "title"),
        ({"title": "\ud800"}, "title"),
        ({"title": "ok", "description": "x" * 1001}, "description"),
        ({"title": "ok", "tags": [f"t{n}" for n in range(11)]}, "tags"),
        ({"title": "ok", "visibility": "everyone"}, "visibility"),
    ],
)
def test_bad_input_names_its_field_and_makes_nothing(actor, fields, named):
    with pytest.raises(Invalid) as refused:
        services.create_goal(actor, fields)

    assert refused.value.field == named
    assert services.goals_of(actor, actor.user_id) == []


def test_the_sixth_active_goal_is_refused_until_one_is_archived(actor):
    made = [services.create_goal(actor, {"title": f"Goal {n}"}) for n in range(MAX_ACTIVE_GOALS)]

    with pytest.raises(QuotaExceeded):
        services.create_goal(actor, {"title": "One more"})
    services.archive_goal(actor, made[0].id)
    services.archive_goal(actor, made[0].id)

    services.create_goal(actor, {"title": "One more"})
    with pytest.raises(QuotaExceeded):
        services.create_goal(actor, {"title": "And another"})


def test_the_cap_is_exact_when_many_ask_at_once(actor):
    def attempt(number: int) -> str:
        try:
            return services.create_goal(actor, {"title": f"Goal {number}"}).id
        except GoalGraphError as error:
            return error.code

    with ThreadPoolExecutor(24) as pool:
        outcomes = list(pool.map(attempt, range(48)))

    assert outcomes.count("QUOTA_EXCEEDED") == 48 - MAX_ACTIVE_GOALS
    assert len(services.goals_of(actor, actor.user_id)) == MAX_ACTIVE_GOALS


def test_another_members_private_goal_is_as_absent_as_one_that_never_was(actor):
    other = new_user()
    private = services.create_goal(other, {"title": "Secret"})
    task = task_services.add_task(other, private.id, {"title": "Hidden"})
    absent = private.id.replace(private.goal_id, "0" * len(private.goal_id))

    refusals = set()
    for goal_id in (private.id, absent, "nonsense", "a.b.c", "#", "", "x" * 10_000_000, f"{private.goal_id}.{actor.user_id}"):
        for use_case in (
            lambda goal_id=goal_id: services.goal(actor, goal_id),
            lambda goal_id=goal_id: services.update_goal(actor, goal_id, {"title": "Mine"}),
            lambda goal_id=goal_id: services.archive_goal(actor, goal_id),
            lambda goal_id=goal_id: task_services.add_task(actor, goal_id, {"title": "Mine"}),
            lambda goal_id=goal_id: task_services.tasks(actor, goal_id),
        ):
            with pytest.raises(NotFound) as refused:
                use_case()
            refusals.add((refused.value.code, refused.value.message, refused.value.field))
    for task_id in (task.id, "nonsense", f"{task.task_id}.{private.goal_id}.{actor.user_id}"):
        for change in (task_services.task, task_services.mark_task_done, task_services.reopen_task, task_services.delete_task):
            with pytest.raises(NotFound) as refused:
                change(actor, task_id)
            refusals.add((refused.value.code, refused.value.message, refused.value.field))
    assert len(refusals) == 1
    assert services.goal(other, private.id).title == "Secret"
    assert task_services.task(other, task.id).status == "open"


def test_a_public_goal_is_seen_by_all_and_changed_by_its_owner_only(actor):
    other = new_user()
    users.upsert_profile(other, {"nickname": "O"})
    goal = services.create_goal(other, {"title": "Open", "visibility": "PUBLIC"})
    services.create_goal(other, {"title": "Secret"})
    task = task_services.add_task(other, goal.id, {"title": "Step"})

    assert [seen.title for seen in services.goals_of(actor, other.user_id)] == ["Open"]
    assert services.goal(actor, goal.id).title == "Open"
    assert task_services.task(actor, task.id).title == "Step"
    for use_case in (
        lambda: services.update_goal(actor, goal.id, {"title": "Mine"}),
        lambda: services.archive_goal(actor, goal.id),
        lambda: task_services.add_task(actor, goal.id, {"title": "Mine"}),
        lambda: task_services.update_task(actor, task.id, {"title": "Mine"}),
        lambda: task_services.mark_task_done(actor, task.id),
        lambda: task_services.delete_task(actor, task.id),
    ):
        with pytest.raises(Forbidden):
            use_case()
    assert task_services.task(other, task.id).title == "Step"


def test_a_block_hides_public_goals_both_ways(actor):
    other = new_user()
    for member in (actor, other):
        users.upsert_profile(member, {"nickname": "N"})
    theirs = services.create_goal(other, {"title": "Open", "visibility": "public"})
    mine = services.create_goal(actor, {"title": "Open", "visibility": "public"})
    users.block(other, actor.user_id)

    for member, goal in ((actor, theirs), (other, mine)):
        with pytest.raises(NotFound):
            services.goal(member, goal.id)
        with pytest.raises(NotFound):
            services.goals_of(member, goal.user_id)
        with pytest.raises(NotFound):
            task_services.tasks(member, goal.id)


def test_archiving_takes_tasks_off_the_agenda_and_reminders_off_the_wheel(actor, world):
    goal, kept = (services.create_goal(actor, {"title": title}) for title in ("Away", "Kept"))
    due = world.now() + timedelta(days=1)
    for number in range(3):
        task_services.add_task(actor, goal.id, {"title": f"Step {number}", "due_at": due})
    task = task_services.add_task(actor, kept.id, {"title": "Stays", "due_at": due})

    archived = services.archive_goal(actor, goal.id)

    assert archived.status == "archived"
    assert [entry.title for entry in task_services.agenda(actor, limit=100).items] == ["Stays"]
    assert [entry.task_ref for entry in due_entries_of(actor)] == [task.id]
    with pytest.raises(Conflict):
        task_services.add_task(actor, goal.id, {"title": "Late"})
    with pytest.raises(Conflict):
        services.update_goal(actor, goal.id, {"title": "Late"})


def test_a_goal_archived_while_tasks_are_added_leaves_nothing_behind(actor, world):
    goal = services.create_goal(actor, {"title": "Away"})
    due = world.now() + timedelta(days=1)

    def add(number: int) -> None:
        with contextlib.suppress(Conflict):
            task_services.add_task(actor, goal.id, {"title": f"Step {number}", "due_at": due})

    with ThreadPoolExecutor(8) as pool:
        adding = [pool.submit(add, number) for number in range(24)]
        archiving = pool.submit(services.archive_goal, actor, goal.id)
        for future in (*adding, archiving):
            future.result()

    assert task_services.agenda(actor, limit=100).items == []
    assert due_entries_of(actor) == []


def test_home_is_one_round_trip(actor, world):
    users.upsert_profile(actor, {"nickname": "Ana"})
    for number in range(5):
        goal = services.create_goal(actor, {"title": f"Goal {number}"})
        for step in range(10):
            task_services.add_task(actor, goal.id, {"title": f"Step {step}", "due_at": world.now() + timedelta(days=step + 1)})
    task_services.add_task(actor, goal.id, {"title": "Some time"})
    services.archive_goal(actor, services.goals_of(actor, actor.user_id)[0].id)

    with metered() as meter:
        home = services.home(actor)

    assert (meter.round_trips, home.user.nickname, len(home.goals), len(home.agenda)) == (1, "Ana", 4, 41)
    assert [task.due_at for task in home.agenda[:-1]] == sorted(task.due_at for task in home.agenda[:-1])
    assert home.agenda[-1].title == "Some time"


def test_home_of_somebody_new_is_empty(actor):
    home = services.home(actor)

    assert (home.user.id, home.goals, home.agenda) == (actor.user_id, [], [])
