"""What members do with messages. The room's history is the truth; what is announced live is only a hint that there is more of it."""

from collections.abc import Callable
from datetime import timedelta

from django.conf import settings

from chat import live, repository
from chat.domain import (
    DELETED,
    EDITED,
    MAX_REACTIONS,
    MessageRef,
    begins_conversation,
    client_message_id,
    message_text,
    reaction,
)
from chat.items import Message, MessageEdit, ReactionMark, Room, SentMarker, sent_digest
from chat.services import entered
from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Conflict, Forbidden, Invalid, NotFound
from goalgraph.ports.live import Stream
from goalgraph.table import settled
from goalgraph.table.port import ConditionFailed, TransactionCanceled
from goalgraph.table.table import seconds
from users.sanction_services import require_voice

DEFAULT_PAGE, MAX_PAGE = 50, 100


def send(actor: Actor, room_id: str, text: str, *, client_id: str | None = None, reply_to: str | None = None) -> Message:
    """Write into a room. Sent again with the same `client_id` it is the same message, however often.

    Raises Forbidden for who is muted, Invalid, NotFound, Conflict when the room is so busy that no number was to be had.
    """
    require_voice(actor)
    checked = message_text(text)
    marker = None if client_id is None else sent_digest(client_message_id(client_id))
    message = settled(lambda: _send(actor, room_id, checked, marker, reply_to), tries=64)
    live.sent(actor, message)
    return message


def _send(actor: Actor, room_id: str, text: str, digest: str | None, reply_to: str | None) -> Message:
    room, own = entered(actor, room_id)
    now = wiring.clock().now()
    expires = seconds(now + timedelta(days=settings.CHAT_RETENTION_DAYS))
    message = Message(
        room_id=room_id,
        seq=int(room.seq) + 1,
        sender_id=actor.user_id,
        text=text,
        ts=max(now, room.active_at),  # the order of a room's times is the order of its messages, whoever's clock is behind
        reply_to_seq=None if reply_to is None else _replied(room, int(own.joined_seq), reply_to),
        ttl=expires,
    )
    marker = digest and SentMarker(room_id=room_id, sender_id=actor.user_id, digest=digest, seq=message.seq, ttl=expires)
    moving = repository.members_of(actor, room_id, consistent=True) if begins_conversation(int(room.seq), room.active_at, now) else []
    try:
        repository.append(actor, room, message, marker or None, moving)
    except TransactionCanceled as error:
        sent = error.current(3) if digest else None
        earlier = repository.message(actor, room_id, int(sent.seq)) if sent else None
        if earlier is None:
            raise
        return earlier
    return message


def _replied(room: Room, joined_seq: int, reply_to: str) -> int:
    ref = MessageRef.parse(reply_to)
    if ref is None or ref.room_id != room.room_id or not joined_seq < ref.seq <= int(room.seq):
        raise Invalid("That message is not in this room.", field="replyTo")
    return ref.seq


def history(actor: Actor, room_id: str, *, after: str | None = None, before: str | None = None, first: int | None = None) -> list[Message]:
    """A page of a room, ascending: the messages newer than `after`, the page older than `before`, or the newest page.

    Raises NotFound, Invalid.
    """
    limit = DEFAULT_PAGE if first is None else first
    if not 1 <= limit <= MAX_PAGE:
        raise Invalid(f"A page has 1 to {MAX_PAGE} messages.", field="first")
    if after is not None and before is not None:
        raise Invalid("Either `after` or `before`.", field="before")
    _, own = entered(actor, room_id)
    begin = int(own.joined_seq)
    if after is not None:
        return repository.messages(actor, room_id, above=max(begin, _seq_in(room_id, after, "after")), limit=limit)
    if before is not None:
        return repository.messages(actor, room_id, above=begin, below=_seq_in(room_id, before, "before"), limit=limit, newest=True)
    return repository.messages(actor, room_id, above=begin, limit=limit, newest=True)


def _seq_in(room_id: str, message_id: str, field: str) -> int:
    ref = MessageRef.parse(message_id)
    if ref is None or ref.room_id != room_id:
        raise Invalid("That message is not in this room.", field=field)
    return ref.seq


def mark_read(actor: Actor, room_id: str, message_id: str | None = None) -> Room:
    """The actor has read up to `message_id`, or all there is. A mark never goes back. Raises NotFound, Invalid."""
    room, _ = entered(actor, room_id)
    seq = int(room.seq) if message_id is None else _seq_in(room_id, message_id, "messageId")
    if seq > int(room.seq):
        raise Invalid("That message is not in this room.", field="messageId")
    try:
        repository.mark_read(actor, room_id, seq)
    except ConditionFailed as error:
        if error.current is None:
            raise NotFound from error
    else:
        live.read(actor, room, seq)
    return room


