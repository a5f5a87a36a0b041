"""The Celery application with one subscriber of the tests, which does what an event's id says and writes down which it handled."""

import os
import signal
from pathlib import Path

from goalgraph.celery import app
from goalgraph.feed import registry
from goalgraph.feed.events import Event
from goalgraph.feed.registry import Subscriber

QUEUE = "feed-bus"


def probe(event: Event) -> None:
    if event.id.startswith("bad"):
        raise RuntimeError
    if event.id.startswith("deadly"):
        os.kill(os.getpid(), signal.SIGKILL)
    with Path(os.environ["FEED_PROBE"]).open("a") as notes:
        notes.write(f"{event.id}\n")


def subscribers() -> dict[str, Subscriber]:
    return {"probe": Subscriber("probe", {"message.sent": probe}, QUEUE)}


registry.subscribers = subscribers  # type: ignore[assignment]

__all__ = ["app"]
