"""A member's WebSocket as the commands of the terminal use it. Local settings only."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

from django.conf import settings
from websockets.asyncio.client import ClientConnection, connect

from goalgraph.adapters.local.issuer import mint_access_token


class Refused(Exception):
    """The service said no; the text is what it said."""


async def connections(user: str) -> AsyncIterator["Session"]:
    """A session of a member, and another one each time that the connection was lost. Raises OSError or WebSocketException where there is
    nobody to talk to."""
    token = mint_access_token(user, minutes=24 * 60)
    address = settings.PUBLIC_URL.replace("http", "ws", 1) + "/graphql"
    async for socket in connect(address, subprotocols=["graphql-transport-ws"]):  # type: ignore[list-item]
        await socket.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
        await socket.recv()
        yield Session(socket)


class Session:
    """Operations over one socket, by the protocol `graphql-transport-ws` (github.com/enisdenjo/graphql-ws, PROTOCOL.md)."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.ids = map(str, itertools.count(1))
        self.answers: dict[str, asyncio.Queue[dict[str, Any]]] = {}

    async def read(self) -> None:
        """Hand what arrives to who waits for it. Ends with ConnectionClosed."""
        while True:
            message = json.loads(await self.socket.recv())
            if message.get("id") in self.answers:
                self.answers[message["id"]].put_nowait(message)

    async def follow(self, query: str, variables: dict[str, Any]) -> Any:
        """Each result of an operation. Raises Refused."""
        operation = next(self.ids)
        queue = self.answers[operation] = asyncio.Queue()
        await self.socket.send(json.dumps({"id": operation, "type": "subscribe", "payload": {"query": query, "variables": variables}}))
        while (message := await queue.get())["type"] != "complete":
            errors = message["payload"] if message["type"] == "error" else message["payload"].get("errors")
            if errors:
                raise Refused(errors[0]["message"])
            yield message["payload"]["data"]

    async def ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The one result of a query or mutation. Raises Refused."""
        async for data in self.follow(query, variables):
            found: dict[str, Any] = data
            return found
        raise Refused("No answer came.")
