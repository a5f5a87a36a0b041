"""What the tests of moderation share: staff, the change feed, and a worker that does at once what is to be done."""

from collections.abc import Callable
from functools import partial

from django.utils.module_loading import import_string

from chat.events import TRANSLATORS
from chat.handlers import HANDLERS
from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.ports.moderator import Verdict
from tests.streams import changes_since

REVIEWS = ("message.sent", "message.edited")
"""The events that reviews follow from. What the moderators' desk does with its own is in `case_world`."""
STAFF = Actor(user_id="moderator", scopes=frozenset({"staff"}))
CARD = "4111 1111 1111 1111"


def lose() -> list[Callable[[], None]]:
    """What the change feed and the sweep would have had done since, and is now forgotten, unless somebody calls it."""
    told = [
        event for change in changes_since() if (translate := TRANSLATORS.get(type(change.item).__name__)) for event in translate(change)
    ]
    wanted = [partial(HANDLERS[event.type], event) for event in told if event.type in REVIEWS]
    enqueued = [partial(import_string(name), **arguments) for name, arguments in wiring.jobs().enqueued]
    wiring.jobs().enqueued.clear()
    return [*wanted, *enqueued]


def work() -> int:
    """Do what is to be done, and what that has to be done; returns how many calls that were."""
    count = 0
    while calls := lose():
        for call in calls:
            call()
            count += 1
    return count


class Careful:
    """A moderator that flags what says "bad", fails on "odd", and tells what it was asked."""

    asked: list[str]

    def __init__(self) -> None:
        self.asked = []

    def review(self, text: str, *, language: str | None = None) -> Verdict:
        self.asked.append(text)
        if text == "odd":
            raise RuntimeError(text)
        return Verdict("flag", 0.5, ("bad",)) if "bad" in text else Verdict()
