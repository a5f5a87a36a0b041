"""The rows of the moderators' desk follow the table: each case as the feed tells of it, and all of them when they are compared."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import F, Q

from chat import moderation_repository as cases
from chat.models import Case
from chat.moderation_domain import HIDDEN, OPEN, RESOLVED, WAITING
from chat.moderation_items import ModerationCase
from goalgraph.auth.actor import Actor

AT_ONCE = 100
"""Cases looked at in one round trip."""
EXPIRED = "expired"
"""The outcome of a case that the table does not keep any more."""
NEW_ITEM = timedelta(hours=1)
"""An item that was made so long after its row last opened is another one: the table forgot the first, and it was reported again. The same
one is made in the moment of its opening, and kept for days."""

Place = tuple[str, int]
"""A room and the `seq` of a message."""


def project(actor: Actor, room_id: str, seq: int) -> None:
    """Have the row say what the table says of a case now. Safe to repeat, late and out of order; `actor` is the platform."""
    item = cases.case(actor, room_id, seq)
    if item is not None:
        _project(actor, item)


def _project(actor: Actor, item: ModerationCase) -> None:
    """Four steps, each of which looks for itself whether it is still to be done: that the table began anew; the facts, unless they are
    older than what the row has; that it opened again; that it was resolved past the desk."""
    place = {"tenant_id": actor.tenant_id or "", "room_id": item.room_id, "seq": int(item.seq)}
    opened = {"openings": int(item.openings), "opened_at": item.opened_at}
    row, created = Case.objects.get_or_create(**place, defaults=_facts(item) | opened | {"state": item.state})
    if created:
        return
    same = Case.objects.filter(pk=row.pk)
    moved = {"version": F("version") + 1, "claimed_by": None, "claimed_at": None}
    same.filter(opened_at__lt=item.created_at - NEW_ITEM).update(state=item.state, **_facts(item), **opened, **moved)
    same.filter(source_version__lt=int(item.version)).update(**_facts(item))
    if item.state == OPEN:
        same.filter(openings__lt=int(item.openings)).update(state=OPEN, **opened, **moved)
    else:
        same.filter(openings__lte=int(item.openings), state__in=WAITING).update(state=RESOLVED, **opened, **moved)


def _facts(item: ModerationCase) -> dict[str, Any]:
    reasons = list(item.reasons)
    kinds = dict.fromkeys([*(reason.partition(":")[0] for reason in reasons), *(["reported"] if item.reports else [])])
    return {
        "sender_id": item.sender_id,
        "urgent": bool(item.urgent),
        "score": float(item.score),
        "reasons": reasons,
        "kinds": f"|{'|'.join(kinds)}|"[:200] if kinds else "",
        "reports": int(item.reports),
        "hidden": item.outcome == HIDDEN,
        "outcome": item.outcome or "",
        "appealed": bool(item.appealed),
        "source_version": int(item.version),
    }


# All of them -----------------------------------------------------------------------------------------------------------------------


def compare(actor: Actor) -> int:
    """Have the rows say what the table says: of its open cases, and of what waits at the desk. Returns how many cases the table has open,
    in one tenant. Safe to repeat; `actor` is the platform."""
    seen: set[Place] = set()
    after, more = None, True
    while more:
        page = cases.cases_page(actor, OPEN, limit=AT_ONCE, after=after)
        _project_stale(actor, page.items)
        seen |= {_place(item) for item in page.items}
        after, more = page.cursors[-1] if page.cursors else None, page.has_more
    _project_waiting(actor, except_for=seen)
    return len(seen)


def _project_stale(actor: Actor, items: Sequence[ModerationCase]) -> None:
    """Those of which the rows do not know; the index lags, so what it has is never newer than the item."""
    known = _known(actor, map(_place, items))
    for item in items:
        row = known.get(_place(item))
        if row is None or _is_behind(row, item):
            _project(actor, item)


def _known(actor: Actor, places: Iterable[Place]) -> dict[Place, Case]:
    wanted = [Q(room_id=room_id, seq=seq) for room_id, seq in places]
    if not wanted:
        return {}
    rows = Case.objects.filter(reduce(or_, wanted), tenant_id=actor.tenant_id or "")
    return {(row.room_id, row.seq): row for row in rows}


def _is_behind(row: Case, item: ModerationCase) -> bool:
    opened_before: datetime = item.created_at - NEW_ITEM
    return row.source_version < int(item.version) or row.openings < int(item.openings) or row.opened_at < opened_before


def _project_waiting(actor: Actor, *, except_for: set[Place]) -> None:
    """The rows that wait, and of which the table says by now that they do not, or nothing."""
    own = Case.objects.filter(tenant_id=actor.tenant_id or "", state__in=WAITING)
    waiting = [row for row in own if (row.room_id, row.seq) not in except_for]
    for start in range(0, len(waiting), AT_ONCE):
        rows = waiting[start : start + AT_ONCE]
        for row, item in zip(rows, cases.many_cases(actor, [(row.room_id, row.seq) for row in rows]), strict=True):
            if item is None:
                own.filter(pk=row.pk, version=row.version).update(state=RESOLVED, outcome=EXPIRED, hidden=False, version=F("version") + 1)
            else:
                _project(actor, item)


def _place(item: ModerationCase) -> Place:
    return item.room_id, int(item.seq)
