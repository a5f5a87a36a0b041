"""How a member stands right now: their plan and their sanctions, put on the actor at each edge.

A token lives for an hour; what somebody pays for, and what moderators decide, changes meanwhile. So each request, and each operation of an
open WebSocket, passes through `present`. What it reads a process remembers for `settings.STANDING_SECONDS`, so a change reaches everybody
within that time and without a new sign-in.
"""

import threading
from collections import OrderedDict
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

from billing import plans
from billing import services as billing
from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Forbidden
from goalgraph.table import keys, table
from goalgraph.table.items import CoreItem
from users import sanction_services as sanctions
from users.domain import sanction_words

MOST = 50_000
"""Members whom a process remembers."""

_Found = list[CoreItem | None]
_known: OrderedDict[tuple[str | None, str], tuple[datetime, _Found]] = OrderedDict()
_lock = threading.Lock()


def present(actor: Actor) -> Actor:
    """`actor` as they stand by now: with the tier and the features of their plan, and muted until when they are.

    It reads the table, so call it in a thread. Raises Forbidden for a member who is suspended.
    """
    sanction_item, *subscriptions = _recalled(actor)
    sanction = sanctions.sanction_of(sanction_item, wiring.clock().now())
    if sanction.suspended_until is not None:
        raise Forbidden(sanction_words("Your account is suspended", sanction.suspended_until))
    found = billing.best_of(subscriptions)
    tier = found.tier if found is not None else actor.tier if settings.TIER_FROM_TOKEN else plans.FREE
    # What plans grant, no token grants.
    entitlements = (actor.entitlements - plans.FEATURES) | plans.features(tier)
    return replace(actor, tier=tier, entitlements=entitlements, muted_until=sanction.muted_until)


def forget() -> None:
    """Have everybody looked up again."""
    with _lock:
        _known.clear()


def _recalled(actor: Actor) -> _Found:
    member, now = (actor.tenant_id, actor.user_id), wiring.clock().now()
    oldest = now - timedelta(seconds=settings.STANDING_SECONDS)
    known = _known.get(member)
    if known is not None and oldest < known[0] <= now:
        return known[1]
    # The time is from before it was read, so that nothing is remembered for longer than it may be.
    found = table(actor).get_many([keys.sanction(actor.user_id), *billing.keys_of(actor)], consistent=True)
    with _lock:
        _known[member] = now, found
        _known.move_to_end(member)
        while len(_known) > MOST:
            _known.popitem(last=False)
    return found


def _forget(*, setting: str, **_: Any) -> None:
    if setting in {"PORTS", "STANDING_SECONDS", "TIER_FROM_TOKEN"}:
        forget()


setting_changed.connect(_forget)
