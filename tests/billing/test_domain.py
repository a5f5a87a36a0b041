"""The reduction: premium if and only if it is paid, whatever the order, and until when."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from billing import domain, plans
from billing.domain import ENDED, GRACE, PAUSED, STATES, Standing, granted, standing
from goalgraph.ports.payments import Agreement

GRACE_DAYS = timedelta(days=7)
NOW = datetime(2027, 7, 1, 12, tzinfo=UTC)
STATUSES = ("incomplete", "incomplete_expired", "trialing", "active", "past_due", "canceled", "unpaid", "paused", "something new")


@st.composite
def agreements(draw: st.DrawFn) -> Agreement:
    starts = NOW + timedelta(days=draw(st.integers(-60, 0)))
    ends = starts + timedelta(days=draw(st.integers(1, 60)))
    return Agreement(
        id=f"sub_{draw(st.integers(0, 10**6))}",
        status=draw(st.sampled_from(STATUSES)),
        plan_id=draw(st.sampled_from(["premium", "premium", "premium", "company", None])),
        interval=draw(st.sampled_from(["month", "year", None])),
        created=starts,
        period_starts=starts,
        period_ends=ends,
        ends_at=draw(st.none() | st.just(ends) | st.just(ends + timedelta(days=30))),
        paused=draw(st.booleans()),
        refunded=draw(st.booleans()),
        invoice=draw(st.sampled_from(["paid", "paid", "paid", "draft", "open", "void", "uncollectible", "kept", None])),
    )


def paid_until(agreement: Agreement) -> datetime | None:
    """What the terms say, in other words than the code does: until when this subscription, alone, is good."""
    if agreement.plan_id != "premium" or agreement.refunded:
        return None
    late, settled = agreement.period_starts + GRACE_DAYS, agreement.period_ends + GRACE_DAYS
    last = {
        ("trialing", False): settled,
        ("active", False): {"paid": settled, None: settled, "draft": late, "open": late}.get(agreement.invoice),
        ("past_due", False): late,
        ("trialing", True): agreement.period_ends if agreement.invoice == "paid" else None,
        ("active", True): agreement.period_ends if agreement.invoice == "paid" else None,
        ("past_due", True): agreement.period_ends if agreement.invoice == "paid" else None,
    }.get((agreement.status, agreement.paused))
    if last is None:
        return None
    return last if agreement.ends_at is None or last < agreement.ends_at else agreement.ends_at


@given(st.lists(agreements(), max_size=5), st.timedeltas(timedelta(days=-90), timedelta(days=120)))
def test_premium_if_and_only_if_it_is_paid(found: list[Agreement], later: timedelta):
    now = NOW + later
    reduced = standing(found, "premium", GRACE_DAYS)
    tier = "free" if reduced is None else granted(reduced.tier, reduced.grace_ends, now)
    paid = any((until := paid_until(agreement)) is not None and now < until for agreement in found)
    assert (tier == "premium") is paid


@given(st.lists(agreements(), max_size=5), st.randoms())
def test_their_order_does_not_matter(found: list[Agreement], dice):
    distinct = list({agreement.id: agreement for agreement in found}.values())
    shuffled = distinct[:]
    dice.shuffle(shuffled)
    assert standing(distinct, "premium", GRACE_DAYS) == standing(shuffled, "premium", GRACE_DAYS)


@given(st.lists(agreements(), max_size=5))
def test_it_is_one_of_the_states_and_never_for_ever(found: list[Agreement]):
    reduced = standing(found, "premium", GRACE_DAYS)
    assert (reduced is None) is not any(agreement.plan_id == "premium" for agreement in found)
    if reduced is not None:
        assert reduced.state in STATES
        assert (reduced.tier == "premium") is (reduced.grace_ends is not None)
        assert reduced.tier == "free" or reduced.state != ENDED


@given(st.lists(agreements(), min_size=1, max_size=5), st.timedeltas(timedelta(days=-90), timedelta(days=120)))
def test_the_clock_takes_away_and_never_gives(found: list[Agreement], later: timedelta):
    reduced = standing(found, "premium", GRACE_DAYS)
    if reduced is not None:
        seen = domain.as_of(reduced, NOW + later)
        assert seen == reduced or (seen.tier, seen.state) == ("free", ENDED)
        assert domain.as_of(seen, NOW + later + timedelta(days=1)).tier in (seen.tier, "free")


def an_agreement(**more) -> Agreement:
    facts = {"id": "sub_1", "status": "active", "plan_id": "premium", "interval": "month", "created": NOW, "period_starts": NOW}
    return Agreement(**(facts | {"period_ends": NOW + timedelta(days=30)} | more))


def test_the_words_of_it():
    ends = NOW + timedelta(days=30)
    assert standing([an_agreement()], "premium", GRACE_DAYS) == Standing("active", "premium", "month", ends, ends + GRACE_DAYS, False)
    late = standing([an_agreement(status="past_due")], "premium", GRACE_DAYS)
    assert late is not None
    assert (late.state, late.grace_ends) == (GRACE, NOW + GRACE_DAYS)
    assert standing([an_agreement(ends_at=ends)], "premium", GRACE_DAYS) == Standing("active", "premium", "month", ends, ends, True)
    assert standing([], "premium", GRACE_DAYS) is None


@pytest.mark.parametrize("invoice", ["void", "uncollectible", "kept"])
def test_an_active_one_that_nobody_paid_grants_nothing(invoice: str):
    found = standing([an_agreement(invoice=invoice)], "premium", GRACE_DAYS)
    assert found is not None
    assert (found.state, found.tier) == (ENDED, "free")


def test_a_pause_leaves_what_is_paid_until_its_period_ends():
    ends = NOW + timedelta(days=30)
    paused = standing([an_agreement(paused=True, invoice="paid")], "premium", GRACE_DAYS)
    assert paused == Standing(PAUSED, "premium", "month", ends, ends, False)
    assert standing([an_agreement(paused=True, invoice="void")], "premium", GRACE_DAYS) == Standing(
        PAUSED, "free", "month", ends, None, False
    )


@given(st.sampled_from(["free", "premium", "gold", ""]), st.sampled_from([plans.ROOMS_PER_DAY, plans.ACTIVE_GOALS]))
@example("premium", plans.ROOMS_PER_DAY)
def test_who_is_of_no_tier_we_know_is_free(tier: str, name: str):
    known = tier if tier == "premium" else "free"
    assert (plans.limit(tier, name), plans.features(tier)) == (plans.limit(known, name), plans.features(known))


def test_premium_is_never_less_than_free():
    for name in (plans.ROOMS_PER_DAY, plans.ACTIVE_GOALS):
        free, premium = plans.limit("free", name), plans.limit("premium", name)
        assert free is not None
        assert premium is None or premium > free
    assert plans.features("free") < plans.features("premium") == plans.FEATURES


def test_lookup_keys_are_distinct():
    keys = [plan.lookup_key(price.interval) for plan in plans.PLANS for price in plan.prices]
    assert len(set(keys)) == len(keys) == 4
