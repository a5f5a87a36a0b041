"""Deliveries are made when the feed tells of them."""

from collections.abc import Callable, Mapping

from goalgraph.feed.events import Event
from notifications import delivery_services


def pending(event: Event) -> None:
    """Raises Unavailable where the provider cannot take it now; the event is then to come again."""
    delivery_services.deliver(event.system, event.user_id, event.data["noteId"], event.data["channel"])


HANDLERS: Mapping[str, Callable[[Event], None]] = {"delivery.pending": pending}
