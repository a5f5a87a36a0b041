"""Streaks: on ordinary days, on days off, through every clock change of every zone, and wherever a member travels."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gamification.domain import (
    DAY,
    MAX_FREEZES,
    MAX_FREEZES_PREMIUM,
    DaysOff,
    Ledger,
    Page,
    Rest,
    Seen,
    Streak,
    exists,
    local_date,
    packed,
    season_named,
    season_of,
    standing,
    streak_of,
    unpacked,
)
from tests.gamification.entries import Entry, posted

START = date(2027, 3, 1)
"""A Monday."""
ZONES = sorted(available_timezones())


def done(*offsets: int, what: str = "done", zone: str = "UTC", premium: bool = False) -> list[Entry]:
    """Something at noon of so many days after the start."""
    days = [START + offset * DAY for offset in offsets]
    return [Entry(day, what, zone, datetime.combine(day, time(12), UTC), premium) for day in days]


def run(entries: list[Entry]) -> tuple[int, int, int]:
    streak = streak_of(posted(entries))
    return streak.current, streak.longest, streak.freezes


def rest(since: int, *weekdays: int, at: int = 0) -> Entry:
    return Entry(START + since * DAY, "rest", "UTC", datetime(2027, 1, 1, tzinfo=UTC) + at * DAY, weekdays=weekdays)


# Ordinary days -------------------------------------------------------------------------------------------------------------------------


def test_days_in_a_row_make_a_streak_and_a_missed_one_ends_it():
    assert run([]) == (0, 0, 0)
    assert run(done(0, 1, 2)) == (3, 3, 0)
    assert run(done(0, 1, 2, 4, 5)) == (2, 3, 0)


def test_several_things_on_a_day_are_one_day_and_it_stands_while_one_of_them_does():
    assert run(done(0, 0, 1, 1, 1)) == (2, 2, 0)
    assert run(done(0, 1, 1) + done(1, what="undone")) == (2, 2, 0)
    assert run(done(0, 1) + done(1, what="undone")) == (1, 1, 0)
    assert run(done(0, 1) + done(0, 1, what="undone")) == (0, 0, 0)


def test_each_seventh_day_earns_a_freeze_and_a_missed_day_takes_it():
    assert run(done(*range(7))) == (7, 7, 1)
    assert run(done(*range(7), 8)) == (8, 8, 0)
    assert run(done(*range(7), 9)) == (1, 7, 0)
    assert run(done(*range(14), 16)) == (15, 15, 0)
    assert run(done(*range(14), 17)) == (1, 14, 0)


def test_freezes_are_capped_by_the_plan_the_member_is_on_that_day():
    assert run(done(*range(70))) == (70, 70, MAX_FREEZES)
    assert run(done(*range(70), premium=True)) == (70, 70, MAX_FREEZES_PREMIUM)
    both = done(*range(35), premium=True) + done(*range(35, 70))
    assert run(both)[2] == 5, "what was earned on premium stays"


def test_rest_days_break_nothing_and_count_for_nothing():
    weekend = rest(0, 5, 6)
    assert run([weekend, *done(0, 1, 2, 3, 4, 7)]) == (6, 6, 0)
    assert run([weekend, *done(*range(8))]) == (8, 8, 1), "what is done on one counts as on any day"
    assert run([weekend, *done(0, 1, 2, 3, 7)]) == (1, 4, 0), "Friday was none"


def test_rest_days_hold_from_when_they_were_chosen_for():
    assert run([rest(7, 5, 6), *done(0, 1, 2, 3, 4, 7)]) == (1, 5, 0)
    assert run([rest(0, 5, 6), rest(7), *done(0, 1, 2, 3, 4, 7, 8, 9, 10, 11, 14)]) == (1, 10, 0)
    assert run([rest(0, 1, at=0), rest(0, 5, 6, at=1), *done(0, 1, 2, 3, 4, 7)]) == (6, 6, 0), "what was said last for the same day"


@given(st.sets(st.integers(0, 60)), st.data())
def test_a_streak_is_what_a_plain_reading_of_the_rules_gives(days, data):
    """An independent reading, day by day."""
    current = longest = freezes = 0
    for offset in range(max(days, default=-1) + 1):
        if offset in days:
            current += 1
            longest = max(longest, current)
            freezes = min(2, freezes + (current % 7 == 0))
        elif current and freezes:
            freezes -= 1
        else:
            current = 0
            freezes = 0
    assert run(data.draw(st.permutations(done(*days)))) == (current, longest, freezes)


# Order --------------------------------------------------------------------------------------------------------------------------------

OFFSETS = st.integers(0, 25)
ENTRY = st.builds(
    lambda offset, hours, zone, premium: _entry(START + offset * DAY, hours, zone, premium),
    OFFSETS,
    st.integers(0, 23),
    st.sampled_from(["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/Sao_Paulo"]),
    st.booleans(),
)
OFF = st.one_of(
    st.builds(lambda offset: Entry(START + offset * DAY, "freeze", "UTC", datetime(2027, 1, 1, tzinfo=UTC)), OFFSETS),
    st.builds(lambda offset, at, days: rest(offset, *sorted(days), at=at), OFFSETS, st.integers(0, 9), st.sets(st.integers(0, 6))),
)


def _entry(day: date, hour: int, zone: str, premium: bool) -> Entry:
    at = datetime.combine(day, time(hour, 30), ZoneInfo(zone)).astimezone(UTC)
    return Entry(day, "done", zone, at, premium)


@given(st.data())
def test_the_order_in_which_entries_arrive_does_not_matter(data):
    things = data.draw(st.lists(ENTRY, max_size=30))
    taken = data.draw(st.lists(st.sampled_from(things), unique_by=id)) if things else []
    undone = [Entry(each.day, "undone", each.zone, each.at, each.premium) for each in taken]
    off = {(each.what, each.day, each.at): each for each in data.draw(st.lists(OFF, max_size=6))}
    entries = [*things, *undone, *off.values()]

    other = posted(data.draw(st.permutations(entries)))

    assert other == posted(entries)
    assert streak_of(other) == streak_of(posted(entries))


@given(st.data())
def test_a_ledger_that_is_written_day_by_day_says_what_all_its_entries_say(data):
    things = data.draw(st.lists(ENTRY, max_size=30))
    undone = [Entry(each.day, "undone", each.zone, each.at) for each in things[::3]]
    ledger, pages = Ledger(), {}
    arriving = data.draw(st.permutations([*things, *undone]))

    for entry in arriving:
        page = pages.get(entry.day, Page())
        page = page.noted(entry.at, entry.zone, premium=entry.premium).counted(1) if entry.what == "done" else page.counted(-1)
        pages[entry.day] = page
        ledger = ledger.posted(entry.day, page, {day: pages[day] for day in ledger.around(entry.day) if day})

    assert ledger == posted(arriving)


@given(st.lists(ENTRY, min_size=1, max_size=40))
def test_adding_what_was_done_never_makes_a_streak_of_the_past_shorter(entries):
    fewer, more = streak_of(posted(entries[:-1])), streak_of(posted(entries))
    assert more.longest >= fewer.longest


# Zones --------------------------------------------------------------------------------------------------------------------------------


@cache
def clock_changes(zone: str) -> tuple[datetime, ...]:
    """The instants, to the minute, from 1990 on at which the zone's offset from UTC changes."""
    tz, found = ZoneInfo(zone), []
    weeks = [datetime(1990, 1, 1, tzinfo=UTC) + timedelta(days=7 * week) for week in range(52 * 48)]
    offsets = [instant.astimezone(tz).utcoffset() for instant in weeks]
    for (before, low), (after, high) in pairwise(zip(weeks, offsets, strict=True)):
        if low != high:
            left, right = before, after
            while right - left > timedelta(minutes=1):
                middle = left + (right - left) / 2
                left, right = (middle, right) if middle.astimezone(tz).utcoffset() == low else (left, middle)
            found.append(right)
    return tuple(found)


