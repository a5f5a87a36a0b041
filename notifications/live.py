"""What a member is told the moment it is stored, where they have the application open. It is a hint: the truth is their list."""

import hashlib

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.ports.live import Event, Stream
from goalgraph.table.items import from_raw
from notifications.items import Notification

TOLD = "told"


def told(actor: Actor, note: Notification) -> None:
    """With all of it, so that nobody needs to look it up."""
    wiring.live().announce(_topic(actor, note.user_id), Event(TOLD, note.attributes_raw()))


def follow(actor: Actor) -> Stream:
    """The actor's own notifications from now on. No resolver of theirs asks who looks, so a member's devices share what is executed."""
    return Stream(_topic(actor, actor.user_id), kinds=[TOLD], view=actor.user_id, root=_note)


def _topic(actor: Actor, user_id: str) -> str:
    """Members of two tenants may have the same id, and names of topics are short."""
    place = f"{actor.tenant_id or ''}#{user_id}"
    return f"notes.{hashlib.sha256(place.encode()).hexdigest()[:32]}"


def _note(event: Event) -> Notification:
    found = from_raw(event.payload)
    assert isinstance(found, Notification)
    return found
