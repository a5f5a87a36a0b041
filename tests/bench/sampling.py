"""Where the CPU of a request goes: stacks sampled by CPU time, grouped into layers.

The sampled process is the web process again, with one difference: requests run on the event loop's own thread. A timer on CPU time
(`ITIMER_PROF`) interrupts it every few milliseconds and the stack is counted, which slows nothing down and favours nothing: a tracing
profiler would charge Python's calls several times over, and code in C not at all.
"""

import json
import signal
import sysconfig
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor, Future
from types import CodeType, FrameType
from typing import Any

from goalgraph.adapters.local.embedded import ROOT
from tests.bench.load import WARM_UP, Client, measure
from tests.bench.report import heading, say, table
from tests.bench.stage import Stage, uvicorn

INTERVAL = 0.001
"""Seconds of CPU between two samples. Linux rounds it up to a tick of its clock, 4 ms at most."""
REQUESTS = 1500
_TOP = 15

LAYERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("rate limit (Redis)", ("goalgraph/graphql/ratelimit.py", "redis/")),
    ("sign-in", ("goalgraph/auth/", "jwt/")),
    ("document cache, cost", ("goalgraph/graphql/documents.py", "goalgraph/graphql/limits.py")),
    (
        "table: request, transport",
        ("goalgraph/table/transport.py", "goalgraph/table/dynamodb.py", "pynamodb/connection/", "pynamodb/expressions/"),
    ),
    ("table: items from raw", ("goalgraph/table/items.py", "goalgraph/table/attributes.py", "pynamodb/attributes.py:deserialize")),
    ("table: rules, metering", ("goalgraph/table/",)),
    ("JSON in, out", ("goalgraph/graphql/execution.py:_json", "goalgraph/graphql/requests.py")),
    ("resolvers, services", ("goals/", "users/", "gamification/", "goalgraph/graphql/scalars.py")),
    ("GraphQL execution", ("graphql/", "graphene/", "goalgraph/graphql/lean.py", "goalgraph/graphql/execution.py:_execute")),
    ("metrics, logs", ("goalgraph/metrics.py", "goalgraph/logs.py", "prometheus_client/", "logging/")),
    ("Django, ASGI edge", ("django/", "goalgraph/", "corsheaders/", "asgiref/", "channels/")),
    ("HTTP server, event loop", ("",)),
)
"""A sample belongs to its innermost frame that any layer names. `path` prefixes, with `:function` where one function is meant."""

_PREFIXES = (f"{sysconfig.get_paths()['purelib']}/", f"{ROOT}/", f"{sysconfig.get_paths()['stdlib']}/")


def show(stage: Stage, body: dict[str, Any]) -> None:
    """Print the layers of a request, and the functions that take most."""
    heading("where it goes")
    server = stage.serve("sampled", uvicorn("tests.bench.sampling:application"))
    [result] = measure([(server, Client(server, body, stage.token))], rounds=1, requests=REQUESTS)
    samples = json.loads(Client(server, {}, "", path="/samples").ask())
    total = sum(samples["layers"].values())
    rows = [(name, f"{count / total:.0%}", f"{result.cpu_ms * count / total:.2f}") for name, count in samples["layers"].items()]
    table(("layer", "share", "CPU ms"), rows)
    say(f"{total} samples of {REQUESTS} requests, which took {result.cpu_ms:.2f} ms each without a change of threads.\n")
    functions = [(name, f"{count / total:.1%}") for name, count in samples["functions"].items()]
    table(("function, without what it calls in Python", "share"), functions)


class Sampler:
    """Counts stacks, innermost frame first."""

    def __init__(self) -> None:
        self.stacks: Counter[tuple[CodeType, ...]] = Counter()

    def start(self) -> None:
        signal.signal(signal.SIGPROF, self._count)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL, INTERVAL)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _count(self, _: int, frame: FrameType | None) -> None:
        stack = []
        while frame is not None:
            stack.append(frame.f_code)
            frame = frame.f_back
        self.stacks[tuple(stack)] += 1

    def report(self) -> dict[str, dict[str, int]]:
        """Samples by layer, and by function, most first."""
        layers: Counter[str] = Counter()
        functions: Counter[str] = Counter()
        for stack, count in self.stacks.items():
            names = [_name(code) for code in stack]
            layers[layer_of(names)] += count
            functions[names[0]] += count
        return {"layers": dict(layers.most_common()), "functions": dict(functions.most_common(_TOP))}


def layer_of(names: list[str]) -> str:
    """The layer of a stack of `path:function` names, innermost first."""
    *named, rest = LAYERS
    for name in names:
        for layer, patterns in named:
            if name.startswith(patterns):
                return layer
    return rest[0]


def _name(code: CodeType) -> str:
    path = code.co_filename
    for prefix in _PREFIXES:
        path = path.removeprefix(prefix)
    return f"{path}:{code.co_name}"


class _Inline(Executor):
    """Runs what it is given at once, on the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the future hands it on
            future.set_exception(error)
        return future


class _Sampled:
    """The web process's application, sampled after the warm-up; `/samples` answers with what was found."""

    def __init__(self) -> None:
        from goalgraph.asgi import application
        from goalgraph.graphql import execution

        execution._threads = _Inline  # type: ignore[assignment,return-value]
        self._application: Any = application
        self._sampler = Sampler()
        self._requests = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") == "/samples":
            self._sampler.stop()
            await _send_json(send, self._sampler.report())
            return
        self._requests += 1
        if self._requests == WARM_UP:
            self._sampler.start()
        await self._application(scope, receive, send)


async def _send_json(send: Any, value: Any) -> None:
    body = json.dumps(value).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def __getattr__(name: str) -> Any:
    """`application` is made when the web process asks for it: the benchmark imports this module too, and needs none."""
    if name == "application":
        return _Sampled()
    raise AttributeError(name)
