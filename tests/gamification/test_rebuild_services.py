"""Repair: what the sums say is made anew from the events, and says what differed."""

import io
from datetime import timedelta

import pytest
from django.core.management import call_command

from gamification import rebuild_services, services
from gamification.items import GameAggregate
from goalgraph.auth.actor import SYSTEM
from goalgraph.management.commands.gamification import completions
from goalgraph.table import keys, table
from goals import services as goals
from goals import task_services as tasks
from tests.fixtures import new_user
from tests.gamification.world import NOON, completed, connected, goal_created, handle, reopened, set_clock, sums, total
from users import services as users

DAY = timedelta(days=1)


@pytest.fixture
def year(memory_world, actor):
    """A member who did something on 300 days, here and there, and took some of it back."""
    for day in range(300):
        users.upsert_profile(actor, {"timezone": ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"][day // 50 % 3]})
        at = NOON + day * DAY
        handle(completed(actor, f"a{day}", at), completed(actor, f"b{day}", at, priority=day % 2 == 0))
        if day % 5 == 0:
            handle(reopened(actor, f"a{day}", at), reopened(actor, f"early{day}", at), completed(actor, f"early{day}", at))
    handle(goal_created(actor, "g"), connected(actor, new_user()))
    set_clock(NOON + 300 * DAY)
    services.set_rest_days(actor, ["sunday"])
    return actor


def rebuild(actor, **more):
    return rebuild_services.rebuild(SYSTEM, actor.user_id, **more)


def test_what_is_right_is_left_alone(year):
    version = total(year).version
    assert rebuild(year) == []
    assert total(year).version == version


def test_a_member_nobody_knows_has_nothing_to_repair(memory_world, actor):
    assert rebuild(actor) == []
    assert total(actor).version is None


def test_whatever_was_lost_is_made_anew(year):
    right, shown = sums(year), services.game_stats(year)
    items = table(year)
    items.delete(keys.streak_ledger(year.user_id))
    items.delete(keys.game_season(year.user_id, "2027Q4"))
    for day in range(3, 250):
        items.delete(keys.game_day(year.user_id, (NOON + day * DAY).date()))
    items.update(keys.game_aggregate(year.user_id, "all"), [GameAggregate.score.set(7), GameAggregate.streak_current.set(1)])

    dry = rebuild(year, dry_run=True)
    assert total(year).score == 7
    found = rebuild(year)

    assert found == dry
    assert "GAME#AGG#all score" in {each.what for each in found}
    assert sums(year) == right
    assert services.game_stats(year).badges == shown.badges
    assert rebuild(year) == []


def test_days_whose_events_have_expired_stay(year):
    right = sums(year)
    set_clock(NOON + 500 * DAY)
    table(year).update(keys.game_aggregate(year.user_id, "all"), [GameAggregate.score.set(7)])

    rebuild(year)

    assert sums(year) == right


def test_the_command_says_what_differed(year):
    table(year).update(keys.game_aggregate(year.user_id, "all"), [GameAggregate.score.set(7)])
    said = [io.StringIO(), io.StringIO(), io.StringIO()]
    call_command("gamification", "rebuild", user=year.user_id, dry_run=True, stdout=said[0])
    call_command("gamification", "rebuild", user=year.user_id, stdout=said[1])
    call_command("gamification", "rebuild", user=year.user_id, stdout=said[2])

    score = total(year).score
    assert f"GAME#AGG#all score: 7 -> {score}" in said[0].getvalue()
    assert "1 differences, nothing written" in said[0].getvalue()
    assert f"GAME#AGG#all score: 7 -> {score}" in said[1].getvalue()
    assert said[2].getvalue() == "  0 differences\n"


@pytest.fixture
def lost(memory_world, actor):
    """A member of whose four tasks that are done two were never heard of, and a friend who did one of them."""
    friend = new_user()
    users.upsert_profile(friend, {"nickname": "Friend"})
    goal = goals.create_goal(actor, {"title": "Run", "visibility": "public"})
    made = [tasks.add_task(actor, goal.id, {"title": f"{number} km", "assignees": [friend.user_id]}).id for number in range(5)]
    for task in made[:2]:
        tasks.mark_task_done(actor, task)
    handle(*completions(actor))
    tasks.mark_task_done(actor, made[2])
    tasks.mark_task_done(friend, made[3])
    tasks.mark_task_done(actor, made[4])
    tasks.reopen_task(actor, made[4])
    goals.archive_goal(actor, goal.id)
    return actor, friend, made


def repaired(actor, **more) -> str:
    said = io.StringIO()
    call_command("gamification", "repair", user=actor.user_id, stdout=said, **more)
    return said.getvalue()


def test_completions_that_never_came_are_given_once_and_named(lost, memory_world):
    actor, friend, made = lost
    memory_world.advance(days=1)
    assert (total(actor).score, total(friend).score) == (25, 0)

    dry = repaired(actor, dry_run=True)
    assert (total(actor).score, total(friend).score) == (25, 0)
    assert "2 of 4 completions never came, nothing written" in dry

    said = repaired(actor)
    assert "2 of 4 completions never came" in said
    assert f"{made[2]}, done by {actor.user_id} at 2027-07-01" in said
    assert f"{made[3]}, done by {friend.user_id} at 2027-07-01" in said
    assert (total(actor).score, total(friend).score) == (35, 20)
    assert (total(actor).streak_current, total(actor).streak_day) == (1, "2027-07-01")

    assert "0 of 4 completions never came" in repaired(actor)
    assert (total(actor).score, total(friend).score) == (35, 20)


def test_what_comes_after_all_counts_once(lost):
    actor, friend, _ = lost
    late = list(completions(actor))
    repaired(actor)
    handle(*late)
    assert (total(actor).score, total(friend).score) == (35, 20)
    assert rebuild(actor) == []


def test_what_may_have_been_given_and_forgotten_is_left_alone(lost, memory_world):
    actor, friend, _ = lost
    memory_world.advance(days=399)
    assert "0 of 4 completions never came" in repaired(actor)
    assert (total(actor).score, total(friend).score) == (25, 0)
