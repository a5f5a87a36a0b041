"""Web processes under measurement, each in a process group of its own, and their CPU time."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from goalgraph.adapters.local.embedded import ROOT, ServiceError

_START_SECONDS = 30
_STOP_SECONDS = 10


@dataclass(frozen=True)
class Server:
    """A running web process with all its children."""

    name: str
    port: int
    process: "subprocess.Popen[bytes]"

    def cpu_seconds(self) -> float:
        """CPU time so far, user and system, of all its threads and of its child processes that are alive."""
        root = psutil.Process(self.process.pid)
        times = [process.cpu_times() for process in (root, *root.children(recursive=True))]
        return sum(each.user + each.system for each in times)

    def stop(self) -> None:
        """End it and its children."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@contextmanager
def serve(name: str, command: Sequence[str], port: int, environment: Mapping[str, str], logs: Path) -> Iterator[Server]:
    """Run `command` until the end of the block; it listens on 127.0.0.1:`port` when the block begins. Raises ServiceError."""
    log = logs / f"{name.replace(' ', '-')}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    server = Server(name, port, process)
    try:
        _await(server, log)
        yield server
    finally:
        server.stop()


def _await(server: Server, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", server.port), timeout=1):
            return
        time.sleep(0.05)
    raise ServiceError(f"{server.name} does not start. The end of its output:\n{log.read_text(errors='replace')[-2000:]}")
