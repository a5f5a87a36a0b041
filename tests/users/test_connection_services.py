"""Connections: one asks, the other answers."""

import contextlib
import threading

import pytest

from goalgraph.auth.actor import Actor
from goalgraph.errors import GoalGraphError, Invalid, NotFound, QuotaExceeded
from goalgraph.table.dynamodb import DynamoTable
from tests.fixtures import new_user
from users import connection_services as connections
from users import services
from users.domain import ACCEPTED, RECEIVED, REQUESTED


def member(**profile: object):
    actor = new_user()
    services.upsert_profile(actor, {"nickname": "Somebody", **profile})
    return actor


def standing(actor) -> dict[str, str]:
    return {connection.other_id: connection.state for connection in connections.connections(actor, None, limit=100).items}


@pytest.fixture
def pair(memory_world):
    return member(), member()


def test_one_asks_and_the_other_accepts(pair):
    ana, bia = pair

    asked = connections.request_connection(ana, bia.user_id)

    assert asked.state == REQUESTED
    assert (standing(ana), standing(bia)) == ({bia.user_id: REQUESTED}, {ana.user_id: RECEIVED})
    assert connections.connections(ana, limit=10).items == []

    accepted = connections.respond_to_connection(bia, ana.user_id, accept=True)

    assert accepted is not None
    assert accepted.state == ACCEPTED
    assert (standing(ana), standing(bia)) == ({bia.user_id: ACCEPTED}, {ana.user_id: ACCEPTED})


def test_a_no_leaves_nothing_behind_and_one_may_ask_again(pair):
    ana, bia = pair
    connections.request_connection(ana, bia.user_id)

    assert connections.respond_to_connection(bia, ana.user_id, accept=False) is None
    assert connections.respond_to_connection(bia, ana.user_id, accept=False) is None

    assert (standing(ana), standing(bia)) == ({}, {})
    assert connections.request_connection(ana, bia.user_id).state == REQUESTED


def test_who_asks_somebody_who_asked_is_connected(pair):
    ana, bia = pair
    connections.request_connection(ana, bia.user_id)

    assert connections.request_connection(bia, ana.user_id).state == ACCEPTED
    assert standing(ana) == {bia.user_id: ACCEPTED}


def test_repeating_changes_nothing(pair):
    ana, bia = pair
    for _ in range(2):
        connections.request_connection(ana, bia.user_id)
    for _ in range(2):
        connections.respond_to_connection(bia, ana.user_id, accept=True)
    assert connections.request_connection(ana, bia.user_id).state == ACCEPTED
    for _ in range(2):
        connections.remove_connection(ana, bia.user_id)

    assert (standing(ana), standing(bia)) == ({}, {})


def test_nobody_answers_for_the_other(pair):
    ana, bia = pair
    connections.request_connection(ana, bia.user_id)

    with pytest.raises(NotFound):
        connections.respond_to_connection(ana, bia.user_id, accept=True)
    with pytest.raises(NotFound):
        connections.respond_to_connection(ana, bia.user_id, accept=False)
    with pytest.raises(NotFound):
        connections.respond_to_connection(member(), ana.user_id, accept=True)

    assert standing(bia) == {ana.user_id: RECEIVED}


def test_whoever_is_not_to_be_seen_cannot_be_asked(pair):
    ana, bia = pair
    services.block(bia, ana.user_id)
    unseen = [bia.user_id, member(visibility="private").user_id, "nobody", "not an id", "a#b"]

    for user_id in unseen:
        with pytest.raises(NotFound):
            connections.request_connection(ana, user_id)

    assert standing(ana) == {}
    with pytest.raises(Invalid):
        connections.request_connection(ana, ana.user_id)


@pytest.mark.parametrize("accepted", [False, True])
def test_a_block_ends_a_connection(pair, accepted):
    ana, bia = pair
    connections.request_connection(ana, bia.user_id)
    if accepted:
        connections.respond_to_connection(bia, ana.user_id, accept=True)

    services.block(bia, ana.user_id)

    assert (standing(ana), standing(bia)) == ({}, {})


def test_so_many_may_be_asked_on_a_day(pair, settings, memory_world):
    settings.CONNECTION_REQUESTS_PER_DAY = 2
    ana, _ = pair
    for other in [member(), member()]:
        connections.request_connection(ana, other.user_id)

    with pytest.raises(QuotaExceeded):
        connections.request_connection(ana, member().user_id)
    assert len(standing(ana)) == 2

    memory_world.advance(days=1)
    assert connections.request_connection(ana, member().user_id).state == REQUESTED


def test_pages_hold_only_the_state_asked_for(memory_world):
    ana = member()
    friends = sorted(member().user_id for _ in range(5))
    for user_id in friends:
        connections.request_connection(Actor(user_id=user_id), ana.user_id)
        connections.respond_to_connection(ana, user_id, accept=True)
    for _ in range(5):
        connections.request_connection(ana, member().user_id)

    first = connections.connections(ana, limit=3)
    second = connections.connections(ana, limit=3, after=first.cursors[-1])

    assert [item.other_id for item in first.items + second.items] == friends
    assert (first.has_more, second.has_more) == (True, False)
    assert connections.connected_ids(ana, 4) == friends[:4]
    with pytest.raises(Invalid):
        connections.connections(ana, "enemies", limit=3)


def test_a_block_and_a_yes_at_once_never_leave_a_connection_over_a_block(dynamo_world: DynamoTable):
    for _ in range(10):
        ana, bia = member(), member()
        connections.request_connection(ana, bia.user_id)

        def accept(ana=ana, bia=bia) -> None:
            with contextlib.suppress(GoalGraphError):
                connections.respond_to_connection(bia, ana.user_id, accept=True)

        threads = [threading.Thread(target=accept), threading.Thread(target=services.block, args=[ana, bia.user_id])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert services.blocked(ana, bia.user_id)
        assert (standing(ana), standing(bia)) == ({}, {})
