"""Every key of the table is composed here and nowhere else: read this page to know the table.

An id that enters a key must match the allow-list of `goalgraph.ids` (no `#`, nothing outside ASCII), so no id can reach into
another partition. The tenant prefix is not here: `goalgraph.table.table` puts it before each partition key of an actor who has a tenant.
"""

import hashlib
import re
from datetime import date, datetime

from pynamodb.expressions.operand import Path, Value
from pynamodb.expressions.update import SetAction

from goalgraph.ids import is_id
from goalgraph.table.attributes import instant_text
from goalgraph.table.port import IndexKey, Key, Span

SK = Path("SK")
UNDATED = "~"
"""Stands where a due date would; sorts after every date."""
MAX_SEQ = 10**12
"""Greater than every `seq` of a room."""
_LAST = "~"  # sorts after every character that a key of ours holds next


class InvalidKey(ValueError):
    """An id that cannot stand in a key. Services let no such id come this far; the edge shows it as `NOT_FOUND`."""


def _id(value: object) -> str:
    if not is_id(value):
        raise InvalidKey("an id of a key is malformed")
    return str(value)


def _user(user_id: str) -> str:
    return f"USER#{_id(user_id)}"


def with_tenant(tenant_id: str | None, pk: str) -> str:
    return pk if tenant_id is None else f"TENANT#{_id(tenant_id)}#{pk}"


# Members ---------------------------------------------------------------------------------------------------------------------------


def profile(user_id: str) -> Key:
    return Key(_user(user_id), f"PROFILE#{user_id}")


def block(user_id: str, other_id: str) -> Key:
    return Key(_user(user_id), f"BLOCK#{_id(other_id)}")


def blocks_of(user_id: str) -> Span:
    return Span(_user(user_id), SK.startswith("BLOCK#"))


def home_of(user_id: str) -> Span:
    """Everything the home screen shows, in one stretch: aggregate, goals, profile, subscription, open tasks by due date."""
    return Span(_user(user_id), SK.between("GAME#AGG#", f"TASK#{_LAST * 2}"))


def game_aggregate(user_id: str, season: str) -> Key:
    return Key(_user(user_id), f"GAME#AGG#{_id(season)}")


def connection(user_id: str, other_id: str) -> Key:
    return Key(_user(user_id), f"CONN#{_id(other_id)}")


def connections_of(user_id: str) -> Span:
    return Span(_user(user_id), SK.startswith("CONN#"))


def request_quota(user_id: str, day: date) -> Key:
    return Key(_user(user_id), f"QUOTA#CONN#{day:%Y%m%d}")


# Goals and tasks -------------------------------------------------------------------------------------------------------------------


def goal(user_id: str, goal_id: str) -> Key:
    return Key(_user(user_id), f"GOAL#{_id(goal_id)}")


def goals_of(user_id: str) -> Span:
    """Oldest first: goal ids sort by time."""
    return Span(_user(user_id), SK.startswith("GOAL#"))


def goal_quota(user_id: str) -> Key:
    return Key(_user(user_id), "QUOTA#GOALS")


def task(goal_id: str, task_id: str) -> Key:
    return Key(f"GOAL#{_id(goal_id)}", f"TASK#{_id(task_id)}")


def tasks_of(goal_id: str) -> Span:
    return Span(f"GOAL#{_id(goal_id)}", SK.startswith("TASK#"))


def agenda_entry(user_id: str, due_at: datetime | None, task_id: str) -> Key:
    due = UNDATED if due_at is None else instant_text(due_at)
    return Key(_user(user_id), f"TASK#{due}#{_id(task_id)}")


def assignment(user_id: str, due_at: datetime | None, task_id: str) -> Key:
    """What others gave a member to do. It lies outside the stretch that home reads, for others fill it."""
    return Key(_user(user_id), f"ASSIGNED#{agenda_entry(user_id, due_at, task_id).sk}")


def assignments_of(user_id: str) -> Span:
    """By due time, the undated last."""
    return Span(_user(user_id), SK.startswith("ASSIGNED#"))


def agenda_of(user_id: str, until: datetime | None) -> Span:
    """Open tasks by due date up to `until` (None: all, the undated last)."""
    last = _LAST * 2 if until is None else f"{instant_text(until)}#{_LAST}"
    return Span(_user(user_id), SK.between("TASK#", f"TASK#{last}"))


def due_entry(at: datetime, shard: int, task_id: str, reminder_id: str) -> Key:
    """The wheel turns by the minute, in UTC."""
    return Key(f"DUE#{_minute(at)}#{shard}", f"TASK#{_id(task_id)}#{_id(reminder_id)}")


def due_day(at: datetime, shard: int, task_id: str, reminder_id: str) -> IndexKey:
    """A day of the wheel, which the daily digest reads."""
    minute = _minute(at)
    return IndexKey("GSI2", f"DUE#{minute[:8]}#{shard}", f"{minute[8:]}#{_id(task_id)}#{_id(reminder_id)}")


def _minute(at: datetime) -> str:
    """`YYYYMMDDHHMM` in UTC. (strftime's %Y has no fixed width before the year 1000.)"""
    return re.sub(r"\D", "", instant_text(at))[:12]


