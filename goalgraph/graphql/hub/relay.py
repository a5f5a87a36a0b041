"""A process's one line to the channel layer: one channel, and one group for each topic that somebody here follows.

Redis pub/sub forgets a message that nobody hears at that moment, and a subscription is made some time after it was asked for. So a group
counts as joined when a message of our own came back through it; and a beat, sent to ourselves twice a second, tells when the line was
dead: a beat that is missing means that other messages may be missing too.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable, Collection
from typing import Any

from goalgraph.ports.live import Announcement

logger = logging.getLogger(__name__)

BEAT = 0.5
"""Seconds between two beats."""
DEAD = 3.0
"""Seconds without a beat of ours, although Redis takes what we send, after which the line is built anew."""
ECHO_SECONDS = 0.25
ECHO_TRIES = 6


class Relay:
    """`on_announcement` gets each message, on the event loop; it must not wait. `on_recovery` is called when some may have been missed."""

    def __init__(self, layer: Any, on_announcement: Callable[[Announcement], None], on_recovery: Callable[[], None]) -> None:
        self._layer = layer
        self._on_announcement, self._on_recovery = on_announcement, on_recovery
        self._channel = ""
        self._groups: set[str] = set()
        self._answers = True
        self._connecting = asyncio.Lock()
        self._echoes: dict[str, asyncio.Future[None]] = {}
        self._sent = self._heard = 0
        self._heard_at = 0.0
        self._receiving: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._beating = asyncio.create_task(self._beat())

    async def stop(self) -> None:
        for task in (self._beating, self._receiving):
            if task:
                task.cancel()
                await asyncio.wait([task])

    async def join(self, group: str) -> bool:
        """Get the messages of `group` from now on. False where the layer did not answer in time: it is joined when it does."""
        self._groups.add(group)
        try:
            await self._connected()
            await self._layer.group_add(group, self._channel)
            return await self._echo(group)
        except Exception as error:  # noqa: BLE001 - whatever the layer raises, the beat repairs it
            logger.warning("a group was not joined yet: %s", type(error).__name__)
            return False

    async def leave(self, group: str) -> None:
        self._groups.discard(group)
        try:
            await self._layer.group_discard(group, self._channel)
        except Exception as error:  # noqa: BLE001 - a message too many does no harm
            logger.warning("a group was not left: %s", type(error).__name__)

    async def _connected(self) -> None:
        """Listen to a channel of our own, and to a group of the same name for our beats. Raises what the layer raises.

        A group, because one whose subscription failed can be asked for again, and a channel cannot. So not `new_channel` either.
        """
        async with self._connecting:
            if self._receiving is None or self._receiving.done():
                self._channel = f"hub.{uuid.uuid4().hex}"
                self._heard_at = asyncio.get_running_loop().time()
                self._receiving = asyncio.create_task(self._receive(self._channel))
                await asyncio.sleep(0)
        await self._layer.group_add(self._channel, self._channel)

    async def _receive(self, channel: str) -> None:
        while True:
            try:
                self._dispatch(await self._layer.receive(channel))
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - the line must stay up whatever comes through it
                logger.warning("receiving from the channel layer failed: %r", error)
                await asyncio.sleep(BEAT)

    def _dispatch(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "live.event":
                self._on_announcement(Announcement.from_message(message))
            case "live.beat":
                self._hear(message["number"])
            case "live.echo" if echo := self._echoes.pop(message["id"], None):
                if not echo.done():
                    echo.set_result(None)

    async def _echo(self, group: str) -> bool:
        """Whether a message of ours comes back through `group`."""
        echo_id, echo = uuid.uuid4().hex, asyncio.get_running_loop().create_future()
        try:
            for _ in range(ECHO_TRIES):
                self._echoes[echo_id] = echo
                await self._layer.group_send(group, {"type": "live.echo", "id": echo_id})
                done, _pending = await asyncio.wait([echo], timeout=ECHO_SECONDS)
                if done:
                    return True
            return False
        finally:
            self._echoes.pop(echo_id, None)

    def _hear(self, number: int) -> None:
        missed = number != self._heard + 1
        self._heard, self._heard_at = number, asyncio.get_running_loop().time()
        if missed:
            logger.warning("the line to the channel layer is back: followed topics are read again")
            self._on_recovery()

    async def _beat(self) -> None:
        while True:
            try:
                await self._connected()
                self._sent += 1
                await self._layer.group_send(self._channel, {"type": "live.beat", "number": self._sent})
                self._answers = True
                if asyncio.get_running_loop().time() - self._heard_at > DEAD:
                    await self._rebuild()
            except Exception as error:  # noqa: BLE001 - whatever the layer raises, the next beat tries again
                if self._answers:
                    logger.warning("the channel layer does not answer: %s", type(error).__name__)
                self._answers = False
            await asyncio.sleep(BEAT)

    async def _rebuild(self) -> None:
        """Redis answers, but nothing reaches us: new connections, a new channel, and all groups once more."""
        logger.warning("the line to the channel layer is built anew")
        if self._receiving:
            self._receiving.cancel()
            await asyncio.wait([self._receiving])
        await self._layer.flush()
        await self._connected()
        await self._add_all(list(self._groups))

    async def _add_all(self, groups: Collection[str]) -> None:
        for group in groups:
            await self._layer.group_add(group, self._channel)

    async def rejoin(self) -> None:
        """Ask for each group again, which costs nothing where it is joined. Raises what the layer raises."""
        await self._add_all(list(self._groups))
