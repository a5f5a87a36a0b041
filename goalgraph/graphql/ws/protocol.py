"""The two WebSocket subprotocols as pure functions of what a client sent: no I/O, no clock.

`graphql-transport-ws`: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
`graphql-ws`, the older one of Apollo: https://github.com/apollographql/subscriptions-transport-ws/blob/master/PROTOCOL.md

A client's message becomes a command, or a `Violation` that ends the connection. What the server says is made by the dialect's methods.
"""

from abc import ABC, abstractmethod
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar

import orjson

from goalgraph.errors import Invalid
from goalgraph.graphql.requests import check_json

MAX_ID = 128
"""Characters of an operation's id. It is kept as long as the operation lives, and repeated in each frame."""
MAX_ECHO = 1024
"""Bytes of a ping's payload that its pong repeats."""


class CloseCode(IntEnum):
    """RFC 6455, section 7.4.1, and those of the `graphql-transport-ws` specification."""

    NORMAL = 1000
    TOO_LARGE = 1009
    INTERNAL = 4500
    BAD_MESSAGE = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    NO_SUBPROTOCOL = 4406
    INIT_TIMEOUT = 4408
    DUPLICATE_ID = 4409
    TOO_MANY = 4429


class Violation(Exception):
    """The connection ends with this code and reason."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        self.code, self.reason = code, reason
        super().__init__(reason)


class State(IntEnum):
    NEW = 0
    INITIATED = 1
    """`connection_init` came, and its token is being checked."""
    READY = 2


@dataclass(frozen=True, slots=True)
class Init:
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Start:
    id: str
    payload: Mapping[str, Any]
    replaces: bool = False
    """The older protocol ends the operation that had the id before."""


@dataclass(frozen=True, slots=True)
class Stop:
    id: str


@dataclass(frozen=True, slots=True)
class Reply:
    text: str


@dataclass(frozen=True, slots=True)
class Terminate:
    """The client says goodbye."""


Command = Init | Start | Stop | Reply | Terminate | None


class Dialect(ABC):
    """What both subprotocols share. One object of each serves all connections."""

    name: ClassVar[str]
    ack = '{"type":"connection_ack"}'
    keep_alive: ClassVar[str | None] = None
    """Sent after `ack` and from time to time, where the protocol has such a message."""
    _data: ClassVar[str]

    def read(self, text: str, state: State, open_ids: Container[str]) -> Command:
        """What the client wants. `open_ids` are its operations that have not ended. Raises Violation."""
        message = _parsed(text)
        kind = message.get("type")
        if kind == "connection_init":
            if state is not State.NEW:
                raise Violation(CloseCode.TOO_MANY, "Too many initialisation requests")
            return Init(_payload(message) or {})
        return self._read(kind, message, state, open_ids)

    @abstractmethod
    def _read(self, kind: Any, message: dict[str, Any], state: State, open_ids: Container[str]) -> Command:
        """What the client wants, beside `connection_init`. Raises Violation."""

    def next(self, operation_id: str, body: str) -> str:
        """A frame with a result. `body` is JSON: `{"data": ...}`."""
        return f'{{"id":{_quoted(operation_id)},"type":"{self._data}","payload":{body}}}'

    def error(self, operation_id: str, errors: Sequence[Any]) -> str:
        """A frame that ends an operation with `errors`."""
        return orjson.dumps({"id": operation_id, "type": "error", "payload": errors}, option=orjson.OPT_NON_STR_KEYS).decode()

    def complete(self, operation_id: str) -> str:
        """A frame that ends an operation."""
        return f'{{"id":{_quoted(operation_id)},"type":"complete"}}'

    def refusal(self, error: Mapping[str, Any]) -> str | None:  # noqa: ARG002
        """What is sent before the connection is closed for a bad token; None where the close code says it all."""
        return None


class TransportWs(Dialect):
    name = "graphql-transport-ws"
    _data = "next"

    def _read(self, kind: Any, message: dict[str, Any], state: State, open_ids: Container[str]) -> Command:
        match kind:
            case "ping":
                return Reply(_pong(_payload(message)))
            case "pong":
                _payload(message)
                return None
            case "subscribe":
                start = Start(_id(message), _request(message))
                _require_ready(state)
                if start.id in open_ids:
                    raise Violation(CloseCode.DUPLICATE_ID, f"Subscriber for {start.id[:60]} already exists")
                return start
            case "complete":
                return Stop(_id(message))
        raise _bad("Unknown message type")


class ApolloWs(Dialect):
    name = "graphql-ws"
    keep_alive = '{"type":"ka"}'
    _data = "data"

    def _read(self, kind: Any, message: dict[str, Any], state: State, open_ids: Container[str]) -> Command:  # noqa: ARG002
        match kind:
            case "start":
                start = Start(_id(message), _request(message), replaces=True)
                _require_ready(state)
                return start
            case "stop":
                return Stop(_id(message))
            case "connection_terminate":
                return Terminate()
        raise _bad("Unknown message type")

    def error(self, operation_id: str, errors: Sequence[Any]) -> str:
        """The older clients know one error only."""
        return super().error(operation_id, errors[0])

    def refusal(self, error: Mapping[str, Any]) -> str:
        return orjson.dumps({"type": "connection_error", "payload": error}).decode()


DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in (TransportWs(), ApolloWs())}


def chosen(offered: Sequence[str]) -> Dialect | None:
    """The first of the client's subprotocols that we speak."""
    return next((DIALECTS[name] for name in offered if name in DIALECTS), None)


def _parsed(text: str) -> dict[str, Any]:
    try:
        message = orjson.loads(text)
        check_json(message)
    except (orjson.JSONDecodeError, Invalid):
        raise _bad("The message is not JSON that we read") from None
    if not isinstance(message, dict):
        raise _bad("The message is not a JSON object")
    return message


def _payload(message: dict[str, Any]) -> dict[str, Any] | None:
    payload = message.get("payload")
    if not isinstance(payload, dict | None):
        raise _bad("`payload` is not an object")
    return payload


def _request(message: dict[str, Any]) -> dict[str, Any]:
    payload = _payload(message)
    if payload is None or not isinstance(payload.get("query"), str):
        raise _bad("`payload.query` is not a string")
    if not isinstance(payload.get("operationName"), str | None):
        raise _bad("`payload.operationName` is not a string")
    for name in ("variables", "extensions"):
        if not isinstance(payload.get(name), dict | None):
            raise _bad(f"`payload.{name}` is not an object")
    return payload


def _id(message: dict[str, Any]) -> str:
    found = message.get("id")
    if not isinstance(found, str) or not 0 < len(found) <= MAX_ID:
        raise _bad(f"`id` is not a string of 1 to {MAX_ID} characters")
    return found


def _pong(payload: dict[str, Any] | None) -> str:
    if payload is None:
        return '{"type":"pong"}'
    echo = orjson.dumps(payload)
    if len(echo) > MAX_ECHO:
        raise _bad("The ping's payload is too large")
    return f'{{"type":"pong","payload":{echo.decode()}}}'


def _require_ready(state: State) -> None:
    if state is not State.READY:
        raise Violation(CloseCode.UNAUTHORIZED, "Unauthorized")


def _bad(reason: str) -> Violation:
    return Violation(CloseCode.BAD_MESSAGE, reason)


def _quoted(operation_id: str) -> str:
    return orjson.dumps(operation_id).decode()
