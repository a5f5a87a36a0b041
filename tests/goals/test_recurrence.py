"""Recurrence rules: what is accepted, which dates they give, and when that is in every time zone whose clocks change."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from goalgraph.errors import Invalid
from goals.recurrence import (
    MAX_RULE,
    check_comes,
    following,
    instant_of,
    occurrence_id,
    occurrences,
    parse,
    restarted,
    shifted,
    wall_of,
    zone,
)

SAO_PAULO, LISBON, NEW_YORK = ZoneInfo("America/Sao_Paulo"), ZoneInfo("Europe/Lisbon"), ZoneInfo("America/New_York")
DAILY = parse("FREQ=DAILY")


def wall(text: str) -> datetime:
    return datetime.fromisoformat(text)


def dates(rule: str, start: str, most: int = 5) -> list[str]:
    return [found.wall.isoformat()[:10] for found in islice(occurrences(parse(rule), wall(start), UTC), most)]


# What a rule may say -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "start", "expected"),
    [  # most are of RFC 5545, section 3.8.5.3
        ("FREQ=DAILY;INTERVAL=10;COUNT=3", "1997-09-02", ["1997-09-12", "1997-09-22"]),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,TH;COUNT=4", "1997-09-02", ["1997-09-04", "1997-09-16", "1997-09-18"]),
        ("FREQ=WEEKLY;COUNT=4;INTERVAL=2;BYDAY=TU,SU;WKST=MO", "1997-08-05", ["1997-08-10", "1997-08-19", "1997-08-24"]),
        ("FREQ=WEEKLY;COUNT=4;INTERVAL=2;BYDAY=TU,SU;WKST=SU", "1997-08-05", ["1997-08-17", "1997-08-19", "1997-08-31"]),
        ("FREQ=MONTHLY;COUNT=4;BYDAY=1FR", "1997-09-05", ["1997-10-03", "1997-11-07", "1997-12-05"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-3", "1997-09-28", ["1997-10-29", "1997-11-28", "1997-12-29", "1998-01-29", "1998-02-26"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "1997-09-29", ["1997-10-30", "1997-11-27", "1997-12-30", "1998-01-29"]),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "1997-09-02", ["1998-02-13", "1998-03-13", "1998-11-13", "1999-08-13", "2000-10-13"]),
        ("FREQ=YEARLY;INTERVAL=3;BYYEARDAY=1,100,200", "1997-01-01", ["1997-04-10", "1997-07-19", "2000-01-01", "2000-04-09"]),
        ("FREQ=YEARLY;BYDAY=20MO", "1997-05-19", ["1998-05-18", "1999-05-17"]),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", "1997-05-12", ["1998-05-11", "1999-05-17"]),
        ("FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8", "1996-11-05", ["2000-11-07", "2004-11-02"]),
        ("FREQ=WEEKLY;BYDAY=MO,TU,WE;BYSETPOS=2", "2027-01-06", ["2027-01-12", "2027-01-19"]),
        ("FREQ=MONTHLY", "2027-01-31", ["2027-03-31", "2027-05-31", "2027-07-31"]),
        ("FREQ=YEARLY", "2096-02-29", ["2104-02-29", "2108-02-29"]),
    ],
)
def test_a_rule_gives_the_dates_of_the_rfc(rule, start, expected):
    assert dates(rule, _later(start), len(expected)) == [_later(day) for day in expected]


def _later(day: str) -> str:
    """28 years on, which between 1901 and 2099 is the same calendar."""
    return f"{int(day[:4]) + 28}{day[4:]}" if day < "2000" or day[:4] in ("2000", "2004") else day


def test_a_rule_is_kept_in_capitals_without_its_property_name():
    assert parse(" rrule:freq=weekly;byday=mo,th;count=5 ").text == "FREQ=WEEKLY;BYDAY=MO,TH;COUNT=5"
    assert parse("UNTIL=20271231;INTERVAL=2;FREQ=DAILY").text == "FREQ=DAILY;INTERVAL=2;UNTIL=20271231"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "such as"),
        ("every day", "such as"),
        ("INTERVAL=2", "FREQ is missing"),
        ("FREQ=HOURLY", "FREQ is one of"),
        ("FREQ=SECONDLY;INTERVAL=1", "FREQ is one of"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL is a number"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL is a number"),
        ("FREQ=DAILY;INTERVAL=1001", "INTERVAL is a number"),
        ("FREQ=DAILY;INTERVAL=99999999999999999999", "INTERVAL is a number"),
        ("FREQ=DAILY;INTERVAL=٣", "INTERVAL is a number"),
        ("FREQ=DAILY;COUNT=0", "COUNT is a number"),
        ("FREQ=DAILY;COUNT=5;UNTIL=20271231", "not both"),
        ("FREQ=DAILY;UNTIL=20270230", "UNTIL is a date"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL is a date"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ needs one value"),
        ("FREQ=DAILY;BYDAY", "BYDAY needs one value"),
        ("FREQ=DAILY;BYDAY=", "BYDAY needs one value"),
        ("FREQ=DAILY;", "such as"),
        ("FREQ=WEEKLY;BYDAY=XX", "BYDAY is a list"),
        ("FREQ=WEEKLY;BYDAY=1MO", "Numbered days"),
        ("FREQ=MONTHLY;BYDAY=0MO", "BYDAY is a list"),
        ("FREQ=YEARLY;BYWEEKNO=20;BYDAY=1MO", "Numbered days"),
        ("FREQ=MONTHLY;BYMONTHDAY=32", "BYMONTHDAY is a list"),
        ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY is a list"),
        ("FREQ=YEARLY;BYMONTH=-1", "BYMONTH is a list"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "BYMONTHDAY does not go"),
        ("FREQ=MONTHLY;BYYEARDAY=1", "go with FREQ=YEARLY"),
        ("FREQ=MONTHLY;BYSETPOS=1", "BYSETPOS needs another"),
        ("FREQ=DAILY;WKST=1MO", "WKST is a day"),
        ("FREQ=DAILY;BYHOUR=7,19", "time of day"),
        ("FREQ=DAILY;BYEASTER=0", "such as"),
        ("DTSTART:20270101T000000Z\nRRULE:FREQ=DAILY", "the rule alone"),
        ("FREQ=DAILY\nEXDATE:20270101", "the rule alone"),
        ("FREQ=DAILY;EXDATE=20270101", "the rule alone"),
        ("FREQ=DAILY;BYMONTH=" + ",".join(["1"] * MAX_RULE), "At most 200"),
    ],
)
def test_what_is_no_rule_of_ours_is_refused_in_words(text, says):
    with pytest.raises(Invalid, match=says) as refused:
        parse(text)
    assert refused.value.field == "repeat"


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=7",
        "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
        "FREQ=MONTHLY;INTERVAL=12;BYMONTHDAY=31;BYMONTH=6",
        "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;INTERVAL=1000",
    ],
)
def test_a_rule_that_no_date_fits_is_refused(rule):
    with pytest.raises(Invalid, match="No date fits"):
        check_comes(parse(rule), wall("2027-07-01T07:00:00"))


# Rules by chance ---------------------------------------------------------------------------------------------------------------------

numbers = st.lists(st.integers(1, 12), min_size=1, max_size=3).map(lambda values: ",".join(map(str, values)))
weekdays = st.lists(st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"]), min_size=1, max_size=4).map(",".join)


@st.composite
def rules(draw: st.DrawFn) -> str:
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    optional = {
        "INTERVAL": st.integers(1, 60).map(str),
        "BYMONTH": numbers,
        "BYDAY": weekdays if frequency in ("DAILY", "WEEKLY") else st.one_of(weekdays, st.sampled_from(["1MO", "-1FR", "2TU,3SU"])),
        "BYMONTHDAY": st.sampled_from(["1", "31", "-1", "29,30", "13"]) if frequency != "WEEKLY" else st.nothing(),
        "WKST": st.sampled_from(["MO", "SU"]),
    }
    if frequency == "YEARLY":
        optional |= {"BYYEARDAY": st.sampled_from(["1", "366", "-1", "100,200"])}
    names = draw(st.lists(st.sampled_from([name for name in optional if not optional[name].is_empty]), unique=True, max_size=4))
    parts = [f"FREQ={frequency}", *(f"{name}={draw(optional[name])}" for name in names)]
    if any(name.startswith("BY") for name in names) and draw(st.booleans()):
        parts.append(f"BYSETPOS={draw(st.sampled_from(['1', '-1', '2', '1,3']))}")
    return ";".join(parts)


walls = st.datetimes(wall("2000-01-01"), wall("2190-01-01"))


@settings(deadline=None)
@given(rules(), walls)
def test_dates_are_those_of_the_library_asked_directly(rule, start):
    assume(not ("WEEKLY" in rule and "BYSETPOS" in rule))  # of its first week, the library sees what is left of it only
    try:
        check_comes(parse(rule), start)
    except Invalid:
        assume(False)
    found = [each.wall for each in islice(occurrences(parse(rule), start, UTC), 5)]

    first = datetime.combine(start, time.min)
    expected = [datetime.combine(day, start.time()) for day in rrulestr(rule, dtstart=first).xafter(first, count=5)]
    assert found == [each for each in expected if each < wall("2200-01-01")]


@settings(deadline=None, max_examples=50)
@given(rules(), walls, st.integers(1, 12))
def test_a_series_is_the_same_whether_told_at_once_or_from_one_to_the_next(rule, start, count):
    at_once = list(islice(occurrences(parse(f"{rule};COUNT={count}"), start, LISBON), 20))

    one_by_one, left, place = [], parse(f"{rule};COUNT={count}"), start
    while (found := next(occurrences(left, place, LISBON), None)) is not None:
        one_by_one.append(found)
        left, place = found.rule, found.wall

    assert one_by_one == at_once
    assert len(at_once) < count


@settings(deadline=None)
@given(st.text(alphabet="FREQ=DAILYWKM;BSTUOH,+-0123456789\n:", max_size=60))
def test_any_text_is_a_rule_or_refused(text):
    with suppress(Invalid):
        rule = parse(text)
        assert parse(rule.text) == rule
        list(islice(occurrences(rule, wall("2027-07-01T07:00"), LISBON), 3))


# Ends --------------------------------------------------------------------------------------------------------------------------------


def test_the_first_one_counts_and_so_do_those_that_were_passed_over():
    rule, start = parse("FREQ=DAILY;COUNT=4"), wall("2027-07-01T07:00:00")

    found = following(rule, start, UTC, datetime(2027, 7, 2, 12, tzinfo=UTC))

    assert found is not None
    assert (found.wall, found.rule.text) == (wall("2027-07-03T07:00:00"), "FREQ=DAILY;COUNT=2")
    assert following(rule, start, UTC, datetime(2027, 7, 4, 7, tzinfo=UTC)) is None
    assert following(parse("FREQ=DAILY;COUNT=1"), start, UTC, instant_of(start, UTC)) is None


@pytest.mark.parametrize(
    ("until", "last"),
    [
        ("20270703", "2027-07-03"),  # a local date, that day included
        ("20270703T070000", "2027-07-03"),  # a local time
        ("20270703T065959", "2027-07-02"),
        ("20270703T100000Z", "2027-07-03"),  # an instant: seven o'clock in São Paulo
        ("20270703T095959Z", "2027-07-02"),
    ],
)
def test_until_is_a_local_date_or_time_or_an_instant(until, last):
    found = list(occurrences(parse(f"FREQ=DAILY;UNTIL={until}"), wall("2027-07-01T07:00:00"), SAO_PAULO))

    assert found[-1].wall.isoformat()[:10] == last


def test_no_occurrence_lies_beyond_what_a_due_time_may_be():
    found = list(occurrences(parse("FREQ=YEARLY"), wall("2190-07-01T07:00:00"), UTC))

    assert [each.wall.year for each in found] == list(range(2191, 2200))


# Clocks ------------------------------------------------------------------------------------------------------------------------------


def test_seven_stays_seven_when_clocks_change():
    before = wall("2027-03-27T07:00:00")

    found = list(islice(occurrences(DAILY, before, LISBON), 2))

    assert [wall_of(each.at, LISBON) for each in found] == [wall("2027-03-28T07:00:00"), wall("2027-03-29T07:00:00")]
    assert found[0].at - instant_of(before, LISBON) == timedelta(hours=23)


def test_a_time_that_clocks_leap_over_comes_that_much_later_and_the_next_day_in_time_again():
    found = list(islice(occurrences(DAILY, wall("2027-03-13T02:30:00"), NEW_YORK), 2))

    assert [wall_of(each.at, NEW_YORK) for each in found] == [wall("2027-03-14T03:30:00"), wall("2027-03-15T02:30:00")]


def test_a_time_that_clocks_pass_twice_comes_the_first_time_only():
    found = list(islice(occurrences(DAILY, wall("2027-11-06T01:30:00"), NEW_YORK), 2))

    assert [each.at for each in found] == [datetime(2027, 11, 7, 5, 30, tzinfo=UTC), datetime(2027, 11, 8, 6, 30, tzinfo=UTC)]


def test_whoever_moves_takes_their_seven_oclock_with_them():
    start = wall("2027-07-01T07:00:00")
    at = instant_of(start, SAO_PAULO)

    for there in (LISBON, ZoneInfo("Asia/Tokyo"), ZoneInfo("America/Los_Angeles"), ZoneInfo("Pacific/Kiritimati")):
        found = following(DAILY, start, there, at)
        assert found is not None
        assert wall_of(found.at, there) == wall("2027-07-02T07:00:00")


def test_a_day_that_a_zone_never_had_gives_no_second_occurrence():
    apia = ZoneInfo("Pacific/Apia")  # went from the 29th to the 31st of December 2011
    days = [wall_of(at, apia).date().day for _, at in chain(parse("FREQ=DAILY"), wall("2011-12-28T07:00:00"), apia, 4)]

    assert days == [28, 29, 31, 1]


def test_an_unknown_zone_counts_as_utc():
    assert [zone(name) for name in ("Mars/Olympus", "", "../etc/passwd", "x" * 300)] == [UTC] * 4


def test_what_counts_from_completion_starts_on_the_local_day_of_it_at_its_own_time():
    done = datetime(2027, 7, 10, 1, 30, tzinfo=UTC)  # still the 9th in São Paulo

    assert restarted(wall("2027-07-01T07:00:00"), done, SAO_PAULO) == wall("2027-07-09T07:00:00")


def test_a_shift_is_by_local_days():
    at = datetime(2027, 3, 13, 12, tzinfo=UTC)

    assert shifted(at, timedelta(days=1), NEW_YORK) - at == timedelta(hours=23)


def test_the_id_of_what_follows_is_the_same_each_time():
    at = datetime(2027, 7, 1, 12, tzinfo=UTC)

    assert occurrence_id("a", at) == occurrence_id("a", at)
    assert len({occurrence_id("a", at), occurrence_id("b", at), occurrence_id("a", at + timedelta(microseconds=1000))}) == 3


def chain(rule, start: datetime, where: tzinfo, most: int) -> Iterator[tuple[datetime, datetime]]:
    """A series as it is lived: wall time and instant of each occurrence, each found from the one before it."""
    place, at = start, instant_of(start, where)
    for _ in range(most):
        yield place, at
        found = following(rule, place, where, at)
        if found is None:
            return
        place, at, rule = found.wall, found.at, found.rule


@cache
def changes_of(name: str) -> tuple[datetime, ...]:
    """The instants between 2000 and 2040 at which the clocks of a zone change, to the minute."""
    where, found = ZoneInfo(name), []
    weeks = [datetime(2000, 1, 1, tzinfo=UTC) + timedelta(days=7 * week) for week in range(52 * 40)]
    for early, late in pairwise(weeks):
        low, high = early, late
        if low.astimezone(where).utcoffset() == high.astimezone(where).utcoffset():
            continue
        while high - low > timedelta(minutes=1):
            middle = (low + (high - low) / 2).replace(second=0, microsecond=0)
            low, high = (middle, high) if middle.astimezone(where).utcoffset() == early.astimezone(where).utcoffset() else (low, middle)
        found.append(high)
    return tuple(found)


def check_series(rule, start: datetime, where: tzinfo, most: int) -> None:
    """Instants strictly increase, one on each date of the rule that the zone has, at the local time of the series outside of gaps."""
    lived = list(chain(rule, start, where, most))
    assert all(one < other for (_, one), (_, other) in pairwise(lived))
    for place, at in lived:
        shown = wall_of(at, where)
        if shown != place:  # clocks leapt over it
            assert instant_of(shown, where) == at
            assert shown > place
        assert at == min(place.replace(tzinfo=where, fold=fold).astimezone(UTC) for fold in (0, 1)) or shown > place
    expected = [start.date(), *(each.wall.date() for each in islice(occurrences(rule, start, where), most + 1))]
    given_dates = [place.date() for place, _ in lived]
    missing = [day for day in expected[: expected.index(given_dates[-1]) + 1] if day not in given_dates]
    assert all(not had(where, day) or not had(where, day - timedelta(days=1)) for day in missing)


def had(where: tzinfo, day: date) -> bool:
    """Whether clocks in a zone ever showed that day."""
    return wall_of(instant_of(datetime.combine(day, time(12)), where), where).date() == day


@pytest.mark.parametrize("letter", sorted({name[:4] for name in available_timezones()}))
def test_in_every_zone_around_every_change_of_its_clocks_a_daily_series_keeps_its_time(letter):
    seen = set()
    for name in sorted(name for name in available_timezones() if name.startswith(letter)):
        where, changes = ZoneInfo(name), changes_of(name)
        mark = (changes, tuple(change.astimezone(where).utcoffset() for change in changes))
        if mark in seen:
            continue
        seen.add(mark)
        for change in changes:
            before, after = wall_of(change - timedelta(minutes=1), where), wall_of(change, where)
            for inside in {before + timedelta(minutes=1), before + (after - before) / 2, after}:
                start = inside.replace(second=0, microsecond=0) - timedelta(days=2)
                check_series(DAILY, start, where, 5)


@settings(deadline=None)
@given(st.data(), rules(), st.sampled_from(sorted(available_timezones())))
def test_any_series_in_any_zone_keeps_its_time(data, rule, name):
    where, changes = ZoneInfo(name), changes_of(name)
    near = data.draw(st.sampled_from(changes)) if changes else datetime(2027, 7, 1, tzinfo=UTC)
    start = wall_of(near, where) + timedelta(minutes=data.draw(st.integers(-26 * 60, 26 * 60)))

    check_series(parse(rule), start, where, 6)