def local_days(zone: str, begin: datetime, days: int) -> Iterator[tuple[datetime, datetime]]:
    """The first and the last minute of each local date that has any, by walking along in half hours."""
    tz, first, last = ZoneInfo(zone), begin, begin
    for step in range(48 * days):
        instant = begin + step * timedelta(minutes=30)
        if instant.astimezone(tz).date() != first.astimezone(tz).date():
            yield first, last
            first = instant
        last = instant


def things_done(zone: str, begin: datetime, days: int, data: st.DataObject) -> list[Entry]:
    """Something at some time of each local date."""
    entries = []
    for first, last in local_days(zone, begin, days):
        at = first + data.draw(st.integers(0, int((last - first) / timedelta(minutes=30)))) * timedelta(minutes=30)
        entries.append(Entry(local_date(at, zone), "done", zone, at))
    return entries


@pytest.mark.parametrize("zone", ZONES)
def test_no_clock_change_of_any_zone_breaks_or_lengthens_a_streak(zone):
    """Of each change: the days around it, something done in their very first and their very last half hour."""
    for change in clock_changes(zone):
        spans = list(local_days(zone, change - timedelta(days=3), 7))
        for moments in ([first for first, _ in spans], [last for _, last in spans]):
            entries = [Entry(local_date(at, zone), "done", zone, at) for at in moments]
            dates = len({entry.day for entry in entries})  # a clock put back at midnight brings a date twice
            assert run(entries)[0] == dates
            last = Seen(moments[-1], (zone,))
            streak = streak_of(posted(entries))
            soon, late = moments[-1] + timedelta(minutes=1), moments[-1] + timedelta(days=3)
            assert standing(streak, last, DaysOff(), soon, zone).current == dates
            assert standing(streak, last, DaysOff(), late, zone).current == 0


