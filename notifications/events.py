"""The events that follow from changes of notifications. They stay within the platform."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from goalgraph.feed.changes import Change
from goalgraph.feed.events import Event, Translator, event
from notifications.items import HELD, PENDING, Delivery, NotificationPreferences


def of_delivery(change: Change) -> Iterable[Event]:
    """`delivery.pending` when a delivery is to be made: a new one, or one that was held."""
    new, old = change.new, change.old
    if not isinstance(new, Delivery) or new.state != PENDING or (isinstance(old, Delivery) and old.state != HELD):
        return
    told = event(change, "delivery.pending", user_id=new.user_id, noteId=new.note_id, channel=new.channel)
    yield replace(told, priority=bool(new.priority))


def of_preferences(change: Change) -> Iterable[Event]:
    """`contact.changed` when an address that the member had is another one, or none. It holds neither: events are kept, and replayed."""
    new, old = change.new, change.old
    if not isinstance(new, NotificationPreferences) or not isinstance(old, NotificationPreferences):
        return
    for channel, before, after in (("email", old.email, new.email), ("sms", old.phone, new.phone)):
        if before is not None and after != before:
            became = "removed" if after is None else "changed"
            yield event(change, "contact.changed", user_id=new.user_id, tell=channel, channel=channel, became=became)


TRANSLATORS: Mapping[str, Translator] = {"Delivery": of_delivery, "NotificationPreferences": of_preferences}
