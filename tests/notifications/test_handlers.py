"""Whom the handlers tell of what happened elsewhere, once, and nothing of whom there is a block with."""

import pytest

from chat import message_services as messages
from chat import moderation_services
from chat import services as chat
from goalgraph import wiring
from goalgraph.feed.registry import events_of
from goalgraph.ids import new_id
from goalgraph.ports.presence import Entry
from goals import services as goals
from goals import task_services as tasks
from notifications import services
from notifications.handlers import HANDLERS
from tests.chat.moderation_world import STAFF
from tests.fixtures import FakeClock
from tests.notifications.world import member, stored, wishes
from tests.streams import changes_since
from users import connection_services as connections
from users import services as users


@pytest.fixture(autouse=True)
def world(memory_world: FakeClock) -> FakeClock:
    return memory_world


def feed(times: int = 2) -> None:
    """Hand all that happened to the handlers, backwards and more than once."""
    happened = [event for event in events_of(changes_since()) if event.type in HANDLERS]
    for event in happened[::-1] * times:
        HANDLERS[event.type](event)


def told(actor) -> list[tuple[str, str]]:
    return [(note.kind, note.title) for note in services.notifications_page(actor, limit=50).items]


def test_who_is_asked_and_who_asked_are_told():
    ana, bia = member(nickname="Ana"), member(nickname="Bia")

    connections.request_connection(ana, bia.user_id)
    feed()
    assert (told(ana), told(bia)) == ([], [("connection_request", "Ana would like to connect with you")])

    connections.respond_to_connection(bia, ana.user_id, accept=True)
    feed()
    assert told(ana) == [("connection_accepted", "You and Bia are connected")]
    assert len(told(bia)) == 1


def test_whom_one_may_not_see_has_no_name():
    ana, bia = member(nickname="Ana"), member()
    connections.request_connection(ana, bia.user_id)
    users.upsert_profile(ana, {"visibility": "private"})

    feed()

    assert told(bia) == [("connection_request", "Somebody would like to connect with you")]


def test_who_is_given_a_task_is_told_while_they_have_it():
    ana, bia, caio = member(nickname="Ana"), member(), member()
    goal = goals.create_goal(ana, {"title": "Run"})
    task = tasks.add_task(ana, goal.id, {"title": "Buy shoes", "assignees": [bia.user_id, caio.user_id, ana.user_id]})
    tasks.decline_task(caio, task.id)

    feed()

    (note,) = services.notifications_page(bia, limit=10).items
    assert (note.kind, note.title, note.body, note.subject) == ("task_assigned", "Ana gave you a task", "Buy shoes", task.id)
    assert told(ana) == told(caio) == []

    tasks.delete_task(ana, tasks.add_task(ana, goal.id, {"title": "Gone", "assignees": [bia.user_id]}).id)
    feed()
    assert len(told(bia)) == 1


def test_the_other_one_of_a_direct_room_is_told_once_until_they_read(world):
    ana, bia = member(nickname="Ana"), member()
    room = chat.open_room(ana, [bia.user_id])
    messages.send(ana, room.id, "Hi")
    feed()
    world.advance(minutes=5)
    messages.send(ana, room.id, "Are you there?")
    feed()
    (note,) = services.notifications_page(bia, limit=10).items
    assert (note.kind, note.title, note.subject) == ("message", "Ana wrote to you", room.id)
    assert "Hi" not in note.body

    messages.mark_read(bia, room.id)
    messages.send(ana, room.id, "Good")
    feed()
    messages.send(bia, room.id, "Yes")
    feed()

    assert (len(told(bia)), len(told(ana))) == (2, 1)


def test_who_has_the_room_open_or_read_it_is_not_told():
    ana, bia = member(), member()
    room = chat.open_room(ana, [bia.user_id])
    topic = messages.follow_messages(bia, room.id).topic
    wiring.presence().enter("p1", [Entry(topic, bia.user_id)])

    messages.send(ana, room.id, "You are here")
    feed()
    wiring.presence().leave("p1", [Entry(topic, bia.user_id)])
    messages.mark_read(bia, room.id)
    messages.send(ana, room.id, "You read it before we came to tell you")
    messages.mark_read(bia, room.id)
    feed()
    assert told(bia) == []

    messages.send(ana, room.id, "You are gone")
    feed()
    assert len(told(bia)) == 1


def test_rooms_of_several_do_not_tell_of_each_message():
    ana, bia = member(), member()
    room = chat.open_room(ana, [bia.user_id], title="Run club")
    messages.send(ana, room.id, "Hi")

    feed()

    assert told(bia) == []