@given(st.data())
def test_staying_anywhere_at_any_time_each_local_day_counts_once(data):
    zone = data.draw(st.sampled_from(ZONES))
    begin = data.draw(st.datetimes(datetime(1990, 1, 1), datetime(2037, 1, 1))).replace(tzinfo=UTC)  # noqa: DTZ001
    entries = things_done(zone, begin, 12, data)

    assert run(data.draw(st.permutations(entries)))[0] == len({entry.day for entry in entries})


def test_a_date_that_a_zone_never_had_is_not_missed():
    assert not exists(date(2011, 12, 30), "Pacific/Apia")
    assert exists(date(2011, 12, 31), "Pacific/Apia")
    noons = [datetime(2011, 12, day, 12, tzinfo=ZoneInfo("Pacific/Apia")) for day in (28, 29, 31)]
    entries = [Entry(at.date(), "done", "Pacific/Apia", at.astimezone(UTC)) for at in noons]

    assert run(entries) == (3, 3, 0)
    before = streak_of(posted(entries[:2]))
    last = Seen(entries[1].at, ("Pacific/Apia",))
    assert standing(before, last, DaysOff(), entries[2].at, "Pacific/Apia").current == 2
    assert standing(before, last, DaysOff(), entries[2].at + DAY, "Pacific/Apia").current == 0


# Travel -------------------------------------------------------------------------------------------------------------------------------


@given(st.data())
def test_who_does_something_each_local_day_wherever_they_are_keeps_the_streak(data):
    """Stays of an hour to a week in zones of all the world. In each stay something is done on each local date that is lived there."""
    now = data.draw(st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1))).replace(tzinfo=UTC)  # noqa: DTZ001
    entries: list[Entry] = []
    for _ in range(data.draw(st.integers(1, 12))):
        zone, hours = data.draw(st.sampled_from(ZONES)), data.draw(st.integers(1, 170))
        lived: dict[date, list[datetime]] = {}
        for step in range(hours * 2):
            at = now + step * timedelta(minutes=30)
            lived.setdefault(local_date(at, zone), []).append(at)
        entries += [Entry(day, "done", zone, data.draw(st.sampled_from(moments))) for day, moments in lived.items()]
        now += timedelta(hours=hours)

    assert run(data.draw(st.permutations(entries)))[0] == len({entry.day for entry in entries})


def journey(*stops: tuple[str, str]) -> list[Entry]:
    """Things done, each by the zone and the local time there."""
    moments = [(zone, datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone))) for zone, local in stops]
    return [Entry(at.date(), "done", zone, at.astimezone(UTC)) for zone, at in moments]


def test_flying_west_over_the_date_line_brings_a_date_again_and_it_counts_once():
    tokyo, hawaii = "Asia/Tokyo", "Pacific/Honolulu"
    assert run(journey((tokyo, "2027-05-01T20:00"), (tokyo, "2027-05-02T09:00"), (hawaii, "2027-05-02T10:00"))) == (2, 2, 0)


def test_flying_east_over_the_date_line_takes_a_date_and_it_is_kept():
    hawaii, line = "Pacific/Honolulu", "Pacific/Kiritimati"
    assert run(journey((hawaii, "2027-05-01T23:00"), (line, "2027-05-03T08:00"))) == (2, 2, 0)
    angeles, sydney = "America/Los_Angeles", "Australia/Sydney"
    assert run(journey((angeles, "2027-05-01T21:00"), (sydney, "2027-05-03T19:00"))) == (2, 2, 0), "most of 2 May went by in the air"


def test_idling_away_from_home_is_no_travel():
    angeles, sydney = "America/Los_Angeles", "Australia/Sydney"
    assert run(journey((angeles, "2027-05-01T21:00"), (sydney, "2027-05-04T19:00"))) == (1, 1, 0)
    assert run(journey((angeles, "2027-05-01T21:00"), (angeles, "2027-05-03T01:00"))) == (1, 1, 0)


