"""What offers have used up of what their companies want to spend.

Only days count of which the company is told figures. Otherwise it could find the others: by moving a cap until the offer stops.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from django.conf import settings
from django.db.models import Q, Sum

from goalgraph import wiring
from offers import domain
from offers.domain import Bounds, Used
from offers.models import Day, Offer


def is_used_up(offer: Offer) -> bool:
    today = wiring.clock().now().date()
    return domain.used_up(bounds(offer), used([offer.pk], today).get(offer.pk, Used()))


def bounds(offer: Offer) -> Bounds:
    begins = offer.valid_from or offer.created_at
    return Bounds(
        offer.budget_cents, offer.cost_per_click_cents, offer.daily_clicks, offer.total_views, valid_from=begins, valid_to=offer.valid_to
    )


def used(offer_ids: Sequence[str], today: date) -> Mapping[str, Used]:
    """By offer, for those of which there are figures. `today` is by UTC."""
    days = Day.objects.filter(offer_id__in=offer_ids, reach__gte=settings.OFFER_MIN_COHORT).order_by()
    sums = days.values("offer_id").annotate(seen=Sum("views"), spent=Sum("spent_cents"), today=Sum("clicks", filter=Q(day=today)))
    return {row["offer_id"]: Used(row["seen"], row["spent"], row["today"] or 0) for row in sums}
