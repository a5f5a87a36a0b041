"""Reminders on their whole way, by the processes that production has: beats, workers, the feed, the emulator's SQS and table, a provider.

`Reminders` starts them on a table and queues of their own, kills them where a test sets a trap, and starts them again.
"""

import itertools
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from unittest import mock

from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

from goalgraph import wiring
from goalgraph.adapters.local.embedded import ROOT
from goalgraph.auth.actor import PREMIUM, Actor
from goals import services as goals
from goals import task_services as tasks
from notifications import device_services
from tests.e2e import reminder_settings, reminder_traps
from tests.fixtures import new_dynamo_table
from users import services as users

PATIENCE = 120.0
"""Seconds without anything new after which something counts as not happening, on a machine that is busy with other tests."""
TASKS_EACH = 10
"""Reminders of a member."""
AT_ONCE = 500
"""Reminders that come due together where there are very many: the emulator gets slower the more waits in its queues."""
THREADS = 8
COMMANDS = {"feed": "exec python manage.py feed --consumer dispatch", "beat": "exec celery --quiet -A goalgraph.celery beat"} | {
    name: command.strip() for name, _, command in (line.partition(":") for line in (ROOT / "Procfile").read_text().splitlines())
}


class Program:
    """A line of the Procfile, with all its children."""

    def __init__(self, name: str, log: Path, environment: dict[str, str]) -> None:
        self.name, self._log, self._environment = name, log, environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", COMMANDS[self.name]],
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        if self._process and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def was_started(self) -> bool:
        return self._process is not None

    @property
    def was_killed(self) -> bool:
        return self._process is not None and self._process.poll() == -signal.SIGKILL

    def said(self) -> str:
        return self._log.read_text(errors="replace")


