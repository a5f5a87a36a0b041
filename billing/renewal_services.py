"""Which plans go on with another period, and when."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

from billing import repository
from billing.items import Subscription
from goalgraph.auth.actor import SYSTEM

PAGE = 100


def renewals(tenant_id: str | None, day: date) -> Iterator[Subscription]:
    """The subscriptions of a tenant (None: the open platform) whose period ends on a day (UTC) and which are not canceled."""
    actor, after = replace(SYSTEM, tenant_id=tenant_id), None
    while True:
        page = repository.renewals_page(actor, day, limit=PAGE, after=after)
        yield from page.items
        if not page.has_more:
            return
        after = page.cursors[-1]
