"""Presence over real sockets: who follows is there, and however a stream ends, others are told."""

import asyncio
from collections.abc import Callable, Iterator

import graphene
import pytest
from django.test import override_settings

from goalgraph import wiring
from goalgraph.adapters.local.issuer import mint_access_token
from goalgraph.graphql.subscriptions import Reset
from goalgraph.graphql.ws.server import _servers
from goalgraph.ports.live import Event, Stream
from goalgraph.ports.presence import PRESENCE
from tests.goalgraph.graphql.ws import sample
from tests.goalgraph.graphql.ws.client import Client, until
from tests.goalgraph.graphql.ws.test_outages import live_followers

OpenClient = Callable[..., Client]
WATCH = "subscription ($room: ID!) { onPresence(roomId: $room) }"
FOLLOW = "subscription ($room: ID!, $after: Int) { onMessage(roomId: $room, after: $after) { text } }"
GLANCE = "subscription ($room: ID!) { onGlance(roomId: $room) }"


class Subscription(graphene.ObjectType):
    on_presence = graphene.String(room_id=graphene.ID(required=True))
    on_message = graphene.Field(sample.Message, room_id=graphene.ID(required=True), after=graphene.Int())
    on_glance = graphene.String(room_id=graphene.ID(required=True))

    @staticmethod
    def subscribe_on_presence(_: None, info: graphene.ResolveInfo, room_id: str) -> Stream:
        return Stream(topic(room_id), kinds=[PRESENCE], root=lambda event: event.payload, presence=True)

    @staticmethod
    def resolve_on_presence(payload: dict[str, object], _: graphene.ResolveInfo, **__: object) -> str:
        return f"{payload['userId']} {'came' if payload['online'] else 'went'}"

    @staticmethod
    def subscribe_on_message(_: None, info: graphene.ResolveInfo, room_id: str, after: int | None = None) -> Stream:
        user_id = info.context.actor.user_id
        return Stream(
            topic(room_id),
            kinds=["message"],
            log=sample.log_of(room_id),
            after=after,
            presence=True,
            still_allowed=lambda: user_id not in sample.not_allowed,
        )

    @staticmethod
    def resolve_on_message(message: dict[str, object], _: graphene.ResolveInfo, **__: object) -> dict[str, object]:
        return message

    @staticmethod
    def subscribe_on_glance(_: None, info: graphene.ResolveInfo, room_id: str) -> Stream:
        return Stream(topic(room_id), kinds=["nothing"])


SCHEMA = graphene.Schema(sample.Query, subscription=Subscription)


def topic(room: str) -> str:
    return f"room.{room}"


@pytest.fixture(autouse=True)
def rooms_with_presence(address: str) -> Iterator[None]:
    with override_settings(GRAPHQL_SCHEMA=f"{__name__}.SCHEMA"):
        yield


def watch(open_client: OpenClient, room: str) -> Client:
    """Ana, who sees who comes and goes, and is there herself."""
    client = open_client("ana")
    client.start(WATCH, {"room": room})
    assert told(client) == "ana came"
    return client


def told(client: Client) -> str:
    message = client.hear()
    assert message["type"] == "next", message
    return message["payload"]["data"]["onPresence"]


def complete(client: Client, operation_id: str, room: str) -> None:
    client.stop(operation_id)


def close(client: Client, operation_id: str, room: str) -> None:
    client.close()


def leave(client: Client, operation_id: str, room: str) -> None:
    wiring.live().announce(topic(room), Event("left"), ends_for=["bruno"])


def sign_out(client: Client, operation_id: str, room: str) -> None:
    wiring.live().dismiss("bruno", "signed_out")


def forbid(client: Client, operation_id: str, room: str) -> None:
    sample.not_allowed.add("bruno")
    wiring.live().reconsider(["bruno"])


def lose_the_log(client: Client, operation_id: str, room: str) -> None:
    log = sample.MemoryLog.of(room)
    for number in range(3):
        sample.say(room, f"{number}", announced=False)
    log.kept = 3
    wiring.live().announce(topic(room), Event("message", None, 3))


@pytest.fixture(autouse=True)
def everybody_may() -> Iterator[None]:
    yield
    sample.not_allowed.clear()


@pytest.mark.parametrize("end", [complete, close, leave, sign_out, forbid, lose_the_log])
def test_however_a_stream_ends_its_member_is_gone(open_client: OpenClient, room: str, end: Callable[[Client, str, str], None]) -> None:
    ana, bruno = watch(open_client, room), open_client("bruno")
    operation_id = bruno.start(FOLLOW, {"room": room})
    assert told(ana) == "bruno came"
    assert wiring.presence().present(topic(room)) == {"ana", "bruno"}
    end(bruno, operation_id, room)
    assert told(ana) == "bruno went"
    assert wiring.presence().present(topic(room)) == {"ana"}


def test_a_member_is_there_while_any_of_their_streams_is(open_client: OpenClient, room: str) -> None:
    ana, phone, laptop = watch(open_client, room), open_client("bruno"), open_client("bruno")
    first = phone.start(WATCH, {"room": room})
    assert [told(ana), told(phone)] == ["bruno came"] * 2
    phone.start(FOLLOW, {"room": room})
    laptop.start(FOLLOW, {"room": room})
    until(lambda: live_followers(room) == 4, "both of Bruno's devices follow")
    phone.stop(first)
    until(lambda: live_followers(room) == 3, "the phone follows once")
    phone.close()
    until(lambda: live_followers(room) == 2, "the laptop is left")
    carla = open_client("carla")
    carla.start(FOLLOW, {"room": room})
    assert told(ana) == "carla came"
    laptop.close()
    assert told(ana) == "bruno went"


def test_who_is_refused_or_follows_without_presence_is_not_there(open_client: OpenClient, room: str) -> None:
    ana, bruno = watch(open_client, room), open_client("bruno")
    sample.MemoryLog.of(room).kept = 5
    bruno.start(FOLLOW, {"room": room, "after": 1})
    assert bruno.hear()["payload"][0]["extensions"]["code"] == Reset.code
    bruno.start(GLANCE, {"room": room})
    until(lambda: live_followers(room) == 2, "Bruno follows too")
    open_client("carla").start(FOLLOW, {"room": room})
    assert told(ana) == "carla came"
    assert wiring.presence().present(topic(room)) == {"ana", "carla"}


def test_a_server_that_stops_leaves_nobody_behind(open_client: OpenClient, room: str) -> None:
    watch(open_client, room)
    ((loop, server),) = [(loop, server) for loop, server in _servers.items() if topic(room) in server.hub._topics]
    asyncio.run_coroutine_threadsafe(server.hub.stop(), loop).result(20)
    assert wiring.presence().present(topic(room)) == set()


def test_a_stream_that_ends_while_it_comes_in_leaves_nobody_behind(address: str, open_client: OpenClient, room: str) -> None:
    with Client(address) as client:
        client.sign_in(mint_access_token("bruno"))
        for number in range(50):
            client.start(FOLLOW, {"room": room}, operation_id=f"{number}")
            client.stop(f"{number}")
        assert client.ask("{me}", operation_id="last")["data"] == {"me": "bruno"}
    until(lambda: live_followers(room) == 0, "nobody follows")
    watch(open_client, room)
    assert wiring.presence().present(topic(room)) == {"ana"}