def test_changing_the_zone_to_and_fro_wins_no_days():
    """Somebody idle who says every hour that they are elsewhere: what they did counts by date, and after two days it is over."""
    entries = journey(("Pacific/Kiritimati", "2027-05-01T12:00"), ("Pacific/Pago_Pago", "2027-05-04T12:00"))
    assert run(entries) == (1, 1, 0)


# As it stands now -----------------------------------------------------------------------------------------------------------------------

WEEK = Streak(current=8, longest=9, freezes=1, last=START)
NOON = Seen(datetime.combine(START, time(12), UTC), ("UTC",))


def now(offset: int, hour: int = 12) -> datetime:
    return datetime.combine(START + offset * DAY, time(hour), UTC)


def test_a_streak_waits_for_today_is_frozen_for_a_missed_day_and_then_is_over():
    standings = [standing(WEEK, NOON, DaysOff(), now(offset), "UTC") for offset in range(4)]
    assert [(each.current, each.freezes, each.done_today) for each in standings] == [
        (8, 1, True),
        (8, 1, False),
        (8, 0, False),
        (0, 0, False),
    ]
    assert {each.longest for each in standings} == {9}


def test_rest_days_are_passed_over_as_time_goes_on():
    off = DaysOff(rest=(Rest(START, NOON.at, (1, 2, 3)),))
    standings = [standing(WEEK, NOON, off, now(offset), "UTC") for offset in (4, 5, 6)]
    assert [(each.current, each.freezes) for each in standings] == [(8, 1), (8, 0), (0, 0)]


def test_a_freeze_set_aside_is_no_longer_there_for_another_day():
    today = DaysOff(freezes=frozenset({START + DAY}))
    assert standing(WEEK, NOON, today, now(0), "UTC").freezes == 0
    frozen = standing(WEEK, NOON, today, now(1), "UTC")
    assert (frozen.current, frozen.freezes, frozen.frozen_today) == (8, 0, True)
    assert standing(WEEK, NOON, today, now(2), "UTC").current == 8
    done_all_the_same = Streak(9, 9, 1, START + DAY)
    assert standing(done_all_the_same, Seen(now(1), ("UTC",)), today, now(1), "UTC").freezes == 1


def test_who_is_travelling_has_not_missed_the_date_that_is_gone():
    angeles = Seen(datetime(2027, 3, 2, 4, tzinfo=UTC), ("America/Los_Angeles",))  # 8 in the evening of 1 March
    streak = Streak(5, 5, 0, START)
    landed = datetime(2027, 3, 2, 20, tzinfo=UTC)  # 7 in the morning of 3 March in Sydney
    assert standing(streak, angeles, DaysOff(), landed, "Australia/Sydney").current == 5
    assert standing(streak, angeles, DaysOff(), landed + 2 * DAY, "Australia/Sydney").current == 0


@given(st.integers(0, 30), st.integers(0, 5), st.integers(1, 40))
def test_what_stands_now_is_what_the_next_thing_done_will_find(days, gap, more):
    """Asking writes nothing and still tells no other story than the ledger will."""
    streak = streak_of(posted(done(*range(days + 1))))
    last = Seen(now(days), ("UTC",))
    before = standing(streak, last, DaysOff(), now(days + 1 + gap), "UTC")
    after = streak_of(posted(done(*range(days + 1), days + 1 + gap)))
    assert after.current == before.current + 1


# As it is stored, and seasons -------------------------------------------------------------------------------------------------------------


@given(st.sets(st.dates(date(1, 1, 1), date(9999, 12, 31))))
def test_days_are_stored_and_found_again(days):
    assert unpacked(packed(days)) == days


def test_thirty_years_of_days_fit_into_an_item():
    every_day = [date(2027, 1, 1) + offset * DAY for offset in range(30 * 365)]
    assert sum(len(year) + len(bits) for year, bits in packed(every_day).items()) < 3000


@given(st.datetimes(datetime(2000, 1, 2), datetime(2199, 9, 30), timezones=st.timezones()))  # noqa: DTZ001
def test_each_instant_lies_within_its_season_and_seasons_follow_each_other(at):
    season = season_named(season_of(at))
    assert season.starts_at <= at < season.ends_at
    assert season_named(season_of(season.ends_at)).starts_at == season.ends_at


def test_season_of_all_time_and_what_is_none():
    assert season_named("all").ends_at is None
    assert season_of(datetime(2027, 7, 1, tzinfo=UTC)) == "2027Q3"
    assert season_of(datetime(2027, 6, 30, 23, 59, tzinfo=UTC)) == "2027Q2"
    for name in ("2027Q5", "2027q3", "ALL", "", "2027Q3\n", "\u0662027Q3"):
        with pytest.raises(ValueError, match="no season"):
            season_named(name)
