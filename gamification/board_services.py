"""Leaderboards: of all members, of those with a tag, of one's connections, and around oneself.

The `leaderboards` port holds a copy of what the aggregates say. Where it cannot be read, the aggregates themselves are: they know the
order, but not how many are ahead of somebody in the middle.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from gamification import board_repository
from gamification.domain import ALL_TIME, season_named, season_of
from gamification.items import GameAggregate
from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Invalid
from goalgraph.inputs import tags as checked_tags
from goalgraph.ports.leaderboards import Leaderboards, LeaderboardsUnavailable, Place, in_order, ranked
from users import connection_services, services

if TYPE_CHECKING:
    from users.items import Profile

logger = logging.getLogger(__name__)
T = TypeVar("T")

GLOBAL, CONNECTIONS, AROUND, TAG = "global", "connections", "around", "tag:"
MAX_ROWS = 100
MAX_CONNECTIONS = 500
"""Of so many connections the scores are compared; who has more sees the first ones by user id."""
LOOKED_THROUGH = 500
"""So many of the best are looked through for those with a tag while the port cannot be read."""
_TRIES = 5
AT_ONCE = 100


def leaderboard(actor: Actor, season: str | None = None, scope: str = GLOBAL, *, first: int = 20) -> list[Place]:
    """The best `first` of a season (None: the one that runs), or of `around` oneself with as many as fit on both sides. Raises Invalid."""
    if not 1 <= first <= MAX_ROWS:
        raise Invalid(f"1 to {MAX_ROWS} rows, please.", field="first")
    checked = _season(season)
    if scope == GLOBAL:
        return _either(checked, lambda: _boards().top(_realm(actor), checked, first), lambda: _best(actor, checked, first))
    if scope == AROUND:
        each_side = (first - 1) // 2
        return _either(
            checked, lambda: _boards().around(_realm(actor), checked, actor.user_id, each_side), lambda: _around(actor, checked, each_side)
        )
    if scope == CONNECTIONS:
        people = [actor.user_id, *connection_services.connected_ids(actor, MAX_CONNECTIONS)]
        scores = _either(checked, lambda: _boards().scores(_realm(actor), checked, people), lambda: _scores(actor, checked, people))
        return ranked(in_order(scores))[:first]
    if scope.startswith(TAG):
        (tag,) = checked_tags([scope.removeprefix(TAG)], field="scope", most=1)
        return _either(
            checked, lambda: _boards().top(_realm(actor), _tagged(checked, tag), first), lambda: _best_with(actor, checked, tag, first)
        )
    raise Invalid(f"One of {GLOBAL}, {CONNECTIONS}, {AROUND} and {TAG}<tag>, please.", field="scope")


def people_on(actor: Actor, places: Sequence[Place]) -> "dict[str, Profile]":
    """Those on a leaderboard whom the actor may see, by user id."""
    others = [place.user_id for place in places if place.user_id != actor.user_id]
    return services.visible_among(actor, others) | {actor.user_id: services.me(actor)}


# Filling ---------------------------------------------------------------------------------------------------------------------------


def publish(actor: Actor, user_id: str, *, retagged: Iterable[str] = ()) -> None:
    """Set what the boards of all time and of this season say of a member; and of those with `retagged`, tags they got or lost.

    The last one who sets wins, and two may be at it; so what was set is compared to what then is so, until it is the same. Raises
    LeaderboardsUnavailable.
    """
    for _ in range(_TRIES):
        scores = _entries_of(actor, user_id, retagged)
        _boards().put(_realm(actor), scores)
        if scores == _entries_of(actor, user_id, retagged):
            return


def rebuild(actor: Actor, progress: Callable[[int], None] = lambda _: None) -> int:
    """Fill the boards of a tenant anew from the aggregates, and return how many there were. `progress` is told now and then how many it
    has so far. Raises LeaderboardsUnavailable."""
    done = 0

    def entries() -> Iterator[tuple[str, str, int]]:
        nonlocal done
        for season in (ALL_TIME, _now()):
            for chunk in _chunks(board_repository.all_of(actor, season), AT_ONCE):
                tags = services.tags_of(actor, [item.owner_id for item in chunk])
                for item in chunk:
                    for board in (season, *(_tagged(season, tag) for tag in tags[item.owner_id])):
                        yield board, item.owner_id, int(item.score)
                done += len(chunk)
                progress(done)

    _boards().replace(_realm(actor), entries())
    return done


def is_complete(actor: Actor) -> bool:
    """Whether the boards of a tenant are filled. False also where their store does not answer."""
    try:
        return _boards().is_complete(_realm(actor))
    except LeaderboardsUnavailable:
        return False


# ---------------------------------------------------------------------------------------------------------------------------------------


def _entries_of(actor: Actor, user_id: str, retagged: Iterable[str]) -> dict[str, dict[str, int]]:
    """A member's scores by board. Who lost a tag has none on its boards."""
    tags = set(services.tags_of(actor, [user_id])[user_id])
    entries: dict[str, dict[str, int]] = {}
    for season in (ALL_TIME, _now()):
        score = _scores(actor, season, [user_id]).get(user_id, 0)
        entries[season] = {user_id: score}
        entries |= {_tagged(season, tag): {user_id: score if tag in tags else 0} for tag in tags | set(retagged)}
    return entries


def _either(season: str, read: Callable[[], T], read_aggregates: Callable[[], T]) -> T:
    """The port has the season that runs and the one of all time. One that is over is read from the aggregates."""
    if season not in (ALL_TIME, _now()):
        return read_aggregates()
    try:
        return read()
    except LeaderboardsUnavailable as error:
        logger.warning("leaderboards are read from the aggregates: %s", error)
        return read_aggregates()


def _best(actor: Actor, season: str, first: int) -> list[Place]:
    return ranked((item.owner_id, int(item.score)) for item in board_repository.best(actor, season, first))


def _best_with(actor: Actor, season: str, tag: str, first: int) -> list[Place]:
    found = board_repository.best(actor, season, LOOKED_THROUGH)
    tags = services.tags_of(actor, [item.owner_id for item in found])
    return ranked(islice(((item.owner_id, int(item.score)) for item in found if tag in tags[item.owner_id]), first))


def _around(actor: Actor, season: str, each_side: int) -> list[Place]:
    own = board_repository.aggregates(actor, season, [actor.user_id], consistent=True)
    if not own or own[0].score <= 0:
        return []
    return [Place(item.owner_id, int(item.score), None) for item in board_repository.around(actor, own[0], each_side)]


def _scores(actor: Actor, season: str, user_ids: Sequence[str]) -> dict[str, int]:
    return {item.owner_id: int(item.score) for item in board_repository.aggregates(actor, season, user_ids, consistent=True)}


def _season(season: str | None) -> str:
    if season is None:
        return _now()
    try:
        return season_named(season).id
    except ValueError as error:
        raise Invalid("There is no such season. A quarter is written like 2027Q3, all time is all.", field="season") from error


def _now() -> str:
    return season_of(wiring.clock().now())


def _tagged(season: str, tag: str) -> str:
    return f"{season}.{tag}"


def _realm(actor: Actor) -> str:
    return actor.tenant_id or ""


def _boards() -> Leaderboards:
    return wiring.leaderboards()


def _chunks(items: Iterator[GameAggregate], size: int) -> Iterator[list[GameAggregate]]:
    while chunk := list(islice(items, size)):
        yield chunk