class Reminders:
    """Use `Reminders.running(...)`."""

    def __init__(self, folder: Path, environment: dict[str, str], workers: int) -> None:
        self.folder, self.environment = folder, environment
        names = [*["worker"] * workers, "feed", "beat", "beat"]
        self.programs = [Program(name, folder / f"{name}-{number}.log", environment) for number, name in enumerate(names)]
        self.expected: set[str] = set()
        self.kills: Counter[str] = Counter()

    @classmethod
    @contextmanager
    def running(cls, folder: Path, *, workers: int, twice: bool = False, patience: int = 3) -> Iterator["Reminders"]:
        """`twice`: every message is sent to SQS twice. `patience`: seconds after which one that is not acknowledged comes again, also while
        it is still being done."""
        run = uuid.uuid4().hex[:12]
        adapter = new_dynamo_table()
        options = {"name": adapter.name, "region": settings.AWS_REGION, "endpoint_url": settings.AWS_ENDPOINT_URL, "pool": 64}
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": reminder_settings.__name__,
            "GOALGRAPH_TABLE": adapter.name,
            "REMINDERS_RUN": run,
            "QUEUE_PREFIX": f"{run}-",
            "REMINDERS_PATIENCE": str(patience),
            "EVERY_MESSAGE_TWICE": "1" if twice else "",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        }
        ports = settings.PORTS | {
            "table": {"BACKEND": "goalgraph.table.dynamodb.DynamoTable", "OPTIONS": options},
            "live": {"BACKEND": "goalgraph.adapters.live.RecordingLive"},
            "push": {"BACKEND": "tests.e2e.reminder_traps.RecordingPush"},
        }
        shared = {name: getattr(reminder_settings, name) for name in ("DUE_SHARDS", "DUE_PRIORITY_SHARDS")}
        shared["QUEUE_VISIBILITY_SECONDS"] = patience
        with override_settings(PORTS=ports, QUEUE_PREFIX=f"{run}-", **shared), mock.patch.dict(os.environ, REMINDERS_RUN=run):
            call_command("create_queues", stdout=StringIO())
            stack = cls(folder, environment, workers)
            try:
                yield stack
            finally:
                for program in stack.programs:
                    program.kill()
                reminder_traps.store().close()
                reminder_traps.store.cache_clear()

    # Members ---------------------------------------------------------------------------------------------------------------------------

    def add(self, reminders: int, *, within: float) -> None:
        """So many reminders, `TASKS_EACH` of a member, which come due within so many seconds."""
        with ThreadPoolExecutor(THREADS) as threads:
            for titles in threads.map(lambda number: self._member(number, within), range(reminders // TASKS_EACH)):
                self.expected |= titles

    def _member(self, number: int, within: float) -> set[str]:
        """Every third one is on the premium plan."""
        member = Actor(user_id=f"u-{uuid.uuid4().hex[:12]}", tier=PREMIUM if number % 3 == 0 else "free")
        users.upsert_profile(member, {"nickname": "Ana"})
        device_services.register(member, "fcm", member.user_id)
        goal = goals.create_goal(member, {"title": "Run"})
        titles = {f"{reminder_traps.TITLE}{uuid.uuid4().hex}" for _ in range(TASKS_EACH)}
        for title in titles:
            due_at = wiring.clock().now() + timedelta(seconds=within)
            tasks.add_task(member, goal.id, {"title": title, "due_at": due_at})
        return titles

    # The provider ----------------------------------------------------------------------------------------------------------------------

    @property
    def delivered(self) -> list[str]:
        """The titles of the tasks of which members were reminded, each key once."""
        return list(reminder_traps.store().hvals(reminder_traps.name("delivered")))

    @property
    def count(self) -> int:
        return int(reminder_traps.store().hlen(reminder_traps.name("delivered")))

    @property
    def asked(self) -> int:
        """How often the provider was asked to deliver."""
        return int(reminder_traps.store().get(reminder_traps.name("asked")) or 0)

    # Running ---------------------------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        for program in self.programs:
            program.start()

    def of(self, name: str) -> list[Program]:
        return [program for program in self.programs if program.name == name]

    def add_into_trap(self, point: str, reminders: int, *, within: float) -> None:
        """Add reminders, and kill whoever is the first to bring one of them to `point`; then start it again."""
        reminder_traps.store().set(reminder_traps.name(f"trap:{point}"), 1)
        self.add(reminders, within=within)
        self.until(lambda: any(program.was_killed for program in self.programs), f"somebody at {point}")
        (victim,) = [program for program in self.programs if program.was_killed]
        self.kills[point] += 1
        victim.start()

    def kill(self, program: Program) -> None:
        program.kill()
        self.kills[program.name] += 1
        program.start()

    def reach(self, count: int) -> None:
        """Wait until so many reminders are delivered."""
        self.until(lambda: self.count >= count, f"{count} reminders")

    def check(self) -> None:
        """Everybody was reminded of everything, once."""
        self.reach(len(self.expected))
        assert Counter(self.delivered) == Counter(self.expected)

    def until(self, condition: Callable[[], object], what: str) -> None:
        seen, deadline = self.count, time.monotonic() + PATIENCE
        while not condition():
            for program in self.programs:
                assert program.runs or program.was_killed or not program.was_started, f"{program.name} ended:\n{program.said()[-4000:]}"
            if (now := self.count) > seen:
                seen, deadline = now, time.monotonic() + PATIENCE
            assert time.monotonic() < deadline, f"waiting for {what}, {seen} of {len(self.expected)} delivered"
            time.sleep(0.02)


def storm(reminders: Reminders, *, count: int, kills: int) -> None:
    """Bring `count` reminders to their members while processes are killed, at each point in turn, and now and then a beat."""
    reminders.start()
    portion = max(TASKS_EACH, count // (kills + 1) // TASKS_EACH * TASKS_EACH)
    for number, point in zip(range(kills), itertools.cycle(reminder_traps.POINTS), strict=False):
        reminders.add_into_trap(point, portion, within=1)
        if number % 7 == 3:
            reminders.kill(reminders.of("beat")[number % 2])
    while (left := count - len(reminders.expected)) > 0:
        reminders.add(min(left, AT_ONCE), within=1)
        reminders.reach(len(reminders.expected) - 2 * AT_ONCE)
    reminders.check()
