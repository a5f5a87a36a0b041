"""The policy: over every time zone, each change of its clocks, and any quiet hours."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise, product
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.errors import Invalid
from notifications.domain import (
    CHANNELS,
    DIGEST,
    DROP,
    HOLD,
    IN_APP,
    KINDS,
    OUTWARD,
    SEND,
    QuietHours,
    Wishes,
    at_minute,
    decide,
    local_day,
    merged_kinds,
    minutes,
    quiet_hours,
    time_text,
)

ZONES = sorted(available_timezones())
FIRST, LAST = datetime(2005, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
EVERYWHERE = frozenset(OUTWARD)
MINUTE = timedelta(minutes=1)


@cache
def changes_of(name: str) -> tuple[datetime, ...]:
    """The instants, to the minute, at which clocks in a zone are changed between `FIRST` and `LAST`."""
    zone, found, at = ZoneInfo(name), [], FIRST
    step = timedelta(days=7)
    while at < LAST:
        if at.astimezone(zone).utcoffset() != (at + step).astimezone(zone).utcoffset():
            low, high = at, at + step
            while high - low > MINUTE:
                middle = low + (high - low) // (2 * MINUTE) * MINUTE
                same = middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(high)
        at += step
    return tuple(found)


def shows(instant: datetime, zone: ZoneInfo) -> int:
    """The minute of the day that a clock shows."""
    local = instant.astimezone(zone)
    return local.hour * 60 + local.minute


def inside(minute: int, quiet: QuietHours) -> bool:
    """Said another way than by the rule itself: the minutes from the begin on, one after another, around the clock."""
    return (minute - quiet.begin) % 1440 < (quiet.end - quiet.begin) % 1440


MINUTES = st.integers(0, 1439)
QUIET = st.builds(lambda begin, length: QuietHours(begin, (begin + length) % 1440), MINUTES, st.integers(1, 1439))


@st.composite
def moments(draw):
    """A zone and an instant, most often within two days of a change of its clocks."""
    name = draw(st.sampled_from(ZONES))
    changes = changes_of(name)
    if changes and draw(st.booleans()):
        return ZoneInfo(name), draw(st.sampled_from(changes)) + timedelta(seconds=draw(st.integers(-2 * 86400, 2 * 86400)))
    return ZoneInfo(name), FIRST + timedelta(seconds=draw(st.integers(0, int((LAST - FIRST).total_seconds()))))


WISHED = st.dictionaries(
    st.sampled_from(sorted(KINDS)), st.dictionaries(st.sampled_from(CHANNELS), st.sampled_from(["now", "digest", "off", "?"])), max_size=4
)
SENT = st.dictionaries(st.sampled_from(OUTWARD), MINUTES)
WISHES = st.builds(Wishes, WISHED, st.none() | QUIET, MINUTES, st.sets(st.sampled_from(OUTWARD)).map(frozenset))


@given(
    moments(),
    WISHES,
    st.sampled_from(sorted(KINDS)),
    st.none() | st.integers(-600, 3000),
    st.dictionaries(st.sampled_from(OUTWARD), MINUTES),
)
def test_each_channel_has_one_decision_that_keeps_what_was_promised(moment, wishes, kind, minutes_left, sent):
    zone, now = moment
    not_after = None if minutes_left is None else now + timedelta(minutes=minutes_left)

    decisions = decide(kind, wishes, now, zone, sent_today=sent, caps={"email": 10, "push": 30, "sms": 3}, not_after=not_after)

    assert tuple(decision.channel for decision in decisions) == CHANNELS
    for decision in decisions:
        wish = wishes.of(kind, decision.channel)
        outward = decision.channel in OUTWARD
        if decision.decision in (HOLD, DIGEST):
            assert decision.until > now
            assert wishes.quiet is None or not inside(shows(decision.until, zone), wishes.quiet)
        else:
            assert decision.until is None
        if outward and decision.decision == SEND and not KINDS[kind].critical:
            assert wishes.quiet is None or not inside(shows(now, zone), wishes.quiet)
            assert sent.get(decision.channel, 0) < {"email": 10, "push": 30, "sms": 3}[decision.channel]
        if outward and decision.decision in (SEND, HOLD):
            assert wish == "now"
            assert decision.channel in wishes.reachable
            assert not_after is None or (decision.until or now) <= not_after
        if decision.decision == HOLD:
            assert not KINDS[kind].critical
        if wish == "off":
            assert decision.decision == DROP


@given(moments(), QUIET)
def test_what_is_held_comes_once_when_quiet_hours_are_over(moment, quiet):
    zone, now = moment
    wishes = Wishes(quiet=quiet, reachable=EVERYWHERE)

    sent, held = 0, 0
    while sent == 0:
        decision = decide("reminder", wishes, now, zone)[1]
        sent += decision.decision == SEND
        held += decision.decision == HOLD
        assert held <= 1
        now = decision.until or now


@given(moments(), QUIET)
def test_quiet_hours_end_at_the_first_moment_outside_of_them_where_no_clock_is_changed(moment, quiet):
    zone, now = moment
    over = quiet.over(now, zone)

    assert not inside(shows(over, zone), quiet)
    if over > now and over.astimezone(zone).utcoffset() == now.astimezone(zone).utcoffset():
        assert shows(over, zone) == quiet.end
        assert inside(shows(over - timedelta(microseconds=1), zone), quiet)
        assert over - now <= timedelta(days=1)


@given(moments(), MINUTES, st.none() | QUIET)
def test_a_digest_comes_once_a_day_and_never_in_quiet_hours(moment, digest_at, quiet):
    zone, now = moment
    wishes = Wishes(digest_at=digest_at, quiet=quiet)

    instants = []
    for _ in range(4):
        now = wishes.next_digest(now, zone)
        instants.append(now)

    assert instants == sorted(set(instants))
    for one, other in pairwise(instants):
        assert timedelta() < other - one <= timedelta(hours=74)  # a day that a zone left out, and quiet hours over it
    if quiet is None:
        days = [local_day(instant, zone) for instant in instants]
        assert len(set(days)) == 4
    else:
        assert not any(inside(shows(instant, zone), quiet) for instant in instants)


@pytest.mark.parametrize("name", ZONES)
def test_at_every_change_of_every_zone_a_digest_comes_once_each_local_day(name):
    zone = ZoneInfo(name)
    for change in changes_of(name):
        first = local_day(change - timedelta(days=2), zone)
        for digest_at in (0, 30, 90, 150, 480):
            now, days = change - timedelta(days=2), []
            while now < change + timedelta(days=2):
                now = Wishes(digest_at=digest_at).next_digest(now, zone)
                days.append(local_day(now, zone))
            assert days == sorted(set(days))
            assert days[0] in (first, first + timedelta(days=1))


NIGHTS = [QuietHours(begin, end) for begin, end in product((0, 90, 150, 1320), (60, 120, 135, 180, 420)) if begin != end]


@pytest.mark.parametrize("name", ZONES)
def test_at_every_change_of_every_zone_what_is_due_is_sent_once_outside_quiet_hours(name):
    zone = ZoneInfo(name)
    for change, quiet in product(changes_of(name)[-8:], NIGHTS):
        wishes = Wishes(quiet=quiet, reachable=EVERYWHERE)
        for minutes_off in (-240, -61, -31, -1, 0, 1, 31, 61, 240):
            now, sends = change + minutes_off * MINUTE, []
            while not sends:
                decision = decide("reminder", wishes, now, zone)[1]
                sends += [now] if decision.decision == SEND else []
                now = decision.until or now
            assert not inside(shows(sends[0], zone), quiet)
            longest = timedelta(hours=31 if (quiet.begin - quiet.end) % 1440 > 180 else 55)  # a gap may swallow what is left of a day
            assert sends[0] - change <= longest


def test_a_time_in_a_gap_moves_forward_and_one_that_comes_twice_is_the_first():
    berlin = ZoneInfo("Europe/Berlin")

    assert at_minute(date(2027, 3, 28), 150, berlin) == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)  # 02:30, shown as 03:30
    assert at_minute(date(2027, 10, 31), 150, berlin) == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)


def test_quiet_hours_go_past_midnight_and_over_the_hour_that_comes_twice():
    berlin, quiet = ZoneInfo("Europe/Berlin"), quiet_hours({"begin": "22:00", "end": "02:30"})

    assert quiet.over(datetime(2027, 7, 1, 20, 0, tzinfo=UTC), berlin) == datetime(2027, 7, 2, 0, 30, tzinfo=UTC)
    assert quiet.over(datetime(2027, 7, 1, 19, 59, 59, tzinfo=UTC), berlin) == datetime(2027, 7, 1, 19, 59, 59, tzinfo=UTC)
    assert quiet.over(datetime(2027, 10, 30, 23, 0, tzinfo=UTC), berlin) == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    assert quiet.over(datetime(2027, 10, 31, 1, 0, tzinfo=UTC), berlin) == datetime(2027, 10, 31, 1, 30, tzinfo=UTC)


NOON = datetime(2027, 7, 1, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def outcome(kind="reminder", channel="email", now=NOON, wishes=None, **more):
    decisions = decide(kind, wishes or Wishes(reachable=EVERYWHERE), now, BERLIN, **more)
    found = next(decision for decision in decisions if decision.channel == channel)
    return found.decision, found.reason


def test_each_decision_has_its_reason():
    night = Wishes(quiet=QuietHours(0, 1439), reachable=EVERYWHERE)
    late = {"not_after": NOON - MINUTE}

    assert outcome() == (SEND, "wanted")
    assert outcome(channel="sms") == (DROP, "off")
    assert outcome(wishes=Wishes()) == (DROP, "no_address")
    assert outcome("badge") == (DIGEST, "in_digest")
    assert outcome(wishes=night) == (HOLD, "quiet_hours")
    assert outcome(wishes=night, channel=IN_APP) == (SEND, "wanted")
    assert outcome(sent_today={"email": 10}, caps={"email": 10}) == (DROP, "capped")
    assert outcome(sent_today={"push": 10}, caps={"email": 10}) == (SEND, "wanted")
    assert outcome(**late) == (DROP, "expired")
    assert outcome(**late, channel=IN_APP) == (SEND, "wanted")
    assert outcome(wishes=night, not_after=NOON + timedelta(hours=3)) == (DROP, "expired")
    assert outcome("security", "sms", wishes=night, sent_today={"sms": 3}, caps={"sms": 3}) == (SEND, "critical")


def test_what_members_wish_is_kept_as_what_differs_from_the_defaults():
    once = merged_kinds({}, [{"kind": "reminder", "email": "DIGEST", "push": "off"}, {"kind": "badge", "in_app": "off"}])
    again = merged_kinds(once, [{"kind": "reminder", "email": None}, {"kind": "badge", "in_app": "now"}])

    assert once == {"reminder": {"email": "digest", "push": "off"}, "badge": {"in_app": "off"}}
    assert again == {"reminder": {"push": "off"}}
    assert merged_kinds({"of another release": {"email": "off"}}, []) == {}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ([{"kind": "nonsense"}], "kinds[0].kind"),
        ([{"kind": "reminder"}, {"kind": "reminder", "email": "sometimes"}], "kinds[1].email"),
        ([{"kind": "reminder", "in_app": "digest"}], "kinds[0].inApp"),
        ([{"kind": "digest", "email": "digest"}], "kinds[0].email"),
        ([{"kind": "security", "email": "off"}], "kinds[0].email"),
        ([{"kind": "security", "push": "digest"}], "kinds[0].push"),
        ([{"kind": "reminder"}] * 100, "kinds"),
    ],
)
def test_bad_wishes_are_refused_by_name(changes, field):
    with pytest.raises(Invalid) as refused:
        merged_kinds({}, changes)
    assert refused.value.field == field


@given(MINUTES)
def test_times_of_day_are_read_as_they_are_written(minute):
    assert minutes(time_text(minute), field="x") == minute


@pytest.mark.parametrize("value", ["", "24:00", "7:00", "07:60", "07:00:00", "\u0660\u0667:00", "07:00\n", "-1:00", "noon"])
def test_what_is_no_time_of_day_is_refused(value):
    with pytest.raises(Invalid) as refused:
        minutes(value, field="digestAt")
    assert refused.value.field == "digestAt"


def test_quiet_hours_that_last_no_time_or_all_day_are_refused():
    with pytest.raises(Invalid) as refused:
        quiet_hours({"begin": "07:00", "end": "07:00"})
    assert refused.value.field == "quietHours.end"
    assert quiet_hours(None) is None
