"""Leaderboards: what the port holds, what the aggregates say without it, and whom one sees there."""

import itertools

import pytest

from gamification import board_handlers, board_services
from gamification.domain import ALL_TIME, season_of
from gamification.items import GameAggregate
from goalgraph import wiring
from goalgraph.adapters.leaderboards import MemoryLeaderboards
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.errors import Invalid
from goalgraph.feed.events import Event
from goalgraph.graphql.context import Context
from goalgraph.graphql.schema import schema
from goalgraph.ports.leaderboards import LeaderboardsUnavailable
from goalgraph.table import keys, table
from tests.fixtures import new_user
from users import connection_services, services

SCORES = {"ana": 50, "bia": 80, "caio": 50, "duda": 10, "edu": 0}
TAGS = {"ana": ["running"], "bia": ["reading"], "caio": ["running", "reading"], "duda": ["running"], "edu": []}


class Away:
    """A store that does not answer."""

    def __getattr__(self, name: str):
        def refuse(*_: object) -> None:
            raise LeaderboardsUnavailable("away")

        return refuse


def earn(actor: Actor, score: int) -> None:
    """As of now, a member's score of all time and of this season."""
    season = season_of(wiring.clock().now())
    for key, name in ((keys.game_aggregate(actor.user_id, ALL_TIME), ALL_TIME), (keys.game_season(actor.user_id, season), season)):
        aggregate = table(actor).get(key, consistent=True) or GameAggregate(owner_id=actor.user_id, season=name, shard=score % 16)
        aggregate.score = score
        table(actor).put(aggregate)


def rows(places) -> list[tuple[int | None, str, int]]:
    return [(place.rank, place.user_id, place.score) for place in places]


@pytest.fixture
def world(memory_world):
    for user_id, score in SCORES.items():
        actor = Actor(user_id)
        services.upsert_profile(actor, {"nickname": user_id.title(), "tags": TAGS[user_id]})
        earn(actor, score)
        board_services.publish(SYSTEM, user_id)
    for other in ("bia", "duda"):
        connection_services.request_connection(Actor("ana"), other)
        connection_services.respond_to_connection(Actor(other), "ana", accept=True)
    return memory_world


@pytest.fixture(params=["port", "aggregates"])
def from_port(request, world, monkeypatch):
    """Where the answers come from; True: from the port."""
    if request.param == "aggregates":
        monkeypatch.setattr(wiring, "leaderboards", Away)
    return request.param == "port"


def test_all_members_the_best_first(from_port):
    places = board_services.leaderboard(Actor("ana"))

    assert rows(places) == [(1, "bia", 80), (2, "ana", 50), (2, "caio", 50), (4, "duda", 10)]
    assert rows(board_services.leaderboard(Actor("ana"), ALL_TIME, first=2)) == [(1, "bia", 80), (2, "ana", 50)]


def test_those_with_a_tag(from_port):
    places = board_services.leaderboard(Actor("bia"), scope="tag:Running")

    assert rows(places) == [(1, "ana", 50), (1, "caio", 50), (3, "duda", 10)]
    assert board_services.leaderboard(Actor("bia"), scope="tag:chess") == []


def test_oneself_and_those_one_is_connected_with(from_port):
    assert rows(board_services.leaderboard(Actor("ana"), scope="connections")) == [(1, "bia", 80), (2, "ana", 50), (3, "duda", 10)]
    assert rows(board_services.leaderboard(Actor("edu"), scope="connections")) == []


def test_those_around_oneself(from_port):
    places = board_services.leaderboard(Actor("caio"), scope="around", first=3)

    assert [(place.user_id, place.score) for place in places] == [("ana", 50), ("caio", 50), ("duda", 10)]
    assert [place.rank for place in places] == ([2, 2, 4] if from_port else [None, None, None])
    assert board_services.leaderboard(Actor("edu"), scope="around") == []
    assert board_services.leaderboard(new_user(), scope="around") == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"season": "2027Q5"}, "season"),
        ({"season": ""}, "season"),
        ({"scope": "friends"}, "scope"),
        ({"scope": "tag:"}, "scope"),
        ({"scope": ""}, "scope"),
        ({"first": 0}, "first"),
        ({"first": 101}, "first"),
    ],
)
def test_what_is_no_leaderboard_is_refused_by_its_field(world, wrong, field):
    with pytest.raises(Invalid) as refused:
        board_services.leaderboard(Actor("ana"), **wrong)
    assert refused.value.field == field


