"""The web service with WebSockets on a real socket, in the test's own process, on the sample schema of rooms."""

import itertools
import shlex
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from django.conf import settings as configured
from django.test import override_settings

from goalgraph import wiring
from goalgraph.adapters.live import ChannelsLive
from goalgraph.adapters.local.embedded import ROOT, free_port
from goalgraph.adapters.local.issuer import mint_access_token
from tests.goalgraph.graphql.ws import sample
from tests.goalgraph.graphql.ws.client import Client, until

SAMPLE = "tests.goalgraph.graphql.ws.sample.schema"


def flags() -> dict[str, Any]:
    """The WebSocket flags of the Procfile's web process, as uvicorn's configuration spells them."""
    words = shlex.split((ROOT / "Procfile").read_text().split("web:")[1].splitlines()[0])
    options = {name[2:].replace("-", "_"): value for name, value in itertools.pairwise(words) if name.startswith("--ws")}
    return {
        "ws": options["ws"],
        "ws_max_size": int(options["ws_max_size"]),
        "ws_per_message_deflate": options["ws_per_message_deflate"] != "false",
    }


@contextmanager
def serving(table: str = "goalgraph.table.memory.MemoryTable", **settings: Any) -> Iterator[str]:
    """The address of a server of its own, with `settings`, on a `table`; it and its live adapter stop with the block."""
    from goalgraph.asgi import application

    port = free_port()
    settings["PORTS"] = settings.get("PORTS", configured.PORTS) | {"table": {"BACKEND": table}}
    with override_settings(GRAPHQL_SCHEMA=SAMPLE, RATE_LIMIT_BURST=0, **settings):
        options = {"log_config": None, "log_level": "warning", "access_log": False, "lifespan": "off", "loop": "uvloop"}
        config = uvicorn.Config(application, port=port, timeout_graceful_shutdown=1, **options | flags())
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, name="ws-web")
        thread.start()
        until(lambda: server.started, "the server starts")
        try:
            yield f"ws://127.0.0.1:{port}/graphql"
        finally:
            server.should_exit = True
            thread.join()
            live = wiring.live()
            assert isinstance(live, ChannelsLive)
            live.close()


@pytest.fixture
def address() -> Iterator[str]:
    with serving() as url:
        yield url


@pytest.fixture
def open_client(address: str) -> Iterator[Callable[..., Client]]:
    """Makes clients that are signed in, unless `signed_in` is false."""
    clients: list[Client] = []

    def make(user_id: str | None = None, *, signed_in: bool = True, **more: Any) -> Client:
        client = Client(address, **more)
        clients.append(client)
        return client.sign_in(mint_access_token(user_id or f"u-{uuid.uuid4().hex[:12]}")) if signed_in else client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def room() -> Iterator[str]:
    """A room nobody has been in."""
    name = uuid.uuid4().hex
    yield name
    sample.MemoryLog.rooms.pop(name, None)
