"""Whom to tell when something happened elsewhere. Each handler may be called twice, late and out of order: a notification's id follows from
what it is about, so a second one is the first."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from chat import services as chat
from goalgraph.auth.actor import Actor
from goalgraph.errors import NotFound
from goalgraph.feed.events import Event
from goalgraph.table.attributes import instant_text
from goals import task_services as goals
from notifications.notices import Notice
from notifications.services import MEMBER_ID, notify
from users import services as users
from users.domain import FURTHER_NOTICE


def connection_requested(event: Event) -> None:
    _about_a_member(event, "connection_request")


def connection_accepted(event: Event) -> None:
    _about_a_member(event, "connection_accepted")


def task_assigned(event: Event) -> None:
    """Tells who was given it, if they still have it, and may see it: not after a block."""
    member = _member(event, event.data["assigneeId"])
    try:
        task = goals.task(member, event.data["taskId"])
    except NotFound:
        return
    if member.user_id == event.actor_id or member.user_id not in task.assignees or users.blocked(member, task.owner_id):
        return
    facts = {MEMBER_ID: task.owner_id, "name": users.name_of(member, task.owner_id), "title": task.title}
    due = {} if task.due_at is None else {"dueAt": instant_text(task.due_at)}
    _tell(event, member.user_id, "task_assigned", facts | due, subject=task.id)


def message_sent(event: Event) -> None:
    """Tells the other one of a direct room, unless they have it open, and once until they read it: the first message that they have not
    read stands for all that follow it."""
    sender, room_id = _member(event, event.data["senderId"]), event.data["roomId"]
    try:
        peer = chat.room(sender, room_id).peer_of(sender.user_id)
    except NotFound:  # somebody left, or blocked the other
        return
    if peer is None or peer in chat.online(sender, room_id):
        return
    member = _member(event, peer)
    first = chat.first_unread(member, room_id)
    if first is not None:
        facts = {MEMBER_ID: sender.user_id, "name": users.name_of(member, sender.user_id), "roomId": room_id}
        notify(event.system, [Notice(peer, "message", first.id, first.ts, facts=facts, subject=room_id)])


def badge_earned(event: Event) -> None:
    _tell(event, event.user_id, "badge", {"badge": event.data["badgeId"]})


def level_reached(event: Event) -> None:
    _tell(event, event.user_id, "level", {"level": event.data["level"]})


def case_decided(event: Event) -> None:
    """Tells who sent the message what was decided about it or about them, also where they have left the room, and not by whom. Where a
    case came to nothing they learn nothing of it."""
    data = event.data
    if data["action"] == "dismiss" and data["effect"] is None and not data["overturns"]:
        return
    told = ("roomId", "action", "rule", "effect", "appealed", "untilAt")
    facts = {name: data[name] for name in told if name in data}
    if "untilAt" in data and datetime.fromisoformat(data["untilAt"]) >= FURTHER_NOTICE:
        facts["furtherNotice"] = True
    _tell(event, event.user_id, "moderation", facts, subject=data["messageId"])


def subscription_changed(event: Event) -> None:
    """Tells the member what they can notice: that their plan begins, that a payment failed, that it ended. A renewal is no news, and a
    company's plan is the company's."""
    data = event.data
    if data["tenantWide"]:
        return
    news = "failed" if data["state"] == "grace" != data["stateBefore"] else None
    if data["tier"] != data["tierBefore"]:
        news = "began" if data["tier"] == "premium" else data["state"]
    if news is not None:
        _tell(event, event.user_id, "billing", {"news": news}, subject=data["planId"])


def contact_changed(event: Event) -> None:
    """Tells the member wherever they can be reached by now: in the application, on their devices, and at the addresses that they have.
    The one that went is nowhere kept."""
    _tell(event, event.user_id, "security", {"channel": event.data["channel"], "became": event.data["became"]})


HANDLERS: Mapping[str, Callable[[Event], None]] = {
    "connection.requested": connection_requested,
    "connection.accepted": connection_accepted,
    "task.assigned": task_assigned,
    "message.sent": message_sent,
    "case.decided": case_decided,
    "badge.earned": badge_earned,
    "level.reached": level_reached,
    "contact.changed": contact_changed,
    "subscription.changed": subscription_changed,
}
"""By the type of event."""


def _about_a_member(event: Event, kind: str) -> None:
    """The event concerns first who is to be told."""
    member, other = _member(event, event.user_id), event.data["otherId"]
    if not users.blocked(member, other):
        _tell(event, member.user_id, kind, {MEMBER_ID: other, "name": users.name_of(member, other)}, subject=other)


def _tell(event: Event, user_id: str, kind: str, facts: Mapping[str, Any], subject: str | None = None) -> None:
    notify(event.system, [Notice(user_id, kind, event.id, event.at, facts=facts, subject=subject)])


def _member(event: Event, user_id: str) -> Actor:
    """Reads what that member may see."""
    return Actor(user_id=user_id, tenant_id=event.tenant_id)
