"""Adapters of the `leaderboards` port: `RedisLeaderboards` on sorted sets, `MemoryLeaderboards` for tests."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import wraps
from itertools import islice
from typing import Any, TypeVar, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from goalgraph.ports.leaderboards import LeaderboardsUnavailable, Place, in_order, ranked

F = TypeVar("F", bound=Any)
CHUNK = 1_000
"""Scores that are filled in at once."""
GRACE_SECONDS = 60
"""How long boards that were replaced stay for those who are about to read them."""
FILLING_SECONDS = 60
"""A filling that has done nothing for so long was broken off."""
UNPUBLISHED_SECONDS = 6 * 3600
"""How long boards stay whose filling was broken off: longer than any takes."""


def _unavailable(method: F) -> F:
    @wraps(method)
    def guarded(self: Any, *arguments: Any) -> Any:
        try:
            return method(self, *arguments)
        except redis.RedisError as error:
            raise LeaderboardsUnavailable(type(error).__name__) from error

    return cast("F", guarded)


class RedisLeaderboards:
    """A sorted set for each board, its scores negated, so that its order is the board's: best first, then by user id.

    The sets of a realm belong to a generation, which the key `...current` names. Filling makes a new one beside it and then changes
    that key, so readers never see a board that is half filled; a Redis that lost its data has no such key, so it is never taken for empty.
    What is `put` while a new generation is filled goes into both, and filling never overwrites it.
    """

    def __init__(self, url: str) -> None:
        self._redis: Any = redis.Redis.from_url(  # the stubs mix its sync and async answers
            url, socket_timeout=2.0, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 0), decode_responses=True
        )

    @_unavailable
    def put(self, realm: str, scores: Mapping[str, Mapping[str, int]]) -> None:
        current, building = self._redis.mget(_current(realm), _building(realm))
        with self._redis.pipeline(transaction=False) as pipeline:
            if current:
                self._fill(pipeline, realm, current, scores)
            if building:
                self._fill(pipeline, realm, building, scores, building=True)
            pipeline.execute()

    @_unavailable
    def top(self, realm: str, board: str, count: int) -> list[Place]:
        found = self._redis.zrange(self._board(realm, board), 0, count - 1, withscores=True)
        return ranked(_scored(found))

    @_unavailable
    def around(self, realm: str, board: str, user_id: str, each_side: int) -> list[Place]:
        key = self._board(realm, board)
        index = self._redis.zrank(key, user_id)
        if index is None:
            return []
        first = max(0, index - each_side)
        found = self._redis.zrange(key, first, index + each_side, withscores=True)
        ahead = self._redis.zcount(key, "-inf", f"({found[0][1]}")
        places = ranked(_scored(found), index=first, ahead=ahead)
        return places if any(place.user_id == user_id for place in places) else []

    @_unavailable
    def scores(self, realm: str, board: str, user_ids: Collection[str]) -> dict[str, int]:
        if not user_ids:
            return {}
        found = self._redis.zmscore(self._board(realm, board), list(user_ids))
        return {user_id: -int(stored) for user_id, stored in zip(user_ids, found, strict=True) if stored}

    @_unavailable
    def is_complete(self, realm: str) -> bool:
        return bool(self._redis.exists(_current(realm)))

    @_unavailable
    def replace(self, realm: str, scores: Iterable[tuple[str, str, int]]) -> None:
        generation = uuid.uuid4().hex[:12]
        if not self._redis.set(_building(realm), generation, ex=FILLING_SECONDS, nx=True):
            raise LeaderboardsUnavailable("they are being filled already")
        for chunk in _chunks(scores, CHUNK):
            self._go_on(realm, generation)
            with self._redis.pipeline(transaction=False) as pipeline:
                self._fill(pipeline, realm, generation, _by_board(chunk), building=True, only_new=True)
                pipeline.execute()
        if before := self._publish(realm, generation):
            self._forget(realm, before)

    def _go_on(self, realm: str, generation: str) -> None:
        """Raises where we took so long for the last chunk that another filling may have begun."""
        if self._redis.getex(_building(realm), ex=FILLING_SECONDS) != generation:
            raise LeaderboardsUnavailable("filling them took too long")

    def _publish(self, realm: str, generation: str) -> str | None:
        """Returns the generation before."""
        boards = self._redis.smembers(_boards(realm, generation))
        with self._redis.pipeline() as pipeline:
            pipeline.watch(_building(realm))
            if pipeline.get(_building(realm)) != generation:
                raise LeaderboardsUnavailable("filling them took too long")
            pipeline.multi()
            pipeline.set(_current(realm), generation, get=True).delete(_building(realm)).persist(_boards(realm, generation))
            for board in boards:
                pipeline.persist(_key(realm, generation, board))
            before: str | None = pipeline.execute()[0]
        return before

    @staticmethod
    def _fill(
        pipeline: Any,
        realm: str,
        generation: str,
        scores: Mapping[str, Mapping[str, int]],
        *,
        building: bool = False,
        only_new: bool = False,
    ) -> None:
        """Who has no score any more stays on the board, unseen: a filling that read an older score would bring them back. What is not
        published goes by itself, for a filling may break off."""
        for board, entries in scores.items():
            pipeline.zadd(_key(realm, generation, board), {user_id: -score for user_id, score in entries.items()}, nx=only_new)
            if building:
                pipeline.expire(_key(realm, generation, board), UNPUBLISHED_SECONDS)
        if scores:
            pipeline.sadd(_boards(realm, generation), *scores)
        if building:
            pipeline.expire(_boards(realm, generation), UNPUBLISHED_SECONDS)

    def _forget(self, realm: str, generation: str) -> None:
        """Those who have just read the generation's name still find its boards for a while."""
        names = self._redis.smembers(_boards(realm, generation))
        with self._redis.pipeline(transaction=False) as pipeline:
            for board in names:
                pipeline.expire(_key(realm, generation, board), GRACE_SECONDS)
            pipeline.expire(_boards(realm, generation), GRACE_SECONDS)
            pipeline.execute()

    def _board(self, realm: str, board: str) -> str:
        generation = self._redis.get(_current(realm))
        if not generation:
            raise LeaderboardsUnavailable("the boards are not filled")
        return _key(realm, generation, board)


