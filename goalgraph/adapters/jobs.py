"""Adapters of the `jobs` port: `CeleryJobs` sends to the broker, `RecordingJobs` keeps what it was told, for tests."""

import logging
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from goalgraph import trace

logger = logging.getLogger(__name__)

SENDERS = 4
"""Threads that send. One answer of SQS takes some 10 ms, so four send a few hundred tasks a second."""
MOST_WAITING = 10_000
"""Tasks that may wait to be sent. Later ones are dropped, and left to the sweeps."""
PAUSE = 2.0
"""Seconds after a failure in which tasks are dropped at once, so that a broker that is down holds up nobody, not even our end."""


class CeleryJobs:
    """Sends from background threads, so that a caller pays for a queue and no more. What waits when the process ends is still sent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sender: _Sender | None = None

    def enqueue(self, name: str, **arguments: Any) -> None:
        try:
            self._running().put(name, arguments, trace.current())
        except Exception:
            logger.exception("a task was not sent")

    def _running(self) -> "_Sender":
        """The sender of this very process: a thread does not survive a fork (Celery's workers are forked)."""
        with self._lock:
            if self._sender is None or self._sender.pid != os.getpid():
                self._sender = _Sender()
            return self._sender


class _Sender:
    """The background threads of one process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._pool = ThreadPoolExecutor(SENDERS, thread_name_prefix="jobs")
        self._room = threading.BoundedSemaphore(MOST_WAITING)
        self._paused_until = 0.0

    def put(self, name: str, arguments: dict[str, Any], trace_id: str) -> None:
        if self._room.acquire(blocking=False):
            self._pool.submit(self._send, name, arguments, trace_id)
        else:
            logger.warning("a task is dropped: too many wait to be sent", extra={"data": {"task": name}})

    def _send(self, name: str, arguments: dict[str, Any], trace_id: str) -> None:
        from goalgraph.celery import app

        try:
            if time.monotonic() >= self._paused_until:
                app.send_task(name, kwargs=arguments, headers={"trace": trace_id}, retry=False)
        except Exception as error:  # noqa: BLE001 - whatever the broker's client raises, a sweep repairs it
            self._paused_until = time.monotonic() + PAUSE
            logger.warning("tasks are dropped, the broker takes none: %s", type(error).__name__, extra={"data": {"task": name}})
        finally:
            self._room.release()


class RecordingJobs:
    """Keeps what was enqueued, in order. For tests, which run it, or lose it."""

    def __init__(self) -> None:
        self.enqueued: list[tuple[str, dict[str, Any]]] = []

    def enqueue(self, name: str, **arguments: Any) -> None:
        self.enqueued.append((name, arguments))
