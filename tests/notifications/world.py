"""Members who can be told something, and a look at what is stored for them."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.table import table
from goalgraph.table.items import CoreItem, from_raw
from goalgraph.table.memory import MemoryTable
from notifications import repository
from notifications.items import NotificationPreferences
from notifications.notices import Notice
from tests.fixtures import new_user
from users import services as users


def platform(actor: Actor) -> Actor:
    return replace(SYSTEM, tenant_id=actor.tenant_id)


def member(
    *, devices: int = 1, email: str | None = "m@example.org", tier: str = "free", tenant_id: str | None = None, **profile: Any
) -> Actor:
    """Somebody with a profile and addresses."""
    actor = new_user(tenant_id=tenant_id, tier=tier)
    users.upsert_profile(actor, {"nickname": actor.user_id} | profile)
    if tier != "free":
        billed = users.repository.profile(actor, actor.user_id)
        billed.tier = tier
        users.repository.save_profile(actor, billed)
    wishes(actor, devices=devices, email=email)
    return actor


def wishes(actor: Actor, **changes: Any) -> NotificationPreferences:
    found = repository.preferences(actor, actor.user_id)
    for name, value in changes.items():
        setattr(found, name, value)
    return repository.save_preferences(actor, found)


def notice(actor: Actor, kind: str = "reminder", dedupe: str = "one", at: datetime | None = None, **more: Any) -> Notice:
    return Notice(actor.user_id, kind, dedupe, at or wiring.clock().now(), **{"facts": {"title": "Run"}} | more)


def stored(actor: Actor, kind: str) -> list[Any]:
    """All live items of a type that `actor` owns, by key; only in memory."""
    adapter = wiring.table_adapter()
    assert isinstance(adapter, MemoryTable)
    found = sorted(adapter._items.items(), key=lambda entry: (entry[0].pk, entry[0].sk))
    return [from_raw(raw) for _, raw in found if raw["type"]["S"] == kind and raw["ownerId"]["S"] == actor.user_id]


def put(actor: Actor, item: CoreItem) -> CoreItem:
    return table(actor).put(item)
