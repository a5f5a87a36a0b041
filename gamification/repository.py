"""How events, days, ledgers and sums are read and written. `user_id` is whose they are; the actor may be the platform."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast

from django.conf import settings

from gamification.domain import ALL_TIME, Page
from gamification.items import GameAggregate, GameDay, GameEvent, StreakLedger
from goalgraph.auth.actor import Actor
from goalgraph.table import keys, table
from goalgraph.table.items import CoreItem
from goalgraph.table.keys import shard_of
from goalgraph.table.table import MAX_TRANSACTION, Put


def aggregate(actor: Actor, user_id: str, season: str, *, consistent: bool = False) -> GameAggregate | None:
    key = keys.game_aggregate(user_id, ALL_TIME) if season == ALL_TIME else keys.game_season(user_id, season)
    return cast("GameAggregate | None", table(actor).get(key, consistent=consistent))


def seasons_of(actor: Actor, user_id: str, *, consistent: bool = False) -> list[GameAggregate]:
    """The sums over each quarter in which the member had points, oldest first."""
    return table(actor).query(keys.game_seasons_of(user_id), consistent=consistent).items


def game_event(actor: Actor, user_id: str, event_id: str) -> GameEvent | None:
    return cast("GameEvent | None", table(actor).get(keys.game_event(user_id, event_id), consistent=True))


def game_events(actor: Actor, places: Sequence[tuple[str, str]]) -> list[GameEvent | None]:
    """By the ids of member and event."""
    found = table(actor).get_many([keys.game_event(*place) for place in places], consistent=True) if places else []
    return cast("list[GameEvent | None]", found)


def save_game_event(actor: Actor, event: GameEvent) -> None:
    table(actor).put(event)


@dataclass(slots=True)
class Books:
    """What one event changes. What is not there yet is here as it begins."""

    day: GameDay
    ledger: StreakLedger
    total: GameAggregate
    quarter: GameAggregate


def books(actor: Actor, user_id: str, day: date, season: str) -> Books:
    """One round trip."""
    places = [keys.game_day(user_id, day), keys.streak_ledger(user_id), keys.game_aggregate(user_id, ALL_TIME)]
    found = table(actor).get_many([*places, keys.game_season(user_id, season)], consistent=True)
    page, ledger, total, quarter = found
    return Books(
        cast("GameDay", page or GameDay(owner_id=user_id, day=day.isoformat())),
        cast("StreakLedger", ledger or StreakLedger(owner_id=user_id)),
        _placed(cast("GameAggregate", total or GameAggregate(owner_id=user_id))),
        _placed(cast("GameAggregate", quarter)) if quarter else new_quarter(user_id, season),
    )


def new_quarter(user_id: str, season: str) -> GameAggregate:
    return _placed(GameAggregate(owner_id=user_id, season=season))


def _placed(total: GameAggregate) -> GameAggregate:
    """On the shard of the leaderboard that is its member's, by as many as there are now."""
    total.shard = shard_of(total.owner_id, settings.LEADERBOARD_SHARDS)
    return total


def pages(actor: Actor, user_id: str, days: Sequence[date]) -> dict[date, Page]:
    found = table(actor).get_many([keys.game_day(user_id, day) for day in days], consistent=True) if days else []
    return {item.date: item.page() for item in found if isinstance(item, GameDay)}


def streak_books(actor: Actor, user_id: str) -> tuple[StreakLedger, GameAggregate]:
    found = table(actor).get_many([keys.streak_ledger(user_id), keys.game_aggregate(user_id, ALL_TIME)], consistent=True)
    ledger, total = found
    found_total = cast("GameAggregate", total or GameAggregate(owner_id=user_id))
    return cast("StreakLedger", ledger or StreakLedger(owner_id=user_id)), _placed(found_total)


def save(actor: Actor, items: Sequence[CoreItem]) -> None:
    """All of them, each unless somebody else wrote it meanwhile."""
    table(actor).transact([Put(item) for item in items])


def save_many(actor: Actor, items: Sequence[CoreItem], last: CoreItem) -> None:
    """More than one transaction may hold; `last` is in the last one."""
    *full, rest = [items[start : start + MAX_TRANSACTION - 1] for start in range(0, max(1, len(items)), MAX_TRANSACTION - 1)]
    for chunk in full:
        save(actor, chunk)
    save(actor, [*rest, last])


def days_of(actor: Actor, user_id: str) -> list[GameDay]:
    """All of them, oldest first."""
    return table(actor).query(keys.game_days(user_id), consistent=True).items


def events_of(actor: Actor, user_id: str) -> list[GameEvent]:
    """Those that are still kept."""
    return table(actor).query(keys.game_events_of(user_id), consistent=True).items
