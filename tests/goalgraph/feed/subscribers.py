"""Subscribers to the events of chat, for tests: what one does depends on the text of the room's id."""

from collections import Counter

from celery.exceptions import SoftTimeLimitExceeded

from goalgraph import trace
from goalgraph.feed.events import Event
from goalgraph.feed.registry import Subscriber

handled: Counter[tuple[str, str]] = Counter()
"""By subscriber and message id."""
traces: list[str] = []


class BadEvent(Exception):
    pass


def note(event: Event) -> None:
    message = str(event.data["messageId"])
    if "bad" in message:
        raise BadEvent
    if "slow" in message:
        raise SoftTimeLimitExceeded
    traces.append(trace.current())
    handled["note", message] += 1


def count(event: Event) -> None:
    handled["count", str(event.data.get("messageId", event.type))] += 1


def subscribers() -> dict[str, Subscriber]:
    found = (
        Subscriber("note", {"message.sent": note}, "feed-bus"),
        Subscriber("count", {"message.sent": count, "room.joined": count}, "feed-moderation"),
    )
    return {subscriber.name: subscriber for subscriber in found}
