"""One WebSocket: its state, its operations, and what it does with each message."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Protocol

import orjson
from django.conf import settings

from goalgraph import metrics, trace
from goalgraph.auth.access import actor_from_authorization
from goalgraph.auth.actor import Actor
from goalgraph.auth.standing import present
from goalgraph.errors import Forbidden, GoalGraphError, Internal, RateLimited, Unauthenticated
from goalgraph.graphql.errors import rendered
from goalgraph.graphql.execution import Call, in_thread
from goalgraph.graphql.hub import Follower
from goalgraph.graphql.idempotency import Answer, check_key
from goalgraph.graphql.requests import read_request
from goalgraph.graphql.subscriptions import Source
from goalgraph.graphql.ws.outbox import Message, Outbox, Send
from goalgraph.graphql.ws.protocol import CloseCode, Dialect, Init, Reply, Start, State, Stop, Terminate, Violation

logger = logging.getLogger(__name__)

NOBODY = Actor("")


class Streams(Protocol):
    """What a socket needs of the hub."""

    async def follow(self, socket: "Socket", operation_id: str, source: Source) -> Follower: ...


class Socket(Outbox):
    """Small on purpose, for a process holds many: no task and no timer of its own while nothing happens."""

    __slots__ = ("_operations", "_received", "_streams", "actor", "closing", "dialect", "opened_at", "state")

    def __init__(self, send: Send, dialect: Dialect, streams: Streams) -> None:
        super().__init__(send)
        self.dialect, self._streams = dialect, streams
        self.state = State.NEW
        self.actor = NOBODY
        self.opened_at = asyncio.get_running_loop().time()
        self.closing = False
        self._received = 0
        self._operations: dict[str, asyncio.Task[None] | Follower] = {}

    # What the client says --------------------------------------------------------------------------------------------------------

    async def receive(self, message: Message) -> None:
        """Act on a `websocket.receive` event. Waits only while a token is checked, so that what follows is judged by the outcome."""
        if self.closing:
            return
        try:
            await self._act(self._text(message))
        except Violation as violation:
            self.close(violation.code, violation.reason)

    def _text(self, message: Message) -> str:
        text = message.get("text")
        if not isinstance(text, str):
            raise Violation(CloseCode.BAD_MESSAGE, "Binary messages are not understood")
        bound = settings.WS_MAX_MESSAGE_BYTES
        if len(text) > bound or (len(text) * 4 > bound and len(text.encode()) > bound):
            raise Violation(CloseCode.TOO_LARGE, f"A message has at most {bound} bytes")
        self._received += 1
        if self._received > settings.WS_MESSAGES_PER_SECOND:
            raise Violation(CloseCode.TOO_MANY, "Too many messages")
        return text

    async def _act(self, text: str) -> None:
        match self.dialect.read(text, self.state, self._operations):
            case Start() as start:
                self._start(start)
            case Stop(operation_id):
                self._stop(operation_id)
            case Reply(reply):
                self.say(reply)
            case Init(payload):
                await self._sign_in(payload)
            case Terminate():
                self.close(CloseCode.NORMAL, "")

    async def _sign_in(self, payload: Mapping[str, Any]) -> None:
        self.state = State.INITIATED
        trace.start()
        header = payload.get("authorization", payload.get("Authorization"))
        try:
            self.actor = await in_thread(lambda: present(actor_from_authorization(header if isinstance(header, str) else None)))
        except Forbidden as error:
            self._refuse(error, CloseCode.FORBIDDEN, "Suspended")
            return
        except GoalGraphError as error:
            self._refuse(error, CloseCode.UNAUTHORIZED, "Unauthorized")
            return
        except Exception:
            logger.exception("a token was not checked")
            self._refuse(Internal(), CloseCode.INTERNAL, "Internal server error")
            return
        if self.closing:  # it took too long
            return
        self.state = State.READY
        self.say(self.dialect.ack)
        self.keep_alive()

    def _refuse(self, error: GoalGraphError, code: CloseCode, reason: str) -> None:
        metrics.refused(error.code)
        if refusal := self.dialect.refusal(rendered(error)):
            self.say(refusal)
        self.close(code, reason)

    # Operations ------------------------------------------------------------------------------------------------------------------

    def _start(self, start: Start) -> None:
        if start.replaces:
            self._stop(start.id)
        if len(self._operations) >= settings.WS_OPERATIONS:
            self._say_errors(start.id, [rendered(RateLimited(f"At most {settings.WS_OPERATIONS} operations at once."))])
            return
        self._operations[start.id] = asyncio.create_task(self._operate(start.id, start.payload))

    def _stop(self, operation_id: str) -> bool:
        operation = self._operations.pop(operation_id, None)
        if isinstance(operation, Follower):
            operation.leave()
        elif operation:
            operation.cancel()
        return operation is not None

    async def _operate(self, operation_id: str, payload: Mapping[str, Any]) -> None:
        """Answer a query or a mutation, or bring a subscription to where the hub carries it on. Cancelled when the client stops it."""
        trace.start()
        try:
            call = self._call(payload)
            answer = await call.answer()
            if call.source is not None:
                self._operations[operation_id] = await self._streams.follow(self, operation_id, call.source)
                return
        except GoalGraphError as error:
            self.end(operation_id, error)
        except Exception:
            logger.exception("an operation over the WebSocket failed")
            self.end(operation_id, Internal())
        else:
            self._tell(operation_id, answer)

    def _tell(self, operation_id: str, answer: Answer) -> None:
        """The one answer of a query or a mutation. What was refused before it ran is an error, not a result."""
        if answer.status == 200:
            self.push(self.frame(operation_id, answer.body.decode()))
            self.end(operation_id, None)
        elif self._operations.pop(operation_id, None):
            self._say_errors(operation_id, orjson.loads(answer.body)["errors"])

    def _call(self, payload: Mapping[str, Any]) -> Call:
        request = read_request(dict(payload))
        actor, key = self.actor, (payload.get("extensions") or {}).get("idempotencyKey")
        return Call(
            request,
            sign_in=lambda: present(actor),
            idempotency_key=check_key(key if isinstance(key, str) else None if key is None else ""),
            strict_status=True,
            serves_streams=True,
        )

    # What the hub says -----------------------------------------------------------------------------------------------------------

    @property
    def user_id(self) -> str:
        return self.actor.user_id

    @property
    def dialect_name(self) -> str:
        return self.dialect.name

    def frame(self, operation_id: str, body: str) -> Message:
        return {"type": "websocket.send", "text": self.dialect.next(operation_id, body)}

    def end(self, operation_id: str, error: GoalGraphError | None) -> None:
        if self._operations.pop(operation_id, None) is None:
            return
        if error is None:
            self.say(self.dialect.complete(operation_id))
        else:
            self._say_errors(operation_id, [rendered(error)])

    def suspend(self) -> None:
        self.close(CloseCode.FORBIDDEN, "Suspended")

    def _say_errors(self, operation_id: str, errors: list[Any]) -> None:
        self.say(self.dialect.error(operation_id, errors))

    def say(self, text: str) -> None:
        if not self.closing:
            self.push({"type": "websocket.send", "text": text})

    # Time and the end ------------------------------------------------------------------------------------------------------------

    def keep_alive(self) -> None:
        if self.dialect.keep_alive and self.state is State.READY:
            self.say(self.dialect.keep_alive)

    def tick(self, now: float, wall: float) -> None:
        """About once a second. `now` is the event loop's clock, `wall` seconds since the epoch."""
        self._received = 0
        if self.closing:
            return
        if self.stalled_since and now - self.stalled_since > settings.WS_STALLED_SECONDS:
            self.abort()
        elif self.state is not State.READY:
            if now - self.opened_at > settings.WS_INIT_SECONDS:
                self.close(CloseCode.INIT_TIMEOUT, "Connection initialisation timeout")
        elif self.actor.expires_at is not None and self.actor.expires_at <= wall:
            self._refuse(Unauthenticated("The access token has expired."), CloseCode.UNAUTHORIZED, "Token expired")

    def close(self, code: CloseCode, reason: str) -> None:
        """Say goodbye and stop all operations. A client that is not reading is cut off."""
        if self.closing:
            return
        self.stop_all()
        if self.stalled_since:
            self.closing = True
            self.abort()
            return
        self.push({"type": "websocket.close", "code": int(code), "reason": reason})
        self.closing = True

    def stop_all(self) -> None:
        for operation_id in list(self._operations):
            self._stop(operation_id)
