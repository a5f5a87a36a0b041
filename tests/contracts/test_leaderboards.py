"""What every adapter of the leaderboards port keeps, and what Redis adds: generations that survive its loss."""

import uuid
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from goalgraph.adapters.leaderboards import MemoryLeaderboards, RedisLeaderboards
from goalgraph.ports.leaderboards import Leaderboards, LeaderboardsUnavailable, Place


def new_realm() -> str:
    return uuid.uuid4().hex[:12]


@pytest.fixture(params=["memory", "redis"], scope="module")
def boards(request: pytest.FixtureRequest) -> Leaderboards:
    return MemoryLeaderboards() if request.param == "memory" else RedisLeaderboards(settings.REDIS_URL)


@pytest.fixture
def realm(boards: Leaderboards) -> str:
    name = new_realm()
    boards.replace(name, [])
    return name


def test_who_shares_a_score_shares_a_rank(boards, realm):
    boards.put(realm, {"all": {"ana": 10, "bia": 30, "caio": 20, "duda": 20}})

    assert boards.top(realm, "all", 10) == [Place("bia", 30, 1), Place("caio", 20, 2), Place("duda", 20, 2), Place("ana", 10, 4)]
    assert boards.around(realm, "all", "duda", 1) == [Place("caio", 20, 2), Place("duda", 20, 2), Place("ana", 10, 4)]


def test_a_score_is_set_and_zero_takes_off(boards, realm):
    boards.put(realm, {"all": {"ana": 10, "bia": 5}, "tag:running": {"ana": 10}})
    boards.put(realm, {"all": {"ana": 3}})
    boards.put(realm, {"all": {"bia": 0}})

    assert boards.top(realm, "all", 10) == [Place("ana", 3, 1)]
    assert boards.top(realm, "tag:running", 10) == [Place("ana", 10, 1)]
    assert boards.around(realm, "all", "bia", 2) == []
    assert boards.scores(realm, "all", ["ana", "bia", "nobody"]) == {"ana": 3}


def test_what_is_not_there_is_empty(boards, realm):
    assert boards.top(realm, "none", 10) == []
    assert boards.around(realm, "none", "ana", 5) == []
    assert boards.scores(realm, "none", ["ana"]) == {}
    assert boards.scores(realm, "all", []) == {}


def test_filling_replaces_all(boards, realm):
    boards.put(realm, {"all": {"ana": 10}, "tag:old": {"ana": 10}})

    boards.replace(realm, [("all", "bia", 7), ("tag:new", "bia", 7)])

    assert boards.top(realm, "all", 10) == [Place("bia", 7, 1)]
    assert boards.top(realm, "tag:old", 10) == []
    assert boards.top(realm, "tag:new", 10) == [Place("bia", 7, 1)]


def test_realms_know_nothing_of_each_other(boards, realm):
    other = new_realm()
    boards.replace(other, [("all", "ana", 1)])

    assert boards.top(realm, "all", 10) == []


@hypothesis_settings(max_examples=30)
@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 12), max_size=30), st.integers(1, 40), st.integers(0, 5))
def test_ranks_are_those_of_a_sorted_list(boards, scores, count, each_side):
    realm = new_realm()
    boards.replace(realm, [("all", user_id, score) for user_id, score in scores.items()])
    ordered = sorted((user_id for user_id, score in scores.items() if score), key=lambda user_id: (-scores[user_id], user_id))
    places = [Place(user_id, scores[user_id], 1 + sum(other > scores[user_id] for other in scores.values())) for user_id in ordered]

    assert boards.top(realm, "all", count) == places[:count]
    for index, user_id in enumerate(ordered):
        assert boards.around(realm, "all", user_id, each_side) == places[max(0, index - each_side) : index + each_side + 1]


# Redis -----------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def on_redis() -> RedisLeaderboards:
    return RedisLeaderboards(settings.REDIS_URL)


