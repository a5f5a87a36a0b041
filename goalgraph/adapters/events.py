"""Adapters of the `event_bus` port: `EventBridgeBus` publishes on Amazon EventBridge, `RecordingBus` keeps what it was told, for tests."""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from goalgraph.feed.events import Event
from goalgraph.ports.events import EventBusUnavailable
from goalgraph.table.attributes import json_text

SOURCE = "goalgraph"
MOST_ENTRIES, MOST_BYTES = 10, 256 * 1024
"""Of one call: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html"""
TRIES = 3
"""How often an entry is offered that the bus did not take. More is left to the queue that the events come from."""
_TIME_BYTES = 14
"""https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size"""
_CONFIG = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})

Entry = dict[str, Any]


class EventBridgeBus:
    """The bus `name` in `region`. Safe across threads.

    An entry has Source `goalgraph`, the event's type as DetailType and the event's JSON as Detail, so that rules can match on any of it.
    """

    def __init__(self, name: str, region: str) -> None:
        self.name = name
        self._region = region

    @cached_property
    def _client(self) -> Any:
        return boto3.client("events", region_name=self._region, config=_CONFIG)

    def publish(self, events: Sequence[Event]) -> None:
        try:
            for batch in _batches([self._entry(event) for event in events]):
                self._put(batch)
        except (BotoCoreError, ClientError) as error:
            raise EventBusUnavailable(str(error)) from error

    def ensure(self) -> Iterator[str]:
        try:
            self._client.create_event_bus(Name=self.name)
        except self._client.exceptions.ResourceAlreadyExistsException:
            return
        except (BotoCoreError, ClientError) as error:
            raise EventBusUnavailable(str(error)) from error
        yield f"created event bus {self.name}"

    def _entry(self, event: Event) -> Entry:
        return {
            "Time": event.at,
            "Source": SOURCE,
            "DetailType": event.type,
            "Detail": json_text(event.to_json()),
            "EventBusName": self.name,
        }

    def _put(self, entries: Sequence[Entry]) -> None:
        """A call may succeed for some of its entries only, so what failed is offered again."""
        codes: set[str] = set()
        for turn in range(TRIES):
            if turn:
                time.sleep(random.uniform(0, 0.1 * 2**turn))  # noqa: S311 - spreads load, guards nothing
            answer = self._client.put_events(Entries=entries)
            if not answer["FailedEntryCount"]:
                return
            results: list[Mapping[str, Any]] = answer["Entries"]
            codes = {result["ErrorCode"] for result in results if result.get("ErrorCode")}
            entries = [entry for entry, result in zip(entries, results, strict=True) if result.get("ErrorCode")]
        raise EventBusUnavailable(f"{len(entries)} events were not taken: {', '.join(sorted(codes))}")


def _batches(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """In order, each as large as one call may be."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        weight = _TIME_BYTES + sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))
        if batch and (len(batch) == MOST_ENTRIES or size + weight > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += weight
    if batch:
        yield batch


class RecordingBus:
    """Keeps what was published, in order. For tests."""

    def __init__(self) -> None:
        self.published: list[Event] = []

    def publish(self, events: Sequence[Event]) -> None:
        self.published += events

    def ensure(self) -> Iterator[str]:
        return iter(())