def edit(actor: Actor, message_id: str, text: str) -> Message:
    """Say one's own message differently; what it said before is kept for moderators. Raises Invalid, NotFound, Forbidden, Conflict."""
    require_voice(actor)
    checked = message_text(text)

    def change(message: Message) -> None:
        if message.text != checked:
            message.text, message.state, message.edited_at = checked, EDITED, wiring.clock().now()

    return _rewritten(actor, message_id, change)


def delete(actor: Actor, message_id: str) -> Message:
    """Take one's own message back. Its place stays, without the text. Repeating it changes nothing.

    Raises NotFound, Forbidden, Conflict.
    """

    def change(message: Message) -> None:
        message.text, message.state, message.reactions = "", DELETED, {}

    return _rewritten(actor, message_id, change)


def react(actor: Actor, message_id: str, emoji: str, *, remove: bool = False) -> Message:
    """Put an emoji under a message, or take it away. Repeating it changes nothing. Raises Forbidden for who is muted, Invalid, NotFound,
    Conflict."""
    require_voice(actor)
    checked = reaction(emoji)

    def attempt() -> Message:
        before = found_message(actor, message_id)
        if before.gone:
            raise Conflict("This message is gone.")
        mark = ReactionMark(room_id=before.room_id, seq=before.seq, user_id=actor.user_id, emoji=checked, ttl=before.ttl)
        if repository.reacted(actor, mark) is not remove:
            return before
        after = before.copy()
        after.reactions = _counted(before.reactions, checked, -1 if remove else 1)
        (repository.remove_reaction if remove else repository.add_reaction)(actor, after, mark)
        return after

    message = settled(attempt, tries=64)
    live.changed(actor, message, "reaction")
    return message


def _counted(reactions: dict[str, int], emoji: str, change: int) -> dict[str, int]:
    counted = dict(reactions or {})
    counted[emoji] = counted.get(emoji, 0) + change
    if len(counted) > MAX_REACTIONS:
        raise Invalid(f"At most {MAX_REACTIONS} different reactions to a message.", field="emoji")
    return {name: count for name, count in counted.items() if count > 0}


def set_typing(actor: Actor, room_id: str, *, typing: bool) -> bool:
    """Tell the room that the actor writes, or has stopped. It is told to who is there, and stored nowhere. Raises Forbidden for who is
    muted, NotFound."""
    require_voice(actor)
    room, _ = entered(actor, room_id)
    live.typing(actor, room, typing=typing)
    return True


# Live ------------------------------------------------------------------------------------------------------------------------------


def follow_messages(actor: Actor, room_id: str, after: str | None = None) -> Stream:
    """The messages of a room as they come; with `after` first those since then, an empty one being before the first message.

    Raises NotFound, Invalid.
    """
    _, own = entered(actor, room_id)
    begin = None if after is None else max(int(own.joined_seq), _seq_in(room_id, after, "after") if after else 0)
    return live.messages(actor, room_id, begin, still_allowed=_may_enter(actor, room_id))


def follow_events(actor: Actor, room_id: str) -> Stream:
    """What happens in a room beside new messages. Raises NotFound."""
    entered(actor, room_id)
    return live.events(actor, room_id, still_allowed=_may_enter(actor, room_id))


def _may_enter(actor: Actor, room_id: str) -> Callable[[], bool]:
    def still() -> bool:
        try:
            entered(actor, room_id)
        except NotFound:
            return False
        return True

    return still


# ---------------------------------------------------------------------------------------------------------------------------------------


def found_message(actor: Actor, message_id: str) -> Message:
    """A message of a room the actor is in, from their time in it. Raises NotFound."""
    ref = MessageRef.parse(message_id)
    if ref is None:
        raise NotFound
    _, own = entered(actor, ref.room_id)
    found = repository.message(actor, ref.room_id, ref.seq) if ref.seq > int(own.joined_seq) else None
    if found is None:
        raise NotFound
    return found


def _rewritten(actor: Actor, message_id: str, change: Callable[[Message], None]) -> Message:
    def attempt() -> tuple[Message, bool]:
        before = found_message(actor, message_id)
        if before.sender_id != actor.user_id:
            raise Forbidden
        after = before.copy()
        change(after)
        if after.attribute_values == before.attribute_values:
            return before, False
        if before.gone:
            raise Conflict("This message is gone.")
        repository.rewrite(actor, after, kept_edit(before))
        return after, True

    message, changed = settled(attempt)
    if changed:
        live.changed(actor, message, message.state)
    return message


def kept_edit(before: Message) -> MessageEdit:
    """What a message said, as it is kept for moderators when it changes."""
    return MessageEdit(
        room_id=before.room_id,
        seq=before.seq,
        number=before.version,
        owner_id=before.sender_id,
        text=before.text,
        state=before.state,
        written_at=before.edited_at or before.ts,
        ttl=before.ttl,
    )
