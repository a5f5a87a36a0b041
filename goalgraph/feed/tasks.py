"""Celery's entry points of the feed: a subscriber's events come in, and each is handled by itself."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded

from goalgraph import trace
from goalgraph.feed import dispatch, registry
from goalgraph.feed.dispatch import Told
from goalgraph.feed.events import Event
from goalgraph.feed.registry import Subscriber

logger = logging.getLogger(__name__)


class UnknownSubscriber(LookupError):
    """No subscriber of that name in this release."""


class UnknownEvent(LookupError):
    """The subscriber has no handler for that type of event in this release."""


class Unreadable(Exception):
    """Always raised, so that what it is about ends among the dead letters."""


@shared_task(bind=True)
def handle(self: Any, subscriber: str, events: list[Told]) -> None:
    """Call the subscriber's handler for each of `events`, which are of one priority.

    One that fails is sent again, alone, before the batch counts as done, and so holds up no other. Alone, it raises what its handler
    raised: SQS shows it again, and after `QUEUE_MAX_RECEIVES` times puts it among the subscriber's dead letters.
    """
    known = registry.subscribers().get(subscriber)
    if known is None:
        raise UnknownSubscriber(subscriber)
    if len(events) == 1:
        _handle(known, events[0])
    elif _receives(self.request) > 1:
        # A worker died of it, or SQS shows it twice. Apart from each other, only the one at fault can do that again.
        _apart(known, events)
    else:
        _apart(known, _failed(known, events))


@shared_task
def unreadable(consumer: str, shard_id: str, sequence: str, keys: Mapping[str, str] | None, reason: str) -> None:
    """A record of the stream that could not be understood: kept among the dead letters, for somebody to look, and to replay from there."""
    raise Unreadable(f"{consumer}, {shard_id}, {sequence}, {keys}: {reason}")


def _failed(subscriber: Subscriber, events: Sequence[Told]) -> list[Told]:
    """Handle `events`; returns those that failed, and those to which no time was left."""
    failed: list[Told] = []
    for place, told in enumerate(events):
        try:
            _handle(subscriber, told)
        except SoftTimeLimitExceeded:
            _say(subscriber, told)
            return [*failed, *events[place:]]
        except Exception:  # noqa: BLE001 - the others of the batch have done nothing wrong
            _say(subscriber, told)
            failed.append(told)
    return failed


def _handle(subscriber: Subscriber, told: Told) -> None:
    event = Event.from_json(told)
    trace.start(event.trace_id)
    handler = subscriber.handlers.get(event.type)
    if handler is None:
        raise UnknownEvent(event.type)
    handler(event)


def _apart(subscriber: Subscriber, events: Sequence[Told]) -> None:
    """Send each alone. Raises JobsUnavailable: then the batch is not done, and comes again."""
    for told in events:
        dispatch.send(subscriber, [told])


def _say(subscriber: Subscriber, told: Told) -> None:
    facts = {"subscriber": subscriber.name, "event": told.get("id"), "type": told.get("type")}
    logger.warning("an event failed, and goes on alone", exc_info=True, extra={"data": facts})


def _receives(request: Any) -> int:
    """How often SQS has shown this message by now (its attribute ApproximateReceiveCount, which kombu hands through)."""
    delivery = (getattr(request, "properties", None) or {}).get("delivery_info", {})
    attributes = delivery.get("sqs_message", {}).get("Attributes", {})
    return int(attributes.get("ApproximateReceiveCount", 1))
