"""Relevance, order, bounds and pacing, as the rules say them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.domain import (
    COMPANY_MOST,
    COMPANY_WINDOW,
    GOAL_KIND,
    GOAL_TAG,
    KINDS,
    PREMIUM,
    PROFILE_TAG,
    Bounds,
    Candidate,
    GoalInterest,
    Interests,
    Used,
    Why,
    arranged,
    is_open,
    kind_named,
    kind_tag,
    kinds_of,
    merged,
    pace,
    ranked,
    reasons,
    relevance,
    speaks,
    used_up,
)
from offers.reasons import LANGUAGES, words

NOW = datetime(2027, 7, 1, 12, tzinfo=UTC)
TAGS = ("running", "spanish", "garden", "budget", "chess")
RUN = GoalInterest.of("Run a half marathon", ["running"])
RUNNER = Interests(goals=(RUN,))

tags = st.frozensets(st.sampled_from(TAGS), max_size=4)
kinds = st.frozensets(st.sampled_from(sorted(KINDS)), max_size=3)
instants = st.timedeltas(timedelta(days=-180), timedelta(days=180)).map(NOW.__add__)
candidates = st.builds(
    Candidate,
    offer_id=st.uuids().map(str),
    company_id=st.sampled_from("abcd"),
    valid_from=instants,
    public_from=instants,
    valid_to=st.none() | instants,
    tier=st.sampled_from(["free", "premium"]),
    language=st.sampled_from([None, "en", "pt-BR", "es"]),
    pace=st.floats(0, 1),
    tags=tags,
    kinds=kinds,
)
goals = st.builds(GoalInterest.of, st.sampled_from(["Run far", "Learn Spanish", "Grow tomatoes"]), tags.map(sorted))
members = st.builds(
    Interests,
    goals=st.lists(goals, max_size=3).map(tuple),
    tags=tags.map(sorted).map(tuple),
    language=st.sampled_from([None, "en", "pt-PT"]),
    premium_offers=st.booleans(),
    early_access=st.booleans(),
)


def offer(number: int = 0, company: str = "a", **more: object) -> Candidate:
    return Candidate(f"o{number:03}", company, NOW, NOW, tags=frozenset({"running"}), **more)  # type: ignore[arg-type]


def unique(found: list[Candidate]) -> list[Candidate]:
    return list({each.offer_id: each for each in found}.values())


@pytest.mark.parametrize(
    ("title", "known"),
    [
        ("Run a half marathon", {"fitness"}),
        ("Aprender español", {"language"}),
        ("Leitura: um livro por mês", {"learning"}),
        ("Grow a GARDEN", {"garden"}),
        ("Win at chess", set()),
    ],
)
def test_a_title_tells_the_kind_of_a_goal(title: str, known: set[str]) -> None:
    assert kinds_of([], title) == known


def test_tags_tell_the_kind_whole_or_in_parts() -> None:
    assert kinds_of(["half-marathon"]) == kinds_of(["trail-running"]) == {"fitness"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_stands_among_the_tags_under_a_name_that_no_tag_has(kind: str) -> None:
    assert kind_named(kind_tag(kind)) == kind
    assert kind_named(kind) is None


@given(candidates, members)
def test_relevance_is_never_negative_and_zero_only_without_a_reason_or_pace(each: Candidate, member: Interests) -> None:
    score = relevance(each, member, NOW)
    assert score >= 0
    if not list(reasons(each, member)):
        assert score == 0


@given(candidates, members, st.sampled_from(TAGS))
def test_one_more_tag_in_common_never_fits_worse(each: Candidate, member: Interests, tag: str) -> None:
    more = replace(each, tags=each.tags | {tag})
    assert relevance(more, member, NOW) >= relevance(each, member, NOW)


@given(candidates, members, goals)
def test_one_more_goal_never_fits_worse(each: Candidate, member: Interests, goal: GoalInterest) -> None:
    more = replace(member, goals=(*member.goals, goal))
    assert relevance(each, more, NOW) >= relevance(each, member, NOW)


@given(candidates, members, st.timedeltas(timedelta(0), timedelta(days=400)), st.floats(0, 1))
def test_older_and_slower_never_fits_better(each: Candidate, member: Interests, older: timedelta, slower: float) -> None:
    score = relevance(each, member, NOW)
    assert relevance(replace(each, valid_from=each.valid_from - older), member, NOW) <= score
    assert relevance(replace(each, pace=each.pace * slower), member, NOW) <= score


def test_a_goals_tag_beats_a_profiles_tag_which_beats_a_kind() -> None:
    by_goal = relevance(offer(), RUNNER, NOW)
    by_profile = relevance(offer(), Interests(tags=("running",)), NOW)
    by_kind = relevance(Candidate("o", "a", NOW, NOW, kinds=frozenset({"fitness"})), RUNNER, NOW)
    assert by_goal > by_profile > by_kind > 0


def test_another_language_fits_less_but_a_region_does_not_matter() -> None:
    member = replace(RUNNER, language="pt-BR")
    assert relevance(offer(language="pt-PT"), member, NOW) == relevance(offer(), member, NOW) > relevance(offer(language="de"), member, NOW)
    assert speaks(None, "de")


@given(st.lists(candidates, max_size=30), members, st.randoms())
def test_the_order_is_total_whatever_order_things_come_in(found: list[Candidate], member: Interests, random: object) -> None:
    found = unique(found)
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert ranked(found, member, NOW) == ranked(shuffled, member, NOW)
    scores = [relevance(each, member, NOW) for each in ranked(found, member, NOW)]
    assert scores == sorted(scores, reverse=True)
    assert all(scores)


def test_ties_go_by_id() -> None:
    assert ranked([offer(2), offer(1), offer(3)], RUNNER, NOW) == [offer(1), offer(2), offer(3)]


@given(st.lists(candidates, max_size=40), st.lists(st.sampled_from("abcd"), max_size=12))
def test_no_company_has_more_than_its_share_of_any_window(found: list[Candidate], before: list[str]) -> None:
    found = unique(found)
    arranged_now = arranged(found, before[-9:])
    companies = [each.company_id for each in arranged_now.shown]
    for start in range(len(companies)):
        window = companies[start : start + COMPANY_WINDOW]
        assert all(window.count(company) <= COMPANY_MOST for company in window)
    assert sorted(each.offer_id for each in [*arranged_now.shown, *arranged_now.left_out]) == sorted(each.offer_id for each in found)


@given(st.lists(candidates, max_size=40), st.integers(0, 40))
def test_arranging_in_two_parts_is_arranging_at_once(found: list[Candidate], cut: int) -> None:
    found = unique(found)
    whole = arranged(found).shown
    first = whole[:cut]
    rest = [each for each in found if each not in first]
    assert arranged(rest, [each.company_id for each in first]).shown == whole[cut:]


def test_a_company_waits_for_its_turn_and_comes_again() -> None:
    found = [offer(number, "a") for number in range(3)] + [offer(10 + number, "bcdefghij"[number]) for number in range(9)]
    shown = [each.offer_id for each in arranged(found).shown]
    assert shown[:2] == ["o000", "o001"]
    assert shown.index("o002") == COMPANY_WINDOW


@given(candidates, members)
def test_who_may_see_an_offer(each: Candidate, member: Interests) -> None:
    seen = is_open(each, member, NOW)
    if each.tier == PREMIUM and not member.premium_offers:
        assert not seen
    if each.valid_to is not None and each.valid_to <= NOW:
        assert not seen
    if each.valid_from > NOW or (each.public_from > NOW and not member.early_access):
        assert not seen
    if seen:
        assert is_open(each, replace(member, premium_offers=True, early_access=True), NOW)


def test_an_offer_ends_at_its_last_instant() -> None:
    assert not is_open(offer(valid_to=NOW), RUNNER, NOW)
    assert is_open(offer(valid_to=NOW + timedelta(microseconds=1)), RUNNER, NOW)


@given(candidates, members)
def test_the_strongest_reason_comes_first_and_no_tag_counts_twice(each: Candidate, member: Interests) -> None:
    found = list(reasons(each, member))
    order = [GOAL_TAG, PROFILE_TAG, GOAL_KIND]
    assert [order.index(why.because) for why in found] == sorted(order.index(why.because) for why in found)
    assert len({(why.because == GOAL_KIND, why.subject) for why in found}) == len(found)


def test_the_reason_in_words() -> None:
    (why,) = reasons(offer(), RUNNER)
    assert words(why, "en") == "Because your goal “Run a half marathon” is about running."
    assert words(why, "pt-PT") == "Porque a sua meta “Run a half marathon” é sobre running."
    assert words(why, "es-MX") == "Porque tu meta “Run a half marathon” trata de running."
    assert words(Why(GOAL_KIND, "garden", "Tomates"), "es") == "Porque tu meta “Tomates” trata de jardinería."


@given(candidates, members, st.sampled_from([None, "xx", "", *LANGUAGES]))
def test_every_reason_has_words_in_every_language(each: Candidate, member: Interests, language: str | None) -> None:
    for why in reasons(each, member):
        assert why.goal is None or why.goal in words(why, language)
        assert "{" not in words(why, language)


def test_a_title_is_never_read_as_a_template() -> None:
    assert "{subject}" in words(Why(GOAL_TAG, "running", "{subject} {0}"), "en")


def test_the_newest_revision_of_an_offer_counts_under_all_of_its_tags() -> None:
    old, new = offer(rev=1, pace=1.0), replace(offer(rev=2, pace=0.25), tags=frozenset({"health"}))
    for found in ([old, new], [new, old]):
        (one,) = merged(found)
        assert (one.pace, one.tags) == (0.25, {"running", "health"})


def test_where_to_look_is_bounded_and_the_goals_come_first() -> None:
    member = Interests(goals=(GoalInterest.of("Run", ["a", "b"]),), tags=("b", "c"))
    assert member.places(10) == ["a", "b", "c", "kind:fitness"]
    assert member.places(2) == ["a", "b"]
    assert replace(member, asked=("x", "y")).places(10) == ["x", "y"]


# Pacing ------------------------------------------------------------------------------------------------------------------------------

BOUNDS = Bounds(
    budget_cents=10_000, cost_per_click_cents=100, daily_clicks=20, total_views=1000, valid_from=NOW, valid_to=NOW + timedelta(days=10)
)
FREE_OF_BOUNDS = Bounds(None, 100, None, None, NOW, None)
uses = st.builds(Used, views=st.integers(0, 2000), spent_cents=st.integers(0, 20_000), clicks_today=st.integers(0, 30))


@pytest.mark.parametrize(
    ("used", "expected"),
    [(Used(spent_cents=9900), False), (Used(spent_cents=9901), True), (Used(views=999), False), (Used(views=1000), True)],
)
def test_an_offer_is_used_up_when_no_click_or_view_is_left(used: Used, *, expected: bool) -> None:
    assert used_up(BOUNDS, used) is expected
    assert not used_up(FREE_OF_BOUNDS, used)


def test_a_budget_that_a_click_would_exceed_is_used_up() -> None:
    assert used_up(replace(BOUNDS, budget_cents=150), Used(spent_cents=100))
    assert not used_up(replace(BOUNDS, budget_cents=0, cost_per_click_cents=0), Used(spent_cents=1))


@given(uses, st.timedeltas(timedelta(0), timedelta(days=12)))
def test_a_pace_is_a_quarter_and_zero_only_when_the_day_is_full(used: Used, gone: timedelta) -> None:
    found = pace(BOUNDS, used, NOW + gone)
    assert found in (0.0, 0.25, 0.5, 0.75, 1.0)
    assert (found == 0) is (used.clicks_today >= 20)


@given(uses, st.integers(0, 5000), st.integers(0, 500), st.timedeltas(timedelta(0), timedelta(days=12)))
def test_more_use_never_goes_faster_and_more_time_never_slower(used: Used, spent: int, views: int, gone: timedelta) -> None:
    found = pace(BOUNDS, used, NOW + gone)
    more = replace(used, spent_cents=used.spent_cents + spent, views=used.views + views)
    assert pace(BOUNDS, more, NOW + gone) <= found
    assert pace(BOUNDS, used, NOW + gone + timedelta(hours=5)) >= found


def test_who_is_on_time_goes_at_full_pace_and_who_is_ahead_slower() -> None:
    half = NOW + timedelta(days=5)
    assert pace(BOUNDS, Used(spent_cents=5000), half) == 1.0
    assert pace(BOUNDS, Used(spent_cents=9000), half) == 0.5
    assert pace(FREE_OF_BOUNDS, Used(spent_cents=999_900), half) == 1.0
