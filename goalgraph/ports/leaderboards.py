"""Rankings by score, of up to millions of members, as a port. They are a copy: whoever fills them can fill them again."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol


class LeaderboardsUnavailable(Exception):
    """The store does not answer, or the realm was never filled, or it lost what it had."""


@dataclass(frozen=True, slots=True)
class Place:
    """Who shares a score shares a rank, and the next one's counts them all: 1, 2, 2, 4. `rank` None: not known."""

    user_id: str
    score: int
    rank: int | None


class Leaderboards(Protocol):
    """The boards of a realm (a tenant) are filled together and are complete together. Only scores above 0 stand on a board.

    Every method may block and raises LeaderboardsUnavailable; readers also where the realm is not complete.
    """

    def put(self, realm: str, scores: Mapping[str, Mapping[str, int]]) -> None:
        """Set scores of members, by board; 0 takes a member off. The last one who sets wins, so set what was read a moment ago.

        Where the realm is not complete this does nothing: filling it reads the same scores.
        """

    def top(self, realm: str, board: str, count: int) -> list[Place]:
        """The first `count`, best first; who shares a score stands in the order of user ids."""

    def around(self, realm: str, board: str, user_id: str, each_side: int) -> list[Place]:
        """A member with up to `each_side` before and behind; empty where the member is not on the board."""

    def scores(self, realm: str, board: str, user_ids: Collection[str]) -> dict[str, int]:
        """The scores of those of `user_ids` who are on the board."""

    def is_complete(self, realm: str) -> bool:
        """Whether readers are served."""

    def replace(self, realm: str, scores: Iterable[tuple[str, str, int]]) -> None:
        """Fill the realm anew from (board, member, score). Readers see the old boards until all is there; what is `put` meanwhile wins.

        One at a time: raises LeaderboardsUnavailable while another one is at it.
        """


def in_order(scores: Mapping[str, int]) -> list[tuple[str, int]]:
    """Members with their scores, best first; who shares a score stands in the order of user ids."""
    return sorted(scores.items(), key=lambda entry: (-entry[1], entry[0]))


def ranked(found: Iterable[tuple[str, int]], *, index: int = 0, ahead: int = 0) -> list[Place]:
    """The places of a stretch of a board that begins at `index`, up to the first member without a score; `ahead` members are better than
    the first one of the stretch."""
    places: list[Place] = []
    for position, (user_id, score) in enumerate(found, start=index):
        if score <= 0:
            break
        rank = ahead + 1 if not places else places[-1].rank if score == places[-1].score else position + 1
        places.append(Place(user_id, score, rank))
    return places
