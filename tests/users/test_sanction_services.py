"""Who is muted and who is suspended, until when, and what that keeps them from."""

from dataclasses import replace
from datetime import timedelta

import pytest

from chat import message_services as messages
from chat import services as rooms
from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM
from goalgraph.errors import Forbidden
from goalgraph.table import keys, table
from goals import services as goals
from goals import task_services as tasks
from tests.chat.world import members
from tests.fixtures import FakeClock, new_user
from users import connection_services as connections
from users import sanction_services as sanctions
from users.domain import FURTHER_NOTICE, sanction_words


@pytest.fixture(autouse=True)
def world(memory_world: FakeClock) -> FakeClock:
    return memory_world


def item(user_id: str):
    return table(SYSTEM).get(keys.sanction(user_id), consistent=True)


def test_a_sanction_ends_by_itself_and_its_item_a_day_later(world):
    until = world.now() + timedelta(hours=1)
    sanctions.sanction(SYSTEM, "ana", muted_until=until, reason="spam or fraud")
    assert sanctions.standing(SYSTEM, "ana").muted_until == until
    world.advance(hours=1)
    assert sanctions.standing(SYSTEM, "ana").muted_until is None
    assert item("ana") is not None
    world.advance(days=1)
    assert item("ana") is None


def test_what_stands_longer_stays(world):
    soon, late = (world.now() + timedelta(days=days) for days in (1, 3))
    sanctions.sanction(SYSTEM, "ana", suspended_until=late, reason="threats")
    sanctions.sanction(SYSTEM, "ana", suspended_until=soon, muted_until=soon, reason="spam")
    found = sanctions.standing(SYSTEM, "ana")
    assert (found.muted_until, found.suspended_until) == (soon, late)
    version = item("ana").version
    sanctions.sanction(SYSTEM, "ana", suspended_until=soon, reason="again")
    assert item("ana").version == version


def test_lifted_nothing_stands_and_lifting_twice_is_no_harm(world):
    sanctions.sanction(SYSTEM, "ana", suspended_until=FURTHER_NOTICE, reason="threats")
    for _ in range(2):
        sanctions.lift(SYSTEM, "ana")
    assert sanctions.standing(SYSTEM, "ana") == sanctions.Standing()


def test_who_is_suspended_is_signed_off_and_who_is_muted_is_not(world):
    sanctions.sanction(SYSTEM, "ana", muted_until=FURTHER_NOTICE, reason="spam")
    assert wiring.live().dismissed == []
    acme = replace(SYSTEM, tenant_id="acme")
    sanctions.sanction(acme, "ana", suspended_until=FURTHER_NOTICE, reason="spam")
    assert wiring.live().dismissed == [("ana", "suspended", "acme")]


def test_a_change_in_between_is_decided_on_again(world):
    """What `decide` looks up elsewhere is never older than what it overwrites."""
    ends = [world.now() + timedelta(hours=hours) for hours in (1, 2)]
    seen = []

    def decide(found: sanctions.Standing) -> sanctions.Standing:
        seen.append(found.muted_until)
        if len(seen) == 1:
            sanctions.sanction(SYSTEM, "ana", muted_until=ends[1], reason="meanwhile")
            return sanctions.Standing(muted_until=ends[0])
        return found

    sanctions.stand(SYSTEM, "ana", decide)
    assert seen == [None, ends[1]]
    assert sanctions.standing(SYSTEM, "ana").muted_until == ends[1]


def test_members_sanction_nobody(world):
    ana = new_user()
    for refused in (
        lambda: sanctions.sanction(ana, "bia", muted_until=FURTHER_NOTICE, reason="I do not like her"),
        lambda: sanctions.lift(ana, ana.user_id),
        lambda: sanctions.standing(ana, ana.user_id),
    ):
        with pytest.raises(Forbidden):
            refused()


def test_the_words_for_the_member(world):
    assert sanction_words("You are muted", world.now()) == "You are muted until 2027-07-01 12:00 UTC."
    assert sanction_words("You are muted", FURTHER_NOTICE) == "You are muted until further notice."


def test_who_is_muted_reads_and_works_and_writes_to_nobody(world):
    ana, bia, carla = members(3)
    room = rooms.open_room(ana, [bia.user_id])
    sent = messages.send(ana, room.id, "Hello")
    goal = goals.create_goal(ana, {"title": "Run"})
    muted = replace(ana, muted_until=world.now() + timedelta(minutes=5))
    for refused in (
        lambda: messages.send(muted, room.id, "Hello?"),
        lambda: messages.edit(muted, sent.id, "Hello!"),
        lambda: messages.react(muted, sent.id, "👍"),
        lambda: messages.set_typing(muted, room.id, typing=True),
        lambda: rooms.open_room(muted, [carla.user_id]),
        lambda: rooms.invite(muted, room.id, [carla.user_id]),
        lambda: connections.request_connection(muted, bia.user_id),
        lambda: tasks.add_task(muted, goal.id, {"title": "For you", "assignees": [bia.user_id]}),
    ):
        with pytest.raises(Forbidden, match="Moderators have muted you until 2027-07-01 12:05 UTC"):
            refused()
    assert [message.text for message in messages.history(muted, room.id)] == ["Hello"]
    tasks.add_task(muted, goal.id, {"title": "For me"})
    messages.delete(muted, sent.id)
    world.advance(minutes=5)
    messages.send(muted, room.id, "Hello again")
