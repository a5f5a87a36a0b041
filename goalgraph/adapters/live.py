"""Adapters of the `live` port: `ChannelsLive` publishes through the channel layer, `RecordingLive` keeps what it was told, for tests."""

import asyncio
import atexit
import concurrent.futures
import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Collection
from typing import Any

import msgpack  # type: ignore[import-untyped]
from channels.layers import get_channel_layer

from goalgraph.ports.live import Announcement, Dismissal, Event, dismissal, reconsideration

logger = logging.getLogger(__name__)

KEPT = 10_000
"""Announcements that may wait while Redis is away. Older ones go: the logs heal what they told."""
KEPT_SECONDS = 60.0
MAX_PAYLOAD = 32 * 1024
"""Bytes, packed. A larger payload stays at home and the hubs read the log."""
LAST_WORDS = 2.0
"""Seconds that a process which ends waits for its announcements to go out."""
_LONGEST_PAUSE = 1.0


class ChannelsLive:
    """Publishes from one background thread, whose event loop owns the one connection. So a caller pays for an append and no more, and
    a process has one connection however many threads announce. Order per process is kept."""

    def __init__(self, alias: str = "default") -> None:
        self._alias = alias
        self._lock = threading.Lock()
        self._sender: _Sender | None = None

    def announce(self, topic: str, event: Event, *, ends_for: Collection[str] = ()) -> None:
        self._send(Announcement(topic, event, tuple(ends_for)))

    def dismiss(self, user_id: str, reason: Dismissal, *, tenant_id: str | None = None) -> None:
        self._send(dismissal(user_id, reason, tenant_id))

    def reconsider(self, user_ids: Collection[str]) -> None:
        self._send(reconsideration(user_ids))

    def flush(self, timeout: float = LAST_WORDS) -> bool:
        """Wait until all that was announced so far is published, `timeout` seconds at most. Returns whether it is."""
        return self._sender is None or self._sender.pid != os.getpid() or self._sender.flush(timeout)

    def close(self) -> None:
        """Stop the thread and close the connection. For tests; a process may just end."""
        with self._lock:
            sender, self._sender = self._sender, None
        if sender and sender.pid == os.getpid():
            sender.close()

    def _send(self, announcement: Announcement) -> None:
        try:
            self._running().put(announcement.topic, _fitting(announcement))
        except Exception:
            logger.exception("an announcement was not sent")

    def _running(self) -> "_Sender":
        """The sender of this very process: a thread does not survive a fork (Celery's workers are forked)."""
        with self._lock:
            if self._sender is None or self._sender.pid != os.getpid():
                self._sender = _Sender(self._alias)
                atexit.register(self._sender.flush, LAST_WORDS)
            return self._sender


def _fitting(announcement: Announcement) -> dict[str, Any]:
    """The message, without a payload that is too large, or is no plain data."""
    message = announcement.to_message()
    try:
        size = len(msgpack.packb(message.get("payload"), use_bin_type=True))
    except (TypeError, ValueError, OverflowError):
        logger.exception("the payload of an announcement is not plain data")
        size = MAX_PAYLOAD + 1
    if size > MAX_PAYLOAD:
        message.pop("payload")
    return message


class _Sender:
    """The background thread of one process."""

    def __init__(self, alias: str) -> None:
        self.pid = os.getpid()
        self._layer = get_channel_layer(alias)
        self._waiting: deque[tuple[float, str, dict[str, Any]]] = deque(maxlen=KEPT)
        self._loop = asyncio.new_event_loop()
        self._wake = asyncio.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None
        started: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, args=[started], name="live", daemon=True)
        self._thread.start()
        started.result()

    def put(self, topic: str, message: dict[str, Any]) -> None:
        self._idle.clear()
        self._waiting.append((time.monotonic(), topic, message))
        self._loop.call_soon_threadsafe(self._wake.set)

    def flush(self, timeout: float) -> bool:
        return self.pid != os.getpid() or not self._thread.is_alive() or self._idle.wait(timeout)

    def close(self) -> None:
        """Cancels until the thread ends: a cancellation that meets a time-out of redis-py in the same moment is lost."""
        atexit.unregister(self.flush)
        while self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # the loop was closed just now
                if self._task:
                    self._loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join(0.2)

    def _run(self, started: "concurrent.futures.Future[None]") -> None:
        asyncio.set_event_loop(self._loop)
        self._task = self._loop.create_task(self._publish_all())
        self._loop.call_soon(started.set_result, None)
        try:
            self._loop.run_until_complete(self._task)
        except asyncio.CancelledError:
            pass
        finally:
            self._loop.close()  # closes the layer's connection too (channels_redis)

    async def _publish_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self._publish(*self._waiting.popleft())
            self._idle.set()
            if self._waiting:  # one came between the two lines above
                self._idle.clear()
                self._wake.set()

    async def _publish(self, since: float, topic: str, message: dict[str, Any]) -> None:
        pause = 0.05
        while True:
            try:
                await self._layer.group_send(topic, message)
            except Exception as error:  # noqa: BLE001 - whatever the layer raises, we try again
                if time.monotonic() - since > KEPT_SECONDS:
                    return
                if pause >= _LONGEST_PAUSE:
                    logger.warning("announcements wait for the channel layer: %s", type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return


class RecordingLive:
    """Keeps what was announced and dismissed, in order. For tests of services."""

    def __init__(self) -> None:
        self.announced: list[Announcement] = []
        self.dismissed: list[tuple[str, Dismissal, str | None]] = []
        self.reconsidered: list[set[str]] = []

    def announce(self, topic: str, event: Event, *, ends_for: Collection[str] = ()) -> None:
        self.announced.append(Announcement(topic, event, tuple(ends_for)))

    def dismiss(self, user_id: str, reason: Dismissal, *, tenant_id: str | None = None) -> None:
        self.dismissed.append((user_id, reason, tenant_id))

    def reconsider(self, user_ids: Collection[str]) -> None:
        self.reconsidered.append(set(user_ids))
