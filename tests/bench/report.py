"""What the benchmarks print."""

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure has to reach: `value` is at most `limit`."""

    text: str
    value: float
    limit: float

    @property
    def reached(self) -> bool:
        return self.value <= self.limit


def say(text: str = "") -> None:
    print(text, flush=True)  # noqa: T201 - the program's output


def heading(text: str) -> None:
    say(f"\n{text}\n{'-' * len(text)}")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they need; the first is text, the others are figures."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        figures = (cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))
        say("  ".join([line[0].ljust(widths[0]), *figures]))


def verdicts(goals: Sequence[Goal]) -> None:
    if goals:
        heading("Goals")
    for goal in goals:
        say(f"{'reached' if goal.reached else 'MISSED '}  {goal.text}: {goal.value:.2f} (at most {goal.limit:.2f})")


def machine() -> str:
    """The machine in a line. Figures of two machines are not comparable; ratios nearly are."""
    info = Path("/proc/cpuinfo")
    models = (
        [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    )
    cpu = models[0] if models else platform.processor() or platform.machine()
    return f"{platform.python_implementation()} {platform.python_version()} on {os.cpu_count()} cores, {cpu}, {platform.system()}"
