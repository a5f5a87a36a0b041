"""How notifications and members' wishes are read and written. What delivers them has a page of its own: `delivery_repository`."""

from collections.abc import Sequence
from typing import NamedTuple, cast

from goalgraph.auth.actor import Actor
from goalgraph.table import keys, table
from goalgraph.table.items import CoreItem
from goalgraph.table.table import MAX_TRANSACTION, Operation, Page, Update
from notifications.items import Delivery, DigestNote, Notification, NotificationPreferences, SendCount


class Facts(NamedTuple):
    """What is known of a member who is to be told something."""

    profile: CoreItem | None
    preferences: NotificationPreferences
    counts: SendCount | None


def facts_of(actor: Actor, user_ids: Sequence[str]) -> list[Facts]:
    """In the order of `user_ids`, all in one round trip. Preferences that were never stored are new ones."""
    places = [
        key for user_id in user_ids for key in (keys.profile(user_id), keys.notification_preferences(user_id), keys.send_count(user_id))
    ]
    found = table(actor).get_many(places, consistent=True)
    triples = zip(user_ids, found[::3], found[1::3], found[2::3], strict=True)
    return [
        Facts(profile, cast("NotificationPreferences | None", own) or _new(user_id), cast("SendCount | None", counts))
        for user_id, profile, own, counts in triples
    ]


def preferences(actor: Actor, user_id: str) -> NotificationPreferences:
    """New ones, where none are stored."""
    found = table(actor).get(keys.notification_preferences(user_id), consistent=True)
    return cast("NotificationPreferences | None", found) or _new(user_id)


def save_preferences(actor: Actor, preferences: NotificationPreferences) -> NotificationPreferences:
    """Raises ConditionFailed where somebody else wrote them meanwhile."""
    return cast("NotificationPreferences", table(actor).put(preferences))


def _new(user_id: str) -> NotificationPreferences:
    return NotificationPreferences(user_id=user_id, owner_id=user_id)


# Notifications -------------------------------------------------------------------------------------------------------------------------


def write(actor: Actor, operations: Sequence[Operation]) -> None:
    """All or nothing. Raises TransactionCanceled with a reason for each position."""
    table(actor).transact(operations)


def notifications_page(actor: Actor, *, limit: int, after: str | None, forward: bool) -> Page:
    """The actor's own, newest first."""
    return table(actor).query(keys.notifications_of(actor.user_id), limit=limit, after=after, forward=not forward)


def notifications_until(actor: Actor, note_id: str | None, *, limit: int, after: str | None) -> Page:
    """The actor's own up to `note_id`, newest first."""
    return table(actor).query(keys.notifications_of(actor.user_id, note_id), limit=limit, after=after, forward=False, consistent=True)


def shown(actor: Actor, note_ids: Sequence[str]) -> list[Notification | None]:
    """The actor's own by id, as far as the application shows them."""
    found = table(actor).get_many([keys.notification(actor.user_id, note_id) for note_id in note_ids], consistent=True)
    return cast("list[Notification | None]", found)


def with_profile(actor: Actor, note_id: str) -> tuple[CoreItem | None, Notification | None]:
    """The actor's own profile and one of their notifications, shown or not."""
    places = [
        keys.profile(actor.user_id),
        keys.notification(actor.user_id, note_id),
        keys.unshown_notification(actor.user_id, note_id),
    ]
    profile, one, other = table(actor).get_many(places, consistent=True)
    return profile, cast("Notification | None", one or other)


def exists(actor: Actor, note: Notification) -> bool:
    places = [keys.notification(note.user_id, note.note_id), keys.unshown_notification(note.user_id, note.note_id)]
    return any(table(actor).get_many(places, consistent=True))


def mark_read(actor: Actor, notes: Sequence[Notification]) -> None:
    """Those that have `read_at` by now. Raises TransactionCanceled where one of them is gone."""
    for start in range(0, len(notes), MAX_TRANSACTION):
        table(actor).transact(
            [Update(note.key(), [Notification.read_at.set(note.read_at)], item=note) for note in notes[start : start + MAX_TRANSACTION]]
        )


def deliveries_of(actor: Actor, note_id: str) -> list[Delivery]:
    """What became of one of the actor's own notifications on the channels over which it was sent."""
    return cast("list[Delivery]", table(actor).query(keys.deliveries_of(actor.user_id, note_id)).items)


# The digest ----------------------------------------------------------------------------------------------------------------------------


def digest_notes(actor: Actor, user_id: str, most: int) -> tuple[list[DigestNote], bool]:
    """Up to `most` of what waits for a member's digest, oldest first, and whether there is more."""
    page = table(actor).query(keys.digest_notes_of(user_id), limit=most, consistent=True)
    return cast("list[DigestNote]", page.items), page.has_more
