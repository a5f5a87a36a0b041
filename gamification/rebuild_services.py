"""Repair: a member's days, ledger and sums made anew from what is known of each event, and events given that never came."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

from django.conf import settings

from gamification import live, repository
from gamification.award_services import apply, deeds, rules
from gamification.domain import ledger_of, streak_of
from gamification.items import GameAggregate, GameDay, GameEvent, StreakLedger
from gamification.points import added, badges, counted, level_of, scored
from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.feed.events import Event
from goalgraph.table import until_won
from goalgraph.table.items import CoreItem


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that was not as it should be: `what` names an item and its attribute."""

    what: str
    was: Any
    now: Any


def rebuild(actor: Actor, user_id: str, *, dry_run: bool = False) -> list[Difference]:
    """Make a member's days, ledger and sums anew, and return what differed; with `dry_run` nothing is written.

    Days whose events are all still kept are made from these; older ones stay, and everything else is made from the days. Days off and
    badges stay. Events may come in meanwhile. A cap that changed since counts as it is now. `actor` is the platform.
    Raises TransactionCanceled where events keep coming in, and TableUnavailable; it may be called again.
    """
    found = until_won(partial(_rebuild, actor, user_id, dry_run=dry_run))
    if found and not dry_run:
        live.changed(actor, user_id)
    return found


def repair(actor: Actor, events: Iterable[Event], *, dry_run: bool = False) -> list[Event]:
    """Apply those of `events` of which nothing is known, and return them; with `dry_run` nothing is written.

    What comes meanwhile all the same counts once. Events whose own item would have expired by now are passed over, for nobody knows
    whether there was one. `actor` is the platform. Raises as `award_services.apply` does; it may be called again.
    """
    told = [(event, deed) for event in events for deed in deeds(event) if deed.at.date() >= _horizon()]
    found = repository.game_events(actor, [(deed.user_id, deed.id) for _, deed in told])
    missing = {event.id: event for (event, _), item in zip(told, found, strict=True) if item is None}
    if not dry_run:
        for event in missing.values():
            apply(actor, event)
    return list(missing.values())


def _rebuild(actor: Actor, user_id: str, *, dry_run: bool) -> list[Difference]:
    ledger, total = repository.streak_books(actor, user_id)  # first: whatever comes in from now on changes the total
    seasons = repository.seasons_of(actor, user_id, consistent=True)
    stored = {day.date: day for day in repository.days_of(actor, user_id)}
    events = repository.events_of(actor, user_id)
    days = stored | _days(user_id, stored, events)
    if not days and total.version is None:
        return []

    scores = _scores(days.values())
    quarters = _quarters(user_id, seasons, scores)
    new_ledger, new_total = _streak(ledger, total, days)
    new_total.score = sum(scores.values())
    new_total.set_level(level_of(int(new_total.score)))
    new_total.counts = _counts(days.values())
    new_total.badges = badges(total.badges, new_total.counts, int(new_total.streak_longest))

    before: list[CoreItem] = [*stored.values(), ledger, *seasons, total]
    changed = _changed(before, [*days.values(), new_ledger, *quarters, new_total])
    if changed and not dry_run:
        others = [item for item in changed if item is not new_total]
        repository.save_many(actor, others, new_total)
    return _differences(before, changed)


def _horizon() -> date:
    """From here on the events of a day are all still kept."""
    return (wiring.clock().now() - timedelta(days=settings.GAME_EVENT_DAYS - 2)).date()


def _days(user_id: str, stored: Mapping[date, GameDay], events: Iterable[GameEvent]) -> dict[date, GameDay]:
    """The days from the horizon on, as their events make them."""
    horizon = _horizon()
    days = {day: _emptied(item) for day, item in stored.items() if day >= horizon}
    for event in events:
        if event.given_by is None or (day := date.fromisoformat(event.day)) < horizon:
            continue
        item = days.setdefault(day, GameDay(owner_id=user_id, day=event.day))
        stands = event.taken_by is None
        if event.counts_as_day:
            page = item.page().noted(event.at, event.zone, premium=event.by_premium)
            item.set_page(page.counted(1 if stands else 0))
        if stands:
            item.tally = added(item.tally, event.season, event.points)
            item.counts = counted(item.counts, event.points, 1)
    return days


def _emptied(item: GameDay) -> GameDay:
    """The item of a day without what is in it, so that what is written replaces it."""
    twin = item.copy()
    empty = GameDay()
    twin.set_page(empty.page())
    twin.tally, twin.counts = {}, {}
    return twin


def _scores(days: Iterable[GameDay]) -> dict[str, int]:
    table, scores = rules(), Counter[str]()
    for day in days:
        for season in day.tally:
            scores[season] += scored(day.tally, season, table)
    return dict(scores)


def _quarters(user_id: str, stored: Iterable[GameAggregate], scores: Mapping[str, int]) -> list[GameAggregate]:
    quarters = {item.season: item.copy() for item in stored}
    for season in (*scores, *list(quarters)):
        quarter = quarters.setdefault(season, repository.new_quarter(user_id, season))
        quarter.score = scores.get(season, 0)
    return [quarter for quarter in quarters.values() if quarter.score or quarter.version is not None]


def _streak(ledger: StreakLedger, total: GameAggregate, days: Mapping[date, GameDay]) -> tuple[StreakLedger, GameAggregate]:
    pages = {day: item.page() for day, item in days.items()}
    made = ledger_of(pages, ledger.ledger().off)
    new_ledger, new_total = ledger.copy(), total.copy()
    new_ledger.set_ledger(made)
    streak = streak_of(made)
    new_total.set_streak(streak, pages[streak.last].seen if streak.last else None, made.off)
    return new_ledger, new_total


def _counts(days: Iterable[GameDay]) -> dict[str, int]:
    counts = Counter[str]()
    for day in days:
        counts.update(day.counts)
    return dict(counts)


def _changed(before: Iterable[CoreItem], after: Iterable[CoreItem]) -> list[CoreItem]:
    known = {item.key(): item for item in before}
    return [item for item in after if _facts(item) != _facts(known.get(item.key()))]


def _differences(before: Iterable[CoreItem], changed: Iterable[CoreItem]) -> list[Difference]:
    known = {item.key(): item for item in before}
    found = []
    for item in changed:
        was, now = _facts(known.get(item.key())), _facts(item)
        names = [name for name in now | was if was.get(name) != now.get(name)]
        found += [Difference(f"{item.key().sk} {name}", was.get(name), now.get(name)) for name in names]
    return found


def _facts(item: CoreItem | None) -> dict[str, Any]:
    """What an item says, without what the table stamps on it, and without what says nothing."""
    if item is None:
        return {}
    return {name: value for name, value in item.attribute_values.items() if name not in CoreItem.get_attributes() and value not in _NOTHING}


_NOTHING: tuple[Any, ...] = (None, 0, False, {}, [])
