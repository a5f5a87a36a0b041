"""What becomes of reminders whose minute has come, and of those that a member wants again later (docs/reminders.md)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Conflict, Invalid, NotFound
from goalgraph.ids import is_id
from goalgraph.table import settled
from goalgraph.table.attributes import instant_text
from goalgraph.table.table import Operation
from goals import reminder_services as goals
from notifications import reminder_repository as repository
from notifications import services as notifications
from notifications.items import Notification
from notifications.notices import DUE_AT, DUE_WALL, Notice

KIND = "reminder"
MAX_MINUTES = 7 * 24 * 60
"""The longest snooze."""
_TRIES = 8


def turn(actor: Actor, entries: Sequence[goals.DueEntry], now: datetime) -> None:
    """Have reminded whoever is still to be reminded by `entries`, and take each of these out of its bucket or to its next one.

    An entry leaves its bucket with the last of its notifications, so where this ends half-way it is still there, and repeating it tells
    nobody twice. Raises Conflict when a task keeps being changed meanwhile.
    """
    left = entries
    for _ in range(_TRIES):
        outcomes = goals.due(actor, left, now)
        known = notifications.recipients(actor, [user_id for outcome in outcomes for user_id in outcome.recipients])
        left = [outcome.entry for outcome in outcomes if not _turned(actor, outcome, known)]
        if not left:
            return
    raise Conflict


def _turned(actor: Actor, outcome: goals.Outcome, known: dict[str, notifications.Recipient]) -> bool:
    """False where the task changed since it was read, so that it has to be read again."""
    if not outcome.recipients:
        return goals.drop(actor, outcome)
    *others, last = outcome.recipients
    moving = [(user_id, outcome.checks) for user_id in others] + [(last, outcome.moving)]
    return all(
        notifications.tell(actor, _notice(outcome, user_id, operations), known.pop(user_id, None)) != "overtaken"
        for user_id, operations in moving
    )


def snooze(actor: Actor, notification_id: str, minutes: int) -> Notification:
    """Have the actor reminded again `minutes` from now of what one of their own notifications reminded them of, and return that.

    A second snooze of the same notification takes the place of the first one, so repeating it makes one reminder. Raises Invalid; NotFound
    also where the task is no longer the actor's to do; Conflict where it is done.
    """
    if not 1 <= minutes <= MAX_MINUTES:
        raise Invalid(f"1 to {MAX_MINUTES} minutes, please.", field="minutes")
    if not is_id(notification_id):
        raise NotFound

    def attempt() -> Notification:
        note = repository.notification(actor, notification_id)
        if note is None:
            raise NotFound
        if note.kind != KIND or note.subject is None:
            raise Invalid("Only a reminder can be put off.", field="id")
        later, before = note.copy(), note.snoozed_until
        later.snoozed_until = wiring.clock().now() + timedelta(minutes=minutes)
        operations = goals.snooze(actor, note.subject, f"snooze-{note.note_id}", later.snoozed_until, before)
        repository.put_off(actor, later, operations)
        return later

    return settled(attempt)


def _notice(outcome: goals.Outcome, user_id: str, moving: tuple[Operation, ...]) -> Notice:
    facts = {"title": outcome.title, "taskId": outcome.task_id}
    if outcome.due_at is not None:
        facts[DUE_AT] = instant_text(outcome.due_at)
    if outcome.due_wall is not None:
        facts[DUE_WALL] = outcome.due_wall
    if user_id != outcome.owner_id:
        facts[notifications.MEMBER_ID] = outcome.owner_id
    return Notice(
        user_id=user_id,
        kind=KIND,
        dedupe=outcome.dedupe,
        at=outcome.at,
        facts=facts,
        subject=outcome.task_id,
        not_after=outcome.not_after,
        moving=moving,
    )
