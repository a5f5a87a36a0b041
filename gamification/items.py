"""What a member earned: the events, the days, the streak's ledger, and the sums. Only the sum of all time stands where home reads."""

from datetime import date, datetime

from pynamodb.attributes import BooleanAttribute, ListAttribute, NumberAttribute, UnicodeAttribute

from gamification.domain import ALL_TIME, DaysOff, Ledger, Page, Rest, Seen, Streak, packed, unpacked
from goalgraph.table import keys
from goalgraph.table.attributes import InstantAttribute, JSONText, instant_text
from goalgraph.table.items import CoreItem
from goalgraph.table.port import IndexKey, Key


class GameEvent(CoreItem, discriminator="GameEvent"):
    """What points were given for, and whether they were taken back. A completion has one, whichever of its two events comes first.

    `game_event_id` is the id of the event, or of the completion. `given_by` and `taken_by` are the events that have had their effect.
    """

    game_event_id = UnicodeAttribute()
    given_by = UnicodeAttribute(null=True)
    taken_by = UnicodeAttribute(null=True)
    points = JSONText(default=dict)
    """By kind; none where it was taken back before it came."""
    at = InstantAttribute(null=True)
    """When it was done, and below: in which zone, on which of the member's days, in which season."""
    zone = UnicodeAttribute(null=True)
    day = UnicodeAttribute(null=True)
    season = UnicodeAttribute(null=True)
    counts_as_day = BooleanAttribute(default=False)
    by_premium = BooleanAttribute(default=False)

    def key(self) -> Key:
        return keys.game_event(self.owner_id, self.game_event_id)


class GameDay(CoreItem, discriminator="GameDay"):
    """One of a member's days: a page of the streak's ledger, and the sums of points that are capped by the day. It is kept for good."""

    day = UnicodeAttribute()
    tally = JSONText(default=dict)
    """Points by season and kind, before the caps."""
    counts = JSONText(default=dict)
    """How often each kind was given."""
    count = NumberAttribute(default=0)
    first_at = InstantAttribute(null=True)
    last_at = InstantAttribute(null=True)
    zones: ListAttribute[str] = ListAttribute(of=UnicodeAttribute, default=list)  # type: ignore[arg-type]
    by_premium = BooleanAttribute(default=False)

    @property
    def date(self) -> date:
        return date.fromisoformat(self.day)

    def page(self) -> Page:
        return Page(int(self.count), self.first_at, self.last_at, tuple(self.zones), self.by_premium)

    def set_page(self, page: Page) -> None:
        self.count, self.first_at, self.last_at = page.count, page.first, page.last
        self.zones, self.by_premium = list(page.zones), page.premium

    def key(self) -> Key:
        return keys.game_day(self.owner_id, self.date)


class StreakLedger(CoreItem, discriminator="StreakLedger"):
    """The pages of all days in short, and the days off. Days are bits of their year: a year takes 100 to 400 bytes."""

    done = JSONText(default=dict)
    premium_days = JSONText(default=dict)
    kept = JSONText(default=dict)
    freezes = JSONText(default=dict)
    rest = JSONText(default=list)

    def ledger(self) -> Ledger:
        off = DaysOff(_rests(self.rest), unpacked(self.freezes))
        return Ledger(unpacked(self.done), unpacked(self.premium_days), unpacked(self.kept), off)

    def set_ledger(self, ledger: Ledger) -> None:
        self.done, self.premium_days, self.kept = packed(ledger.done), packed(ledger.premium), packed(ledger.kept)
        self.freezes, self.rest = packed(ledger.off.freezes), _rest_texts(ledger.off.rest)

    def key(self) -> Key:
        return keys.streak_ledger(self.owner_id)


class GameAggregate(CoreItem, discriminator="GameAggregate"):
    """A member's sums over a season. The one of all time also tells the streak, as it stood when the last thing was done on its last day,
    and all that one needs to say how it stands now. It stands where the home screen's one query finds it.

    Whatever follows the scores (leaderboards) follows the changes of this item.
    """

    season = UnicodeAttribute(default=ALL_TIME)
    score = NumberAttribute(default=0)
    level = NumberAttribute(default=1)
    highest_level = NumberAttribute(null=True)
    """Of all time; see `highest`."""
    counts = JSONText(default=dict)
    """How often each kind was given points for and not taken back."""
    streak_current = NumberAttribute(default=0)
    streak_longest = NumberAttribute(default=0)
    streak_freezes = NumberAttribute(default=0)
    streak_day = UnicodeAttribute(null=True)
    streak_at = InstantAttribute(null=True)
    streak_zones: ListAttribute[str] = ListAttribute(of=UnicodeAttribute, default=list)  # type: ignore[arg-type]
    days_off = JSONText(default=dict)
    badges: ListAttribute[str] = ListAttribute(of=UnicodeAttribute, default=list)  # type: ignore[arg-type]
    shard = NumberAttribute(default=0)
    """Of its season's leaderboard."""

    @property
    def highest(self) -> int:
        """The highest level there ever was. Items that are older than the attribute stood on theirs."""
        return int(self.level if self.highest_level is None else self.highest_level)

    def set_level(self, level: int) -> None:
        self.highest_level = max(self.highest, level)
        self.level = level

    def streak(self) -> Streak:
        last = date.fromisoformat(self.streak_day) if self.streak_day else None
        return Streak(int(self.streak_current), int(self.streak_longest), int(self.streak_freezes), last)

    def seen(self) -> Seen | None:
        return None if self.streak_at is None else Seen(self.streak_at, tuple(self.streak_zones))

    def off(self) -> DaysOff:
        return DaysOff(_rests(self.days_off.get("rest", [])), frozenset(map(date.fromisoformat, self.days_off.get("freezes", []))))

    def set_streak(self, streak: Streak, seen: Seen | None, off: DaysOff) -> None:
        self.streak_current, self.streak_longest, self.streak_freezes = streak.current, streak.longest, streak.freezes
        self.streak_day = None if streak.last is None else streak.last.isoformat()
        self.streak_at, self.streak_zones = (seen.at, list(seen.zones)) if seen and streak.last else (None, [])
        ahead = off if streak.last is None else off.since(streak.last)
        days_off = {"rest": _rest_texts(ahead.rest), "freezes": [day.isoformat() for day in sorted(ahead.freezes)]}
        self.days_off = {kind: days for kind, days in days_off.items() if days}

    def key(self) -> Key:
        return keys.game_aggregate(self.owner_id, ALL_TIME) if self.season == ALL_TIME else keys.game_season(self.owner_id, self.season)

    def index_keys(self) -> tuple[IndexKey, ...]:
        return (keys.ranked(self.season, int(self.shard), int(self.score), self.owner_id),) if self.score > 0 else ()


def _rests(texts: list[list[str]]) -> tuple[Rest, ...]:
    return tuple(Rest(date.fromisoformat(since), datetime.fromisoformat(at), tuple(map(int, days))) for since, at, days in texts)


def _rest_texts(rests: tuple[Rest, ...]) -> list[list[str]]:
    return [[rest.since.isoformat(), instant_text(rest.at), "".join(map(str, rest.weekdays))] for rest in rests]