class MemoryLeaderboards:
    """Boards in memory, complete from the start."""

    def __init__(self) -> None:
        self.realms: dict[str, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))

    def put(self, realm: str, scores: Mapping[str, Mapping[str, int]]) -> None:
        for board, entries in scores.items():
            self.realms[realm][board].update(entries)

    def top(self, realm: str, board: str, count: int) -> list[Place]:
        return ranked(in_order(self.realms[realm][board]))[:count]

    def around(self, realm: str, board: str, user_id: str, each_side: int) -> list[Place]:
        places = ranked(in_order(self.realms[realm][board]))
        at = next((index for index, place in enumerate(places) if place.user_id == user_id), None)
        return [] if at is None else places[max(0, at - each_side) : at + each_side + 1]

    def scores(self, realm: str, board: str, user_ids: Collection[str]) -> dict[str, int]:
        found = self.realms[realm][board]
        return {user_id: found[user_id] for user_id in user_ids if found.get(user_id)}

    def is_complete(self, realm: str) -> bool:  # noqa: ARG002 - memory loses nothing
        return True

    def replace(self, realm: str, scores: Iterable[tuple[str, str, int]]) -> None:
        self.realms[realm] = _by_board(scores)


def _scored(found: Iterable[tuple[str, float]]) -> Iterator[tuple[str, int]]:
    return ((user_id, -int(stored)) for user_id, stored in found)


def _by_board(entries: Iterable[tuple[str, str, int]]) -> dict[str, dict[str, int]]:
    boards: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for board, user_id, score in entries:
        boards[board][user_id] = score
    return boards


def _chunks(entries: Iterable[tuple[str, str, int]], size: int) -> Iterator[list[tuple[str, str, int]]]:
    rest = iter(entries)
    while chunk := list(islice(rest, size)):
        yield chunk


def _current(realm: str) -> str:
    return f"gg.boards.{realm}.current"


def _building(realm: str) -> str:
    return f"gg.boards.{realm}.building"


def _boards(realm: str, generation: str) -> str:
    return f"gg.boards.{realm}.{generation}"


def _key(realm: str, generation: str, board: str) -> str:
    return f"gg.board.{realm}.{generation}.{board}"
