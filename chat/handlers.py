"""What chat does when something changed: what is written gets reviewed. A review that is repeated, late or overtaken changes nothing."""

from collections.abc import Callable

from chat import case_rows
from chat import moderation_services as moderation
from goalgraph.feed.events import Event


def review_sent(event: Event) -> None:
    """Raises ModeratorUnavailable."""
    moderation.review_room(event.system, event.data["roomId"], event.data["seq"])


def review_edited(event: Event) -> None:
    """Raises ModeratorUnavailable."""
    moderation.review_message(event.system, event.data["roomId"], event.data["seq"])


def project_case(event: Event) -> None:
    """The moderators' desk learns of it. A case that is told of twice, late or out of order is read as it is now."""
    case_rows.project(event.system, event.data["roomId"], event.data["seq"])


HANDLERS: dict[str, Callable[[Event], None]] = {
    "message.sent": review_sent,
    "message.edited": review_edited,
    "case.changed": project_case,
}
