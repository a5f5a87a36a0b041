"""An event to many sockets: CPU per delivery and memory per idle socket, of our hub, a bare ASGI broadcast and stock Channels.

`SOCKETS=50000 python -m tests.bench fanout` holds that many live subscribers, over several processes on each side, and delivers to all.
"""

import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import MappingProxyType

import psutil

from goalgraph.adapters.local.embedded import ROOT
from tests.bench.report import Goal, heading, say, table
from tests.bench.servers import Server
from tests.bench.stage import Stage

SOCKETS = 1000
"""For CPU."""
IDLE_SOCKETS = 10_000
EVENTS = {"bare": 60, "hub": 60, "stock": 15}
"""Events a round. Stock Channels takes ten times as long."""
PER_PROCESS = 12_500
"""A process may open some 20,000 files."""
STALLED = 10
EVENTS_BESIDE = 600
SETTINGS = {"DJANGO_SETTINGS_MODULE": "tests.bench.fanout.settings"}


def run(stage: Stage) -> list[Goal]:
    if sockets := int(os.environ.get("SOCKETS", "0")):
        _many(stage, sockets)
        return []
    return [*_cpu(stage), *_memory(stage), *_stalled(stage)]


# One event to a thousand ----------------------------------------------------------------------------------------------------------------


def _cpu(stage: Stage) -> list[Goal]:
    heading(f"fanout: CPU per delivery, {SOCKETS} sockets, one event after the other")
    taken: dict[str, list[float]] = {name: [] for name in EVENTS}
    slowest: dict[str, list[float]] = {name: [] for name in EVENTS}
    with ExitStack() as stack:
        crowds = {name: stack.enter_context(_crowd(_server(stage, name), SOCKETS, stage.token)) for name in EVENTS}
        for number in range(stage.options.rounds + 1):
            for name, crowd in crowds.items():
                before = crowd.server.cpu_seconds()
                times = [crowd.event() for _ in range(EVENTS[name])]
                if number:  # the first round warms up
                    taken[name].append((crowd.server.cpu_seconds() - before) * 1e6 / (EVENTS[name] * SOCKETS))
                    slowest[name].append(max(last for last, _ in times) * 1000)
    median = {name: statistics.median(rounds) for name, rounds in taken.items()}
    rows = [
        (name, f"{median[name]:.1f}", f"{median['hub'] / median[name]:.2f}", f"{statistics.median(slowest[name]):.0f}") for name in EVENTS
    ]
    table(("", "us a delivery", "hub / this", "last socket, ms"), rows)
    return [
        Goal("CPU per delivery, hub / bare broadcast", median["hub"] / median["bare"], 1.5),
        Goal("CPU per delivery, hub / stock Channels", median["hub"] / median["stock"], 1 / 8),
    ]


# Ten thousand that wait ------------------------------------------------------------------------------------------------------------------


def _memory(stage: Stage) -> list[Goal]:
    heading(f"fanout: memory per idle socket, {IDLE_SOCKETS} sockets")
    taken = {}
    for name in ("bare", "hub"):
        server = _server(stage, name)
        with _crowd(server, 100, stage.token) as crowd:  # whatever is made on first use
            crowd.event()
            before = _memory_of(server)
            with _crowd(server, IDLE_SOCKETS, stage.token, already=100):
                taken[name] = (_memory_of(server) - before) / IDLE_SOCKETS / 1024
        server.stop()
    table(("", "KiB a socket", "hub / this"), [(name, f"{each:.1f}", f"{taken['hub'] / each:.2f}") for name, each in taken.items()])
    return [Goal("memory per idle subscribed socket, hub / bare", taken["hub"] / taken["bare"], 2.0)]


def _memory_of(server: Server) -> int:
    """Bytes of its own (USS): what it shares with others is not counted."""
    return int(psutil.Process(server.process.pid).memory_full_info().uss)


# Ten that do not read ------------------------------------------------------------------------------------------------------------------


