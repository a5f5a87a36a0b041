"""What members did with offers, as their companies are told: sums of a day, never who.

An event becomes a row (`Touch`), rows become sums (`Day`). Each step is safe to repeat: a row has its event's id, and a batch of rows is
marked and summed in one transaction. Of a member a row has a digest whose key is of one day and one offer, so that the same member is the
same row's neighbour on that day only, and nobody can follow them from day to day. Days are by UTC.
"""

import hashlib
import hmac
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Model, QuerySet

from goalgraph import wiring
from goalgraph.errors import Invalid
from goalgraph.feed.events import Event
from offers.domain import CLICK, VIEW
from offers.models import Day, Offer, Reach, Touch

logger = logging.getLogger(__name__)

BATCH = 500
"""Touches that one transaction sums."""
BATCHES = 20
"""Of them in one run; the next goes on."""
MAX_DAYS = 366


@dataclass(frozen=True, slots=True)
class DayStats:
    """A day of an offer. Where `hidden`, fewer members than `OFFER_MIN_COHORT` saw it, maybe none, and no figure is told."""

    day: date
    hidden: bool
    views: int | None = None
    clicks: int | None = None
    reach: int | None = None

    @property
    def rate(self) -> float | None:
        """Clicks for each view; None where there is none."""
        return self.clicks / self.views if self.views and self.clicks is not None else None


@dataclass(frozen=True, slots=True)
class Totals:
    """Over the days that are not hidden, so that nobody finds a hidden day by subtracting. `reach` counts a member once a day."""

    views: int
    clicks: int
    reach: int
    hidden_days: int

    @property
    def rate(self) -> float | None:
        return self.clicks / self.views if self.views else None


# What is kept ------------------------------------------------------------------------------------------------------------------------


def keep(event: Event) -> None:
    """Keep `offer.touched` until it is summed; a second time changes nothing. One older than touches are kept for is dropped."""
    day = date.fromisoformat(event.data["day"])
    offer_id = event.data["offerId"]
    if event.tenant_id is not None or day < _oldest() or not Offer.objects.filter(pk=offer_id).exists():
        logger.warning("a touch is of no offer that is counted", extra={"data": {"event": event.id, "offer": offer_id}})
        return
    touch = Touch(id=event.id, offer_id=offer_id, day=day, kind=event.data["kind"], member=_digest(event.user_id, offer_id, day))
    Touch.objects.bulk_create([touch], ignore_conflicts=True)


def _digest(user_id: str, offer_id: str, day: date) -> str:
    """Who, for counting each once on this day: without SECRET_KEY it leads to nobody, and not to the same member's other days."""
    message = f"offers.reach\x1f{day.isoformat()}\x1f{offer_id}\x1f{user_id}"
    return hmac.new(settings.SECRET_KEY.encode(), message.encode(), hashlib.sha256).hexdigest()[:32]


def roll_up() -> int:
    """Sum the touches that are not summed yet, the oldest first; returns how many. Any number of processes may do this at once."""
    summed = 0
    for _ in range(BATCHES):
        count = _roll_up_batch()
        summed += count
        if count < BATCH:
            break
    return summed


@transaction.atomic
def _roll_up_batch() -> int:
    """Marking and summing are one transaction: whoever dies in it has done neither.

    PostgreSQL locks the rows, and others pass them by; SQLite lets one transaction write at a time (`transaction_mode`).
    """
    waiting = Touch.objects.filter(counted=False).order_by("id").select_for_update(skip_locked=True)
    touches = list(waiting[:BATCH])
    if not touches:
        return 0
    marked = Touch.objects.filter(pk__in=[touch.pk for touch in touches], counted=False).update(counted=True)
    if marked != len(touches):
        raise RuntimeError("touches were summed by somebody else meanwhile")  # and so nothing of this batch is
    counts = Counter((touch.offer_id, touch.day, touch.kind) for touch in touches)
    Day.objects.bulk_create(
        [Day(offer_id=offer_id, day=day) for offer_id, day in dict.fromkeys((touch.offer_id, touch.day) for touch in touches)],
        ignore_conflicts=True,
    )
    days = _locked_days(touches)
    prices = dict(Offer.objects.filter(pk__in={row.offer_id for row in days}).values_list("pk", "cost_per_click_cents"))
    for row in days:
        of_day = (row.offer_id, row.day)
        views, clicks = counts[*of_day, VIEW], counts[*of_day, CLICK]
        spent = F("spent_cents") + clicks * prices[row.offer_id]
        sums = {"views": F("views") + views, "clicks": F("clicks") + clicks, "spent_cents": spent}
        Day.objects.filter(pk=row.pk).update(**sums, reach=_reach(row, touches))
    return len(touches)


