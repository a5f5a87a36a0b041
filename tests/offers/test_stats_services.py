"""Statistics: each touch counts once, whatever comes twice, late, out of order, dies or runs at once; and nobody is found in them."""

import csv
import io
import os
import random
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import F
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Invalid
from goalgraph.feed.events import Event
from goalgraph.ids import id_of
from goalgraph.tasks import roll_up_offers
from offers import link_services, pacing_services, publishing_services, stats_services, usage
from offers.domain import CLICK, VIEW
from offers.handlers import HANDLERS
from offers.models import Company, Day, Offer, Reach, Touch
from tests.contracts.table_items import ON_A_FIXTURE
from tests.fixtures import FakeClock, new_user
from tests.streams import StreamingWorld

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("memory_world")]

TODAY = date(2027, 7, 1)


def new_offer(**more: Any) -> Offer:
    now = wiring.clock().now()
    company = Company.objects.create(name="Runwell", created_at=now)
    facts = {"title": "Shoes", "url": "https://runwell.example/", "tags": ["running"], "state": "live", "valid_from": now} | more
    return Offer.objects.create(company=company, created_at=now, **facts)


def touched(offer: Offer, user_id: str, kind: str = VIEW, day: date = TODAY, number: int = 0, *, tenant_id: str | None = None) -> Event:
    at = wiring.clock().now()
    return Event(
        id=id_of(at, offer.pk, user_id, kind, day.isoformat(), str(number)),
        type="offer.touched",
        at=at,
        user_id=user_id,
        actor_id=user_id,
        trace_id="trace",
        tenant_id=tenant_id,
        data={"offerId": offer.pk, "companyId": offer.company_id, "kind": kind, "day": day.isoformat()},
    )


def tell(*events: Event) -> None:
    for event in events:
        HANDLERS[event.type](event)


def sums(offer: Offer, day: date = TODAY) -> tuple[int, int, int]:
    row = Day.objects.filter(offer=offer, day=day).first()
    return (row.views, row.clicks, row.reach) if row else (0, 0, 0)


def audience(offer: Offer, members: int, day: date = TODAY) -> list[Event]:
    """Each of so many saw it twice, and one followed it."""
    views = [touched(offer, f"u{member}", VIEW, day, number) for member in range(members) for number in range(2)]
    return [*views, touched(offer, "u0", CLICK, day)]


# Counting ----------------------------------------------------------------------------------------------------------------------------


def test_what_a_member_does_by_links_becomes_the_days_sums(streaming_world: StreamingWorld) -> None:
    offer = new_offer()
    publishing_services.publish(offer.pk)
    for member in (new_user(), new_user()):
        for kind, make in ((VIEW, link_services.view_url), (CLICK, link_services.click_url)):
            token = make(member, offer.pk, "l1").rpartition("/")[2].removesuffix(".gif")
            link = link_services.read(token, kind)
            assert link_services.see(link) if kind == VIEW else link_services.follow(link, counts=True)

    tell(*streaming_world.events("offer.touched"))
    roll_up_offers()

    assert sums(offer) == (2, 2, 2)


@ON_A_FIXTURE
@given(data=st.data())
def test_repeated_late_and_shuffled_events_count_once_in_any_batches(data: st.DataObject) -> None:
    offer = new_offer()
    touches = st.tuples(
        st.sampled_from(["u1", "u2", "u3"]),
        st.sampled_from([VIEW, CLICK]),
        st.sampled_from([TODAY, TODAY - timedelta(days=1)]),
        st.integers(0, 2),
    )
    facts = data.draw(st.lists(touches, max_size=20))
    for each in data.draw(st.permutations(facts + facts)):
        tell(touched(offer, *each))
        if data.draw(st.booleans()):
            stats_services.roll_up()
    stats_services.roll_up()

    for day in (TODAY, TODAY - timedelta(days=1)):
        of_day = {each for each in facts if each[2] == day}
        kinds = [kind for _, kind, _, _ in of_day]
        assert sums(offer, day) == (kinds.count(VIEW), kinds.count(CLICK), len({user_id for user_id, *_ in of_day}))


def test_more_than_one_batch_is_summed_in_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats_services, "BATCH", 7)
    offers = [new_offer(), new_offer()]
    events = [event for offer in offers for event in audience(offer, 12)]
    random.shuffle(events)
    tell(*events)

    assert stats_services.roll_up() == 50
    assert stats_services.roll_up() == 0
    assert [sums(offer) for offer in offers] == [(24, 1, 12), (24, 1, 12)]


