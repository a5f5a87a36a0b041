"""The consumer that makes events of changes, and has each subscriber told of its own, in small batches, by the workers."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from django.conf import settings

from goalgraph import trace, wiring
from goalgraph.feed import registry
from goalgraph.feed.changes import Change
from goalgraph.feed.events import Event
from goalgraph.feed.registry import Subscriber
from goalgraph.feed.taking import bury

logger = logging.getLogger(__name__)

BATCH = 10
"""Events in one task."""
SENDERS = 8
"""Threads that send. One answer of SQS takes some 10 ms, and one page of the stream makes some hundred tasks."""

Told = Mapping[str, Any]
"""An event as JSON."""
Subscribers = Callable[[], Mapping[str, Subscriber]]


class Dispatch:
    name = "dispatch"

    def __init__(self, subscribers: Subscribers | None = None) -> None:
        self._subscribers = subscribers or registry.subscribers

    def take(self, shard_id: str, changes: Sequence[Change]) -> None:
        """Returns when the broker has all that follows from `changes`. Raises JobsUnavailable."""
        self.send([event for change in changes for event in self.events(shard_id, change)])

    def send(self, events: Sequence[Event], subscriber: str | None = None) -> int:
        """Send `events` to all who want to know, or to one of them; returns how many tasks that were. Raises JobsUnavailable."""
        chosen = [each for name, each in self._subscribers().items() if subscriber in (None, name)]
        tasks = [task for each in chosen for task in batches(each, events)]
        of_this = trace.current()
        return sum(1 for _ in self._senders.map(lambda task: _send_within(of_this, *task), tasks))

    def events(self, shard_id: str, change: Change) -> list[Event]:
        try:
            return list(registry.events_of([change]))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one change, the feed goes on
            bury(self.name, shard_id, change.sequence, {"PK": change.key.pk, "SK": change.key.sk}, error)
            return []

    @cached_property
    def _senders(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(SENDERS, thread_name_prefix="dispatch")


def batches(subscriber: Subscriber, events: Iterable[Event]) -> Iterator[tuple[Subscriber, list[Told]]]:
    """What of `events` is for `subscriber`, premium members' apart from others', in their order."""
    wanted = [event for event in events if event.type in subscriber.handlers]
    for priority in (True, False):
        told: list[Told] = [event.to_json() for event in wanted if event.priority is priority]
        for start in range(0, len(told), BATCH):
            yield subscriber, told[start : start + BATCH]


def _send_within(trace_id: str, subscriber: Subscriber, events: Sequence[Told]) -> None:
    trace.start(trace_id)  # a thread does not know whose work it does
    send(subscriber, events)


def send(subscriber: Subscriber, events: Sequence[Told]) -> None:
    """Events of one priority, in one task. Raises JobsUnavailable."""
    queue = subscriber.queue + (settings.PRIORITY if events[0].get("priority") else "")
    wiring.jobs().send("goalgraph.feed.tasks.handle", queue, subscriber=subscriber.name, events=list(events))
