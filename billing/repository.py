"""How subscriptions are read and written."""

from collections.abc import Sequence
from datetime import date
from typing import cast

from billing.items import Subscription
from goalgraph.auth.actor import Actor
from goalgraph.table import keys, table
from goalgraph.table.items import CoreItem
from goalgraph.table.port import Key
from goalgraph.table.table import Operation, Page, Put

PREMIUM_PLAN, COMPANY_PLAN = "premium", "company"


def keys_of(actor: Actor) -> list[Key]:
    own = keys.subscription(actor.user_id, PREMIUM_PLAN)
    return [own] if actor.tenant_id is None else [own, keys.tenant_subscription(COMPANY_PLAN)]


def subscriptions_of(actor: Actor) -> list[CoreItem | None]:
    """What lies at `keys_of`; one round trip."""
    return table(actor).get_many(keys_of(actor), consistent=True)


def stored(actor: Actor, wanted: Subscription) -> Subscription | None:
    """What is stored under the key of `wanted`."""
    return cast("Subscription | None", table(actor).get(wanted.key(), consistent=True))


def save(actor: Actor, item: Subscription, more: Sequence[Operation]) -> None:
    """The subscription, unless one of the same or a later revision came in between (position 0), with what follows from it."""
    condition = None if item.version is None else Subscription.rev < item.rev
    table(actor).transact([Put(item, condition), *more])


def renewals_page(actor: Actor, on: date, *, limit: int | None = None, after: str | None = None) -> Page:
    """Subscriptions of a tenant whose period ends on a day (UTC), and which then go on."""
    return table(actor).query(keys.renewals_on(on), limit=limit, after=after)
