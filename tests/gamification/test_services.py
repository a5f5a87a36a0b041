"""What members see of their points and streaks: as of now, without a write; and how they take days off."""

from datetime import timedelta

import pytest

from gamification import services
from gamification.events import TRANSLATORS
from gamification.handlers import HANDLERS
from gamification.items import GameAggregate
from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Conflict, Invalid, QuotaExceeded
from goalgraph.feed.changes import Change
from goalgraph.graphql.context import Context
from goalgraph.graphql.schema import schema
from goalgraph.ports.live import RESYNC
from goalgraph.table import keys, table
from goalgraph.table.metering import metered
from goals import services as goals
from tests.gamification.world import NOON, completed, handle, reopened, set_clock, total
from users import services as users

DAY = timedelta(days=1)


@pytest.fixture
def runner(memory_world, actor) -> Actor:
    """A member on their eighth day in a row, who has a freeze."""
    handle(*(completed(actor, f"t{day}", NOON + day * DAY) for day in range(8)))
    set_clock(NOON + 7 * DAY)
    return actor


def streak(actor: Actor) -> tuple[int, int, bool]:
    found = services.game_stats(actor).streak
    return found.current, found.freezes, found.done_today


def test_who_has_nothing_yet_sees_zeros(memory_world, actor):
    stats = services.game_stats(actor)
    assert (stats.score, stats.level, stats.badges, stats.rest_days) == (0, 1, [], [])
    assert streak(actor) == (0, 0, False)
    assert [(each.season.id, each.current, each.score) for each in services.seasons(actor)] == [("2027Q3", True, 0), ("all", True, 0)]


def test_a_streak_is_shown_as_of_now_and_nothing_is_written(runner):
    shown = []
    with metered() as meter:
        for _ in range(4):
            shown.append(streak(runner))
            wiring.clock().advance(days=1)
    assert shown == [(8, 1, True), (8, 1, False), (8, 0, False), (0, 0, False)]
    assert meter.write_units == 0


def test_home_shows_the_same_streak(runner):
    users.upsert_profile(runner, {"timezone": "Asia/Tokyo"})
    wiring.clock().advance(days=3)
    assert services.stats_among(goals.home(runner).others) == services.game_stats(runner)
    assert services.game_stats(runner).streak.current == 0


def test_now_is_by_the_zone_the_member_is_in_now(runner):
    wiring.clock().advance(days=2, hours=-10)  # 2 in the morning in UTC: yesterday was missed; in Honolulu it is still yesterday
    assert streak(runner) == (8, 0, False)
    users.upsert_profile(runner, {"timezone": "Pacific/Honolulu"})
    assert streak(runner) == (8, 1, False)


# Freezes --------------------------------------------------------------------------------------------------------------------------------


def test_a_freeze_is_set_aside_once_and_shown_on_its_day(runner):
    tomorrow = (NOON + 8 * DAY).date().isoformat()
    assert services.use_streak_freeze(runner, tomorrow).streak.freezes == 0
    assert services.use_streak_freeze(runner, tomorrow).streak.freezes == 0
    wiring.clock().advance(days=1)
    assert services.game_stats(runner).streak.frozen_today
    wiring.clock().advance(days=1)
    assert streak(runner) == (8, 0, False)
    handle(completed(runner, "on", NOON + 9 * DAY))
    assert streak(runner) == (9, 0, True)


def test_a_freeze_comes_back_when_its_day_is_done_all_the_same(runner):
    wiring.clock().advance(days=1)
    assert services.use_streak_freeze(runner).streak.freezes == 0
    handle(completed(runner, "on", NOON + 8 * DAY))
    assert streak(runner) == (9, 1, True)


def test_what_no_freeze_is_for_is_refused(runner, memory_world):
    with pytest.raises(Conflict):
        services.use_streak_freeze(runner)
    for date in (
        "2027-07-07",
        "2027-07-16",
        "0001-01-01",
        "9999-12-31",
        "20270709",
        "2027-W27-5",
        "2027-7-9",
        "",
        "x" * 10_000,
        "2027-02-30",
    ):
        with pytest.raises(Invalid) as refusal:
            services.use_streak_freeze(runner, date)
        assert refusal.value.field == "date"
    services.use_streak_freeze(runner, "2027-07-09")
    with pytest.raises(QuotaExceeded):
        services.use_streak_freeze(runner, "2027-07-10")


def test_who_has_no_streak_has_no_freeze(memory_world, actor):
    with pytest.raises(QuotaExceeded):
        services.use_streak_freeze(actor)


# Rest days ------------------------------------------------------------------------------------------------------------------------------


def test_rest_days_hold_from_next_monday_on(runner):
    """The eighth day is Thursday, 8 July."""
    assert services.set_rest_days(runner, ["Sunday", "saturday", "sunday"]).rest_days == ["saturday", "sunday"]
    shown = []
    for day in range(8, 16):
        set_clock(NOON + day * DAY)
        if day in (8, 10, 11, 12, 13, 14, 15):  # all but the Saturday that is no rest day yet
            handle(completed(runner, f"n{day}", NOON + day * DAY))
        shown.append(streak(runner)[:2])
    assert shown[1:3] == [(9, 1), (10, 0)]
    set_clock(NOON + 18 * DAY)  # Monday 19: nothing was done on the weekend
    assert streak(runner) == (15, 0 + 1, False)
    handle(completed(runner, "monday", NOON + 18 * DAY))
    assert streak(runner) == (16, 1, True)


