"""Keeps what offers cost within what their companies want to spend: slows them down, and stops those that have used it up."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import islice

from django.db.models import Q, Sum

from goalgraph import wiring
from offers import authoring_services, domain, publishing_services, states
from offers.domain import Bounds, Used
from offers.models import Day, Offer

BUDGET = "budget"
"""Why the platform paused an offer."""
_CHUNK = 500


def pace_all() -> None:
    """Look at each live offer that has a bound. Repeating it changes nothing; what one run misses, the next finds."""
    now = wiring.clock().now()
    for rows in _chunks():
        used = _used([row.pk for row in rows], now.date())
        for row in rows:
            bounds, so_far = _bounds(row), used.get(row.pk, Used())
            if domain.used_up(bounds, so_far):
                authoring_services.pause_by_platform(row.pk, BUDGET)
            elif (pace := domain.pace(bounds, so_far, now)) != row.pace:
                publishing_services.set_pace(row.pk, pace)


def _chunks() -> Iterator[list[Offer]]:
    bounded = Q(budget_cents__isnull=False) | Q(daily_clicks__isnull=False) | Q(total_views__isnull=False) | ~Q(pace=1.0)
    rows = iter(Offer.objects.filter(bounded, state=states.LIVE).order_by("pk"))
    while chunk := list(islice(rows, _CHUNK)):
        yield chunk


def _bounds(row: Offer) -> Bounds:
    return Bounds(
        row.budget_cents, row.cost_per_click_cents, row.daily_clicks, row.total_views, row.valid_from or row.created_at, row.valid_to
    )


def _used(offer_ids: Sequence[str], today: date) -> Mapping[str, Used]:
    """By offer."""
    days = Day.objects.filter(offer_id__in=offer_ids).order_by()
    sums = days.values("offer_id").annotate(seen=Sum("views"), followed=Sum("clicks"), today=Sum("clicks", filter=Q(day=today)))
    return {row["offer_id"]: Used(row["seen"], row["followed"], row["today"] or 0) for row in sums}
