"""What members see of their points and streaks, and how they take days off."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from gamification import live, repository
from gamification.domain import (
    ALL_TIME,
    MAX_REST_CHANGES,
    MAX_REST_DAYS,
    PLANNED_DAYS,
    WEEKDAYS,
    DaysOff,
    Rest,
    Season,
    Standing,
    local_date,
    season_named,
    season_of,
    standing,
)
from gamification.items import GameAggregate, StreakLedger
from goalgraph import inputs, wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Conflict, Invalid, QuotaExceeded
from goalgraph.ports.live import Stream
from goalgraph.table import settled
from goalgraph.table.items import CoreItem
from users import services as users


@dataclass(frozen=True, slots=True)
class Stats:
    """What a member earned so far. The streak is as it stands now, by the member's present local date."""

    score: int
    level: int
    streak: Standing
    badges: list[str]
    rest_days: list[str]


@dataclass(frozen=True, slots=True)
class SeasonStats:
    """A season, whether it runs, and the actor's own points in it."""

    season: Season
    current: bool
    score: int


def game_stats(actor: Actor) -> Stats:
    """The actor's sums of all time; zeros before the first point."""
    return _stats(repository.aggregate(actor, actor.user_id, ALL_TIME, consistent=True), users.me(actor).timezone)


def stats_among(items: Iterable[CoreItem]) -> Stats:
    """The same out of what a query of a member's partition found."""
    found = list(items)
    total = next((item for item in found if isinstance(item, GameAggregate) and item.season == ALL_TIME), None)
    zone = users.profile_among(Actor(total.owner_id), found).timezone if total else "UTC"
    return _stats(total, zone)


def seasons(actor: Actor) -> list[SeasonStats]:
    """The one that runs, then those in which the actor had points, newest first, then the one of all time."""
    running = season_of(wiring.clock().now())
    scores = {total.season: int(total.score) for total in repository.seasons_of(actor, actor.user_id, consistent=True)}
    total = repository.aggregate(actor, actor.user_id, ALL_TIME, consistent=True)
    quarters = sorted({running, *scores}, reverse=True)
    ended = [SeasonStats(season_named(each), each == running, scores.get(each, 0)) for each in quarters]
    return [*ended, SeasonStats(season_named(ALL_TIME), True, int(total.score) if total else 0)]


def use_streak_freeze(actor: Actor, day: str | None = None) -> Stats:
    """Set a freeze aside for `day` (`2027-07-01`; None: today), by the actor's local dates: today or one of the next 7 days.

    A day that was missed takes a freeze by itself, so it needs none. Repeating it changes nothing. Raises Invalid, Conflict where the day
    is done or for rest, QuotaExceeded where no freeze is left.
    """
    wanted = None if day is None else _date(day)

    def change(off: DaysOff, total: GameAggregate, now: datetime, zone: str) -> DaysOff:
        today = local_date(now, zone)
        chosen = wanted or today
        if chosen in off.freezes:
            return off
        _check_freezable(chosen, today, off, total, standing(total.streak(), total.seen(), total.off(), now, zone))
        return replace(off, freezes=off.freezes | {chosen})

    return _days_off_changed(actor, change)


def set_rest_days(actor: Actor, days: Sequence[str]) -> Stats:
    """From next Monday on, these days of the week (`monday`, ...) neither break the streak nor need a freeze.

    Raises Invalid for more than 3 of them, and QuotaExceeded after 100 changes.
    """
    names = [inputs.one_of(day, WEEKDAYS, field="days") for day in days[:8]]
    weekdays = tuple(sorted({WEEKDAYS.index(name) for name in names}))
    if len(weekdays) > MAX_REST_DAYS or len(days) > len(WEEKDAYS):
        raise Invalid(f"At most {MAX_REST_DAYS} days of the week, please.", field="days")

    def change(off: DaysOff, _: GameAggregate, now: datetime, zone: str) -> DaysOff:
        today = local_date(now, zone)
        monday = today + timedelta(days=7 - today.weekday())
        if off.weekdays(monday) == weekdays:
            return off
        changed = off.with_rest(Rest(monday, now, weekdays))
        if len(changed.rest) > MAX_REST_CHANGES:
            raise QuotaExceeded("You have changed your rest days as often as one may.")
        return changed

    return _days_off_changed(actor, change)


def follow(actor: Actor) -> Stream:
    """The actor's stats, each time that they change."""
    return live.stats(actor, lambda: game_stats(actor))


def _days_off_changed(actor: Actor, change: Callable[[DaysOff, GameAggregate, datetime, str], DaysOff]) -> Stats:
    """Add to the days off in the ledger, and say so in the sums, from which it is shown."""
    zone = users.me(actor).timezone

    def attempt() -> GameAggregate:
        book, total = repository.streak_books(actor, actor.user_id)
        ledger = book.ledger()
        off = change(ledger.off, total, wiring.clock().now(), zone)
        if off != ledger.off:
            _write(actor, book, total, off)
        return total

    total = settled(attempt)
    live.changed(actor, actor.user_id)
    return _stats(total, zone)


def _write(actor: Actor, book: StreakLedger, total: GameAggregate, off: DaysOff) -> None:
    book.set_ledger(replace(book.ledger(), off=off))
    total.set_streak(total.streak(), total.seen(), off)
    repository.save(actor, [book, total])


def _check_freezable(chosen: date, today: date, off: DaysOff, total: GameAggregate, streak: Standing) -> None:
    if not today <= chosen <= today + timedelta(days=PLANNED_DAYS):
        raise Invalid(
            f"Today or one of the next {PLANNED_DAYS} days, please. A day that was missed takes a freeze by itself.", field="date"
        )
    if off.rests_on(chosen):
        raise Conflict("That is one of your rest days. It needs no freeze.")
    last = total.streak().last
    if last is not None and chosen <= last:
        raise Conflict("That day is done. It needs no freeze.")
    if not streak.freezes:
        raise QuotaExceeded("You have no freeze left. Each 7th day of a streak earns one.")


def _stats(total: GameAggregate | None, zone: str) -> Stats:
    total, now = total or GameAggregate(), wiring.clock().now()
    off = total.off()
    rest = [WEEKDAYS[day] for day in _newest(off)]
    streak = standing(total.streak(), total.seen(), off, now, zone)
    return Stats(int(total.score), int(total.level), streak, list(total.badges), rest)


def _newest(off: DaysOff) -> tuple[int, ...]:
    """The rest days as the member last chose them, whether they hold yet or not."""
    return max(off.rest).weekdays if off.rest else ()


def _date(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise Invalid("Give a date as in 2027-07-01.", field="date")
    return day
