"""A WebSocket client for tests, which says and shows single frames."""

import contextlib
import itertools
import json
import time
from collections.abc import Callable
from typing import Any, Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

PATIENCE = 20.0
"""Seconds after which what should have come is missing."""
ON_MESSAGE = "subscription ($room: ID!, $after: Int) { onMessage(roomId: $room, after: $after) { seq text } }"


class Client:
    """One connection. `messages` of keep-alive are passed over."""

    def __init__(self, url: str, *, subprotocol: str | None = "graphql-transport-ws", **more: Any) -> None:
        self.subprotocol = subprotocol
        self._closing = contextlib.ExitStack()
        connecting = connect(
            url, subprotocols=[subprotocol] if subprotocol else None, compression=None, open_timeout=PATIENCE, **{"max_queue": None, **more}
        )
        self.socket: ClientConnection = self._closing.enter_context(connecting)
        self._ids = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._closing.close()

    @property
    def legacy(self) -> bool:
        return self.subprotocol == "graphql-ws"

    def say(self, **message: Any) -> None:
        self.socket.send(json.dumps(message))

    def hear(self, timeout: float = PATIENCE) -> dict[str, Any]:
        """The next message. Raises ConnectionClosed, and TimeoutError."""
        while True:
            message = json.loads(self.socket.recv(timeout=timeout))
            if message["type"] != "ka":
                return message

    def sign_in(self, token: str) -> Self:
        self.say(type="connection_init", payload={"authorization": f"Bearer {token}"})
        assert self.hear()["type"] == "connection_ack"
        return self

    def start(self, query: str, variables: dict[str, Any] | None = None, *, operation_id: str | None = None, **payload: Any) -> str:
        operation_id = operation_id or str(next(self._ids))
        kind = "start" if self.legacy else "subscribe"
        self.say(type=kind, id=operation_id, payload={"query": query, "variables": variables or {}, **payload})
        return operation_id

    def stop(self, operation_id: str) -> None:
        self.say(type="stop" if self.legacy else "complete", id=operation_id)

    def ask(self, query: str, variables: dict[str, Any] | None = None, **payload: Any) -> Any:
        """Run a query or a mutation: its result, or the payload of its error."""
        operation_id = self.start(query, variables, **payload)
        first = self.hear()
        assert first["id"] == operation_id
        if first["type"] != "error":
            assert self.hear() == {"id": operation_id, "type": "complete"}
        return first["payload"]

    def follow(self, room: str, after: int | None = None) -> str:
        """Start `onMessage`. With `after` 0 nothing is missed, whenever the server lets it in."""
        return self.start(ON_MESSAGE, {"room": room, "after": after})

    def messages(self, count: int) -> list[dict[str, Any]]:
        """The next `count` results of subscriptions, by their `onMessage`."""
        found = []
        for _ in range(count):
            message = self.hear()
            assert message["type"] in ("next", "data"), message
            found.append(message["payload"]["data"]["onMessage"])
        return found

    def closed(self) -> int:
        """The code with which the server closes, after whatever it still says."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.hear()
        code = self.socket.close_code
        assert code not in (None, 1006), "the connection was cut"
        return code


def until(check: Callable[[], Any], what: str) -> Any:
    """Ask `check` until it gives something true."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.01)
    raise AssertionError(f"not within {PATIENCE} s: {what}")
