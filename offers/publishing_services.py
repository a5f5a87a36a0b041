"""Projecting offers from SQL to the table, where members read them.

A row with `rev` above `published_rev` is still to be projected. What is projected is the row as it is when the task runs, whatever revision
the task was sent for, and only over an older one: so tasks may come twice, late, in any order, and side by side. A process that dies
anywhere leaves `published_rev` behind `rev`, and the sweep sends the task again.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter

from django.db import transaction
from django.db.models import F, Q

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM
from goalgraph.table import keys, table, until_won
from goalgraph.table.table import Delete, Operation, Put, seconds
from offers import authoring_services, items, states
from offers.domain import kind_tag
from offers.models import Offer
from offers.outbox import enqueue_publish

SWEPT = 500
"""Rows of each kind that one sweep takes on; the next one goes on."""

_PLATFORM = replace(SYSTEM, user_id="offers")


def publish(offer_id: str) -> None:
    """Bring the table to the offer's current row, and say so in the row. Raises TableError, after which it is tried again."""
    rev = until_won(partial(_project, offer_id))
    if rev is not None:
        Offer.objects.filter(pk=offer_id, published_rev__lt=rev).update(published_rev=rev)


def sweep() -> None:
    """Start and expire what is due by the clock, and send every row again that the table does not have."""
    now = wiring.clock().now()
    for offer_id in _due(Q(state=states.APPROVED, valid_from__lte=now)):
        authoring_services.start(offer_id)
    for offer_id in _due(Q(state__in=states.TRANSITIONS["expire"].before, valid_to__lte=now)):
        authoring_services.expire(offer_id)
    for offer_id in _due(Q(published_rev__lt=F("rev"))):
        enqueue_publish(offer_id)


def set_pace(offer_id: str, pace: float, *, rev: int | None = None) -> None:
    """How much of its reach the budget leaves an offer, 0 to 1. With `rev`, only where it was not changed since that revision.

    Not a person's change, so it leaves no decision.
    """
    seen = Offer.objects.filter(pk=offer_id) if rev is None else Offer.objects.filter(pk=offer_id, rev=rev)
    with transaction.atomic():
        if seen.exclude(pace=pace).update(pace=pace, rev=F("rev") + 1):
            transaction.on_commit(partial(enqueue_publish, offer_id))


def _due(condition: Q) -> list[str]:
    return list(Offer.objects.filter(condition).order_by("pk").values_list("pk", flat=True)[:SWEPT])


def _project(offer_id: str) -> int | None:
    """Write the row as it is now, and return its revision; None where there is no row.

    The item is written as it was read, when it had an older revision, so that the edges that go are exactly those that are there.
    Raises TransactionCanceled where somebody else wrote it in between.
    """
    row = Offer.objects.select_related("company").filter(pk=offer_id).first()
    if row is None:
        return None
    found = table(_PLATFORM).get(keys.offer(offer_id), consistent=True)
    old = found if isinstance(found, items.Offer) else None
    if old is not None and old.rev >= row.rev:
        return row.rev
    new = _item(row, wiring.clock().now())
    if old is not None:
        new.version, new.write_id = old.version, old.write_id
    edges = _edges(new)
    gone = {edge.key() for edge in _edges(old)} - {edge.key() for edge in edges} if old is not None else set()
    operations: list[Operation] = [Put(new), *(Put(edge, overwrite=True) for edge in edges)]
    table(_PLATFORM).transact([*operations, *map(Delete, sorted(gone, key=attrgetter("pk")))])
    return row.rev


def _item(row: Offer, now: datetime) -> items.Offer:
    """What members are served of a row; of one that is not live nothing but the mark that it was taken back."""
    facts = {"owner_id": row.company_id, "created_at": row.created_at, "offer_id": row.pk, "rev": row.rev, "company_id": row.company_id}
    begins = row.valid_from or row.created_at
    if row.state != states.LIVE or row.company.archived or (row.valid_to is not None and row.valid_to <= now):
        blank = {"company_name": "", "title": "", "target_url": ""}
        return items.Offer(**facts, **blank, state=items.WITHDRAWN, valid_from=begins, public_from=begins)
    return items.Offer(
        **facts,
        state=items.PUBLISHED,
        company_name=row.company.name,
        title=row.title,
        body=row.body,
        target_url=row.url,
        image_url=row.image.url if row.image else None,
        tags=row.tags,
        goal_kinds=row.goal_kinds,
        tier=row.tier,
        language=row.language or None,
        valid_from=begins,
        valid_to=row.valid_to,
        public_from=begins + timedelta(days=row.early_access_days),
        pace=row.pace,
        ttl=_ttl(row.valid_to),
    )


def _ttl(valid_to: datetime | None) -> int | None:
    """When the item is gone by itself: a tick of the clock needs nobody to be awake."""
    return None if valid_to is None else seconds(valid_to)


def _edges(offer: items.Offer) -> list[items.OfferEdge]:
    """The edges that belong to an item, one under each tag and kind of goal."""
    if offer.state != items.PUBLISHED:
        return []
    return [
        items.OfferEdge(
            owner_id=offer.company_id,
            tag=tag,
            offer_id=offer.offer_id,
            rev=offer.rev,
            company_id=offer.company_id,
            tier=offer.tier,
            language=offer.language,
            valid_from=offer.valid_from,
            valid_to=offer.valid_to,
            public_from=offer.public_from,
            pace=offer.pace,
            ttl=offer.ttl,
        )
        for tag in dict.fromkeys([*offer.tags, *map(kind_tag, offer.goal_kinds)])
    ]
