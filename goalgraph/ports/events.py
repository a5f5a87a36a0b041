"""Where others outside learn what happened here."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from goalgraph.feed.events import Event


class EventBusUnavailable(Exception):
    """The bus did not take all of the events: it refuses, or does not answer. Some may be published; publish all of them again."""


class EventBus(Protocol):
    def publish(self, events: Sequence[Event]) -> None:
        """Returns when the bus has all of `events`. It may have one of them twice, and in any order: whoever follows the bus tells by the
        event's id (docs/events/README.md). It may block. Raises EventBusUnavailable.
        """

    def ensure(self) -> Iterator[str]:
        """Make the bus where there is none; yields a sentence for each thing done. Safe to repeat. Raises EventBusUnavailable."""
