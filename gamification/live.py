"""What a member earned, told to whoever follows it: the member, on each of their devices."""

import hashlib
from collections.abc import Callable
from typing import Any

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.ports.live import RESYNC, Event, Stream

CHANGED = "changed"


def changed(actor: Actor, user_id: str) -> None:
    """Something changed. What it is now is read by whoever follows, so that no hint that is late or lost shows anything old."""
    wiring.live().announce(_topic(actor, user_id), Event(CHANGED))


def stats(actor: Actor, read: Callable[[], Any]) -> Stream:
    return Stream(_topic(actor, actor.user_id), kinds=(CHANGED, RESYNC), root=lambda _: read())


def _topic(actor: Actor, user_id: str) -> str:
    """Members of two tenants may have the same id, and names of topics are short."""
    place = f"{actor.tenant_id or ''}#{user_id}"
    return f"game.{hashlib.sha256(place.encode()).hexdigest()[:32]}"
