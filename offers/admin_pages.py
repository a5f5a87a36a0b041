"""What the back office's pages show of an offer, ready for their templates."""

import csv
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models.options import Options
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from goalgraph import wiring
from offers import access, authoring_services, charts, stats_services
from offers.models import Decision, Offer
from offers.states import REVIEWER
from offers.stats_services import DayStats

NONE = "-"
PERIODS = (7, 30, 90)
"""Days that the statistics go back."""


def cohort() -> int:
    """From how many members on a day is shown."""
    return int(settings.OFFER_MIN_COHORT)


def check(permitted: bool) -> None:
    """Raises PermissionDenied."""
    if not permitted:
        raise PermissionDenied


def page(request: HttpRequest, site: AdminSite, opts: "Options[Any]", template: str, context: dict[str, Any]) -> TemplateResponse:
    request.current_app = site.name
    return TemplateResponse(request, template, {**site.each_context(request), "opts": opts, **context})


def shown(staff: User, offer: Offer) -> dict[str, Any]:
    """An offer with what `staff` may do with it, what it lacks, and the last word on it."""
    last = offer.decisions.exclude(action="edit").first()
    return {
        "offer": offer,
        "steps": authoring_services.possible(staff, offer),
        "gaps": authoring_services.gaps(offer),
        "validity": validity(offer),
        "early": offer.early_access_days,
        "last": None if last is None else told(staff, offer, last),
        "is_review": REVIEWER in access.roles_in(staff, offer.company_id),
    }


def card(staff: User, offer: Offer) -> dict[str, Any]:
    """An offer in the queue: what reviewers do with it, and no more."""
    facts = shown(staff, offer)
    return {**facts, "steps": [step for step in ("approve", "reject") if step in facts["steps"]]}


def told(staff: User, offer: Offer, decision: Decision) -> dict[str, Any]:
    """A decision as `staff` reads it. A company is not told who of the platform's staff decided."""
    mine = {membership.user_id for membership in offer.company.memberships.all()}
    insider = REVIEWER in access.roles_in(staff, offer.company_id) or staff.is_superuser
    if decision.staff is None:
        who = "GoalGraph, by itself"
    elif insider or decision.staff_id in mine:
        who = decision.staff.get_username()
    else:
        who = "GoalGraph's staff"
    return {"decision": decision, "who": who}


def history(staff: User, offer: Offer) -> list[dict[str, Any]]:
    """Every decision, the newest first, with the fields that it changed as they were before and after."""
    decisions = list(offer.decisions.select_related("staff"))
    older = [*decisions[1:], None]
    return [{**told(staff, offer, each), "changes": _changes(each, before)} for each, before in zip(decisions, older, strict=True)]


def _changes(decision: Decision, before: Decision | None) -> list[dict[str, Any]]:
    if before is None:
        return []
    names = [name for name in decision.snapshot if decision.snapshot[name] != before.snapshot.get(name)]
    return [{"name": name, "before": _plain(before.snapshot.get(name)), "after": _plain(decision.snapshot[name])} for name in names]


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or NONE
    return NONE if value in (None, "") else str(value)


def validity(offer: Offer) -> str:
    begins = f"{offer.valid_from:%Y-%m-%d %H:%M}" if offer.valid_from else "once approved"
    return f"{begins} to {offer.valid_to:%Y-%m-%d %H:%M}" if offer.valid_to else f"{begins}, no end"


def percent(clicks: int | None, views: int | None) -> str:
    return f"{100 * (clicks or 0) / views:.1f} %" if views else NONE


def statistics(offer: Offer, period: str) -> dict[str, Any]:
    """The days of a period with their charts. Days below the cohort have no figures here at all."""
    days = stats_services.days(offer.pk, *_span(period))
    few = f"fewer than {cohort()} members"

    def chart(name: str, value: Callable[[DayStats], float | None], show: Callable[[float], str]) -> charts.Chart:
        return charts.drawn(name, [(day.day, None if day.hidden else value(day) or 0) for day in days], show, hidden=few)

    return {
        "charts": [
            chart("Views", lambda day: day.views, _whole),
            chart("Clicks", lambda day: day.clicks, _whole),
            chart("Rate", lambda day: 100 * (day.rate or 0), lambda value: f"{value:.3g} %"),
            chart("Reach", lambda day: day.reach, _whole),
        ],
        "days": [{"day": day, "rate": percent(day.clicks, day.views)} for day in reversed(days)],
        "totals": stats_services.totals(days),
        "cohort": cohort(),
        "period": _period(period),
        "periods": PERIODS,
    }


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def csv_file(offer: Offer, period: str) -> HttpResponse:
    """The same days as a file."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="offer-{offer.pk}.csv"'
    csv.writer(response).writerows(stats_services.csv_rows(offer.pk, *_span(period)))
    return response


def _span(period: str) -> tuple[date, date]:
    until = wiring.clock().now().date()
    return until - timedelta(days=_period(period) - 1), until


def _period(typed: str) -> int:
    return next((period for period in PERIODS if typed == str(period)), PERIODS[1])
