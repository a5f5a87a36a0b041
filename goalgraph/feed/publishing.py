"""Publishes events on the event bus, where others outside may follow them (docs/events/README.md)."""

from collections.abc import Callable, Mapping

from goalgraph import wiring
from goalgraph.feed.events import Event

PUBLIC = (
    "badge.earned",
    "connection.accepted",
    "connection.ended",
    "connection.requested",
    "goal.archived",
    "goal.changed",
    "goal.created",
    "level.reached",
    "message.deleted",
    "message.edited",
    "message.redacted",
    "message.restored",
    "message.sent",
    "offer.published",
    "offer.withdrawn",
    "room.joined",
    "streak.extended",
    "subscription.changed",
    "task.assigned",
    "task.changed",
    "task.completed",
    "task.created",
    "task.deleted",
    "task.reopened",
)
"""The types of events that others may rely on. Each has its JSON Schema in `docs/events/`."""
INTERNAL = ("case.changed", "case.decided", "contact.changed", "delivery.pending", "offer.touched", "profile.retagged", "score.changed")
"""The types that are ours alone: what becomes of a moderators' case, that a member's address changed, how a notification goes out, what
members do with offers, and what leaderboards count."""


def publish(event: Event) -> None:
    """Raises EventBusUnavailable. A second time puts the event on the bus a second time, with the same id, which its followers expect."""
    wiring.event_bus().publish([event])


HANDLERS: Mapping[str, Callable[[Event], None]] = dict.fromkeys(PUBLIC, publish)
