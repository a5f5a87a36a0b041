"""Which events follow from what members do in rooms."""

import pytest

from chat import message_services as messages
from chat import moderation_services, services
from chat.events import TRANSLATORS
from goalgraph.feed.events import Event
from tests.chat.moderation_world import STAFF
from tests.chat.world import members
from tests.fixtures import FakeClock
from tests.streams import changes_since


@pytest.fixture(autouse=True)
def world(memory_world: FakeClock) -> FakeClock:
    return memory_world


def told() -> list[Event]:
    known = [change for change in changes_since() if type(change.item).__name__ in TRANSLATORS]
    return [event for change in known for event in TRANSLATORS[type(change.item).__name__](change)]


@pytest.fixture
def talk(world):
    """Ana's room with Bia and Carla, and her message there; what followed so far is forgotten."""
    ana, bia, carla = members(3)
    room = services.open_room(ana, [bia.user_id, carla.user_id], title="Hall")
    sent = messages.send(ana, room.id, "Hello, secretly")
    told()
    return ana, bia, room, sent


def test_a_message_is_sent_and_who_is_in_the_room_joined_it(world):
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    sent = messages.send(ana, room.id, "Hello, secretly")
    events = told()

    assert {(event.user_id, event.data["memberId"]) for event in events if event.type == "room.joined"} == {
        (member.user_id, member.user_id) for member in (ana, bia)
    }
    (event,) = [event for event in events if event.type == "message.sent"]
    assert event.data == {"roomId": room.id, "messageId": sent.id, "seq": 1, "senderId": ana.user_id}
    assert (event.user_id, event.actor_id, event.at) == (ana.user_id, ana.user_id, world.now())
    assert "secretly" not in str(event.to_json())


def test_edits_are_told_each_with_an_id_of_its_own(talk, world):
    ana, _, room, sent = talk
    for text in ("Hello!", "Hello?", "Hello!"):
        messages.edit(ana, sent.id, text)
    messages.edit(ana, sent.id, "Hello!")
    events = told()
    assert [(event.type, event.data) for event in events] == [("message.edited", {"roomId": room.id, "messageId": sent.id, "seq": 1})] * 3
    assert len({event.id for event in events}) == 3


def test_a_deletion_is_told_once(talk):
    ana, _, _, sent = talk
    messages.edit(ana, sent.id, "Hello!")
    told()
    for _ in range(2):
        messages.delete(ana, sent.id)
    assert [(event.type, event.data["messageId"]) for event in told()] == [("message.deleted", sent.id)]


def test_a_redaction_is_told_once_and_not_who_made_it(talk):
    ana, _, room, sent = talk
    for _ in range(2):
        moderation_services.redact(STAFF, sent.id, "Cruel")
    (event,) = [event for event in told() if event.type.startswith("message.")]
    assert (event.type, event.user_id, event.actor_id) == ("message.redacted", ana.user_id, "system")
    assert event.data == {"roomId": room.id, "messageId": sent.id, "seq": 1}
    assert "Cruel" not in str(event.to_json())
    assert STAFF.user_id not in str(event.to_json())


def test_reactions_and_reading_are_no_edits(talk):
    ana, bia, room, sent = talk
    messages.edit(ana, sent.id, "Hello!")
    told()
    messages.react(bia, sent.id, "👍")
    messages.react(bia, sent.id, "👍", remove=True)
    messages.mark_read(bia, room.id)
    assert told() == []


def test_who_is_invited_joins_and_who_leaves_tells_nothing(talk):
    ana, bia, room, _ = talk
    (dora,) = members(1)
    services.invite(ana, room.id, [dora.user_id])
    services.leave(bia, room.id)
    assert [(event.type, event.user_id, event.actor_id) for event in told()] == [("room.joined", dora.user_id, ana.user_id)]
