"""Fixtures that tests of all contexts share: the table on each of its adapters, actors, a clock that stands still."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.test import override_settings

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.table.creation import ensure
from goalgraph.table.dynamodb import DynamoTable
from goalgraph.table.memory import MemoryTable
from goalgraph.table.port import Adapter


class FakeClock:
    """Stands at noon of a summer's day until told to go on."""

    def __init__(self) -> None:
        self.instant = datetime(2027, 7, 1, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant

    def advance(self, **by: float) -> None:
        self.instant += timedelta(**by)


def new_dynamo_table() -> DynamoTable:
    """A DynamoTable on a table of its own."""
    name = f"gg_{uuid.uuid4().hex}"
    adapter = DynamoTable(name=name, region=settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL, pool=128)
    list(ensure(adapter.connection, name))
    return adapter


@pytest.fixture(scope="session")
def dynamo_table() -> DynamoTable:
    """One table for the whole run of a worker. Tests that use it name their partitions by `new_user()`."""
    return new_dynamo_table()


@pytest.fixture(params=["memory", "dynamodb"])
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """Each adapter of the table port in turn."""
    return MemoryTable() if request.param == "memory" else request.getfixturevalue("dynamo_table")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def memory_world() -> Iterator[FakeClock]:
    """Services on an empty table in memory, and the clock they go by."""
    with override_settings(
        PORTS={
            "table": {"BACKEND": "tests.streams.StreamingTable"},
            "audit_log": {"BACKEND": "goalgraph.adapters.audit_log.MemoryAuditLog"},
            "clock": {"BACKEND": "tests.fixtures.FakeClock"},
            "event_bus": {"BACKEND": "goalgraph.adapters.events.RecordingBus"},
            "leaderboards": {"BACKEND": "goalgraph.adapters.leaderboards.MemoryLeaderboards"},
            "live": {"BACKEND": "goalgraph.adapters.live.RecordingLive"},
            "jobs": {"BACKEND": "goalgraph.adapters.jobs.RecordingJobs"},
            "moderator": {"BACKEND": "goalgraph.adapters.moderation.rules.RulesModerator"},
            "payments": {"BACKEND": "tests.billing.payments.QuietPayments"},
            "presence": {"BACKEND": "goalgraph.adapters.presence.MemoryPresence"},
            "push": {"BACKEND": "goalgraph.adapters.push.RecordingPush"},
            "search": {"BACKEND": "goalgraph.adapters.search.tantivy.TantivySearch"},
            "sms": {"BACKEND": "goalgraph.adapters.sms.RecordingSms"},
            "stream": {"BACKEND": "goalgraph.adapters.streams.RecordedStream"},
        }
    ):
        yield wiring.port("clock")


@pytest.fixture
def dynamo_world() -> Iterator[DynamoTable]:
    """Services on an empty table of the emulator's, at the real clock."""
    adapter = new_dynamo_table()
    options = {"name": adapter.name, "region": settings.AWS_REGION, "endpoint_url": settings.AWS_ENDPOINT_URL, "pool": 64}
    ports = {
        "table": {"BACKEND": "goalgraph.table.dynamodb.DynamoTable", "OPTIONS": options},
        "audit_log": {"BACKEND": "goalgraph.adapters.audit_log.MemoryAuditLog"},
        "event_bus": {"BACKEND": "goalgraph.adapters.events.RecordingBus"},
        "live": {"BACKEND": "goalgraph.adapters.live.RecordingLive"},
        "jobs": {"BACKEND": "goalgraph.adapters.jobs.RecordingJobs"},
        "push": {"BACKEND": "goalgraph.adapters.push.RecordingPush"},
        "sms": {"BACKEND": "goalgraph.adapters.sms.RecordingSms"},
        "stream": {
            "BACKEND": "goalgraph.adapters.streams.DynamoStream",
            "OPTIONS": {"table": adapter.name, "region": settings.AWS_REGION, "endpoint_url": settings.AWS_ENDPOINT_URL},
        },
    }
    with override_settings(PORTS=settings.PORTS | ports):
        yield adapter


def new_user(**more: object) -> Actor:
    """An actor nobody has met before."""
    return Actor(user_id=f"u-{uuid.uuid4().hex[:12]}", **more)  # type: ignore[arg-type]


@pytest.fixture
def actor() -> Actor:
    return new_user()