def shard_of(identifier: str, shards: int) -> int:
    """A shard for `identifier`, the same in every process."""
    return int.from_bytes(hashlib.blake2b(identifier.encode(), digest_size=8).digest()) % shards


# Rooms and messages -----------------------------------------------------------------------------------------------------------------


def room(room_id: str) -> Key:
    return Key(_room(room_id), f"ROOM#{room_id}")


def room_member(room_id: str, user_id: str) -> Key:
    return Key(_room(room_id), f"MEMBER#{_id(user_id)}")


def read_mark(room_id: str, user_id: str) -> Key:
    return Key(_room(room_id), f"READ#{_id(user_id)}")


def members_of(room_id: str) -> Span:
    return Span(_room(room_id), SK.startswith("MEMBER#"))


def membership(user_id: str, active_at: datetime, room_id: str) -> IndexKey:
    """A member's rooms by their last activity."""
    return IndexKey("GSI1", _user(user_id), f"ROOM#{instant_text(active_at)}#{_id(room_id)}")


def membership_moved(active_at: datetime, room_id: str) -> SetAction:
    """The action that moves a room on a member's list."""
    return SetAction(Path("GSI1SK"), Value(f"ROOM#{instant_text(active_at)}#{_id(room_id)}"))


def rooms_of(user_id: str) -> Span:
    return Span(_user(user_id), Path("GSI1SK").startswith("ROOM#"), "GSI1")


def message(room_id: str, seq: int) -> Key:
    return Key(_room(room_id), f"MSG#{_seq(seq)}")


def messages_of(room_id: str, *, above: int = 0, below: int = MAX_SEQ) -> Span:
    """Messages with a `seq` above the one and below the other, in that order."""
    return Span(_room(room_id), SK.between(f"MSG#{_seq(above + 1)}", f"MSG#{_seq(below - 1)}"))


def sent_marker(room_id: str, user_id: str, digest: str) -> Key:
    return Key(_room(room_id), f"SENT#{_id(user_id)}#{_id(digest)}")


def message_edit(room_id: str, seq: int, version: int) -> Key:
    return Key(_room(room_id), f"EDIT#{_seq(seq)}#{version:06d}")


def edits_of(room_id: str, seq: int) -> Span:
    return Span(_room(room_id), SK.startswith(f"EDIT#{_seq(seq)}#"))


def reaction(room_id: str, seq: int, user_id: str, emoji_hex: str) -> Key:
    """An emoji is no id, so it stands in the key as the hexadecimal digits of its UTF-8."""
    return Key(_room(room_id), f"REACT#{_seq(seq)}#{_id(user_id)}#{_id(emoji_hex)}")


def room_quota(user_id: str, day: date) -> Key:
    """`day` is the member's own."""
    return Key(_user(user_id), f"QUOTA#ROOMS#{day:%Y%m%d}")


def _room(room_id: str) -> str:
    return f"ROOM#{_id(room_id)}"


def _seq(seq: int) -> str:
    """Fixed width, so that the order of keys is the order of `seq`."""
    return f"{seq:012d}"


# Moderation --------------------------------------------------------------------------------------------------------------------------


def review_mark(room_id: str) -> Key:
    return Key(_room(room_id), "REVIEW")


def review_due(room_id: str, seq: int | None, shard: int) -> Key:
    """`seq` None: the room, for what was written there; else one message, for what it says now."""
    what = f"ROOM#{_id(room_id)}" if seq is None else f"MSG#{_id(room_id)}#{_seq(seq)}"
    return Key(f"REVIEW#{shard}", what)


def reviews_due(shard: int) -> Span:
    return Span(f"REVIEW#{shard}")


def case(room_id: str, seq: int) -> Key:
    return Key(_case(room_id, seq), "CASE")


def case_in_queue(state: str, room_id: str, seq: int, *, urgent: bool, score: float, opened_at: datetime) -> IndexKey:
    """The urgent ones first, then by score (0 to 1), then who waits longest."""
    rank = f"{0 if urgent else 1}#{round((1 - score) * 1000):04d}#{instant_text(opened_at)}"
    return IndexKey("GSI4", f"CASES#{_id(state)}", f"{rank}#{_id(room_id)}#{_seq(seq)}")


def cases(state: str) -> Span:
    return Span(f"CASES#{_id(state)}", None, "GSI4")


def report(room_id: str, seq: int, user_id: str) -> Key:
    return Key(_case(room_id, seq), f"REPORT#{_id(user_id)}")


def case_and_reports(room_id: str, seq: int) -> Span:
    return Span(_case(room_id, seq))


def report_quota(user_id: str, day: date) -> Key:
    return Key(_user(user_id), f"QUOTA#REPORTS#{day:%Y%m%d}")


def _case(room_id: str, seq: int) -> str:
    return f"CASE#{_id(room_id)}#{_seq(seq)}"


# The edge --------------------------------------------------------------------------------------------------------------------------


def idempotency(user_id: str, key: str) -> Key:
    name = f"IDEM#{_id(user_id)}#{_id(key)}"
    return Key(name, name)
