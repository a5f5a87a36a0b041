"""The leaderboards as the aggregates themselves have them: exact, and slower than a store made for ranks."""

from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import cast

from django.conf import settings

from gamification.domain import ALL_TIME
from gamification.items import GameAggregate
from goalgraph.auth.actor import Actor
from goalgraph.table import keys, table
from goalgraph.table.port import Key, Span

_PAGE = 100


def best(actor: Actor, season: str, limit: int) -> list[GameAggregate]:
    """Best first: one page of each shard."""
    pages = (_some(actor, keys.ranked_of(season, shard), limit) for shard in _shards())
    return list(islice(merge(*pages, key=_place), limit))


def around(actor: Actor, own: GameAggregate, each_side: int) -> list[GameAggregate]:
    """`own`, and up to `each_side` before and behind."""
    place = (own.season, int(own.score), own.owner_id)
    ahead = _nearest(actor, lambda shard: keys.ranked_ahead(place[0], shard, *place[1:]), each_side, forward=False)
    behind = _nearest(actor, lambda shard: keys.ranked_behind(place[0], shard, *place[1:]), each_side, forward=True)
    return [*reversed(ahead), own, *behind]


def aggregates(actor: Actor, season: str, user_ids: Sequence[str], *, consistent: bool = False) -> list[GameAggregate]:
    """Of those of `user_ids` who have one."""
    found = table(actor).get_many([_key(user_id, season) for user_id in user_ids], consistent=consistent)
    return [item for item in cast("list[GameAggregate | None]", found) if item is not None]


def all_of(actor: Actor, season: str) -> Iterator[GameAggregate]:
    """Everybody on the board, a shard after another, page by page."""
    for shard in _shards():
        after, more = None, True
        while more:
            page = table(actor).query(keys.ranked_of(season, shard), limit=_PAGE, after=after)
            yield from page.items
            more, after = page.has_more, page.cursors[-1] if page.cursors else None


def _nearest(actor: Actor, span: Callable[[int], Span], limit: int, *, forward: bool) -> list[GameAggregate]:
    pages = (_some(actor, span(shard), limit, forward=forward) for shard in _shards())
    return list(islice(merge(*pages, key=_place, reverse=not forward), limit))


def _some(actor: Actor, span: Span, limit: int, *, forward: bool = True) -> list[GameAggregate]:
    return table(actor).query(span, limit=limit, forward=forward).items if limit else []


def _place(aggregate: GameAggregate) -> tuple[int, str]:
    return -int(aggregate.score), aggregate.owner_id


def _key(user_id: str, season: str) -> Key:
    return keys.game_aggregate(user_id, ALL_TIME) if season == ALL_TIME else keys.game_season(user_id, season)


def _shards() -> range:
    return range(settings.LEADERBOARD_SHARDS)