def test_a_touch_of_nothing_that_is_counted_is_dropped(memory_world: FakeClock) -> None:
    offer = new_offer()
    unknown = Offer(id="nothing", company=offer.company)
    tell(touched(unknown, "u1"), touched(offer, "u1", tenant_id="acme"), touched(offer, "u1", day=TODAY - timedelta(days=41)))

    assert not Touch.objects.exists()


# What is kept of members -------------------------------------------------------------------------------------------------------------


def test_no_row_says_who_it_was_and_no_two_days_or_offers_share_a_digest() -> None:
    one, other = new_offer(), new_offer()
    tell(touched(one, "ana"), touched(one, "ana", CLICK), touched(one, "ana", day=TODAY - timedelta(days=1)), touched(other, "ana"))
    digests = list(Touch.objects.values_list("member", flat=True))

    assert len(digests) == 4
    assert len(set(digests)) == 3
    assert not any("ana" in digest for digest in digests)
    with override_settings(SECRET_KEY="another"):
        assert stats_services._digest("ana", one.pk, TODAY) not in digests


def test_touches_and_digests_go_after_a_while_and_sums_stay(memory_world: FakeClock) -> None:
    offer = new_offer()
    tell(*audience(offer, 10))
    stats_services.roll_up()
    tell(touched(offer, "late"))
    memory_world.advance(days=40)
    assert stats_services.purge() == 0
    memory_world.advance(days=1)

    assert stats_services.purge() == 21 + 10
    assert sums(offer) == (20, 1, 10)
    assert Touch.objects.count() == 1  # not summed yet
    assert not Reach.objects.exists()
    assert stats_services.purge() == 0


# Death -------------------------------------------------------------------------------------------------------------------------------


class Died(Exception):
    """The process, in place of its next statement."""