def _locked_days(touches: Iterable[Touch]) -> list[Day]:
    """In an order that is always the same, so that two batches do not wait for each other."""
    wanted = {(touch.offer_id, touch.day) for touch in touches}
    rows = Day.objects.filter(offer_id__in={offer_id for offer_id, _ in wanted}, day__in={day for _, day in wanted})
    return [row for row in rows.order_by("pk").select_for_update() if (row.offer_id, row.day) in wanted]


def _reach(row: Day, touches: Iterable[Touch]) -> int:
    """How many members, with those of `touches`. The row of the day is locked, so nobody else adds to them meanwhile."""
    members = {touch.member for touch in touches if (touch.offer_id, touch.day) == (row.offer_id, row.day)}
    Reach.objects.bulk_create([Reach(offer_id=row.offer_id, day=row.day, member=member) for member in members], ignore_conflicts=True)
    return Reach.objects.filter(offer_id=row.offer_id, day=row.day).count()


def purge() -> int:
    """Forget touches that were summed `OFFER_TOUCH_DAYS` ago, and whom they were of. The sums stay. Returns how many rows went."""
    touches = Touch.objects.filter(counted=True, day__lt=_oldest())
    return _delete(touches) + _delete(Reach.objects.filter(day__lt=_oldest()))


def _delete(rows: QuerySet[Model]) -> int:
    """In short transactions."""
    gone = 0
    while batch := list(rows.values_list("pk", flat=True)[:BATCH]):
        rows.model._default_manager.filter(pk__in=batch).delete()
        gone += len(batch)
    return gone


def _oldest() -> date:
    return wiring.clock().now().date() - timedelta(days=settings.OFFER_TOUCH_DAYS)


# What companies are told -------------------------------------------------------------------------------------------------------------


def days(offer_id: str, since: date, until: date) -> list[DayStats]:
    """Each day from `since` to `until`, both included. Whether the offer may be seen is for the caller to ask (`visible_offers`).

    Raises Invalid for more than `MAX_DAYS`.
    """
    if not 0 <= (until - since).days < MAX_DAYS:
        raise Invalid(f"1 to {MAX_DAYS} days, please.", field="until")
    rows = {row.day: row for row in Day.objects.filter(offer_id=offer_id, day__range=(since, until))}
    return [_told(day, rows.get(day)) for day in (since + timedelta(days=number) for number in range((until - since).days + 1))]


def totals(shown: Iterable[DayStats]) -> Totals:
    """Of the days that `days` returned."""
    known = list(shown)
    return Totals(
        views=sum(day.views or 0 for day in known),
        clicks=sum(day.clicks or 0 for day in known),
        reach=sum(day.reach or 0 for day in known),
        hidden_days=sum(day.hidden for day in known),
    )


CSV_HEADER = ["day", "views", "clicks", "rate", "reach"]


def csv_rows(offer_id: str, since: date, until: date) -> Iterator[list[str]]:
    """A header and a row a day, as texts for `csv.writer`. Raises Invalid as `days` does."""
    yield CSV_HEADER
    for day in days(offer_id, since, until):
        yield [csv_cell(cell) for cell in (day.day.isoformat(), *_figures(day))]


def csv_cell(text: str) -> str:
    """`text` as a table's program shows it and never runs it (OWASP, CSV Injection: what begins like a formula gets a `'` before it)."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


def _figures(day: DayStats) -> tuple[str, str, str, str]:
    if day.hidden:
        few = f"<{settings.OFFER_MIN_COHORT}"
        return ("", "", "", few)
    rate = "" if day.rate is None else f"{day.rate:.4f}"
    return (str(day.views), str(day.clicks), rate, str(day.reach))


def _told(day: date, row: Day | None) -> DayStats:
    if row is None or row.reach < settings.OFFER_MIN_COHORT:
        return DayStats(day, hidden=True)
    return DayStats(day, hidden=False, views=row.views, clicks=row.clicks, reach=row.reach)