def test_a_season_in_which_nobody_had_points_is_empty(from_port):
    assert board_services.leaderboard(Actor("ana"), "2020Q1") == []


def test_a_season_that_is_over_keeps_its_places(world):
    season = season_of(world.now())
    world.advance(days=100)
    board_services.rebuild(SYSTEM)

    assert rows(board_services.leaderboard(Actor("ana"), season, first=2)) == [(1, "bia", 80), (2, "ana", 50)]
    assert board_services.leaderboard(Actor("ana")) == []


def test_points_that_were_taken_back_show(world):
    earn(Actor("bia"), 0)
    board_services.publish(SYSTEM, "bia")

    assert [place.user_id for place in board_services.leaderboard(Actor("ana"))] == ["ana", "caio", "duda"]


def retagged(clock, added: list[str], removed: list[str]) -> Event:
    return Event(f"e-{added}-{removed}", "profile.retagged", clock.now(), "ana", "ana", "t", data={"added": added, "removed": removed})


def test_a_change_of_tags_moves_a_member_to_the_other_board(world):
    services.upsert_profile(Actor("ana"), {"tags": ["chess"]})
    event = retagged(world, ["chess"], ["running"])
    for _ in range(2):
        board_handlers.HANDLERS[event.type](event)

    assert rows(board_services.leaderboard(Actor("bia"), scope="tag:chess")) == [(1, "ana", 50)]
    assert [place.user_id for place in board_services.leaderboard(Actor("bia"), scope="tag:running")] == ["caio", "duda"]


def test_changes_of_tags_in_any_order_end_alike(world):
    events = [retagged(world, ["chess"], ["running"]), retagged(world, ["running"], ["chess"]), retagged(world, ["go"], [])]
    services.upsert_profile(Actor("ana"), {"tags": ["running", "go"]})

    for order in itertools.permutations(events):
        for event in order:
            board_handlers.HANDLERS[event.type](event)
        boards = {tag: board_services.leaderboard(Actor("ana"), scope=f"tag:{tag}") for tag in ("running", "chess", "go")}
        there = {tag for tag, places in boards.items() if "ana" in [place.user_id for place in places]}
        assert there == {"running", "go"}


def test_a_score_that_changes_while_it_is_published_is_published_again(world, monkeypatch):
    boards = wiring.leaderboards()

    class Overtaken(MemoryLeaderboards):
        """While a score is on its way, the member gets more points, and those are published first."""

        puts = 0

        def put(self, realm, scores) -> None:
            self.puts += 1
            if self.puts == 1:
                earn(Actor("duda"), 90)
                boards.put(realm, {season: {"duda": 90} for season in (ALL_TIME, season_of(world.now()))})
            boards.put(realm, scores)

    overtaken = Overtaken()
    earn(Actor("duda"), 20)
    with monkeypatch.context() as patch:
        patch.setattr(wiring, "leaderboards", lambda: overtaken)
        board_services.publish(SYSTEM, "duda")

    assert rows(board_services.leaderboard(Actor("ana"), first=1)) == [(1, "duda", 90)]
    assert overtaken.puts == 2


def test_boards_that_are_lost_are_filled_from_the_aggregates(world):
    scopes = ("global", "tag:running", "around", "connections")
    before = {scope: board_services.leaderboard(Actor("ana"), scope=scope) for scope in scopes}
    wiring.leaderboards().replace("", [])
    assert board_services.leaderboard(Actor("ana")) == []

    told: list[int] = []
    assert board_services.rebuild(SYSTEM, told.append) == 8

    assert {scope: board_services.leaderboard(Actor("ana"), scope=scope) for scope in scopes} == before
    assert told[-1] == 8


def test_tenants_have_boards_of_their_own(world):
    assert board_services.leaderboard(Actor("ana", tenant_id="acme")) == []


def test_who_is_not_to_be_seen_has_no_name(world):
    services.upsert_profile(Actor("bia"), {"visibility": "private"})
    services.block(Actor("caio"), "ana")

    result = schema.execute("{ leaderboard(first: 3) { rank score user { id nickname } } }", context_value=Context(Actor("ana")))

    assert result.errors is None
    assert result.data["leaderboard"] == [
        {"rank": 1, "score": 80, "user": None},
        {"rank": 2, "score": 50, "user": {"id": "ana", "nickname": "Ana"}},
        {"rank": 2, "score": 50, "user": None},
    ]
