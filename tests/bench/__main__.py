"""`python -m tests.bench [--list] [--profile] [--rounds N] [--requests N] [name ...]`: run the named benchmarks, all by default.

Ends with status 1 when a goal is missed. Starts its own services on free ports of 127.0.0.1 and stops them, also on Ctrl-C.
"""

import argparse
import importlib
import pkgutil
import signal
import sys
from types import ModuleType

import tests.bench
from goalgraph.adapters.local.embedded import ServiceError
from tests.bench.report import machine, say, verdicts
from tests.bench.stage import Options, Stage

PREFIX = "bench_"


def names() -> list[str]:
    """All benchmarks there are."""
    return sorted(found.name.removeprefix(PREFIX) for found in pkgutil.iter_modules(tests.bench.__path__) if found.name.startswith(PREFIX))


def module(name: str) -> ModuleType:
    return importlib.import_module(f"{tests.bench.__name__}.{PREFIX}{name}")


def options() -> tuple[list[str], bool, Options]:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="GoalGraph's benchmarks.")
    parser.add_argument("name", nargs="*", help=f"one or more of: {', '.join(names())}")
    parser.add_argument("--list", action="store_true", help="say what each benchmark measures, and do nothing")
    parser.add_argument("--profile", action="store_true", help="also show where the time goes, where a benchmark can tell")
    parser.add_argument("--rounds", type=int, default=Options.rounds, help="rounds whose median counts (%(default)s)")
    parser.add_argument("--requests", type=int, default=Options.requests, help="requests a round to each server (%(default)s)")
    given = parser.parse_args()
    if unknown := set(given.name) - set(names()):
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    return given.name or names(), given.list, Options(given.rounds, given.requests, given.profile)


def main() -> int:
    wanted, only_list, chosen = options()
    if only_list:
        for name in wanted:
            say(f"{name:<12}{(module(name).__doc__ or '').splitlines()[0]}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    say(machine())
    try:
        with Stage.open(chosen) as stage:
            goals = [goal for name in wanted for goal in module(name).run(stage)]
    except ServiceError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("Stopped.")
        return 130
    verdicts(goals)
    return 0 if all(goal.reached for goal in goals) else 1


if __name__ == "__main__":
    sys.exit(main())
