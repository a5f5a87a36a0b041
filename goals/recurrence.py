"""When a task comes again: RFC 5545 recurrence rules (section 3.3.10), read in local wall time.

A series is kept as a wall time, a datetime without zone: seven in the morning stays seven in the morning when clocks change, and when the
member moves to another zone. Dates follow from the rule alone; only then a wall time becomes an instant, in the zone that holds. Where
clocks leap over it, it is read with the offset before the leap, so it comes that much later; where they pass it twice, the first time
counts (RFC 5545, section 3.3.5). A rule gives at most one occurrence a date.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from goalgraph import inputs
from goalgraph.errors import Invalid
from goalgraph.ids import id_of

MAX_RULE = 200
"""Characters."""
MAX_INTERVAL = 1000
MAX_COUNT = 10_000
FROM_DUE, FROM_COMPLETION = "due", "completion"
STARTS = (FROM_DUE, FROM_COMPLETION)
"""What a rule's interval counts from: when the task was due, or when it was done."""

_LATER = 19 * 400
"""Years. The Gregorian calendar repeats itself every 400, to the day of the week."""
_DAYS = "MO|TU|WE|TH|FR|SA|SU"
_WEEKDAY = re.compile(rf"(?:([+-]?[0-9]{{1,2}}))?({_DAYS})", re.ASCII)
_NUMBER = re.compile(r"[+-]?[0-9]{1,5}", re.ASCII)
_UNTIL = re.compile(r"[0-9]{8}(T[0-9]{6}Z?)?", re.ASCII)
_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_TIMES_OF_DAY = {"BYHOUR", "BYMINUTE", "BYSECOND"}
_OTHER_LINES = ("DTSTART", "DTEND", "EXDATE", "EXRULE", "RDATE")


@dataclass(frozen=True, slots=True)
class Rule:
    """A checked rule as it holds from one occurrence on, which counts as its first. `pattern` is all of it but `COUNT` and `UNTIL`."""

    pattern: str
    count: int | None = None
    until: str | None = None

    @property
    def text(self) -> str:
        limits = {"COUNT": self.count, "UNTIL": self.until}
        return ";".join([self.pattern, *(f"{name}={value}" for name, value in limits.items() if value is not None)])

    def ended(self, wall: datetime, at: datetime) -> bool:
        """Whether an occurrence comes after `UNTIL`: an instant, or a local time, or a local date, each inclusive."""
        if self.until is None:
            return False
        if self.until.endswith("Z"):
            return at > datetime.strptime(self.until, "%Y%m%dT%H%M%S%z")
        return wall.strftime("%Y%m%dT%H%M%S")[: len(self.until)] > self.until


class Occurrence(NamedTuple):
    """`rule` is what holds from it on."""

    wall: datetime
    at: datetime
    rule: Rule


