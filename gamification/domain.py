"""Days, streaks and seasons. (What is worth how many points is in `gamification.points`.)

Events are only ever added to: something was done, or was taken back. The ledger sums them up, a page for each of the member's local days,
and says which days they took off; a streak is folded from it. Each rule below is a function of the set of events, so it does not matter in
which order, how late or how often they arrive.

Rules:
- A day is done while more was done on it than was taken back. A local date that comes twice, after a flight to the west, is one day.
- A date on which nothing was done, and which is over, is missed, unless it is one of the member's rest days, or travel took it: the date
  does not exist in the zone (Samoa had no 30 December 2011), or the member was in several zones and did the next thing within two days.
- A missed date takes a freeze, where there is one; else the streak ends. Each 7th day of a streak earns a freeze, up to 2, or 5 on the
  premium plan.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
FREEZE_EVERY = 7
"""Days of a streak that earn a freeze."""
MAX_FREEZES, MAX_FREEZES_PREMIUM = 2, 5
PLANNED_DAYS = 7
"""How far ahead a freeze may be set aside."""
MAX_REST_DAYS = 3
"""Of a week."""
MAX_REST_CHANGES = 100
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
TRAVEL = timedelta(hours=50)
"""Two days, each of which a clock change may make an hour longer. Who stays at home may be idle as long between two days of a streak."""
_WIDEST_GAP = 4
"""No two things that are less than `TRAVEL` apart are further apart by local date: zones differ by up to 26 hours."""
_ZONES_KEPT = 4
"""Of a day. More than two tell nothing new."""


# Time ------------------------------------------------------------------------------------------------------------------------------


def zone_named(name: str) -> tzinfo:
    """The IANA zone; UTC for a name that the time zone data no longer has."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


def local_date(at: datetime, zone: str) -> date:
    return at.astimezone(zone_named(zone)).date()


def exists(day: date, zone: str) -> bool:
    """Whether a date exists in a zone. Where a zone moved over the date line, its noon is one of the moments that never were."""
    noon = datetime.combine(day, time(12), zone_named(zone))
    return noon.astimezone(UTC).astimezone(noon.tzinfo).date() == day


def _dates(after: date, before: date) -> Iterator[date]:
    """The dates between the two."""
    day = after + DAY
    while day < before:
        yield day
        day += DAY


