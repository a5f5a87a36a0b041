"""Domain events: what an item's change means, in the words of its context.

A context says in its `events.py` which events follow from a change of its items. An event names things by their ids and holds no text that
a member wrote: whoever needs more reads it. Its id follows from the write that made it, so a record that is read twice makes the same
event twice, and handlers tell by the id that they are done with it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.feed.changes import Change
from goalgraph.ids import id_of
from goalgraph.table.attributes import instant_text


@dataclass(frozen=True, slots=True)
class Event:
    """`type` and `version` name its JSON Schema in `docs/events/`; `data` is plain JSON data with camelCase names.

    `user_id` is the member whom it concerns first, `actor_id` who did it, `at` when (UTC). `priority` tells that a premium member did it.
    """

    id: str
    type: str
    at: datetime
    user_id: str
    actor_id: str
    trace_id: str
    tenant_id: str | None = None
    priority: bool = False
    version: int = 1
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def system(self) -> Actor:
        """The platform itself, in the event's tenant: in its name handlers act."""
        return Actor(user_id=SYSTEM.user_id, scopes=SYSTEM.scopes, tenant_id=self.tenant_id)

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "type": self.type,
            "version": self.version,
            "at": instant_text(self.at),
            "userId": self.user_id,
            "actorId": self.actor_id,
            "traceId": self.trace_id,
            "tenantId": self.tenant_id,
            "priority": self.priority,
            "data": dict(self.data),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Raises KeyError or ValueError for what `to_json` did not write."""
        return cls(
            id=value["id"],
            type=value["type"],
            version=value["version"],
            at=datetime.fromisoformat(value["at"]),
            user_id=value["userId"],
            actor_id=value["actorId"],
            trace_id=value["traceId"],
            tenant_id=value["tenantId"],
            priority=value["priority"],
            data=value["data"],
        )


Translator = Callable[[Change], Iterable[Event]]
"""Tells which events follow from a change of an item of one type; often none."""


def event(change: Change, type: str, *, user_id: str | None = None, tell: str = "", **data: Any) -> Event:
    """The event `type` that follows from `change`. `tell` tells several of one type apart that follow from one change.

    The id is as old as the write, so ids of events sort by time.
    """
    item = change.item
    at = item.updated_at if change.new is not None else change.at
    return Event(
        id=id_of(item.updated_at, type, tell, change.tenant_id or "", change.key.pk, change.key.sk, item.write_id, change.kind),
        type=type,
        at=at,
        user_id=user_id or item.owner_id,
        actor_id=item.actor_id if change.new is not None else "",
        trace_id=item.trace_id,
        tenant_id=change.tenant_id,
        priority=bool(item.premium),
        data=data,
    )