def _stalled(stage: Stage) -> list[Goal]:
    """A hundred clients read, then ten more are there that do not: stopped processes, whose buffers fill."""
    heading(f"fanout: {STALLED} readers that do not read, beside 100 that do, events of 16 KB")
    large = {"FANOUT_TEXT": "16000"}
    server = _server(stage, "hub", "stalled", large)
    with _crowd(server, 100, stage.token, environment=large) as crowd:
        alone = [crowd.event()[0] for _ in range(2 * EVENTS_BESIDE)][EVENTS_BESIDE:]
        before = _memory_of(server)
        with _crowd(server, STALLED, stage.token, already=100, environment=large) as sleepers:
            sleepers.process.send_signal(signal.SIGSTOP)
            beside, most, started, closed_after = [], 0, time.monotonic(), None
            while len(beside) < EVENTS_BESIDE or (closed_after is None and time.monotonic() - started < 60):
                beside.append(crowd.event()[0])
                most = max(most, _memory_of(server) - before)
                if closed_after is None and len(beside) % 20 == 0 and _reach(server) == 100:
                    closed_after = time.monotonic() - started
    server.stop()
    p99 = [statistics.quantiles(times, n=100)[98] * 1000 for times in (alone, beside)]
    closed = "never" if closed_after is None else f"{closed_after:.1f}"
    table(
        ("others' p99 ms alone", "beside them", "memory grew MiB", "closed after s, buffers filling included"),
        [(f"{p99[0]:.1f}", f"{p99[1]:.1f}", f"{most / 2**20:.1f}", closed)],
    )
    return [
        Goal("others' p99 beside readers that do not read / alone", p99[1] / p99[0], 2.0),
        Goal("MiB that the server grew", most / 2**20, 32.0),
    ]


# Fifty thousand --------------------------------------------------------------------------------------------------------------------------


def _many(stage: Stage, sockets: int) -> None:
    processes = -(-sockets // PER_PROCESS)
    heading(f"fanout: {sockets} live subscribers, {processes} processes on each side")
    shares = [sockets // processes + (place < sockets % processes) for place in range(processes)]
    with ExitStack() as stack:
        started = time.monotonic()
        servers = [_server(stage, "hub", f"hub {place}") for place in range(processes)]
        crowds = [
            stack.enter_context(_crowd(server, share, stage.token, source=f"127.0.0.{place + 2}"))
            for place, (server, share) in enumerate(zip(servers, shares, strict=True))
        ]
        say(f"connected and subscribed in {time.monotonic() - started:.0f} s")
        memory = sum(_memory_of(server) for server in servers) / sockets / 1024
        say(f"{memory:.1f} KiB a socket, all of the servers' processes counted")
        for _ in range(5):
            before = sum(server.cpu_seconds() for server in servers)
            for crowd in crowds:
                crowd.expect()
            crowds[0].say()
            times = [crowd.heard() for crowd in crowds]
            cpu = (sum(server.cpu_seconds() for server in servers) - before) * 1e6 / sockets
            half, last = statistics.median(half for _, half in times), max(last for last, _ in times)
            say(f"one event to all: half of them after {half:.2f} s, the last after {last:.2f} s; {cpu:.1f} us each")


# Servers and crowds ----------------------------------------------------------------------------------------------------------------------


def _server(stage: Stage, application: str, name: str | None = None, environment: Mapping[str, str] = MappingProxyType({})) -> Server:
    """A web process as the Procfile has it, but without pings: the crowd only counts bytes."""
    web = next(line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("web:"))
    for ours, here in (("$PORT", "{port}"), ("goalgraph.asgi", "tests.bench.fanout.servers"), (":application", f":{application}")):
        web = web.replace(ours, here)
    words = [*web.split()[2:], "--ws-ping-interval", "0"]
    return stage.serve(f"fanout-{name or application}", words, SETTINGS | environment)


@dataclass
class Crowd:
    server: Server
    process: "subprocess.Popen[str]"

    def event(self) -> tuple[float, float]:
        """One event to all: seconds until the last and until half of the clients have it."""
        self.expect()
        self.say()
        return self.heard()

    def expect(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("1\n")
        self.process.stdin.flush()

    def say(self) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.server.port}/say", data=b"") as answer:
            answer.read()

    def heard(self) -> tuple[float, float]:
        assert self.process.stdout
        last, half = self.process.stdout.readline().split()
        return float(last), float(half)


@contextmanager
def _crowd(
    server: Server,
    count: int,
    token: str,
    *,
    source: str = "127.0.0.1",
    already: int = 0,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Crowd]:
    """`count` clients that are live when the block begins."""
    command = [sys.executable, "-m", "tests.bench.fanout.crowd", str(server.port), str(count), source, token]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"the crowd did not connect to {server.name}")
        while _reach(server) < count + already:
            time.sleep(0.1)
        yield Crowd(server, process)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()


def _reach(server: Server) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/count") as answer:
        return int(answer.read())
