"""Reminders whose time has come: our sweep of the due wheel beside one Celery task with an `eta` for each."""

import os
import shlex
import signal
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import psutil

from goalgraph import wiring
from goalgraph.adapters.local.embedded import ROOT
from goalgraph.auth.actor import SYSTEM
from goalgraph.table.creation import ensure
from goalgraph.table.port import Span
from tests.bench.report import Goal, heading, say, table
from tests.bench.stage import Stage

REMINDERS = 1000
"""A round."""
ROUNDS = 3
OPTIONS = {"sweep": "--queues due,due-priority --concurrency 1", "eta": "--queues default --concurrency 1 --prefetch-multiplier 50"}
"""Of each side's worker, beside those of the Procfile. With its prefetch of 1, a worker fetches one task with an `eta` in five seconds."""
AHEAD = timedelta(seconds=15)
"""How long before its time a task is sent. Its worker has fetched it by then, and holds it in memory."""
WORKER = {"WHEEL_START_MINUTES": "2"}
PATIENCE = 180


def run(stage: Stage) -> list[Goal]:
    import tests.bench.reminders  # noqa: F401 - its items
    from goalgraph.adapters import queues

    heading(f"reminders: {REMINDERS} that come due at once, on one worker process")
    adapter = wiring.port("table")
    list(ensure(adapter.connection, adapter.name))
    list(queues.ensure())
    sides: dict[str, Callable[[str], None]] = {"sweep": _by_wheel, "eta": _by_eta}
    scheduling: dict[str, list[float]] = {name: [] for name in sides}
    work: dict[str, list[float]] = {name: [] for name in sides}
    for name, begin in sides.items():
        with _worker(stage, OPTIONS[name]) as worker:
            for number in range(ROUNDS + 1):
                scheduled, worked = _round(worker, begin)
                if number:  # the first round warms up
                    scheduling[name].append(scheduled)
                    work[name].append(worked)
    us = {name: statistics.median(rounds) for name, rounds in work.items()}
    rows = [
        (name, f"{1e6 / us[name]:.0f}", f"{us[name]:.0f}", f"{us[name] / us['eta']:.2f}", f"{statistics.median(scheduling[name]):.0f}")
        for name in sides
    ]
    table(("", "reminders/s and core", "us of a worker", "this / eta", "us to schedule"), rows)
    say("The sweep's transaction also takes the entry out of its bucket. The time to schedule is that of who writes the task.")
    return [Goal("CPU of a worker per reminder, sweep / a task with eta", us["sweep"] / us["eta"], 0.5)]


def _round(worker: psutil.Process, begin: Callable[[str], None]) -> tuple[float, float]:
    """CPU per reminder in microseconds: of this process while it schedules, and of the worker from then until all are told."""
    name = uuid.uuid4().hex
    worked, scheduled = _cpu(worker), time.process_time()
    begin(name)
    scheduled = time.process_time() - scheduled
    deadline = time.monotonic() + PATIENCE
    while (count := _told(name)) < REMINDERS:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{count} of {REMINDERS} reminders were told")
        time.sleep(0.5)
    return scheduled * 1e6 / REMINDERS, (_cpu(worker) - worked) * 1e6 / REMINDERS


def _by_wheel(run: str) -> None:
    from goalgraph.table import table as items
    from goalgraph.table.keys import shard_of
    from goals.items import DueEntry

    for number in range(REMINDERS):
        name = f"{number}-{run}"
        entry = DueEntry(task_ref="t", task_id=name, reminder_id=run, at=wiring.clock().now(), shard=shard_of(name, 16))
        items(SYSTEM).put(entry)
    wiring.jobs().send("goalgraph.wheel.tasks.tick", queue="due-priority", tenant_id=None)


def _by_eta(run: str) -> None:
    from tests.bench.reminders import remind

    eta: datetime = wiring.clock().now() + AHEAD
    for number in range(REMINDERS):
        remind.apply_async(kwargs={"run": run, "name": f"{number}-{run}"}, eta=eta, queue="default")


def _told(run: str) -> int:
    from goalgraph.table import table as items

    return len(items(SYSTEM).query(Span(f"TOLD#{run}")).items)


@contextmanager
def _worker(stage: Stage, options: str) -> Iterator[psutil.Process]:
    """The Procfile's worker, with the benchmark's tasks."""
    (line,) = [line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("worker: ")]
    _exec, *words = shlex.split(f"{line.removeprefix('worker: ').replace('goalgraph.celery', 'tests.bench.reminders')} {options}")
    command = [sys.executable, "-m", *words]
    with (stage.scratch / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | WORKER, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _cpu(worker: psutil.Process) -> float:
    times = [process.cpu_times() for process in (worker, *worker.children(recursive=True))]
    return sum(each.user + each.system for each in times)
