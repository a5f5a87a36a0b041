"""From a task that is done, over the table's stream, to points on a screen."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from gamification import services
from gamification.events import TRANSLATORS as ours
from gamification.handlers import HANDLERS
from goalgraph import wiring
from goalgraph.adapters.local.issuer import mint_access_token
from goalgraph.auth.actor import Actor
from goalgraph.graphql.ws.server import _servers
from goals import services as goals
from goals import task_services as tasks
from goals.events import TRANSLATORS as theirs
from tests.fixtures import new_user
from tests.goalgraph.graphql.ws.client import Client, until
from tests.goalgraph.graphql.ws.conftest import serving
from tests.streams import changes_since
from users import services as users

GOAL_SET, TASK, FIRST, IN_TIME, HELPED = 20, 10, 5, 5, 5
FIRST_IN_TIME = TASK + FIRST + IN_TIME
ON_GAME_STATS = "subscription { onGameStats { score streak { current doneToday } } }"


def feed() -> list[str]:
    """What the change feed does with what changed: the types of events that follow, each handled twice."""
    types = []
    for change in changes_since():
        translate = {**theirs, **ours}.get(change.item.to_raw(None)["type"]["S"])
        for event in translate(change) if translate else ():
            types.append(event.type)
            for _ in range(2):
                HANDLERS.get(event.type, lambda _: None)(event)
    return types


def a_task(owner: Actor, *assignees: Actor, **more: Any) -> str:
    goal = goals.create_goal(owner, {"title": "Run", "visibility": "public"})
    fields = {"title": "5 km", "due_at": wiring.clock().now() + timedelta(days=1), "assignees": [each.user_id for each in assignees]}
    return tasks.add_task(owner, goal.id, fields | more).id


def test_doing_a_task_gives_points_and_reopening_it_takes_them_back(memory_world, actor):
    task = a_task(actor)
    feed()
    before = services.game_stats(actor).score
    assert before == GOAL_SET

    tasks.mark_task_done(actor, task)
    assert "task.completed" in feed()
    done = services.game_stats(actor)
    assert done.score == GOAL_SET + FIRST_IN_TIME
    assert (done.streak.current, done.streak.done_today) == (1, True)
    assert {"score.changed", "badge.earned", "streak.extended"} <= set(feed())

    memory_world.advance(minutes=1)
    tasks.reopen_task(actor, task)
    feed()
    assert services.game_stats(actor).score == before
    assert services.game_stats(actor).streak.current == 0


def test_points_go_to_who_did_it(memory_world, actor):
    helper = new_user()
    users.upsert_profile(helper, {"nickname": "Helper"})
    task = a_task(actor, helper)
    feed()

    tasks.mark_task_done(helper, task)
    feed()

    assert services.game_stats(helper).score == FIRST_IN_TIME + HELPED
    assert services.game_stats(actor).score == GOAL_SET


def test_what_is_late_or_has_no_time_is_not_in_time(memory_world, actor):
    late, undated = a_task(actor), a_task(actor, due_at=None)
    memory_world.advance(days=1, seconds=1)
    tasks.mark_task_done(actor, late)
    tasks.mark_task_done(actor, undated)
    feed()

    assert services.game_stats(actor).score == 2 * GOAL_SET + FIRST + 2 * TASK


def test_a_level_is_told_once_however_often_it_is_crossed(memory_world, actor):
    task, *others = [a_task(actor) for _ in range(4)]
    for other in others:
        tasks.mark_task_done(actor, other)
    feed()
    assert "level.reached" not in feed()
    assert services.game_stats(actor).score == 2 * GOAL_SET + FIRST + 3 * (TASK + IN_TIME) == 90

    told = []
    for _ in range(3):
        memory_world.advance(minutes=1)
        tasks.mark_task_done(actor, task)
        feed()
        told.append(feed().count("level.reached"))
        tasks.reopen_task(actor, task)
        feed()
        feed()
    assert told == [1, 0, 0]


@pytest.fixture
def live_world() -> Iterator[str]:
    """The address of the real API over WebSockets, on a table in memory."""
    ports = settings.PORTS | {"stream": {"BACKEND": "goalgraph.adapters.streams.RecordedStream"}}
    with (
        serving("tests.streams.StreamingTable", PORTS=ports) as url,
        override_settings(GRAPHQL_SCHEMA="goalgraph.graphql.schema.schema"),
    ):
        yield url


def test_points_and_the_streak_show_live(live_world, actor):
    task = a_task(actor)
    feed()
    with Client(live_world) as client:
        client.sign_in(mint_access_token(actor.user_id)).start(ON_GAME_STATS)
        until(_is_followed, "the stream is open")
        tasks.mark_task_done(actor, task)
        feed()

        shown = client.hear()["payload"]["data"]["onGameStats"]
    assert shown["score"] == GOAL_SET + FIRST_IN_TIME
    assert shown["streak"] == {"current": 1, "doneToday": True}


def _is_followed() -> bool:
    """Whether the hub has let anybody in."""
    topics = [topic for server in list(_servers.values()) for topic in list(server.hub._topics.values())]
    return any(share.followers for topic in topics for share in list(topic.shares.values()))