@pytest.mark.parametrize("who", [0, 1])
def test_after_a_block_nobody_is_told_anything_of_the_other(who):
    ana, bia = pair = (member(nickname="Ana"), member(nickname="Bia"))
    goal = goals.create_goal(ana, {"title": "Run", "visibility": "public"})
    room = chat.open_room(ana, [bia.user_id])
    connections.request_connection(ana, bia.user_id)
    tasks.add_task(ana, goal.id, {"title": "Help me", "assignees": [bia.user_id]})
    messages.send(ana, room.id, "Hi")
    users.block(pair[who], pair[1 - who].user_id)

    feed()

    assert told(ana) == told(bia) == []
    assert stored(bia, "Delivery") == stored(bia, "DigestNote") == []


def test_whose_message_was_taken_away_is_told_at_any_hour_and_not_by_whom(world):
    ana, bia = member(nickname="Ana"), member()
    room = chat.open_room(ana, [bia.user_id], title="Run club")
    sent = messages.send(ana, room.id, "Something cruel")
    feed()
    services.update_preferences(ana, {"quiet_hours": {"begin": "00:00", "end": "23:59"}})

    moderation_services.redact(STAFF, sent.id, "Cruel")
    feed()

    (note,) = services.notifications_page(ana, limit=10).items
    assert (note.kind, note.title, note.subject) == ("moderation", "A message of yours was taken away", sent.id)
    assert "ruel" not in note.title + note.body + str(note.facts)
    assert STAFF.user_id not in str(note.attribute_values)
    assert [(each.channel, each.state) for each in stored(ana, "Delivery")] == [("email", "pending")]
    assert told(bia) == []


def test_who_left_the_room_is_told_all_the_same():
    ana, bia = member(), member()
    room = chat.open_room(ana, [bia.user_id], title="Run club")
    sent = messages.send(ana, room.id, "Something cruel")
    chat.leave(ana, room.id)

    moderation_services.redact(STAFF, sent.id, "Cruel")
    feed()

    assert [kind for kind, _ in told(ana)] == ["moderation"]


@pytest.mark.parametrize(
    ("change", "title"),
    [
        ({"email": "new@example.org"}, "Your e-mail address at GoalGraph was changed"),
        ({"email": None}, "Your e-mail address at GoalGraph was removed"),
        ({"phone": "+5511912345679"}, "Your phone number at GoalGraph was changed"),
        ({"phone": None}, "Your phone number at GoalGraph was removed"),
    ],
)
def test_a_changed_address_is_told_wherever_the_member_can_be_reached(change, title):
    ana = member(email="old@example.org")
    wishes(ana, phone="+5511912345678", quiet_from=0, quiet_until=1439)
    feed()
    assert told(ana) == []

    wishes(ana, **change)
    events = [event for event in events_of(changes_since()) if event.type == "contact.changed"]
    for event in events * 2:
        HANDLERS["contact.changed"](event)

    assert told(ana) == [("security", title)]
    gone = {channel for channel, name in (("email", "email"), ("sms", "phone")) if change.get(name, "") is None}
    reachable = {"email", "push", "sms"} - gone
    assert {(each.channel, each.state) for each in stored(ana, "Delivery")} == {(channel, "pending") for channel in reachable}
    assert not any(secret in str(event.to_json()) for event in events for secret in ("example.org", "+55"))


def test_both_addresses_changed_at_once_are_two_things_to_tell():
    ana = member()
    wishes(ana, phone="+5511912345678")
    wishes(ana, email="new@example.org", phone=None)
    feed()
    assert len(told(ana)) == 2


def test_the_first_address_and_other_wishes_are_no_change_of_an_address():
    ana = member(email=None)
    wishes(ana, email="first@example.org", phone="+5511912345678")
    services.update_preferences(ana, {"digest_at": "09:00"})
    feed()
    assert told(ana) == []


def test_points_are_told():
    ana = member()
    from goalgraph.feed.events import Event

    facts = {"at": wiring.clock().now(), "user_id": ana.user_id, "actor_id": "system", "trace_id": "t"}
    badge = Event(id=new_id(), type="badge.earned", data={"badgeId": "first-goal"}, **facts)
    level = Event(id=new_id(), type="level.reached", data={"level": 3}, **facts)
    for event in (badge, level, badge, level):
        HANDLERS[event.type](event)

    assert sorted(told(ana)) == [("badge", "You earned a badge"), ("level", "You reached level 3")]
