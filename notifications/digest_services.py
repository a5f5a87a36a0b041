"""The daily digest: what waited for it, and what the day brings, in the member's morning."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from goalgraph.auth.actor import Actor
from goalgraph.table import settled
from goalgraph.table.attributes import instant_text
from goalgraph.table.port import ConditionFailed
from goalgraph.table.table import Delete, Operation, Put
from goals import task_services as goals
from notifications import repository, services, texts
from notifications.domain import at_minute, local_day
from notifications.items import DigestEntry, DigestNote
from notifications.notices import Notice
from notifications.services import Recipient
from users import services as users

MOST_NOTES = 60
"""What one digest takes along; the rest waits for the next one. They leave in one transaction with it."""
_MOST_TASKS = 100
_SHOWN = 8
_ENTRY_BYTES = 120
_WORTH = timedelta(hours=12)
_INSTANT = timedelta(microseconds=1)


def turn(actor: Actor, entries: Sequence[DigestEntry], now: datetime) -> None:
    """The wheel's turn: make the digest of each member, once, or move it to their morning where that is elsewhere by now.

    `actor` is the platform. Raises Conflict where somebody else keeps writing what the member wishes.
    """
    for entry in entries:
        settled(lambda entry=entry: _turn(actor, entry, now))  # type: ignore[misc]


def _turn(actor: Actor, entry: DigestEntry, now: datetime) -> None:
    """The member's preferences are read first and written last, and so does who adds to the digest: whatever comes in between makes this
    begin again."""
    to = services.recipients(actor, [entry.user_id])[entry.user_id]
    if to.preferences.digest_due_at != entry.at:  # another turn did it
        return repository.write(actor, [Delete(entry.key(), item=entry)])
    due = to.wishes.next_digest(entry.at - _INSTANT, to.zone)
    if due > now:  # they are elsewhere by now, or wish it later
        return repository.write(actor, _leaving(to, entry, [], due))
    waiting, more = repository.digest_notes(actor, entry.user_id, MOST_NOTES)
    member = Actor(user_id=entry.user_id, tenant_id=actor.tenant_id)
    facts = _facts(member, to, waiting, now)
    moving = _leaving(to, entry, waiting, to.wishes.next_digest(now, to.zone) if more else None)
    if not facts["notes"] and not facts["agenda"]:
        return repository.write(actor, moving)
    notice = Notice(
        entry.user_id, "digest", instant_text(entry.at), entry.at, facts=facts, not_after=entry.at + _WORTH, moving=tuple(moving)
    )
    if services.tell(actor, notice, to) == "overtaken":
        raise ConditionFailed
    return None


def _leaving(to: Recipient, entry: DigestEntry, notes: Sequence[DigestNote], due: datetime | None) -> list[Operation]:
    """The entry and `notes` go, and the next digest stands at `due`, if there is one."""
    preferences = to.preferences.copy()
    preferences.digest_due_at = due
    following = [] if due is None else [Put(services.digest_entry(to, due), overwrite=True)]
    return [Delete(entry.key(), item=entry), Put(preferences), *following, *(Delete(note.key(), item=note) for note in notes)]


def _facts(member: Actor, to: Recipient, waiting: Sequence[DigestNote], now: datetime) -> dict[str, Any]:
    """What is told: tasks that are due until the end of the member's day, and what waited, but for what is about somebody blocked."""
    midnight = at_minute(local_day(now, to.zone) + timedelta(days=1), 0, to.zone)
    tasks = goals.agenda(member, midnight - _INSTANT, limit=_MOST_TASKS).items
    apart = users.blocked_among(member, {note.member_id for note in waiting if note.member_id})
    notes = [note for note in waiting if note.member_id not in apart]
    return {
        "agenda": [{"title": _short(task.title), "dueAt": instant_text(task.due_at)} for task in tasks[:_SHOWN]],
        "due": len(tasks),
        "notes": [{"title": _short(note.title), "kind": note.kind} for note in notes[:_SHOWN]],
        "more": max(0, len(tasks) - _SHOWN) + max(0, len(notes) - _SHOWN),
    }


def _short(text: str) -> str:
    return texts.clipped(text, _ENTRY_BYTES)
