"""Plans as data: what each tier may do, and what can be bought. What a plan costs is with Stripe, under the price's lookup key.

Pure: any context may import it.
"""

from dataclasses import dataclass

FREE, PREMIUM = "free", "premium"
TIERS = (FREE, PREMIUM)
MONTH, YEAR = "month", "year"
INTERVALS = (MONTH, YEAR)

ROOMS_PER_DAY, ACTIVE_GOALS = "rooms_per_day", "active_goals"
PREMIUM_OFFERS, EARLY_ACCESS, COACHING, ANALYTICS, PRIORITY = "premium_offers", "early_access", "coaching", "analytics", "priority"

_LIMITS: dict[str, dict[str, int | None]] = {
    FREE: {ROOMS_PER_DAY: 5, ACTIVE_GOALS: 5},
    PREMIUM: {ROOMS_PER_DAY: None, ACTIVE_GOALS: 10},
}
_FEATURES: dict[str, frozenset[str]] = {
    FREE: frozenset(),
    PREMIUM: frozenset({PREMIUM_OFFERS, EARLY_ACCESS, COACHING, ANALYTICS, PRIORITY}),
}
FEATURES: frozenset[str] = frozenset().union(*_FEATURES.values())
"""All that some tier may use beyond the free plan."""


@dataclass(frozen=True, slots=True)
class Price:
    """What one interval costs, as `manage.py create_plans` first makes it at Stripe: `amount` in the currency's smallest unit."""

    interval: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Plan:
    """`tier` is what it grants. A `tenant_wide` one is bought by a company's tenant and holds for all of its members."""

    id: str
    name: str
    description: str
    tier: str
    prices: tuple[Price, ...] = ()
    trial_days: int = 0
    tenant_wide: bool = False

    def price(self, interval: str) -> Price | None:
        return next((price for price in self.prices if price.interval == interval), None)

    def lookup_key(self, interval: str) -> str:
        """Under which Stripe has the price: https://docs.stripe.com/products-prices/manage-prices#lookup-keys."""
        return f"goalgraph_{self.id}_{interval}"


PLANS: tuple[Plan, ...] = (
    Plan("free", "Free", "Goals, tasks, chat and offers.", FREE),
    Plan(
        "premium",
        "Premium",
        "More goals, rooms without limit, coaching, analytics and the first look at offers.",
        PREMIUM,
        (Price(MONTH, 699, "eur"), Price(YEAR, 6990, "eur")),
        trial_days=14,
    ),
    Plan(
        "company",
        "Company",
        "Premium for every member of a company's tenant.",
        PREMIUM,
        (Price(MONTH, 19900, "eur"), Price(YEAR, 199000, "eur")),
        tenant_wide=True,
    ),
)
_BY_ID = {plan.id: plan for plan in PLANS}


def plan(plan_id: str) -> Plan | None:
    """The plan by its id; None where there is none."""
    return _BY_ID.get(plan_id)


def limit(tier: str, name: str) -> int | None:
    """How many a tier may have of what `name` counts; None: as many as one likes. An unknown tier is the free one. Raises KeyError for a
    name that no limit has."""
    return _LIMITS.get(tier, _LIMITS[FREE])[name]


def features(tier: str) -> frozenset[str]:
    """What a tier may use beyond the free plan. An unknown tier is the free one."""
    return _FEATURES.get(tier, _FEATURES[FREE])
