"""Which events follow from what happens in rooms. None holds what anybody wrote."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from chat.domain import DELETED, EDITED, REDACTED
from chat.items import Message, RoomMember
from goalgraph.auth.actor import SYSTEM
from goalgraph.feed.changes import Change
from goalgraph.feed.events import Event, Translator, event


def _message(change: Change) -> Iterable[Event]:
    """A reaction changes the item as well, and is no edit. Who took a text away is for the audit log alone: members are told that it was
    the platform."""
    old, new = change.old, change.new
    if not isinstance(new, Message):
        return
    facts: dict[str, Any] = {"roomId": new.room_id, "messageId": new.id, "seq": int(new.seq)}
    if not isinstance(old, Message):
        yield event(change, "message.sent", user_id=new.sender_id, **facts, senderId=new.sender_id)
    elif new.state == EDITED and (old.state, old.text, old.edited_at) != (new.state, new.text, new.edited_at):
        yield event(change, "message.edited", user_id=new.sender_id, **facts)
    elif new.state == DELETED and old.state != DELETED:
        yield event(change, "message.deleted", user_id=new.sender_id, **facts)
    elif new.state == REDACTED and old.state != REDACTED:
        yield replace(event(change, "message.redacted", user_id=new.sender_id, **facts), actor_id=SYSTEM.user_id)


def _member(change: Change) -> Iterable[Event]:
    if change.kind == "INSERT" and isinstance(change.new, RoomMember):
        member = change.new
        yield event(change, "room.joined", user_id=member.user_id, roomId=member.room_id, memberId=member.user_id)


TRANSLATORS: dict[str, Translator] = {"Message": _message, "RoomMember": _member}
