"""Pure rules of rooms and messages."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from goalgraph import inputs
from goalgraph.errors import Invalid
from goalgraph.ids import is_id

DIRECT, GROUP, GOAL = "direct", "group", "goal"
OWNER, MEMBER = "owner", "member"
SENT, EDITED, DELETED, REDACTED = "sent", "edited", "deleted", "redacted"

MAX_TEXT = 10_000
MAX_MEMBERS = 48
"""People in a room: what each of them brings along still fits into one transaction."""
MAX_REACTIONS = 20
"""Different reactions to one message."""
LULL = timedelta(minutes=10)
"""A message after this much silence begins a conversation, and moves the room up on its members' lists."""

_SEQ_DIGITS = 12


def seq_text(seq: int) -> str:
    """`seq` with leading zeros: the order of texts is the order of numbers."""
    return f"{seq:0{_SEQ_DIGITS}d}"


@dataclass(frozen=True, slots=True)
class MessageRef:
    """A message's public id: `<seq>.<room>`. It leads to its key, and sorts as the room's messages do."""

    seq: int
    room_id: str

    def __str__(self) -> str:
        return f"{seq_text(self.seq)}.{self.room_id}"

    @classmethod
    def parse(cls, public_id: str) -> Self | None:
        """None for what cannot be an id of ours."""
        digits, _, room_id = public_id[:256].partition(".")
        well_formed = len(digits) == _SEQ_DIGITS and digits.isascii() and digits.isdigit() and is_id(room_id)
        return cls(int(digits), room_id) if well_formed else None


def direct_room_id(one: str, other: str) -> str:
    """The id of the one direct room of two people, whoever opens it."""
    pair = "\n".join(sorted((one, other)))
    return f"direct-{hashlib.sha256(pair.encode()).hexdigest()[:32]}"


def message_text(value: str) -> str:
    """Raises Invalid."""
    return inputs.text(value, field="text", longest=MAX_TEXT, lines=True)


def room_title(value: str) -> str:
    """Raises Invalid."""
    return inputs.text(value, field="title", longest=100)


def member_ids(values: Iterable[str], *, field: str) -> list[str]:
    """Distinct, well-formed ids. Raises Invalid."""
    distinct = list(dict.fromkeys(values))
    if len(distinct) > MAX_MEMBERS:
        raise Invalid(f"At most {MAX_MEMBERS} people in a room, please.", field=field)
    if not all(map(is_id, distinct)):
        raise Invalid("One of these is not a member's id.", field=field)
    return distinct


def reaction(value: str) -> str:
    """One emoji, or what a keyboard makes of several code points. Raises Invalid."""
    checked = inputs.text(value, field="emoji", longest=16)
    if checked.isalnum() or any(char.isspace() for char in checked):
        raise Invalid("A reaction is one emoji.", field="emoji")
    return checked


def client_message_id(value: str) -> str:
    """Raises Invalid."""
    if not 1 <= len(value) <= 128 or not value.isascii() or not value.isprintable():
        raise Invalid("1 to 128 printable ASCII characters, please.", field="clientMessageId")
    return value


def local_day(instant: datetime, timezone: str) -> date:
    """The member's own day at `instant`."""
    return instant.astimezone(ZoneInfo(timezone)).date()


def begins_conversation(seq: int, active_at: datetime, now: datetime) -> bool:
    """Whether a message at `now` is a room's first one, or the first after a lull."""
    return seq == 0 or now - active_at > LULL


def unread(last_seq: int, read_seq: int) -> int:
    """Messages after the last one read. Who sends has read: sending moves the mark in the same transaction."""
    return max(0, last_seq - read_seq)
