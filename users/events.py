"""What follows from changes of members, and of how two of them stand with each other."""

from collections.abc import Iterator

from goalgraph.feed.changes import Change
from goalgraph.feed.events import Event, Translator, event
from users.domain import ACCEPTED, RECEIVED, REQUESTED
from users.items import Connection, Profile


def _of_connection(change: Change) -> Iterator[Event]:
    """Each of the two has an item; of the two changes, the one of whom it concerns first makes the event."""
    item = change.item
    assert isinstance(item, Connection)
    before = change.old.state if isinstance(change.old, Connection) else None
    after = change.new.state if isinstance(change.new, Connection) else None
    if before is None and after == RECEIVED:
        yield event(change, "connection.requested", otherId=item.other_id)
    if before == REQUESTED and after == ACCEPTED:
        yield event(change, "connection.accepted", otherId=item.other_id)
    if before == ACCEPTED and after is None and item.owner_id < item.other_id:
        yield event(change, "connection.ended", otherId=item.other_id)


def _of_profile(change: Change) -> Iterator[Event]:
    """Tags are slugs that members share, so they may stand in an event."""
    before = set(change.old.tags) if isinstance(change.old, Profile) else set()
    after = set(change.new.tags) if isinstance(change.new, Profile) else set()
    if before != after:
        yield event(change, "profile.retagged", user_id=change.item.owner_id, added=sorted(after - before), removed=sorted(before - after))


TRANSLATORS: dict[str, Translator] = {"Connection": _of_connection, "User": _of_profile}
