"""A leaderboard of 1,000,000 members on Redis: filling it, one score, the top 100, a member's own rank with those around them."""

import random
import statistics
import time
from collections.abc import Callable, Iterator

from goalgraph.adapters.leaderboards import RedisLeaderboards
from tests.bench.report import Goal, heading, say, table
from tests.bench.stage import Stage

MEMBERS = 1_000_000
SMALL = 1_000
CALLS = 2_000


def run(stage: Stage) -> list[Goal]:
    heading(f"leaderboard: a board of {MEMBERS:,} members")
    boards = RedisLeaderboards(f"{stage.services.redis_url}/0")
    pick = random.Random(7)
    before = time.perf_counter()
    boards.replace("large", entries(MEMBERS, pick))
    say(f"filled in {time.perf_counter() - before:.1f} s, {memory(stage):.0f} MiB in Redis")
    boards.replace("small", entries(SMALL, pick))

    works: dict[str, Callable[[str, int], object]] = {
        "set a score": lambda realm, who: boards.put(realm, {"all": {user(who): pick.randrange(1, 100_000)}}),
        "top 100": lambda realm, _who: boards.top(realm, "all", 100),
        "my rank and 10 around me": lambda realm, who: boards.around(realm, "all", user(who), 5),
        "among 100 connections": lambda realm, who: boards.scores(realm, "all", [user((who + n) % SMALL) for n in range(100)]),
    }
    measured = {name: (latencies(work, "small", SMALL, pick), latencies(work, "large", MEMBERS, pick)) for name, work in works.items()}
    rows = [
        (name, *(f"{value:.2f}" for value in (percentile(small, 50), percentile(large, 50), percentile(large, 99))))
        for name, (small, large) in measured.items()
    ]
    table(("ms from asking to having the answer", f"p50 of {SMALL:,}", f"p50 of {MEMBERS:,}", "p99"), rows)
    ratios = [percentile(large, 50) / percentile(small, 50) for small, large in measured.values()]
    return [Goal(f"{MEMBERS:,} members beside {SMALL:,}: the question that grows most takes as many times as long", max(ratios), 3.0)]


def user(number: int) -> str:
    return f"01930000-0000-7000-8000-{number:012d}"


def entries(count: int, pick: random.Random) -> Iterator[tuple[str, str, int]]:
    return (("all", user(number), pick.randrange(1, 100_000)) for number in range(count))


def latencies(work: Callable[[str, int], object], realm: str, members: int, pick: random.Random) -> list[float]:
    """Milliseconds, one call after another."""
    taken = []
    for _ in range(CALLS):
        who = pick.randrange(members)
        before = time.perf_counter()
        work(realm, who)
        taken.append((time.perf_counter() - before) * 1e3)
    return taken


def percentile(values: list[float], which: int) -> float:
    return statistics.quantiles(values, n=100)[which - 1]


def memory(stage: Stage) -> float:
    import redis

    with redis.Redis.from_url(f"{stage.services.redis_url}/0") as client:
        return float(client.info("memory")["used_memory"]) / 2**20
