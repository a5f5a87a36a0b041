"""What the tests of moderation share: staff, and a worker that does at once what was enqueued."""

from django.utils.module_loading import import_string

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.ports.moderator import Verdict

STAFF = Actor(user_id="moderator", scopes=frozenset({"staff"}))
CARD = "4111 1111 1111 1111"


def lose() -> list[tuple[str, dict]]:
    """What was enqueued since, and is now forgotten."""
    lost = list(wiring.jobs().enqueued)
    wiring.jobs().enqueued.clear()
    return lost


def work() -> int:
    """Run what was enqueued, and what that enqueues; returns how many tasks that were."""
    count = 0
    while enqueued := lose():
        for name, arguments in enqueued:
            import_string(name)(**arguments)
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