def dying_at(statement: int, die: Callable[[], None]) -> Callable[..., Any]:
    """A wrapper of Django's that does not come back from one statement (docs.djangoproject.com/en/stable/topics/db/instrumentation)."""
    left = [statement]

    def execute(run: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            die()
        return run(sql, params, many, context)

    return execute


def raise_death() -> None:
    raise Died


def test_whoever_dies_at_any_statement_has_counted_nothing_or_all() -> None:
    offer = new_offer()
    deaths = 0
    for statement in range(1, 30):
        tell(*(touched(offer, f"u{member}", number=statement) for member in range(3)))
        before = sums(offer)
        try:
            with connection.execute_wrapper(dying_at(statement, raise_death)):
                stats_services.roll_up()
        except Died:
            deaths += 1
            assert sums(offer) in (before, (3 * statement, 0, 3))
            stats_services.roll_up()
        assert sums(offer) == (3 * statement, 0, 3)
    assert deaths > 5


@pytest.fixture
def file_database(tmp_path: Path, django_db_blocker: Any) -> Iterator[None]:
    """The tables of statistics in a file, as `make run` has them, where threads and processes have connections of their own."""
    settings, thread_own = connections.settings["default"], connections["default"]
    if thread_own.vendor != "sqlite":
        pytest.skip("NOT TESTED: this is about a file of SQLite, and the database is another one")
    name = settings["NAME"]
    with django_db_blocker.unblock():
        settings["NAME"] = str(tmp_path / "db.sqlite3")
        connections["default"] = connections.create_connection("default")
        connections["default"].inc_thread_sharing()
        with connections["default"].cursor() as cursor:
            cursor.execute("PRAGMA foreign_keys = OFF")
        with connections["default"].schema_editor() as editor:
            for model in (Company, Offer, Touch, Reach, Day):
                editor.create_model(model)
        yield
        connections["default"].close()
        settings["NAME"], connections["default"] = name, thread_own


def test_four_threads_at_once_count_each_touch_once(file_database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats_services, "BATCH", 5)
    offers = [new_offer(), new_offer(), new_offer()]
    tell(*(event for offer in offers for event in audience(offer, 20)))

    def work(_: int) -> int:
        try:
            return stats_services.roll_up()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        summed = list(pool.map(work, range(8)))

    assert sum(summed) == 123
    assert [sums(offer) for offer in offers] == [(40, 1, 20)] * 3


def test_a_process_that_is_killed_has_counted_nothing_or_all(file_database: None) -> None:
    offer = new_offer()
    killed = 0
    for statement in range(1, 16):
        tell(*(touched(offer, f"u{member}", number=statement) for member in range(3)))
        killed += killed_at(statement)
        assert sums(offer)[0] in (3 * (statement - 1), 3 * statement)
        stats_services.roll_up()
        assert sums(offer) == (3 * statement, 0, 3)
    assert killed > 5


def killed_at(statement: int) -> bool:
    """Sum in a process of its own that is killed at a statement; whether it was, for it may be done before."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            with connections["default"].execute_wrapper(dying_at(statement, lambda: os.kill(os.getpid(), signal.SIGKILL))):
                stats_services.roll_up()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


# What companies are told -------------------------------------------------------------------------------------------------------------


def test_days_with_few_members_are_hidden_and_so_are_empty_ones() -> None:
    offer = new_offer()
    yesterday, before = TODAY - timedelta(days=1), TODAY - timedelta(days=2)
    tell(*audience(offer, 9), *audience(offer, 10, yesterday))
    stats_services.roll_up()

    found = stats_services.days(offer.pk, before, TODAY)

    assert [(day.day, day.hidden) for day in found] == [(before, True), (yesterday, False), (TODAY, True)]
    assert {(day.views, day.clicks, day.reach, day.rate) for day in found if day.hidden} == {(None, None, None, None)}
    (shown,) = (day for day in found if not day.hidden)
    assert (shown.views, shown.clicks, shown.reach, shown.rate) == (20, 1, 10, 0.05)


def test_totals_add_up_what_is_shown_and_give_nothing_hidden_away() -> None:
    offer = new_offer()
    tell(*audience(offer, 9), *audience(offer, 10, TODAY - timedelta(days=1)), *audience(offer, 12, TODAY - timedelta(days=2)))
    stats_services.roll_up()

    found = stats_services.totals(stats_services.days(offer.pk, TODAY - timedelta(days=6), TODAY))

    assert (found.views, found.clicks, found.reach, found.hidden_days) == (44, 2, 22, 5)
    assert found.rate == 2 / 44
    assert stats_services.totals([]).rate is None


@given(st.integers(0, 30), st.integers(1, 20))
@ON_A_FIXTURE
def test_a_day_is_told_exactly_from_the_cohort_on(members: int, cohort: int) -> None:
    offer = new_offer()
    tell(*(touched(offer, f"u{member}") for member in range(members)))
    stats_services.roll_up()
    with override_settings(OFFER_MIN_COHORT=cohort):
        (day,) = stats_services.days(offer.pk, TODAY, TODAY)
    assert day.hidden is (members < cohort)


@pytest.mark.parametrize(("since", "until"), [(1, 0), (-366, 0)])
def test_spans_are_bounded(since: int, until: int) -> None:
    with pytest.raises(Invalid):
        stats_services.days("o", TODAY + timedelta(days=since), TODAY + timedelta(days=until))


def test_the_export_has_a_row_a_day_and_tells_no_more_than_the_page() -> None:
    offer = new_offer()
    tell(*audience(offer, 9), *audience(offer, 10, TODAY - timedelta(days=1)))
    stats_services.roll_up()
    written = io.StringIO()
    csv.writer(written).writerows(stats_services.csv_rows(offer.pk, TODAY - timedelta(days=1), TODAY))

    assert written.getvalue().splitlines() == ["day,views,clicks,rate,reach", "2027-06-30,20,1,0.0500,10", "2027-07-01,,,,<10"]


@given(st.text())
def test_no_cell_is_a_formula(text: str) -> None:
    cell = stats_services.csv_cell(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert cell.removeprefix("'") == text.removeprefix("'")


# Pacing ------------------------------------------------------------------------------------------------------------------------------


def clicked(offer: Offer, times: int, day: date = TODAY) -> None:
    tell(*(touched(offer, f"u{number}", CLICK, day) for number in range(times)))
    roll_up_offers()
    offer.refresh_from_db()


def test_an_offer_whose_budget_is_used_up_is_paused_and_leaves_the_feed() -> None:
    offer = new_offer(budget_cents=1200, cost_per_click_cents=100)
    clicked(offer, 11)
    assert offer.state == "live"

    tell(touched(offer, "one more", CLICK))
    for _ in range(2):
        roll_up_offers()

    offer.refresh_from_db()
    assert (offer.state, offer.pause_reason) == ("paused", "budget")
    assert [(decision.action, decision.reason, decision.staff) for decision in offer.decisions.all()] == [("pause", "budget", None)]


def test_a_full_day_rests_until_tomorrow(memory_world: FakeClock) -> None:
    offer = new_offer(daily_clicks=10)
    clicked(offer, 9)
    assert offer.pace == 1.0
    clicked(offer, 10)
    assert (offer.pace, offer.state) == (0.0, "live")
    rev = offer.rev
    roll_up_offers()
    offer.refresh_from_db()
    assert offer.rev == rev

    memory_world.advance(days=1)
    clicked(offer, 0)
    assert offer.pace == 1.0


def test_an_offer_ahead_of_its_time_is_slowed_down_and_then_catches_up(memory_world: FakeClock) -> None:
    offer = new_offer(budget_cents=1000, cost_per_click_cents=10, valid_to=wiring.clock().now() + timedelta(days=10))
    clicked(offer, 40)
    assert offer.pace == 0.25

    memory_world.advance(days=5)
    clicked(offer, 0)
    assert offer.pace == 1.0


def test_a_cap_that_is_moved_about_finds_nothing_of_a_day_without_figures() -> None:
    """Whatever stands in the caps, nine members leave the offer as it is; the tenth makes it a day that is told."""
    offers = [new_offer(total_views=1), new_offer(daily_clicks=1), new_offer(budget_cents=1, cost_per_click_cents=1)]
    for offer in offers:
        tell(*(touched(offer, f"u{member}", kind) for member in range(9) for kind in (VIEW, CLICK)))
    roll_up_offers()
    assert [(row.state, row.pace) for row in Offer.objects.order_by("pk")] == [("live", 1.0)] * 3

    for offer in offers:
        tell(touched(offer, "u9"))
    roll_up_offers()
    for offer in offers:
        offer.refresh_from_db()
    assert [(offer.state, offer.pace) for offer in offers] == [("paused", 1.0), ("live", 0.0), ("paused", 1.0)]


def test_a_click_costs_what_it_cost_when_it_came() -> None:
    offer = new_offer(budget_cents=2000, cost_per_click_cents=100)
    clicked(offer, 10)
    Offer.objects.update(cost_per_click_cents=1)
    clicked(offer, 30)

    assert Day.objects.get().spent_cents == 10 * 100 + 20 * 1
    Offer.objects.update(cost_per_click_cents=200)
    clicked(offer, 0)
    assert offer.state == "live", "dearer clicks do not make those before them dearer"


@pytest.mark.parametrize("bounds", [{"total_views": 10}, {"daily_clicks": 10}])
def test_an_offer_whose_bounds_are_raised_meanwhile_is_left_alone(bounds: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Pacing has read the rows of its chunk when the company raises the bound."""
    offer, real = new_offer(**bounds), usage.used

    def meanwhile(*args: Any) -> Any:
        Offer.objects.update(rev=F("rev") + 1, **dict.fromkeys(bounds, 10_000))
        return real(*args)

    tell(*(touched(offer, f"u{number}", kind) for number in range(10) for kind in (VIEW, CLICK)))
    stats_services.roll_up()
    monkeypatch.setattr(usage, "used", meanwhile)
    pacing_services.pace_all()

    offer.refresh_from_db()
    assert (offer.state, offer.pace, offer.rev) == ("live", 1.0, 2)


def test_all_offers_are_paced_however_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing_services, "_CHUNK", 2)
    for _ in range(5):
        Day.objects.create(offer=new_offer(total_views=1), day=TODAY, views=10, reach=10)

    pacing_services.pace_all()

    assert set(Offer.objects.values_list("state", flat=True)) == {"paused"}


def test_offers_without_bounds_are_left_alone() -> None:
    offer = new_offer()
    clicked(offer, 50)

    assert (offer.rev, offer.pace, offer.state) == (1, 1.0, "live")
    pacing_services.pace_all()


def test_the_actor_of_a_link_is_its_member() -> None:
    token = link_services.click_url(Actor("ana", tenant_id="acme"), "o1", "l1").rpartition("/")[2]
    link = link_services.read(token, CLICK)
    assert link is not None
    assert (link.actor.user_id, link.actor.tenant_id, link.actor.tier) == ("ana", "acme", "free")