def zone(name: str) -> tzinfo:
    """The IANA time zone called `name`; UTC where this machine knows none by it."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


def wall_of(at: datetime, where: tzinfo) -> datetime:
    """What clocks in `where` show at an instant."""
    return at.astimezone(where).replace(tzinfo=None, fold=0)


def instant_of(wall: datetime, where: tzinfo) -> datetime:
    """When clocks in `where` show `wall`, in UTC: the first time where they do twice, that much later where they leap over it."""
    return wall.replace(tzinfo=where, fold=0).astimezone(UTC)


def shifted(at: datetime, by: timedelta, where: tzinfo) -> datetime:
    """An instant as many local days and hours later as clocks in `where` show."""
    return instant_of(wall_of(at, where) + by, where)


def occurrences(rule: Rule, start: datetime, where: tzinfo) -> Iterator[Occurrence]:
    """What follows the occurrence whose wall time is `start`, in order, before the year 2200.

    The wall times follow from `rule` and `start` alone. Whatever the rule, all of it takes a fraction of a second.
    """
    count = rule.count
    for wall in _walls(rule.pattern, start):
        if count is not None:
            count -= 1
            if count < 1:
                return
        at = instant_of(wall, where)
        if rule.ended(wall, at) or at >= inputs.LATEST:
            return
        yield Occurrence(wall, at, replace(rule, count=count))


def following(rule: Rule, start: datetime, where: tzinfo, after: datetime) -> Occurrence | None:
    """The first occurrence behind the one at `start` that comes later than the instant `after`; None when the rule has ended."""
    return next((found for found in occurrences(rule, start, where) if found.at > after), None)


def restarted(start: datetime, done_at: datetime, where: tzinfo) -> datetime:
    """The wall time from which a rule counts that counts from completion: the time of day of `start`, on the local day of `done_at`."""
    return datetime.combine(wall_of(done_at, where), start.time())


def occurrence_id(previous_id: str, done_at: datetime) -> str:
    """The id of the task that follows the task `previous_id` when that is done at `done_at`: the same each time."""
    return id_of(done_at, "occurrence", previous_id)


def _walls(pattern: str, start: datetime) -> Iterator[datetime]:
    """dateutil looks for an occurrence up to the year 9999, for seconds where there is none. It is asked some thousand years later, where
    the calendar is the same and soon over."""
    late = start.replace(year=start.year + _LATER)
    first = datetime.combine(late, time.min)
    if pattern.startswith("FREQ=WEEKLY"):
        pattern, first = _whole_weeks(pattern, first)
    for day in rrulestr(pattern, dtstart=first):
        wall = datetime.combine(day, start.time())
        if wall > late:
            yield wall.replace(year=wall.year - _LATER)


def _whole_weeks(pattern: str, first: datetime) -> tuple[str, datetime]:
    """The rule from the beginning of its first week on. Otherwise dateutil takes the rest of that week for all of it, and BYSETPOS picks
    another day than from an earlier start."""
    days = _DAYS.split("|")
    parts = dict(part.split("=") for part in pattern.split(";"))
    parts.setdefault("BYDAY", days[first.weekday()])
    begins = days.index(parts.get("WKST", "MO"))
    return ";".join(f"{name}={value}" for name, value in parts.items()), first - timedelta(days=(first.weekday() - begins) % 7)


# Reading a rule ------------------------------------------------------------------------------------------------------------------------


def parse(text: str, *, field: str = "repeat") -> Rule:
    """The rule that `text` holds, in capitals and without what may be left out. Raises Invalid naming `field`."""
    if len(text) > MAX_RULE:
        raise Invalid(f"At most {MAX_RULE} characters, please.", field=field)
    try:
        return _rule(_parts(text.strip().upper().removeprefix("RRULE:")))
    except ValueError as error:
        raise Invalid(str(error), field=field) from error


def check_comes(rule: Rule, start: datetime, *, field: str = "repeat") -> None:
    """Raises Invalid for a rule that would never give another date behind `start`, such as the 30th of February."""
    if next(occurrences(Rule(rule.pattern), start, UTC), None) is None:
        raise Invalid("No date fits this rule.", field=field)


def _parts(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if name.startswith(_OTHER_LINES) or "\n" in text:
            raise ValueError("Give the rule alone: it begins when the task is due, and has no exceptions.")
        if name in _TIMES_OF_DAY:
            raise ValueError(f"{name} cannot be used: the time of day is that of the due time.")
        if name not in _CHECKS:
            raise ValueError("Give a rule such as FREQ=WEEKLY;BYDAY=MO,TH.")
        if not equals or not value or name in parts:
            raise ValueError(f"{name} needs one value.")
        parts[name] = value
    return parts


def _rule(parts: Mapping[str, str]) -> Rule:
    """Raises ValueError with a sentence for whoever wrote it."""
    for name, value in parts.items():
        _CHECKS[name](name, value)
    _check_together(parts)
    order = sorted(parts, key=lambda name: name != "FREQ")
    pattern = ";".join(f"{name}={parts[name]}" for name in order if name not in ("COUNT", "UNTIL"))
    return Rule(pattern, int(parts["COUNT"]) if "COUNT" in parts else None, parts.get("UNTIL"))


def _check_together(parts: Mapping[str, str]) -> None:
    """What section 3.3.10 says of parts that may not meet."""
    frequency = parts.get("FREQ")
    numbered = any(char.isdigit() for char in parts.get("BYDAY", ""))
    if frequency is None:
        raise ValueError(f"FREQ is missing: {', '.join(_FREQUENCIES)}.")
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("Give COUNT or UNTIL, not both.")
    if frequency != "YEARLY" and ("BYYEARDAY" in parts or "BYWEEKNO" in parts):
        raise ValueError("BYYEARDAY and BYWEEKNO go with FREQ=YEARLY only.")
    if frequency == "WEEKLY" and "BYMONTHDAY" in parts:
        raise ValueError("BYMONTHDAY does not go with FREQ=WEEKLY.")
    if numbered and (frequency in ("DAILY", "WEEKLY") or "BYWEEKNO" in parts):
        raise ValueError("Numbered days such as 1MO go with FREQ=MONTHLY or FREQ=YEARLY, without BYWEEKNO.")
    if "BYSETPOS" in parts and not any(name.startswith("BY") and name != "BYSETPOS" for name in parts):
        raise ValueError("BYSETPOS needs another BY part to choose from.")


def _frequency(_: str, value: str) -> None:
    if value not in _FREQUENCIES:
        raise ValueError(f"FREQ is one of {', '.join(_FREQUENCIES)}.")


def _week_start(_: str, value: str) -> None:
    if value not in _DAYS.split("|"):
        raise ValueError("WKST is a day such as MO.")


def _until(_: str, value: str) -> None:
    form = {8: "%Y%m%d", 15: "%Y%m%dT%H%M%S", 16: "%Y%m%dT%H%M%SZ"}.get(len(value), "")
    try:
        read = datetime.strptime(value, form) if _UNTIL.fullmatch(value) else None  # noqa: DTZ007 - only whether there is such a date
    except ValueError:
        read = None
    if read is None:
        raise ValueError("UNTIL is a date such as 20271231, or a time such as 20271231T120000Z.")


def _weekdays(name: str, value: str) -> None:
    for day in value.split(","):
        found = _WEEKDAY.fullmatch(day)
        if found is None or not (found[1] is None or 1 <= abs(int(found[1])) <= 53):
            raise ValueError(f"{name} is a list of days such as MO,TH or 1MO,-1FR.")


def _number(least: int, most: int) -> Callable[[str, str], None]:
    def check(name: str, value: str) -> None:
        if not _NUMBER.fullmatch(value) or not least <= int(value) <= most:
            raise ValueError(f"{name} is a number from {least} to {most}.")

    return check


def _numbers(most: int, *, negative: bool = True) -> Callable[[str, str], None]:
    def check(name: str, value: str) -> None:
        for number in value.split(","):
            if not _NUMBER.fullmatch(number) or not 1 <= (abs(int(number)) if negative else int(number)) <= most:
                raise ValueError(f"{name} is a list of numbers from 1 to {most}{', or from the end, as -1' if negative else ''}.")

    return check


_CHECKS: dict[str, Callable[[str, str], None]] = {
    "FREQ": _frequency,
    "INTERVAL": _number(1, MAX_INTERVAL),
    "COUNT": _number(1, MAX_COUNT),
    "UNTIL": _until,
    "WKST": _week_start,
    "BYDAY": _weekdays,
    "BYMONTH": _numbers(12, negative=False),
    "BYMONTHDAY": _numbers(31),
    "BYYEARDAY": _numbers(366),
    "BYWEEKNO": _numbers(53),
    "BYSETPOS": _numbers(366),
}
