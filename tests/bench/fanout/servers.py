"""The servers: our hub, a bare ASGI broadcast of the same bytes, and stock Channels with a consumer for each socket.

Each answers `POST /say` (one event to all) and `GET /count` (how many sockets it would reach).
"""

import itertools
import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.bench.fanout.settings")
django.setup(set_prefix=False)

import graphene  # noqa: E402
from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.layers import get_channel_layer  # noqa: E402

from goalgraph import wiring  # noqa: E402
from goalgraph.asgi import application as goalgraph  # noqa: E402
from goalgraph.graphql.ws.server import server  # noqa: E402
from goalgraph.ports.live import Event, Stream  # noqa: E402
from tests.bench.fanout.frames import ACK, FIRST_SEQ, frame, message  # noqa: E402

TOPIC = "bench"
GROUP = "stock"
"""Not the same name: both use the same Redis."""
_seqs = itertools.count(FIRST_SEQ + 1)


async def _answer(send: Any, text: str) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(text)).encode())]})
    await send({"type": "http.response.body", "body": text.encode()})


class Bare:
    """What is left when all is left out: the sockets, and a loop over them. It reads none of what the clients say."""

    def __init__(self) -> None:
        self._sends: set[Any] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            if scope["path"] == "/say":
                text = frame(next(_seqs))
                for each in list(self._sends):
                    await each({"type": "websocket.send", "text": text})
            await _answer(send, str(len(self._sends)))
            return
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "graphql-transport-ws"})
        await send({"type": "websocket.send", "text": ACK})
        self._sends.add(send)
        while (await receive())["type"] != "websocket.disconnect":
            pass
        self._sends.discard(send)


bare = Bare()


class Consumer(AsyncWebsocketConsumer):
    """Channels as its tutorial has it: each socket is a member of the group."""

    members = 0

    async def connect(self) -> None:
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept("graphql-transport-ws")
        await self.send(text_data=ACK)
        Consumer.members += 1

    async def disconnect(self, code: int) -> None:
        Consumer.members -= 1
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        pass

    async def chat_message(self, event: dict[str, str]) -> None:
        await self.send(text_data=event["text"])


_consumer = Consumer.as_asgi()


async def stock(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        if scope["path"] == "/say":
            await get_channel_layer().group_send(GROUP, {"type": "chat.message", "text": frame(next(_seqs))})
        await _answer(send, str(Consumer.members))
        return
    await _consumer(scope, receive, send)


class _Log:
    """Ordered and empty: what is announced is never asked for again."""

    def head(self) -> int:
        return FIRST_SEQ

    def read(self, after: int, limit: int) -> list[Event]:
        return []


class Author(graphene.ObjectType):
    id = graphene.ID()
    nickname = graphene.String()


class Message(graphene.ObjectType):
    seq = graphene.Int()
    text = graphene.String()
    author = graphene.Field(Author)


class Subscription(graphene.ObjectType):
    on_message = graphene.Field(Message)

    @staticmethod
    def subscribe_on_message(root: None, info: graphene.ResolveInfo) -> Stream:
        return Stream(TOPIC, log=_Log())

    @staticmethod
    def resolve_on_message(root: Any, info: graphene.ResolveInfo) -> Any:
        return root


class Query(graphene.ObjectType):
    me = graphene.String()


schema = graphene.Schema(Query, subscription=Subscription)


async def hub(scope: Any, receive: Any, send: Any) -> None:
    """GraphQL over WebSocket as the web process serves it."""
    if scope["type"] != "http":
        await goalgraph(scope, receive, send)
        return
    if scope["path"] == "/say":
        seq = next(_seqs)
        wiring.live().announce(TOPIC, Event("message", message(seq), seq))
    topic = server().hub._topics.get(TOPIC)
    await _answer(send, str(sum(len(share.followers) for share in topic.shares.values()) if topic else 0))
