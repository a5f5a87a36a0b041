"""Tells the moderation that there is something to review. What is told may be lost, so what is due is stored as well (`ReviewDue`)."""

from goalgraph import wiring
from goalgraph.auth.actor import Actor


def room(actor: Actor, room_id: str, seq: int) -> None:
    """A room has messages to review, up to `seq`."""
    wiring.jobs().enqueue("chat.tasks.review_room", room_id=room_id, seq=seq, tenant_id=actor.tenant_id)


def message(actor: Actor, room_id: str, seq: int) -> None:
    """A message says something else than when it was reviewed."""
    wiring.jobs().enqueue("chat.tasks.review_message", room_id=room_id, seq=seq, tenant_id=actor.tenant_id)
