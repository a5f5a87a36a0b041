"""Which events follow from what happens in rooms. None holds what anybody wrote."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from chat.domain import DELETED, EDITED, REDACTED, MessageRef
from chat.items import Message, RoomMember
from chat.moderation_domain import APPEAL
from chat.moderation_items import CaseDecision, ModerationCase
from goalgraph.auth.actor import SYSTEM
from goalgraph.feed.changes import Change
from goalgraph.feed.events import Event, Translator, event
from goalgraph.table.attributes import instant_text


def _message(change: Change) -> Iterable[Event]:
    """A reaction changes the item as well, and is no edit. Who took a text away is for the audit log alone: members are told that it was
    the platform."""
    old, new = change.old, change.new
    if not isinstance(new, Message):
        return
    facts: dict[str, Any] = {"roomId": new.room_id, "messageId": new.id, "seq": int(new.seq)}
    if not isinstance(old, Message):
        yield event(change, "message.sent", user_id=new.sender_id, **facts, senderId=new.sender_id)
    elif old.state == REDACTED and new.state != REDACTED:
        yield replace(event(change, "message.restored", user_id=new.sender_id, **facts), actor_id=SYSTEM.user_id)
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


def _case(change: Change) -> Iterable[Event]:
    """For the back office, which reads the case itself."""
    if isinstance(change.new, ModerationCase):
        yield event(change, "case.changed", user_id=change.new.sender_id, roomId=change.new.room_id, seq=int(change.new.seq))


def _decision(change: Change) -> Iterable[Event]:
    """For whom it is about. An appeal is their own."""
    made = change.new
    if change.kind == "INSERT" and isinstance(made, CaseDecision) and made.action != APPEAL:
        told = event(
            change,
            "case.decided",
            user_id=made.sender_id,
            roomId=made.room_id,
            messageId=str(MessageRef(int(made.seq), made.room_id)),
            action=made.action,
            rule=made.rule,
            effect=made.effect,
            appealed=bool(made.appealed),
            overturns=bool(made.overturns),
            **({} if made.until is None else {"untilAt": instant_text(made.until)}),
        )
        yield replace(told, actor_id=SYSTEM.user_id)


TRANSLATORS: dict[str, Translator] = {
    "Message": _message,
    "RoomMember": _member,
    "ModerationCase": _case,
    "CaseDecision": _decision,
}
