"""A `make run` of the tests' own."""

import collections
import contextlib
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

from goalgraph.adapters.local.embedded import ROOT, port_is_free

LAST_LINE_OF_THE_BOX = "  curl "
PATIENCE = 90
"""Seconds after which a start or a stop counts as failed, on a machine that is busy with other tests."""

SET_BY_THE_TESTS = ("AWS_", "REDIS_URL", "DATABASE_URL", "OIDC_ISSUER", "DJANGO_SETTINGS_MODULE", "PYTEST")


def ports_of(port: int) -> list[int]:
    """The rule of docs/running.md."""
    step = 10_000 if port < 35_000 else -10_000
    return [port, port + step, port + 2 * step, port + 3 * step]


def free_port() -> int:
    """One whose four ports lie below those that the system hands out for outgoing connections, which come and go."""
    while True:
        port = random.SystemRandom().randrange(1100, 2700)  # not seeded alike in each worker
        if all(map(port_is_free, ports_of(port))):
            return port


class Instance:
    """A running `make run`, with what it has printed so far."""

    def __init__(self, home: Path, port: int) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(SET_BY_THE_TESTS)}
        self.environment = environment | {"PORT": str(port), "GOALGRAPH_HOME": str(home)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "goalgraph.adapters.local.run"],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.output: list[str] = []
        self._tokens: dict[str, str] = {}
        self._reader: threading.Thread | None = None
        self.family: list[psutil.Process] = []

    def read_until(self, start: str) -> str:
        """The first line from here on that begins with `start`."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.output.append(line)
            if line.startswith(start):
                self.family = psutil.Process(self.process.pid).children(recursive=True)
                return line
        raise AssertionError(f"it ended (exit code {self.process.wait()}) with:\n{''.join(self.output)}")

    def keep_reading(self) -> None:
        """What it prints from here on is read, so that it never waits for us, and forgotten."""
        stdout = self.process.stdout
        assert stdout
        self._reader = threading.Thread(target=lambda: collections.deque(stdout, maxlen=0), daemon=True)
        self._reader.start()

    def token(self, user_id: str) -> str:
        """An access token, as `manage.py token` prints it. One for each member."""
        if user_id not in self._tokens:
            command = [sys.executable, str(ROOT / "manage.py"), "token", user_id]
            self._tokens[user_id] = subprocess.check_output(command, cwd=ROOT, env=self.environment, text=True).strip()
        return self._tokens[user_id]

    def close(self) -> None:
        """Wait until it and its children are gone, which they are once nobody writes any more."""
        if self._reader is None:
            self.process.communicate()
            return
        self._reader.join()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()

    def rest(self) -> str:
        """What it prints until it ends."""
        assert self.process.stdout
        rest = self.process.stdout.read()
        self.process.wait()
        return rest

    def survivors(self) -> list[psutil.Process]:
        return [process for process in self.family if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]

    def child(self, part_of_its_command: str) -> psutil.Process:
        (found,) = [process for process in self.family if part_of_its_command in " ".join(process.cmdline())]
        return found


@contextlib.contextmanager
def started(home: Path, port: int, patience: float = PATIENCE) -> Iterator[Instance]:
    """Ended after `patience` seconds, whatever it does then."""
    instance = Instance(home, port)
    watchdog = threading.Timer(patience, instance.process.kill)
    watchdog.start()
    try:
        yield instance
    finally:
        watchdog.cancel()
        instance.process.kill()
        instance.close()
