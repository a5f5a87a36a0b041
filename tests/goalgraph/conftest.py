"""The web service on a real socket, in the test's own process, so that settings can be overridden under it."""

import io
import json
import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn
from django.conf import settings
from django.test import override_settings

from goalgraph.adapters.local.embedded import free_port
from goalgraph.adapters.local.issuer import mint_access_token
from goalgraph.logs import JsonFormatter
from goalgraph.table.dynamodb import DynamoTable

SAMPLE_SCHEMA = "tests.goalgraph.graphql.sample.schema"


@dataclass
class Edge:
    """A client's view of the service. `http` speaks to it; `gql` sends one operation as a member."""

    http: httpx.Client
    token: str = field(default_factory=lambda: token_of(f"u-{uuid.uuid4().hex[:12]}"))

    @property
    def auth(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def post(
        self, query: str, variables: dict[str, Any] | None = None, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        body = {"query": query, "variables": variables or {}, **more}
        return self.http.post("/graphql", json=body, headers=self.auth | (headers or {}))

    def gql(self, query: str, variables: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
        return self.post(query, variables, **more).json()

    def sign_in(self) -> None:
        """Become a member nobody has met before."""
        self.token = token_of(f"u-{uuid.uuid4().hex[:12]}")


def token_of(user_id: str) -> str:
    return mint_access_token(user_id)


def code_of(body: dict[str, Any]) -> str:
    """The code of the first error."""
    return body["errors"][0]["extensions"]["code"]


@pytest.fixture(scope="session")
def web() -> Iterator[str]:
    """The address of a running server."""
    from goalgraph.asgi import application

    port = free_port()
    config = uvicorn.Config(application, port=port, log_config=None, access_log=False, lifespan="off", ws="none", loop="uvloop")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="web")
    thread.start()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=httpx.HTTPTransport(retries=20)) as client:
        client.get("/healthz").raise_for_status()
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def edge(web: str, request: pytest.FixtureRequest) -> Iterator[Edge]:
    """The service with the sample schema and no rate limit, on a table in memory unless the test has it `stored`."""
    memory = {} if "stored" in request.fixturenames else {"table": {"BACKEND": "goalgraph.table.memory.MemoryTable"}}
    sample = override_settings(GRAPHQL_SCHEMA=SAMPLE_SCHEMA, RATE_LIMIT_BURST=0, PORTS=settings.PORTS | memory)
    with sample, httpx.Client(base_url=web, timeout=30) as client:
        yield Edge(client)


@pytest.fixture
def access_lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What the access log wrote, as JSON."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("goalgraph.access")
    logger.addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.removeHandler(handler)


class Shared:
    """Stands in `PORTS` for a table that is there already."""

    table: DynamoTable

    def __new__(cls) -> DynamoTable:  # type: ignore[misc]
        return cls.table


@pytest.fixture
def stored(dynamo_table: DynamoTable) -> Iterator[None]:
    """The service keeps its items in the emulator's table that the worker's tests share. Each test is a member of its own."""
    Shared.table = dynamo_table
    with override_settings(PORTS=settings.PORTS | {"table": {"BACKEND": "tests.goalgraph.conftest.Shared"}}):
        yield
