"""What an event is worth to a member, given and taken back exactly once.

An event, the member's day, their streak's ledger and their sums change in one transaction. The event's item says whether it has had its
effect, and every other item is written only as it was read; so of two at once one wins, and the other looks again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial

from django.conf import settings

from gamification import live, repository
from gamification.domain import Ledger, local_date, season_of, streak_of
from gamification.items import GameAggregate, GameEvent
from gamification.points import (
    CONNECTION,
    FIRST,
    GOAL,
    HELP,
    ON_TIME,
    RULES,
    TASK,
    Rule,
    Rules,
    added,
    badges,
    counted,
    level_of,
    scored,
    worth,
)
from gamification.repository import Books
from goalgraph.auth.actor import PREMIUM, Actor
from goalgraph.feed.events import Event
from goalgraph.ids import is_id
from goalgraph.table import until_won
from goalgraph.table.table import seconds
from users import services as users

_TRIES = 64
"""A busy member's events come in batches, and each of them writes the same sums."""


def rules() -> Rules:
    """The table of points, as the settings override it."""
    return {**RULES, **{kind: Rule(**rule) for kind, rule in settings.GAME_RULES.items()}}


@dataclass(frozen=True, slots=True)
class Deed:
    """What an event says that a member did. `id` is the same for a completion and for its being taken back."""

    id: str
    user_id: str
    at: datetime
    kinds: tuple[str, ...] = ()
    counts_as_day: bool = False
    taken_back: bool = False


def apply(actor: Actor, event: Event) -> None:
    """Give what `event` is worth, or take back what it takes back. The second time it does nothing. `actor` is the platform.

    Raises TransactionCanceled where others keep winning, and TableUnavailable; nothing is lost then, and it may be called again.
    """
    writer = replace(actor, tier=PREMIUM) if event.priority else actor
    for deed in deeds(event):
        until_won(partial(_take_back if deed.taken_back else _give, writer, event, deed), tries=_TRIES)
        live.changed(actor, deed.user_id)  # also the second time: the first one may have died before it


def deeds(event: Event) -> Iterator[Deed]:
    """What an event says, for each member whom it rewards; nothing for types that are worth nothing."""
    data = event.data
    match event.type:
        case "task.completed" if is_id(data.get("doneBy")):
            at = datetime.fromisoformat(data["doneAt"])
            yield Deed(data["completionId"], data["doneBy"], at, _kinds(event, at), counts_as_day=True)
        case "task.reopened" if is_id(data.get("doneBy")):
            yield Deed(data["completionId"], data["doneBy"], event.at, taken_back=True)
        case "goal.created":
            yield Deed(event.id, event.user_id, event.at, (GOAL,))
        case "connection.accepted":
            for user_id in (event.user_id, data["otherId"]):
                yield Deed(event.id, user_id, event.at, (CONNECTION,))


def _kinds(event: Event, done_at: datetime) -> tuple[str, ...]:
    due = event.data.get("dueAt")
    on_time = due is not None and done_at <= datetime.fromisoformat(due)
    helped = event.user_id != event.data["doneBy"]
    return (TASK, FIRST, *([ON_TIME] if on_time else []), *([HELP] if helped else []))


def _give(actor: Actor, event: Event, deed: Deed) -> None:
    found = repository.game_event(actor, deed.user_id, deed.id)
    if found is not None and found.given_by is not None:
        return
    record = found or GameEvent(owner_id=deed.user_id, game_event_id=deed.id)
    zone = users.me(Actor(user_id=deed.user_id, tenant_id=actor.tenant_id)).timezone
    record.given_by, record.at, record.zone, record.counts_as_day = event.id, deed.at, zone, deed.counts_as_day
    record.day, record.season = local_date(deed.at, zone).isoformat(), season_of(deed.at)
    record.by_premium = event.priority
    record.ttl = _kept_until(deed.at)
    if record.taken_by is None:
        record.points = worth(deed.kinds, rules())
    _post(actor, record, 0 if record.taken_by else 1)


def _take_back(actor: Actor, event: Event, deed: Deed) -> None:
    """Where the completion has not come yet, its item is made already, so that it will give nothing."""
    record = repository.game_event(actor, deed.user_id, deed.id)
    if record is None:
        marker = GameEvent(owner_id=deed.user_id, game_event_id=deed.id, taken_by=event.id, ttl=_kept_until(deed.at))
        repository.save_game_event(actor, marker)
    elif record.taken_by is None:
        record.taken_by = event.id
        _post(actor, record, -1)


def _post(actor: Actor, record: GameEvent, sign: int) -> None:
    """Write `record` and what follows from it. `sign` says whether it gives (1), takes back (-1), or only was (0)."""
    books = repository.books(actor, record.owner_id, date.fromisoformat(record.day), record.season)
    difference = _tallied(books, record, sign)
    changed = [record, books.day, books.total]
    if difference:
        books.quarter.score = int(books.quarter.score) + difference
        changed.append(books.quarter)
    if record.counts_as_day and _paged(actor, books, record, sign):
        changed.append(books.ledger)
    _settle(books.total, difference, record.points, sign)
    repository.save(actor, changed)


def _tallied(books: Books, record: GameEvent, sign: int) -> int:
    """Add the points to the day's sums; what that changes of what counts of them."""
    tally, table = books.day.tally, rules()
    books.day.tally = added(tally, record.season, record.points, sign)
    books.day.counts = counted(books.day.counts, record.points, sign)
    return scored(books.day.tally, record.season, table) - scored(tally, record.season, table)


def _paged(actor: Actor, books: Books, record: GameEvent, sign: int) -> bool:
    """Write the day's page, the ledger and the streak; whether the ledger changed."""
    before, ledger, day = books.day.page(), books.ledger.ledger(), books.day.date
    page = before.noted(record.at, record.zone, premium=record.by_premium).counted(sign)
    books.day.set_page(page)
    known = {day: page}
    after = ledger
    if (page.count > 0, page.first, page.zones, page.premium) != (before.count > 0, before.first, before.zones, before.premium) or (
        day != _last(ledger)
    ):
        known |= repository.pages(actor, record.owner_id, [each for each in ledger.around(day) if each is not None])
        after = ledger.posted(day, page, known)
    if after != ledger:
        books.ledger.set_ledger(after)
    last = _last(after)
    seen = known[last].seen if last in known else books.total.seen()
    books.total.set_streak(streak_of(after) if after != ledger else books.total.streak(), seen, after.off)
    return after != ledger


def _last(ledger: Ledger) -> date | None:
    return max(ledger.done, default=None)


def _settle(total: GameAggregate, difference: int, points: dict[str, int], sign: int) -> None:
    total.score = int(total.score) + difference
    total.set_level(level_of(int(total.score)))
    total.counts = counted(total.counts, points, sign)
    total.badges = badges(total.badges, total.counts, int(total.streak_longest))


def _kept_until(at: datetime) -> int:
    return seconds(at + timedelta(days=settings.GAME_EVENT_DAYS))