def test_rest_days_are_bounded_and_said_once(runner):
    services.set_rest_days(runner, ["monday"])
    version = table(runner).get(keys.streak_ledger(runner.user_id)).version
    services.set_rest_days(runner, ["monday"])
    assert table(runner).get(keys.streak_ledger(runner.user_id)).version == version
    for days in (["monday", "tuesday", "wednesday", "friday"], ["funday"], ["monday"] * 1000, [""]):
        with pytest.raises(Invalid) as refusal:
            services.set_rest_days(runner, days)
        assert refusal.value.field == "days"
    assert services.set_rest_days(runner, []).rest_days == []


def test_rest_days_cannot_be_changed_without_end(memory_world, actor):
    for week in range(100):
        set_clock(NOON + 7 * week * DAY)
        services.set_rest_days(actor, [["monday"], ["friday"]][week % 2])
    set_clock(NOON + 701 * DAY)
    with pytest.raises(QuotaExceeded):
        services.set_rest_days(actor, ["sunday"])


def test_a_rest_day_needs_no_freeze(runner):
    services.set_rest_days(runner, ["tuesday"])
    with pytest.raises(Conflict):
        services.use_streak_freeze(runner, "2027-07-13")


# Live -----------------------------------------------------------------------------------------------------------------------------------


def test_what_was_earned_is_announced_to_the_member_alone(memory_world, actor):
    stream = services.follow(actor)
    handle(completed(actor, "t"))

    (announced,) = wiring.live().announced
    assert announced.topic == stream.topic
    assert announced.event.kind in stream.kinds
    assert RESYNC in stream.kinds
    assert stream.root(announced.event).score == 15
    assert stream.topic != services.follow(Actor(actor.user_id, tenant_id="acme")).topic
    assert stream.topic != services.follow(Actor("other")).topic


# Events -----------------------------------------------------------------------------------------------------------------------------------


def events_of(old, new) -> list[tuple[str, dict]]:
    change = Change("MODIFY" if old else "INSERT", new.key(), None, old, new, "1", new.updated_at)
    return [(event.type, dict(event.data)) for event in TRANSLATORS["GameAggregate"](change)]


def test_the_highest_level_of_sums_that_are_older_than_it_is_theirs(memory_world, actor):
    table(actor).put(GameAggregate(owner_id=actor.user_id, score=100, level=2))  # of an earlier release
    before = total(actor)
    handle(completed(actor, "t"))

    assert (before.highest_level, before.highest, total(actor).highest_level) == (None, 2, 2)
    assert "level.reached" not in dict(events_of(before, total(actor)))


def test_sums_that_grow_tell_of_badges_levels_and_streaks(memory_world, actor):
    handle(completed(actor, "t"))
    first = total(actor)
    assert events_of(None, first) == [
        ("score.changed", {"season": "all", "score": 15}),
        ("badge.earned", {"badgeId": "first_task"}),
        ("streak.extended", {"days": 1}),
    ]
    handle(*(completed(actor, f"t{number}") for number in range(8)))
    more = total(actor)
    assert events_of(first, more) == [("score.changed", {"season": "all", "score": 95})]
    handle(completed(actor, "next", NOON + DAY))
    last = total(actor)
    expected = [
        ("score.changed", {"season": "all", "score": 110}),
        ("badge.earned", {"badgeId": "tasks_10"}),
        ("level.reached", {"level": 2}),
        ("streak.extended", {"days": 2}),
    ]
    assert events_of(more, last) == expected
    assert events_of(last, last) == []
    handle(reopened(actor, "next", NOON + DAY))
    assert events_of(last, total(actor)) == [("score.changed", {"season": "all", "score": 95})]
    assert events_of(None, total(actor, "2027Q3")) == [("score.changed", {"season": "2027Q3", "score": 95})]
    again = total(actor)
    assert (again.level, again.highest) == (1, 2)
    handle(completed(actor, "once more", NOON + DAY))
    assert total(actor).level == 2
    assert "level.reached" not in dict(events_of(again, total(actor)))
    gone = Change("REMOVE", last.key(), None, last, None, "1", NOON)
    assert list(TRANSLATORS["GameAggregate"](gone)) == []


def test_each_event_has_an_id_of_its_own(memory_world, actor):
    handle(*(completed(actor, f"t{number}") for number in range(10)))
    new = total(actor)
    events = list(TRANSLATORS["GameAggregate"](Change("INSERT", new.key(), None, None, new, "1", NOON)))
    assert len({event.id for event in events}) == len(events) == 5
    assert {event.user_id for event in events} == {actor.user_id}


def test_the_subscriber_gives_points_for_what_the_feed_hands_it(memory_world, actor):
    event = completed(actor, "t")
    HANDLERS[event.type](event)
    HANDLERS[event.type](event)
    assert total(actor).score == 15


# The API ----------------------------------------------------------------------------------------------------------------------------------


def test_all_of_it_is_in_the_api(runner):
    document = """mutation {
        setRestDays(days: ["sunday"]) { restDays }
        useStreakFreeze(date: "2027-07-09") { score level streak { current longest freezes doneToday frozenToday } badges { id } }
    }"""
    answer = schema.execute(document, context_value=Context(runner))
    assert answer.errors is None
    assert answer.data["setRestDays"] == {"restDays": ["sunday"]}
    assert answer.data["useStreakFreeze"] == {
        "score": 120,
        "level": 2,
        "streak": {"current": 8, "longest": 8, "freezes": 0, "doneToday": True, "frozenToday": False},
        "badges": [{"id": "first_task"}, {"id": "streak_7"}],
    }
    answer = schema.execute("{ seasons { id startsAt endsAt current score } }", context_value=Context(runner))
    assert answer.data["seasons"] == [
        {"id": "2027Q3", "startsAt": "2027-07-01T00:00:00Z", "endsAt": "2027-10-01T00:00:00Z", "current": True, "score": 120},
        {"id": "all", "startsAt": None, "endsAt": None, "current": True, "score": 120},
    ]
