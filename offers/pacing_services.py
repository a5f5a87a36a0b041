"""Keeps what offers cost within what their companies want to spend: slows them down, and stops those that have used it up."""

from collections.abc import Iterator

from django.db.models import Q

from goalgraph import wiring
from offers import authoring_services, domain, publishing_services, states, usage
from offers.domain import Used
from offers.models import Offer

BUDGET = "budget"
"""Why the platform paused an offer."""
_CHUNK = 500


def pace_all() -> None:
    """Look at each live offer that has a bound. Repeating it changes nothing; what one run misses, the next finds.

    It acts on the revision that it looked at: a company may raise a bound meanwhile.
    """
    now = wiring.clock().now()
    for rows in _chunks():
        used = usage.used([row.pk for row in rows], now.date())
        for row in rows:
            bounds, so_far = usage.bounds(row), used.get(row.pk, Used())
            if domain.used_up(bounds, so_far):
                authoring_services.pause_by_platform(row.pk, BUDGET, rev=row.rev)
            elif (pace := domain.pace(bounds, so_far, now)) != row.pace:
                publishing_services.set_pace(row.pk, pace, rev=row.rev)


def _chunks() -> Iterator[list[Offer]]:
    """Each with a query of its own: rows are written in between, and SQLite does not do that beside a query that is still open."""
    bounded = Q(budget_cents__isnull=False) | Q(daily_clicks__isnull=False) | Q(total_views__isnull=False) | ~Q(pace=1.0)
    rows, behind = Offer.objects.filter(bounded, state=states.LIVE).order_by("pk"), ""
    while chunk := list(rows.filter(pk__gt=behind)[:_CHUNK]):
        yield chunk
        behind = chunk[-1].pk
