"""The home query (profile, 5 goals with 50 tasks, aggregate): CPU of the web process, beside stock graphene-django and the floor.

Three applications answer the same document with the same data in the same run: GoalGraph as the Procfile starts it, a stock
graphene-django application on SQLite (`tests/bench/stock/`) under uvicorn and under gunicorn, and the floor (`tests/bench/floor.py`).
"""

import importlib.util
import json
import os
import subprocess
import sys
from datetime import datetime
from typing import Any

from goalgraph.adapters.local.embedded import ROOT
from tests.bench import sampling
from tests.bench.load import Client, Measured, measure
from tests.bench.report import Goal, heading, say, table
from tests.bench.servers import Server
from tests.bench.stage import MEMBER, Stage, uvicorn
from tests.bench.world import HOME

SHARE_OF_STOCK = 0.5
_BODY = {"query": HOME}


def run(stage: Stage) -> list[Goal]:
    heading("home: CPU of the web process per request")
    member = stage.member
    assert member.user_id == MEMBER
    ours = stage.serve("goalgraph", uvicorn("goalgraph.asgi:application"))
    home = _data(stage, ours)
    clients = [(server, Client(server, _BODY, stage.token)) for server in (ours, *_stock(stage, home), _floor(stage))]
    for server, _ in clients[1:]:
        if _comparable(_data(stage, server)) != _comparable(home):
            raise RuntimeError(f"{server.name} answers with other data")
    results = {result.name: result for result in measure(clients, rounds=stage.options.rounds, requests=stage.options.requests)}
    _show(list(results.values()))
    if stage.options.profile:
        sampling.show(stage, _BODY)
    share = results["goalgraph"].cpu_ms / results["stock, uvicorn"].cpu_ms
    return [Goal("home: our CPU per request / stock graphene-django's under uvicorn", share, SHARE_OF_STOCK)]


def _stock(stage: Stage, home: dict[str, Any]) -> list[Server]:
    """The stock application, with our data, under each server it may stand behind."""
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.bench.stock.settings",
        "STOCK_DATABASE": str(stage.scratch / "stock.sqlite3"),
        "STOCK_PUBLIC_KEY": stage.public_key,
    }
    seed = [sys.executable, "-m", "tests.bench.stock.seed"]
    subprocess.run(seed, input=json.dumps(home), text=True, check=True, cwd=ROOT, env={**os.environ, **environment})
    servers = [stage.serve("stock, uvicorn", uvicorn("tests.bench.stock.asgi:application"), environment)]
    if importlib.util.find_spec("gunicorn") is None:
        say("gunicorn is not installed: the stock application is measured under uvicorn only.")
        return servers
    gunicorn = "gunicorn tests.bench.stock.wsgi:application --bind 127.0.0.1:{port} --workers 1 --log-level warning"
    return [*servers, stage.serve("stock, gunicorn", gunicorn.split(), environment)]


def _floor(stage: Stage) -> Server:
    return stage.serve("floor", uvicorn("tests.bench.floor:application"))


def _data(stage: Stage, server: Server) -> dict[str, Any]:
    """The `home` that a server answers with. Raises RuntimeError where it answers with errors."""
    client = Client(server, _BODY, stage.token)
    answer = json.loads(client.ask())
    client.close()
    if "errors" in answer:
        raise RuntimeError(f"{server.name}: {answer['errors'][:1]}")
    home: dict[str, Any] = answer["data"]["home"]
    return home


def _comparable(home: dict[str, Any]) -> Any:
    """With instants as such: graphene's own DateTime writes `.123000+00:00` where ours writes `.123Z`, and RFC 3339 allows both."""

    def instants(fields: dict[str, Any]) -> dict[str, Any]:
        return {name: datetime.fromisoformat(value) if name.endswith("At") else value for name, value in fields.items()}

    return json.loads(json.dumps(home), object_hook=instants)


def _show(results: list[Measured]) -> None:
    ours = results[0].cpu_ms
    rows = [
        (
            result.name,
            f"{result.cpu_ms:.2f}",
            f"{min(result.cpu):.2f}-{max(result.cpu):.2f}",
            f"{ours / result.cpu_ms:.2f}",
            f"{result.percentile(50):.1f}",
            f"{result.percentile(99):.1f}",
        )
        for result in results
    ]
    table(("", "CPU ms", "rounds", "ours / this", "p50 ms", "p99 ms"), rows)
    say("CPU is user and system time of all threads, the median of the rounds. Latencies, with one client at a time, are for information:")
    say("the emulator behind ours and the floor is a Python program, and SQLite answers inside the stock process.")
