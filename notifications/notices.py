"""What a context asks to have a member told of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from goalgraph.table.table import Operation

DUE_AT, DUE_WALL = "dueAt", "dueWall"
"""The facts that say of which due time a reminder is; `DUE_WALL` only of a later occurrence of what repeats (`DueEntry.due_wall`)."""


@dataclass(frozen=True, slots=True)
class Notice:
    """`kind` is one of `notifications.domain.KINDS`, `facts` is plain JSON data that its texts are made of, `at` when it happened (UTC).

    Two notices to a member with the same `kind`, `dedupe` and `at` are one: the second does nothing, whenever it comes. So `at` is taken
    from what happened, never from the clock: the notification's id holds it, and sorts by it. `moving` is written in
    the very transaction that stores the notification, or alone where it was stored before: so an entry of the due wheel leaves its bucket
    exactly when its notification stands.
    """

    user_id: str
    kind: str
    dedupe: str
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)
    subject: str | None = None
    """The public id of what it is about, which is looked at again just before anything is sent."""
    not_after: datetime | None = None
    """When it is too late to send it; in the application it stays."""
    moving: tuple[Operation, ...] = ()
