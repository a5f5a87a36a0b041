"""What `/readyz` and `doctor` learn from the probes, against services that answer, refuse, or stay silent."""

import socket
import threading

import pytest
from django.test import override_settings

from goalgraph import health
from goalgraph.adapters.local.embedded import free_port

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_asked_yet(monkeypatch):
    """And nobody hurries: other tests share the machine."""
    monkeypatch.setattr(health, "PATIENCE", 30)
    health._asked.clear()
    yield
    health._asked.clear()


def table_at(endpoint_url: str, name: str = "gg_none") -> dict:
    adapter = {
        "BACKEND": "goalgraph.table.dynamodb.DynamoTable",
        "OPTIONS": {"name": name, "region": "us-east-1", "endpoint_url": endpoint_url},
    }
    return {"table": adapter, "clock": {"BACKEND": "goalgraph.ports.clock.SystemClock"}}


@pytest.fixture
def silent_port():
    """A port where somebody takes the call and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_all_is_well(memory_world):
    assert health.check() == {"table": None, "redis": None, "sql": None, "issuer": None}


def test_the_table_is_there(dynamo_table):
    with override_settings(PORTS=table_at(dynamo_table.connection.client.meta.endpoint_url, dynamo_table.name)):
        assert health.check()["table"] is None


def test_a_table_that_does_not_exist_is_said_by_dynamodbs_own_word(dynamo_table):
    with override_settings(PORTS=table_at(dynamo_table.connection.client.meta.endpoint_url)):
        assert health.check()["table"] == "The table does not answer (ResourceNotFoundException)."


def test_a_redis_that_refuses_is_named_without_its_address(memory_world):
    port = free_port()
    with override_settings(REDIS_URL=f"redis://:a-password@127.0.0.1:{port}/0"):
        found = health.check()
    assert found == {"table": None, "redis": "Redis does not answer (ConnectionError).", "sql": None, "issuer": None}


def test_a_silent_service_holds_nobody_up(memory_world, silent_port, monkeypatch):
    monkeypatch.setattr(health, "PATIENCE", 0.2)
    health._redis_client.cache_clear()
    with override_settings(REDIS_URL=f"redis://127.0.0.1:{silent_port}/0"):
        found = health.check()
    health._redis_client.cache_clear()
    assert found["redis"] in {"Redis does not answer (TimeoutError).", "redis has not answered within 0.2 seconds."}
    assert found["table"] is None


def test_a_probe_that_still_runs_is_not_started_again(monkeypatch):
    may_answer, started = threading.Event(), []

    def slow() -> None:
        started.append(1)
        may_answer.wait(30)

    monkeypatch.setattr(health, "PATIENCE", 0.05)
    monkeypatch.setattr(health, "probes", lambda: [probe])
    probe = health.Probe("slow", slow)
    try:
        assert health.check() == health.check() == {"slow": "slow has not answered within 0.05 seconds."}
        assert len(started) == 1
    finally:
        may_answer.set()
    monkeypatch.setattr(health, "PATIENCE", 30)
    health._asked["slow"].result(30)
    assert health.check() == {"slow": None}


def test_a_probe_that_breaks_is_a_failure_without_detail(monkeypatch):
    def broken() -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(health, "probes", lambda: [health.Probe("broken", broken)])
    assert health.check() == {"broken": "broken could not be asked (RuntimeError)."}


def test_what_need_be_well_only_once_is_asked_until_it_was(monkeypatch):
    answers = iter(["not yet", None, "must not be asked any more"])
    monkeypatch.setattr(health, "probes", lambda: [probe])
    probe = health.Probe("issuer", lambda: next(answers), once=True)
    assert [health.check()["issuer"] for _ in range(4)] == ["not yet", None, None, None]


def test_an_issuer_that_cannot_be_reached_is_said_without_its_address(memory_world):
    with override_settings(OIDC_ISSUER=f"http://127.0.0.1:{free_port()}", PUBLIC_URL="https://elsewhere.example"):
        said = health.check()["issuer"]
    assert said is not None
    assert said.startswith("The issuer's keys cannot be fetched (")
    assert "127.0.0.1" not in said
