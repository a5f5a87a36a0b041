"""What the tests of goals look at beside the services: the copies that follow from tasks, as they lie in the table."""

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.table.items import CoreItem, from_raw
from goalgraph.table.memory import MemoryTable


def items_of(actor: Actor, kind: str) -> list[CoreItem]:
    """All stored items of a kind that `actor` owns, by key; only on the table in memory."""
    adapter = wiring.table_adapter()
    assert isinstance(adapter, MemoryTable)
    stored = sorted(adapter._items.items(), key=lambda entry: (entry[0].pk, entry[0].sk))
    return [from_raw(raw) for _, raw in stored if raw["type"]["S"] == kind and raw["ownerId"]["S"] == actor.user_id]


def due_entries_of(actor: Actor) -> list[CoreItem]:
    return items_of(actor, "DueEntry")


def agenda_entries_of(actor: Actor) -> list[CoreItem]:
    return items_of(actor, "AgendaEntry")
