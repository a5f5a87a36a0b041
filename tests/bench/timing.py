"""CPU time of small pieces of code in this process."""

import statistics
import time
from collections.abc import Callable, Mapping

Work = Callable[[], object]

ROUNDS = 7


def cpu_us(works: Mapping[str, Work], *, calls: int) -> dict[str, float]:
    """CPU time of one call of each work, in microseconds, all threads: the median of 7 rounds of `calls` calls, the works in turn."""
    for work in works.values():
        work()
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            taken[name].append(_round(work, calls))
    return {name: statistics.median(rounds) for name, rounds in taken.items()}


def _round(work: Work, calls: int) -> float:
    before = time.process_time()
    for _ in range(calls):
        work()
    return (time.process_time() - before) * 1e6 / calls


def rows(taken: Mapping[str, float]) -> list[tuple[str, str, str]]:
    """For a table: name, microseconds, and how many times the first that is."""
    first = next(iter(taken.values()))
    return [(name, f"{each:.1f}" if each < 100 else f"{each:.0f}", f"{each / first:.1f}") for name, each in taken.items()]
