"""What a room tells those who are there: announcements of what was stored, and the streams that follow them."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chat import repository
from chat.items import Message, Room
from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.ports.live import RESYNC, Event, Gone, Stream
from goalgraph.ports.presence import PRESENCE
from goalgraph.table.items import from_raw

MESSAGE = "message"
CHANGES = ("edited", "deleted", "redacted", "restored", "reaction", "read", "typing", PRESENCE, "joined", "left", RESYNC)


def sent(actor: Actor, message: Message) -> None:
    """A new message, with all of it, so that most followers need not look it up."""
    wiring.live().announce(_topic(actor, message.room_id), Event(MESSAGE, message.attributes_raw(), int(message.seq)))


def changed(actor: Actor, message: Message, kind: str) -> None:
    _tell(actor, message.room_id, kind, userId=actor.user_id, message=message.attributes_raw())


def read(actor: Actor, room: Room, seq: int) -> None:
    _tell(actor, room.room_id, "read", userId=actor.user_id, seq=seq)


def typing(actor: Actor, room: Room, *, typing: bool) -> None:
    _tell(actor, room.room_id, "typing", userId=actor.user_id, typing=typing)


def joined(actor: Actor, room: Room, user_ids: Sequence[str]) -> None:
    for user_id in user_ids:
        _tell(actor, room.room_id, "joined", userId=user_id)


def left(actor: Actor, room: Room) -> None:
    """Ends the streams of who left before it tells the others."""
    event = Event("left", {"roomId": room.room_id, "userId": actor.user_id})
    wiring.live().announce(_topic(actor, room.room_id), event, ends_for=[actor.user_id])


def messages(actor: Actor, room_id: str, after: int | None, *, still_allowed: Callable[[], bool]) -> Stream:
    """New messages of a room, in order."""
    log = RoomLog(_reader(actor), room_id)
    return Stream(_topic(actor, room_id), kinds=[MESSAGE], log=log, after=after, root=_message, presence=True, still_allowed=still_allowed)


def events(actor: Actor, room_id: str, *, still_allowed: Callable[[], bool]) -> Stream:
    """What else happens in a room."""
    topic = _topic(actor, room_id)
    return Stream(topic, kinds=CHANGES, root=_event_of(topic, room_id), presence=True, still_allowed=still_allowed)


def online(actor: Actor, room_id: str) -> frozenset[str]:
    """The ids of those who follow a room right now, by either stream; none while that is not known."""
    return wiring.presence().present(_topic(actor, room_id)) or frozenset()


@dataclass(frozen=True, slots=True)
class RoomLog:
    """A room's messages as the ordered truth that live streams are healed from."""

    reader: Actor
    room_id: str

    def head(self) -> int:
        room = repository.room(self.reader, self.room_id)
        return int(room.seq) if room else 0

    def read(self, after: int, limit: int) -> list[Event]:
        """Raises Gone when the messages right after `after` have expired: numbers have no gaps, so the first one tells."""
        found = self._messages(after, limit)
        if not found and self.head() > after:
            found = self._messages(after, limit)  # they were stored between the two looks, or are no longer kept
            if not found:
                raise Gone
        if found and int(found[0].seq) > after + 1:
            raise Gone
        return [Event(MESSAGE, message.attributes_raw(), int(message.seq)) for message in found]

    def _messages(self, after: int, limit: int) -> list[Message]:
        return repository.messages(self.reader, self.room_id, above=after, limit=limit)


def _reader(actor: Actor) -> Actor:
    """Reads for all followers alike, in the tenant of the one who came first."""
    return Actor(user_id=SYSTEM.user_id, tenant_id=actor.tenant_id)


def _topic(actor: Actor, room_id: str) -> str:
    """Rooms of two tenants may have the same id, and names of topics are short."""
    place = f"{actor.tenant_id or ''}#{room_id}"
    return f"room.{hashlib.sha256(place.encode()).hexdigest()[:32]}"


def _tell(actor: Actor, room_id: str, kind: str, **payload: Any) -> None:
    wiring.live().announce(_topic(actor, room_id), Event(kind, {"roomId": room_id, **payload}))


def _message(event: Event) -> Message:
    found = from_raw(event.payload)
    assert isinstance(found, Message)
    return found


def _event_of(topic: str, room_id: str) -> Callable[[Event], dict[str, Any]]:
    def root(event: Event) -> dict[str, Any]:
        payload = event.payload or {}
        message = payload.get("message")
        return {
            "kind": event.kind,
            "room_id": room_id,
            "user_id": payload.get("userId"),
            "message": from_raw(message) if message else None,
            "seq": payload.get("seq"),
            "typing": payload.get("typing"),
            "online": _is_online(topic, payload) if event.kind == PRESENCE else None,
        }

    return root


def _is_online(topic: str, payload: dict[str, Any]) -> bool:
    """What is true by now, for announcements of two processes overtake each other. Where that is not known, what was announced."""
    present = wiring.presence().present(topic)
    return bool(payload.get("online")) if present is None else payload.get("userId") in present
