"""`manage.py rebuild_leaderboards`, and the task that does the same when Redis has lost the boards."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from gamification import board_services
from goalgraph import tasks, wiring
from goalgraph.adapters.leaderboards import RedisLeaderboards
from goalgraph.auth.actor import Actor
from tests.gamification.test_board_services import earn, rows


def said(*words: str) -> str:
    output = StringIO()
    call_command("rebuild_leaderboards", *words, stdout=output)
    return output.getvalue()


@pytest.fixture
def on_redis(memory_world, settings, monkeypatch):
    """The boards of an open platform that nobody has filled yet, and two members with points."""
    boards = RedisLeaderboards(settings.REDIS_URL)
    boards._redis.delete("gg.boards..current")
    monkeypatch.setattr(wiring, "leaderboards", lambda: boards)
    for user_id, score in {"ana": 50, "bia": 80}.items():
        earn(Actor(user_id), score)
    return boards


def test_lost_boards_are_filled_and_complete_ones_left_alone(on_redis):
    assert "4 scores filled in" in said("--if-lost")
    assert "complete" in said("--if-lost")
    assert "4 scores filled in" in said()
    assert rows(on_redis.top("", "all", 10)) == [(1, "bia", 80), (2, "ana", 50)]


def test_the_task_fills_lost_boards(on_redis):
    tasks.refill_leaderboards()

    assert board_services.is_complete(Actor("ana"))
    assert rows(board_services.leaderboard(Actor("ana"))) == [(1, "bia", 80), (2, "ana", 50)]


def test_a_redis_that_is_away_is_named(on_redis, monkeypatch):
    monkeypatch.setattr(wiring, "leaderboards", lambda: RedisLeaderboards("redis://127.0.0.1:1/0"))

    with pytest.raises(CommandError, match="open platform"):
        said()
