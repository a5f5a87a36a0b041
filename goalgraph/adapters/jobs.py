"""Adapters of the `jobs` port: `CeleryJobs` sends to the broker, `RecordingJobs` keeps what it was told, for tests."""

import logging
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from celery.exceptions import QueueNotFound, SoftTimeLimitExceeded
from kombu.exceptions import EncodeError

from goalgraph import trace
from goalgraph.ports.jobs import JobsUnavailable

logger = logging.getLogger(__name__)

SENDERS = 4
"""Threads that send. One answer of SQS takes some 10 ms, so four send a few hundred tasks a second."""
MOST_WAITING = 10_000
"""Tasks that may wait to be sent. Later ones are dropped, and left to the sweeps."""
PAUSE = 2.0
"""Seconds after a failure in which tasks are dropped at once, so that a broker that is down holds up nobody, not even our end."""
TRIES = 5
"""How often `send` asks the broker: two seconds in all where it refuses at once."""


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

    def send(self, name: str, queue: str, **arguments: Any) -> None:
        for turn in range(1, TRIES + 1):
            try:
                _send(name, arguments, trace.current(), queue=queue)
            except (EncodeError, QueueNotFound, SoftTimeLimitExceeded):
                raise
            except Exception as error:
                if turn == TRIES:
                    raise JobsUnavailable(type(error).__name__) from error
                time.sleep(random.uniform(0, min(1.0, 0.1 * 2**turn)))  # noqa: S311 - spreads load, guards nothing
            else:
                return

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
        try:
            if time.monotonic() >= self._paused_until:
                _send(name, arguments, trace_id)
        except Exception as error:  # noqa: BLE001 - whatever the broker's client raises, a sweep repairs it
            self._paused_until = time.monotonic() + PAUSE
            logger.warning("tasks are dropped, the broker takes none: %s", type(error).__name__, extra={"data": {"task": name}})
        finally:
            self._room.release()


def _send(name: str, arguments: dict[str, Any], trace_id: str, **options: Any) -> None:
    """Without Celery's own retries, which would go on for ever."""
    from goalgraph.celery import app

    app.send_task(name, kwargs=arguments, headers={"trace": trace_id}, retry=False, **options)


class RecordingJobs:
    """Keeps what was enqueued and what was sent (with its queue), in order. For tests, which run it, or lose it."""

    def __init__(self) -> None:
        self.enqueued: list[tuple[str, dict[str, Any]]] = []
        self.sent: list[tuple[str, str, dict[str, Any]]] = []

    def enqueue(self, name: str, **arguments: Any) -> None:
        self.enqueued.append((name, arguments))

    def send(self, name: str, queue: str, **arguments: Any) -> None:
        self.sent.append((name, queue, arguments))
