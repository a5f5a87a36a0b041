"""What is worth points. Each handler may get its events twice, late and out of order."""

from collections.abc import Callable, Mapping

from gamification import award_services
from goalgraph.feed.events import Event


def _apply(event: Event) -> None:
    award_services.apply(event.system, event)


HANDLERS: Mapping[str, Callable[[Event], None]] = {
    "task.completed": _apply,
    "task.reopened": _apply,
    "goal.created": _apply,
    "connection.accepted": _apply,
}
