"""The items of rooms and messages."""

import hashlib

from pynamodb.attributes import JSONAttribute, ListAttribute, NumberAttribute, UnicodeAttribute

from chat.domain import DELETED, DIRECT, MEMBER, REDACTED, SENT, MessageRef
from goalgraph.table import keys
from goalgraph.table.attributes import InstantAttribute
from goalgraph.table.items import CoreItem
from goalgraph.table.port import IndexKey, Key


class Room(CoreItem, discriminator="Room"):
    """Where people write. It counts its messages: `seq` is the number of the last one, taken in the transaction that stores it."""

    room_id = UnicodeAttribute()
    kind = UnicodeAttribute()
    title = UnicodeAttribute(null=True)
    goal_id = UnicodeAttribute(null=True)
    pair: ListAttribute[str] = ListAttribute(of=UnicodeAttribute, default=list)  # type: ignore[arg-type]
    """The two people of a direct room, whether or not one has left it."""
    seq = NumberAttribute(default=0)
    active_at = InstantAttribute()
    member_count = NumberAttribute(default=0)

    unread: int | None = None
    """Not stored: how many messages the member who asked has not read, where that was looked up with the room."""

    @property
    def id(self) -> str:
        return self.room_id

    def key(self) -> Key:
        return keys.room(self.room_id)

    def peer_of(self, user_id: str) -> str | None:
        """The other one of a direct room; None in others."""
        others = [other for other in self.pair if other != user_id]
        return others[0] if self.kind == DIRECT and others else None


class RoomMember(CoreItem, discriminator="RoomMember"):
    """Somebody in a room: their role, and where the room stands on their list."""

    room_id = UnicodeAttribute()
    user_id = UnicodeAttribute()
    role = UnicodeAttribute(default=MEMBER)
    joined_seq = NumberAttribute(default=0)
    """Where the room's history begins for them."""
    active_at = InstantAttribute()

    def key(self) -> Key:
        return keys.room_member(self.room_id, self.user_id)

    def index_keys(self) -> tuple[IndexKey, ...]:
        return (keys.membership(self.user_id, self.active_at, self.room_id),)


class ReadMark(CoreItem, discriminator="ReadMark"):
    """How far somebody in a room has read. It is apart from the membership, because it moves with each message they send, and a write of an
    item that stands in an index costs more. It is there exactly as long as they are in the room."""

    room_id = UnicodeAttribute()
    user_id = UnicodeAttribute()
    seq = NumberAttribute(default=0)

    def key(self) -> Key:
        return keys.read_mark(self.room_id, self.user_id)


class Message(CoreItem, discriminator="Message"):
    """What somebody wrote. Its key holds its `seq`, so the order of keys is the order of the room."""

    max_bytes = 48 * 1024
    """10,000 characters of up to 4 bytes each, beyond the 8 KB of other items (docs/adr/0007-messages.md)."""

    room_id = UnicodeAttribute()
    seq = NumberAttribute()
    sender_id = UnicodeAttribute()
    text = UnicodeAttribute()
    ts = InstantAttribute()
    state = UnicodeAttribute(default=SENT)
    edited_at = InstantAttribute(null=True)
    reply_to_seq = NumberAttribute(null=True)
    reactions = JSONAttribute(default=dict)
    """How many by emoji."""

    @property
    def ref(self) -> MessageRef:
        return MessageRef(int(self.seq), self.room_id)

    @property
    def id(self) -> str:
        return str(self.ref)

    @property
    def reply_to(self) -> str | None:
        return None if self.reply_to_seq is None else str(MessageRef(int(self.reply_to_seq), self.room_id))

    @property
    def gone(self) -> bool:
        return self.state in (DELETED, REDACTED)

    def key(self) -> Key:
        return keys.message(self.room_id, int(self.seq))


class SentMarker(CoreItem, discriminator="SentMarker"):
    """Says under which `seq` a sender's own id of a message was stored, so that sending it again stores nothing."""

    room_id = UnicodeAttribute()
    sender_id = UnicodeAttribute()
    digest = UnicodeAttribute()
    seq = NumberAttribute()

    def key(self) -> Key:
        return keys.sent_marker(self.room_id, self.sender_id, self.digest)


class MessageEdit(CoreItem, discriminator="MessageEdit"):
    """What a message said before it was changed; for moderators."""

    max_bytes = Message.max_bytes

    room_id = UnicodeAttribute()
    seq = NumberAttribute()
    number = NumberAttribute()
    text = UnicodeAttribute()
    state = UnicodeAttribute()
    written_at = InstantAttribute()

    def key(self) -> Key:
        return keys.message_edit(self.room_id, int(self.seq), int(self.number))


class ReactionMark(CoreItem, discriminator="ReactionMark"):
    """One person's one reaction to a message."""

    room_id = UnicodeAttribute()
    seq = NumberAttribute()
    user_id = UnicodeAttribute()
    emoji = UnicodeAttribute()

    def key(self) -> Key:
        return keys.reaction(self.room_id, int(self.seq), self.user_id, self.emoji.encode().hex())


class RoomQuota(CoreItem, discriminator="RoomQuota"):
    """Counts the rooms a member opened or joined on one of their days."""

    day = InstantAttribute()
    count = NumberAttribute(default=0)

    def key(self) -> Key:
        return keys.room_quota(self.owner_id, self.day.date())


def sent_digest(client_message_id: str) -> str:
    """A client's own id of a message as it stands in a key."""
    return hashlib.sha256(client_message_id.encode()).hexdigest()[:32]
