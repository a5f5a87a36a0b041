"""How rooms and messages are read and written."""

from collections.abc import Sequence
from typing import cast

from chat.items import Message, MessageEdit, ReactionMark, ReadMark, Room, RoomMember, RoomQuota, SentMarker
from chat.moderation_items import ReviewDue
from goalgraph.auth.actor import Actor
from goalgraph.table import keys, table
from goalgraph.table.table import Delete, Operation, Page, Put, Update


def room(actor: Actor, room_id: str, *, consistent: bool = True) -> Room | None:
    return cast("Room | None", table(actor).get(keys.room(room_id), consistent=consistent))


def room_and_members(actor: Actor, room_id: str, user_ids: Sequence[str]) -> tuple[Room | None, list[RoomMember | None]]:
    """A room and those of `user_ids` that are in it, in their order, in one round trip."""
    found = table(actor).get_many([keys.room(room_id), *(keys.room_member(room_id, user_id) for user_id in user_ids)], consistent=True)
    return cast("Room | None", found[0]), cast("list[RoomMember | None]", found[1:])


def members_of(actor: Actor, room_id: str, *, consistent: bool = False) -> list[RoomMember]:
    return cast("list[RoomMember]", table(actor).query(keys.members_of(room_id), consistent=consistent).items)


def memberships_page(actor: Actor, *, limit: int, after: str | None, forward: bool) -> Page:
    """The actor's memberships, the room with the latest conversation first."""
    return table(actor).query(keys.rooms_of(actor.user_id), limit=limit, after=after, forward=not forward)


def rooms_and_marks(actor: Actor, room_ids: Sequence[str]) -> list[tuple[Room | None, ReadMark | None]]:
    """Rooms, and how far the actor has read in each, in one round trip."""
    places = [key for room_id in room_ids for key in (keys.room(room_id), keys.read_mark(room_id, actor.user_id))]
    found = table(actor).get_many(places, consistent=True)
    return cast("list[tuple[Room | None, ReadMark | None]]", list(zip(found[::2], found[1::2], strict=True)))


def last_messages(actor: Actor, rooms: Sequence[Room]) -> list[Message | None]:
    found = table(actor).get_many([keys.message(room.room_id, int(room.seq)) for room in rooms], consistent=True)
    return cast("list[Message | None]", found)


def message(actor: Actor, room_id: str, seq: int) -> Message | None:
    return cast("Message | None", table(actor).get(keys.message(room_id, seq), consistent=True))


def messages(actor: Actor, room_id: str, *, above: int, below: int = keys.MAX_SEQ, limit: int, newest: bool = False) -> list[Message]:
    """At most `limit` messages with a `seq` between the two, ascending: the first ones, or with `newest` the last ones."""
    if below <= above + 1:
        return []  # DynamoDB refuses a range whose ends have passed each other
    span = keys.messages_of(room_id, above=above, below=below)
    page = table(actor).query(span, limit=limit, forward=not newest, consistent=True)
    found = cast("list[Message]", page.items)
    return found[::-1] if newest else found


def edits(actor: Actor, room_id: str, seq: int) -> list[MessageEdit]:
    """What a message said before, oldest first."""
    return cast("list[MessageEdit]", table(actor).query(keys.edits_of(room_id, seq), consistent=True).items)


# Rooms -----------------------------------------------------------------------------------------------------------------------------


def save_room(actor: Actor, room: Room, joining: Sequence[RoomMember], quota: Operation | None) -> None:
    """A room, new or changed, with those who join it. Position 0 fails when the room was changed meanwhile; a `quota` comes last."""
    joined: list[Operation] = [operation for member in joining for operation in (Put(member), Put(_read_mark(member)))]
    table(actor).transact([Put(room), *joined, *([quota] if quota else [])])


def one_more_room(quota: RoomQuota, most: int) -> Operation:
    return Update(quota.key(), [RoomQuota.count.add(1)], RoomQuota.count < most)


def first_room(quota: RoomQuota) -> Operation:
    return Put(quota)


def remove_member(actor: Actor, room: Room, member: RoomMember) -> None:
    """`room` has one member fewer. Position 0 fails when the room was changed meanwhile."""
    table(actor).transact([Put(room), Delete(member.key(), item=member), Delete(keys.read_mark(member.room_id, member.user_id))])


def mark_read(actor: Actor, room_id: str, seq: int) -> None:
    """Raises ConditionFailed where the actor has read as far already, or is not in the room."""
    table(actor).update(keys.read_mark(room_id, actor.user_id), [ReadMark.seq.set(seq)], condition=ReadMark.seq < seq)


def _read_mark(member: RoomMember) -> ReadMark:
    return ReadMark(room_id=member.room_id, user_id=member.user_id, owner_id=member.user_id, seq=member.joined_seq)


# Messages --------------------------------------------------------------------------------------------------------------------------


def append(actor: Actor, room: Room, message: Message, marker: SentMarker | None, moving: Sequence[RoomMember]) -> None:
    """Store a message under the room's next `seq`, all in one transaction: the room takes the number, the sender has read it, and the room
    moves up on the lists of `moving`.

    Positions: 0 the room (somebody else took the number), 1 the sender's mark (who is not in the room), 2 the message, 3 the marker if
    there is one (sent before).
    """
    after = room.copy()
    after.seq, after.active_at = message.seq, message.ts
    read = Update(keys.read_mark(room.room_id, message.sender_id), [ReadMark.seq.set(message.seq)])
    moved = [RoomMember.active_at.set(message.ts), keys.membership_moved(message.ts, room.room_id)]
    due = [Put(ReviewDue(room_id=room.room_id), overwrite=True)] if moving else []
    operations: list[Operation] = [Put(after), read, Put(message), *([Put(marker)] if marker else []), *due]
    table(actor).transact([*operations, *(Update(member.key(), moved, item=member) for member in moving)])


def rewrite(actor: Actor, after: Message, kept: MessageEdit) -> None:
    """Position 0 fails when somebody else changed the message meanwhile."""
    due = [] if after.gone else [Put(ReviewDue(room_id=after.room_id, seq=after.seq), overwrite=True)]
    table(actor).transact([Put(after), Put(kept), *due])


def add_reaction(actor: Actor, message: Message, mark: ReactionMark) -> None:
    """Position 0 fails when the message was changed meanwhile."""
    table(actor).transact([Put(message), Put(mark)])


def remove_reaction(actor: Actor, message: Message, mark: ReactionMark) -> None:
    """Position 0 fails when the message was changed meanwhile."""
    table(actor).transact([Put(message), Delete(mark.key())])


def reacted(actor: Actor, mark: ReactionMark) -> bool:
    return table(actor).get(mark.key(), consistent=True) is not None