def test_boards_that_were_never_filled_or_are_lost_are_not_taken_for_empty(on_redis):
    realm, client = new_realm(), redis.Redis.from_url(settings.REDIS_URL)
    on_redis.put(realm, {"all": {"ana": 1}})
    assert not on_redis.is_complete(realm)
    for read in (lambda: on_redis.top(realm, "all", 1), lambda: on_redis.around(realm, "all", "ana", 1)):
        with pytest.raises(LeaderboardsUnavailable):
            read()

    on_redis.replace(realm, [("all", "ana", 1)])
    assert on_redis.is_complete(realm)

    client.delete(f"gg.boards.{realm}.current")  # as a flush does
    with pytest.raises(LeaderboardsUnavailable):
        on_redis.top(realm, "all", 1)


def test_what_is_put_while_boards_are_filled_wins(on_redis):
    realm = new_realm()
    on_redis.replace(realm, [("all", "ana", 1), ("all", "bia", 2)])

    def scores() -> Iterator[tuple[str, str, int]]:
        on_redis.put(realm, {"all": {"ana": 50, "bia": 0}})
        yield from [("all", "ana", 1), ("all", "bia", 2), ("all", "caio", 3)]
        assert on_redis.top(realm, "all", 10) == [Place("ana", 50, 1)]

    on_redis.replace(realm, scores())

    assert on_redis.top(realm, "all", 10) == [Place("ana", 50, 1), Place("caio", 3, 2)]


def test_a_filling_that_breaks_off_changes_nothing_and_leaves_nothing_for_good(on_redis):
    realm, client = new_realm(), redis.Redis.from_url(settings.REDIS_URL)
    on_redis.replace(realm, [("all", "ana", 1)])

    def scores() -> Iterator[tuple[str, str, int]]:
        yield from [("all", f"user-{number}", 5) for number in range(1_500)]
        on_redis.put(realm, {"tag.chess": {"ana": 1}})
        raise ConnectionError("the process dies here")

    with pytest.raises(ConnectionError):
        on_redis.replace(realm, scores())
    assert on_redis.top(realm, "all", 10) == [Place("ana", 1, 1)]

    client.delete(f"gg.boards.{realm}.building")  # as it goes by itself after a minute
    on_redis.replace(realm, [("all", "bia", 2)])
    kept = [key for key in client.scan_iter(match=f"gg.board*.{realm}.*") if client.ttl(key) == -1]
    assert len(kept) == 3  # which generation, its boards' names, its one board
    assert on_redis.top(realm, "all", 10) == [Place("bia", 2, 1)]


def test_there_is_one_filling_at_a_time(on_redis):
    realm = new_realm()

    def scores() -> Iterator[tuple[str, str, int]]:
        with pytest.raises(LeaderboardsUnavailable):
            on_redis.replace(realm, [("all", "later", 2)])
        yield ("all", "earlier", 1)

    on_redis.replace(realm, scores())

    assert on_redis.top(realm, "all", 10) == [Place("earlier", 1, 1)]


def test_a_filling_that_slept_too_long_leaves_it_to_the_next(on_redis):
    realm, client = new_realm(), redis.Redis.from_url(settings.REDIS_URL)

    def scores() -> Iterator[tuple[str, str, int]]:
        yield ("all", "earlier", 1)
        client.delete(f"gg.boards.{realm}.building")
        on_redis.replace(realm, [("all", "later", 2)])
        yield ("all", "another", 1)

    with pytest.raises(LeaderboardsUnavailable):
        on_redis.replace(realm, scores())

    assert on_redis.top(realm, "all", 10) == [Place("later", 2, 1)]


def test_a_redis_that_is_away_is_a_refusal_of_its_own():
    away = RedisLeaderboards("redis://127.0.0.1:1/0")

    for call in (lambda: away.top("r", "all", 1), lambda: away.put("r", {"all": {"ana": 1}}), lambda: away.is_complete("r")):
        with pytest.raises(LeaderboardsUnavailable):
            call()
