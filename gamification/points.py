"""What is worth how many points, and what points and days add up to.

Points of a kind are summed for each of the member's days, and what counts of a sum is capped. So it does not matter in which order things
arrive, and taking something back leaves the sums as if it had never been.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isqrt

TASK, ON_TIME, HELP, FIRST, GOAL, CONNECTION = "task", "on_time", "help", "first", "goal", "connection"


@dataclass(frozen=True, slots=True)
class Rule:
    """`points` each time, and at most `cap` of them count on one day."""

    points: int
    cap: int


Rules = Mapping[str, Rule]
RULES: Rules = {
    TASK: Rule(10, 100),
    ON_TIME: Rule(5, 50),
    HELP: Rule(5, 25),
    FIRST: Rule(5, 5),
    GOAL: Rule(20, 40),
    CONNECTION: Rule(10, 20),
}
"""task: a task is done. on_time: and not later than it was due. help: and it is of somebody else's goal. first: each task brings it, and
it counts once a day. goal: a goal is set. connection: two members connect."""

Tally = Mapping[str, Mapping[str, int]]
"""A day's sums by season and kind. (A member's day may reach into two seasons, which change with UTC.)"""


def worth(kinds: Iterable[str], rules: Rules) -> dict[str, int]:
    return {kind: rules[kind].points for kind in kinds}


def added(tally: Tally, season: str, points: Mapping[str, int], sign: int = 1) -> dict[str, dict[str, int]]:
    """`tally` with `points` more, or less where `sign` is -1."""
    sums = dict(tally.get(season, {}))
    for kind, value in points.items():
        sums[kind] = sums.get(kind, 0) + sign * value
    after = {**{name: dict(each) for name, each in tally.items()}, season: {kind: value for kind, value in sums.items() if value}}
    return {name: each for name, each in after.items() if each}


def counted(counts: Mapping[str, int], points: Mapping[str, int], sign: int = 1) -> dict[str, int]:
    """How often each kind was given, once these points are given (1) or taken back (-1). What comes with another kind is not counted."""
    after = {**counts, **{kind: counts.get(kind, 0) + sign for kind in points if kind != FIRST}}
    return {kind: count for kind, count in after.items() if count}


def scored(tally: Tally, season: str, rules: Rules) -> int:
    """What counts of a day's sums. A kind that the rules no longer know counts in full."""
    return sum(min(value, rules[kind].cap) if kind in rules else value for kind, value in tally.get(season, {}).items())


def level_of(score: int) -> int:
    """Level n begins at 50 n (n - 1) points: 0, 100, 300, 600, 1000, ..."""
    return (1 + isqrt(1 + 4 * (score // 50))) // 2


_BY_COUNT = {
    "first_task": (TASK, 1),
    "tasks_10": (TASK, 10),
    "tasks_100": (TASK, 100),
    "tasks_1000": (TASK, 1000),
    "on_time_50": (ON_TIME, 50),
    "first_goal": (GOAL, 1),
    "helper": (HELP, 1),
    "helper_25": (HELP, 25),
    "first_connection": (CONNECTION, 1),
}
_BY_STREAK = {"streak_7": 7, "streak_30": 30, "streak_100": 100, "streak_365": 365}
BADGES = (*_BY_COUNT, *_BY_STREAK)


def badges(held: Iterable[str], counts: Mapping[str, int], longest: int) -> list[str]:
    """The badges held before, and behind them those that are earned by now. What was earned once stays."""
    before = list(held)
    earned = [name for name, (kind, least) in _BY_COUNT.items() if counts.get(kind, 0) >= least]
    earned += [name for name, least in _BY_STREAK.items() if longest >= least]
    return [*before, *(name for name in earned if name not in before)]
