"""Who has a room open, for those who are in it."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import graphene
import pytest
from django.conf import settings
from django.test import override_settings

from chat import live, message_services, schema, services
from goalgraph import wiring
from goalgraph.adapters.live import RecordingLive
from goalgraph.adapters.presence import MemoryPresence
from goalgraph.auth.actor import Actor
from goalgraph.ports.live import Event, Stream
from goalgraph.ports.presence import PRESENCE, Entry
from tests.chat.world import members
from tests.fixtures import FakeClock
from users import services as users


class Query(schema.Query, graphene.ObjectType):
    pass


class Subscription(schema.Subscription, graphene.ObjectType):
    pass


SCHEMA = graphene.Schema(query=Query, subscription=Subscription)
ONLINE = "query ($id: ID!) { room(id: $id) { members { userId online } } }"


class Store(MemoryPresence):
    """Counts how often it is asked, and may not know."""

    asked, knows = 0, True

    def present(self, topic: str) -> frozenset[str] | None:
        self.asked += 1
        return super().present(topic) if self.knows else None


@pytest.fixture(autouse=True)
def store(memory_world: FakeClock) -> Iterator[Store]:
    with override_settings(PORTS=settings.PORTS | {"presence": {"BACKEND": f"{__name__}.Store"}}):
        yield wiring.port("presence")


def ask(actor: Actor, query: str, **variables: Any) -> Any:
    return SCHEMA.execute(query, variables=variables, context=SimpleNamespace(actor=actor, cache={}))


def online(actor: Actor, room_id: str) -> set[str]:
    """Whom `actor` sees online in a room."""
    answer = ask(actor, ONLINE, id=room_id)
    assert answer.errors is None
    return {member["userId"] for member in answer.data["room"]["members"] if member["online"]}


def come(actor: Actor, stream: Stream) -> Entry:
    """What the hub does for a stream."""
    assert stream.presence
    entry = Entry(stream.topic, actor.user_id)
    wiring.presence().enter("web", [entry])
    return entry


def test_who_follows_a_room_by_either_stream_is_online_in_it_and_nowhere_else():
    ana, bia, caio = members(3)
    room, other = (services.open_room(ana, [bia.user_id, caio.user_id]) for _ in range(2))
    assert online(ana, room.id) == set()

    entry = come(bia, message_services.follow_messages(bia, room.id))
    come(ana, message_services.follow_events(ana, room.id))

    assert online(caio, room.id) == {ana.user_id, bia.user_id}
    assert online(caio, other.id) == set()
    wiring.presence().leave("web", [entry])
    assert online(caio, room.id) == {ana.user_id}


def test_who_is_not_in_a_room_does_not_see_who_is_online():
    ana, bia, eve = members(3)
    room = services.open_room(ana, [bia.user_id], title="Run")
    come(ana, message_services.follow_events(ana, room.id))

    answer = ask(eve, ONLINE, id=room.id)

    assert answer.data is None
    assert answer.errors


def test_a_private_profile_hides_nobody_inside_a_room():
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    users.upsert_profile(bia, {"visibility": "private"})
    come(bia, message_services.follow_messages(bia, room.id))

    assert online(ana, room.id) == {bia.user_id}


def test_all_members_of_a_room_are_looked_up_at_once(store):
    ana, *others = members(5)
    room = services.open_room(ana, [other.user_id for other in others])

    online(ana, room.id)

    assert store.asked == 1


def test_rooms_of_tenants_do_not_mix():
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    elsewhere = Actor(user_id=bia.user_id, tenant_id="acme")
    come(bia, live.events(elsewhere, room.id, still_allowed=lambda: True))

    assert online(ana, room.id) == set()


def test_nobody_is_online_while_that_is_not_known(store):
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    come(bia, message_services.follow_messages(bia, room.id))
    store.knows = False

    assert online(ana, room.id) == set()


def told(stream: Stream, event: Event) -> dict[str, Any]:
    assert event.kind in stream.kinds
    return stream.root(event)


@pytest.mark.parametrize("announced", [True, False])
def test_an_event_tells_what_is_true_by_now(announced):
    """A going that overtook the coming before it, or the other way round."""
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    stream = message_services.follow_events(ana, room.id)
    event = Event(PRESENCE, {"userId": bia.user_id, "online": announced})

    assert told(stream, event) | {"online": None} == {
        "kind": "presence",
        "room_id": room.id,
        "user_id": bia.user_id,
        "online": None,
        "message": None,
        "seq": None,
        "typing": None,
    }
    assert told(stream, event)["online"] is False
    come(bia, stream)
    assert told(stream, event)["online"] is True


@pytest.mark.parametrize("announced", [True, False])
def test_an_event_tells_what_was_announced_where_the_truth_is_not_known(store, announced):
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    stream = message_services.follow_events(ana, room.id)
    store.knows = False

    assert told(stream, Event(PRESENCE, {"userId": bia.user_id, "online": announced}))["online"] is announced


def test_other_events_say_nothing_of_presence():
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    message_services.set_typing(bia, room.id, typing=True)
    recorded = wiring.port("live")
    assert isinstance(recorded, RecordingLive)

    event = recorded.announced[-1].event

    assert told(message_services.follow_events(ana, room.id), event)["online"] is None
