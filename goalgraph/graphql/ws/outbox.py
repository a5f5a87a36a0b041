"""What goes to one client: sent at once while its connection takes it, kept within bounds for a moment when it does not."""

import asyncio
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from django.conf import settings

Message = dict[str, Any]
Send = Callable[[Message], Coroutine[Any, Any, None]]


class Outbox:
    """Wraps an ASGI connection's `send`. A server's `send` rarely has to wait, so its coroutine is stepped once, without a task; only
    where it stops, because the client does not read, a task waits for it, and what comes meanwhile queues up. A queue that gets too long
    ends the connection. Knows the attributes of uvicorn's connections to end one whose client does not read.
    """

    __slots__ = ("_drain", "_queue", "_queued", "_send", "stalled_since")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._queue: deque[Message] | None = None
        self._queued = 0
        self._drain: asyncio.Task[None] | None = None
        self.stalled_since = 0.0
        """The time, by the event loop's clock, since which the client has read nothing that we know of; 0 while nothing waits."""

    def push(self, message: Message) -> None:
        """Send without waiting, after all that was pushed before."""
        if self._drain is not None:
            self._enqueue(message)
            return
        steps = self._send(message)
        try:
            awaited = steps.send(None)
        except StopIteration:
            return
        except Exception:  # noqa: BLE001 - the client is gone, which the server also tells whoever receives
            return
        self.stalled_since = asyncio.get_running_loop().time()
        self._drain = asyncio.create_task(self._send_rest(steps, awaited))

    async def drained(self) -> None:
        """Wait until nothing waits to be sent."""
        while self._drain is not None:
            await asyncio.wait([self._drain])

    def abort(self) -> None:
        """End the connection without a word. What it still held in memory goes, and what is pushed from now on is dropped."""
        transport, self._send = self.transport, _dropped
        self._queue, self.stalled_since = None, 0.0
        if self._drain is not None:
            self._drain.cancel()
            self._drain = None
        if transport is not None:
            transport.abort()

    @property
    def transport(self) -> Any:
        """The asyncio transport behind `send`; None where the server does not show it."""
        return getattr(getattr(self._send, "__self__", None), "transport", None)

    def _enqueue(self, message: Message) -> None:
        if self._queue is None:
            self._queue = deque()
        self._queue.append(message)
        self._queued += len(message.get("text", ""))
        if len(self._queue) > settings.WS_QUEUED_FRAMES or self._queued > settings.WS_QUEUED_BYTES:
            self.abort()

    async def _send_rest(self, steps: Coroutine[Any, Any, None], awaited: Any) -> None:
        """The rest of a send that stopped at `awaited`, and then the queue."""
        try:
            await _resumed(steps, awaited)
            while self._queue:
                message = self._queue.popleft()
                self._queued -= len(message.get("text", ""))
                self.stalled_since = asyncio.get_running_loop().time()
                await self._send(message)
        except Exception:  # noqa: BLE001 - the client is gone
            self._queue = None
        finally:
            self._queue, self._queued = None, 0
            self._drain, self.stalled_since = None, 0.0


async def _dropped(_: Message) -> None:
    """Stands for the `send` of a connection that was aborted."""


@types.coroutine
def _resumed(steps: Coroutine[Any, Any, Any], awaited: Any) -> Generator[Any, Any, None]:
    """Go on with a coroutine that was stepped by hand and stopped at `awaited`, a future that nobody waits for yet."""
    try:
        while True:
            try:
                result = yield awaited
            except BaseException as error:  # noqa: BLE001 - a cancellation must reach the coroutine
                awaited = steps.throw(error)
            else:
                awaited = steps.send(result)
    except StopIteration:
        return