# The ledger ------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seen:
    """When something was last done, and in which zones the member was on that day."""

    at: datetime
    zones: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A day of the ledger: how much was done on it less what was taken back, and of all that ever was done on it the first and the last
    instant, the zones, and whether a premium member did any of it."""

    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    zones: tuple[str, ...] = ()
    premium: bool = False

    def noted(self, at: datetime, zone: str, *, premium: bool = False) -> "Page":
        """Something was done, and may have been taken back since."""
        zones = tuple(sorted({*self.zones, zone})[:_ZONES_KEPT])
        return Page(self.count, min(self.first or at, at), max(self.last or at, at), zones, self.premium or premium)

    def counted(self, difference: int) -> "Page":
        return replace(self, count=self.count + difference)

    @property
    def seen(self) -> Seen | None:
        return None if self.last is None else Seen(self.last, self.zones)


@dataclass(frozen=True, slots=True, order=True)
class Rest:
    """From `since` on, these days of the week (0: Monday) are for rest. `at` is when the member said so."""

    since: date
    at: datetime
    weekdays: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DaysOff:
    """What the member chose: days for rest, and days for which they set a freeze aside."""

    rest: tuple[Rest, ...] = ()
    freezes: frozenset[date] = frozenset()

    def rests_on(self, day: date) -> bool:
        return day.weekday() in self.weekdays(day)

    def weekdays(self, day: date) -> tuple[int, ...]:
        """The days of the week that are for rest on `day`: what was said last of what holds by then."""
        holding = [rest for rest in self.rest if rest.since <= day]
        return max(holding).weekdays if holding else ()

    def since(self, day: date) -> "DaysOff":
        """What matters from `day` on."""
        holding = [rest for rest in self.rest if rest.since <= day]
        later = [rest for rest in self.rest if rest.since > day]
        return DaysOff((*([max(holding)] if holding else []), *later), frozenset(each for each in self.freezes if each >= day))

    def with_rest(self, rest: Rest) -> "DaysOff":
        """Of what was said for one day, what was said last stays."""
        said = {each.since: each for each in self.rest}
        before = said.get(rest.since)
        said[rest.since] = before if before is not None and before.at > rest.at else rest
        return replace(self, rest=tuple(sorted(said.values())))


@dataclass(frozen=True, slots=True)
class Ledger:
    """What the pages say, for the whole of a member's time: the days that are done, those of them by a premium member, and the dates in
    between that travel took."""

    done: frozenset[date] = frozenset()
    premium: frozenset[date] = frozenset()
    kept: frozenset[date] = frozenset()
    off: DaysOff = DaysOff()

    def around(self, day: date) -> tuple[date | None, date | None]:
        """The done days next to `day`, before and after it."""
        return max((each for each in self.done if each < day), default=None), min((each for each in self.done if each > day), default=None)

    def posted(self, day: date, page: Page, around: Mapping[date, Page]) -> "Ledger":
        """The ledger once the page of `day` is `page`; `around` holds the pages of the done days next to it."""
        before, after = self.around(day)
        done, pages = page.count > 0, {**around, day: page}
        kept = {each for each in self.kept if not (before or date.min) < each < (after or date.max)}
        neighbours = [each for each in (before, day if done else None, after) if each is not None]
        for one, other in pairwise(neighbours):
            kept |= taken_by_travel(one, pages[one], other, pages[other])
        return Ledger(_with(self.done, day, among=done), _with(self.premium, day, among=done and page.premium), frozenset(kept), self.off)


def ledger_of(pages: Mapping[date, Page], off: DaysOff) -> Ledger:
    """The ledger that all its pages make."""
    done = sorted(day for day, page in pages.items() if page.count > 0)
    kept = [taken_by_travel(one, pages[one], other, pages[other]) for one, other in pairwise(done)]
    return Ledger(frozenset(done), frozenset(day for day in done if pages[day].premium), frozenset().union(*kept), off)


def taken_by_travel(one: date, before: Page, other: date, after: Page) -> frozenset[date]:
    """The dates between two done days, one after the other, that are not missed, because the member had none of them or little."""
    if not 1 < (other - one).days <= _WIDEST_GAP:
        return frozenset()
    zones = {*before.zones, *after.zones}
    if len(zones) > 1 and before.last and after.first and after.first - before.last <= TRAVEL:
        return frozenset(_dates(one, other))
    return frozenset(day for day in _dates(one, other) if not all(exists(day, zone) for zone in zones))


def _with(days: frozenset[date], day: date, *, among: bool) -> frozenset[date]:
    return days | {day} if among else days - {day}


# The fold ------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Streak:
    """How a streak stands at the end of `last`, the last done day. `freezes` are those that are left."""

    current: int = 0
    longest: int = 0
    freezes: int = 0
    last: date | None = None


def streak_of(ledger: Ledger) -> Streak:
    """The ledger, folded up to its last done day."""
    streak = Streak()
    for day in sorted(ledger.done):
        streak = _extended(_idle(streak, day, ledger.off, ledger.kept), day, premium=day in ledger.premium)
    return streak


def _extended(streak: Streak, day: date, *, premium: bool) -> Streak:
    current = streak.current + 1
    most = MAX_FREEZES_PREMIUM if premium else MAX_FREEZES
    earned = current % FREEZE_EVERY == 0 and streak.freezes < most
    return Streak(current, max(streak.longest, current), streak.freezes + earned, day)


def _idle(streak: Streak, until: date, off: DaysOff, kept: frozenset[date]) -> Streak:
    """`streak` when nothing was done after its last day and before `until`."""
    if streak.last is None:
        return streak
    current, freezes = streak.current, streak.freezes
    for day in _dates(streak.last, until):
        if not current:
            break
        if day not in kept and not off.rests_on(day):
            current, freezes = (current, freezes - 1) if freezes else (0, 0)
    return replace(streak, current=current, freezes=freezes)


@dataclass(frozen=True, slots=True)
class Standing:
    """A streak as it stands at an instant. `freezes` are those that may still be taken or set aside; `done_today` is by the local date."""

    current: int
    longest: int
    freezes: int
    done_today: bool
    frozen_today: bool


def standing(streak: Streak, last: Seen | None, off: DaysOff, now: datetime, zone: str) -> Standing:
    """How a streak stands `now` for a member who is in `zone`; nothing needs to be written for it. `last` was done on its last day."""
    today = local_date(now, zone)
    travels = last is not None and {*last.zones} != {zone} and now - last.at <= TRAVEL
    if streak.last is not None and not travels:
        absent = frozenset(day for day in _dates(streak.last, min(today, streak.last + 10 * DAY)) if not exists(day, zone))
        streak = _idle(streak, today, off, absent)
    done_today = streak.last is not None and streak.last >= today
    set_aside = sum(1 for day in off.freezes if day > today or (day == today and not done_today))
    frozen_today = not done_today and today in off.freezes and streak.freezes > 0
    return Standing(streak.current, streak.longest, max(0, streak.freezes - set_aside), done_today, frozen_today)


# Days as they are stored ---------------------------------------------------------------------------------------------------------------


def packed(days: Iterable[date]) -> dict[str, str]:
    """Days as a number in hexadecimal for each year, whose bit n is the day n of the year: at most 92 digits a year."""
    years: dict[str, int] = {}
    for day in days:
        years[str(day.year)] = years.get(str(day.year), 0) | 1 << (day.timetuple().tm_yday - 1)
    return {year: f"{bits:x}" for year, bits in sorted(years.items())}


def unpacked(years: Mapping[str, str]) -> frozenset[date]:
    return frozenset(
        date(int(year), 1, 1) + place * DAY
        for year, digits in years.items()
        for place, bit in enumerate(reversed(f"{int(digits, 16):b}"))
        if bit == "1"
    )


# Seasons -------------------------------------------------------------------------------------------------------------------------------


ALL_TIME = "all"
"""The season that never ends."""
_QUARTER = re.compile(r"(20\d\d|21\d\d)Q([1-4])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Season:
    """`starts_at` is the first instant of it (UTC), `ends_at` the first one after it; None: without begin and end."""

    id: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None


def season_of(at: datetime) -> str:
    """The id of the quarter, by UTC, in which an instant lies: `2027Q3`."""
    utc = at.astimezone(UTC)
    return f"{utc.year}Q{(utc.month + 2) // 3}"


def season_named(season_id: str) -> Season:
    """Raises ValueError for what is no id of a season."""
    if season_id == ALL_TIME:
        return Season(ALL_TIME)
    found = _QUARTER.fullmatch(season_id)
    if found is None:
        raise ValueError("no season has this id")
    year, quarter = int(found[1]), int(found[2])
    after, month = divmod(quarter, 4)
    return Season(season_id, datetime(year, 3 * quarter - 2, 1, tzinfo=UTC), datetime(year + after, 3 * month + 1, 1, tzinfo=UTC))
