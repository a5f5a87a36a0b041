"""How a reminder that was given is read, and put off."""

from collections.abc import Sequence
from typing import cast

from goalgraph.auth.actor import Actor
from goalgraph.table import keys, table
from goalgraph.table.table import Operation, Put
from notifications.items import Notification


def notification(actor: Actor, note_id: str) -> Notification | None:
    """One of the actor's own, as far as the application shows it."""
    return cast("Notification | None", table(actor).get(keys.notification(actor.user_id, note_id), consistent=True))


def put_off(actor: Actor, note: Notification, operations: Sequence[Operation]) -> None:
    """The notification and what has it come again. Position 0 fails where somebody else changed the notification."""
    table(actor).transact([Put(note), *operations])
