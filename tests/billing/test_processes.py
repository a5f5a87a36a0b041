"""Billing in processes of its own, on a file of SQL: many deliveries at once, and processes that are killed half-way."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from django.conf import settings

from billing import staff_services
from billing.items import Subscription
from goalgraph.adapters.local.embedded import ROOT, free_port
from goalgraph.auth.actor import SYSTEM
from goalgraph.ports.clock import SystemClock
from goalgraph.table import keys
from goalgraph.table.dynamodb import DynamoTable
from goalgraph.table.table import Table
from tests.fixtures import new_dynamo_table
from tests.goalgraph.graphql.ws.client import until
from tests.stripe import StripeFake

SETTINGS = "tests.billing.process_settings"
SWEEP = "import django; django.setup(); from billing import account_services as a; a.sweep()"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of SQL with all tables and no rows."""
    path = tmp_path_factory.mktemp("billing") / "empty.sqlite3"
    environment = os.environ | {"DATABASE_URL": f"sqlite:///{path}", "DJANGO_SETTINGS_MODULE": "goalgraph.settings.test"}
    subprocess.run([sys.executable, "manage.py", "migrate", "--run-syncdb", "--verbosity", "0"], cwd=ROOT, env=environment, check=True)
    return path


@dataclass
class Stack:
    """One member with a customer at Stripe, and what a process needs to serve them."""

    fake: StripeFake
    sql: Path
    adapter: DynamoTable
    user_id: str = field(default_factory=lambda: f"u-{uuid.uuid4().hex[:12]}")
    port: int = field(default_factory=free_port)
    customer_id: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def begin(self) -> None:
        self.customer_id = self.fake.client.customers.create({}).id
        self.execute(
            "INSERT INTO billing_account (id, user_id, tenant_id, customer_id, rev, published_rev, tries, generation, revised_at, due_at, "
            "created_at) VALUES (?, ?, '', ?, 0, 0, 0, 0, '2026-01-01 00:00:00', '2026-01-01 00:00:00', '2026-01-01 00:00:00')",
            uuid.uuid4().hex,
            self.user_id,
            self.customer_id,
        )
        url = f"http://127.0.0.1:{self.port}/stripe/webhook/{settings.STRIPE_WEBHOOK_UUID}"
        endpoint = self.fake.client.webhook_endpoints.create({"url": url, "enabled_events": ["customer.subscription.created"]})
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "DATABASE_URL": f"sqlite:///{self.sql}",
            "GOALGRAPH_TABLE": self.adapter.name,
            "STRIPE_API_BASE": self.fake.url,
            "SAMPLE_WEBHOOK_SECRET": str(endpoint.secret),
        }

    def execute(self, statement: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self.sql, timeout=20)) as connection:
            found = connection.execute(statement, values).fetchall()
            connection.commit()
            return found

    def revs(self) -> tuple[int, int]:
        return cast("tuple[int, int]", self.execute("SELECT rev, published_rev FROM billing_account")[0])

    def bought(self) -> str:
        """They buy; the id of the event that tells it. It is not delivered by itself."""
        self.fake.control("hold")
        price = self.fake.client.prices.list({"lookup_keys": ["goalgraph_premium_month"]}).data[0]
        self.fake.buy(self.customer_id, price.id)
        return self.fake.events("customer.subscription.created")[-1].id

    def stored(self) -> Subscription | None:
        found = Table(self.adapter, SYSTEM, SystemClock()).get(keys.subscription(self.user_id, "premium"), consistent=True)
        return cast("Subscription | None", found)

    def sweep(self, dies: str = "") -> int:
        """What the beat has done every 20 seconds, once the row is due; how its process ended."""
        self.execute("UPDATE billing_account SET due_at = '2026-01-01 00:00:00'")
        return subprocess.run([sys.executable, "-c", SWEEP], cwd=ROOT, env=self.environment | {"DIES": dies}, check=False).returncode

    @contextmanager
    def serving(self, dies: str = "") -> Iterator["subprocess.Popen[bytes]"]:
        command = [sys.executable, "-m", "uvicorn", "--lifespan", "off", "--no-access-log", "--log-level", "warning"]
        command += ["--port", str(self.port), "goalgraph.asgi:application"]
        with subprocess.Popen(command, cwd=ROOT, env=self.environment | {"DIES": dies}) as process:
            try:
                until(self.answers, "the server starts")
                yield process
            finally:
                process.kill()

    def answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/healthz", trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False


@pytest.fixture
def stack(stripe_fake: StripeFake, migrated: Path, tmp_path: Path) -> Stack:
    sql = tmp_path / "billing.sqlite3"
    shutil.copy(migrated, sql)
    staff_services.create_plans()
    found = Stack(stripe_fake, sql, new_dynamo_table())
    found.begin()
    return found


def test_the_same_event_100_times_on_8_connections_is_one_change(stack: Stack):
    event = stack.bought()
    with stack.serving():
        attempts = stack.fake.control("deliver", events=[event], times=100, at_once=8)["attempts"]
    assert [attempt["status"] for attempt in attempts] == [200] * 100
    assert stack.revs() == (1, 1)
    assert stack.execute("SELECT count(*) FROM djstripe_event") == [(1,)]
    stored = stack.stored()
    assert stored is not None
    assert (stored.tier, stored.rev, stored.version) == ("premium", 1, 1)


def test_killed_right_after_sql_the_sweep_finds_it(stack: Stack):
    """What SQL took is not asked for again, so the sweep alone repairs it. Then the same for the end of the plan."""
    event = stack.bought()
    with stack.serving(dies="after_commit") as process:
        stack.fake.control("deliver", events=[event])
        assert process.wait(30) == -signal.SIGKILL
    assert (stack.revs(), stack.stored()) == ((1, 0), None)

    assert stack.sweep() == 0
    assert stack.revs() == (1, 1)
    assert (stored := stack.stored()) is not None
    assert stored.tier == "premium"

    stack.fake.client.subscriptions.cancel(stack.fake.client.subscriptions.list({"customer": stack.customer_id}).data[0].id)
    stack.execute("UPDATE billing_account SET rev = 2")
    assert stack.sweep() == 0
    assert (stored := stack.stored()) is not None
    assert (stored.tier, stored.rev, stack.revs()) == ("free", 2, (2, 2))


@pytest.mark.parametrize("dies", ["before_table", "after_table"])
def test_killed_at_the_table_the_next_sweep_finishes(stack: Stack, dies: str):
    stack.bought()
    stack.execute("UPDATE billing_account SET rev = 1")

    assert stack.sweep(dies) == -signal.SIGKILL
    written = stack.stored()
    assert (written is not None, stack.revs()) == (dies == "after_table", (1, 0))

    assert stack.sweep() == 0
    assert (stored := stack.stored()) is not None
    assert (stored.tier, stored.rev, stored.version, stack.revs()) == ("premium", 1, 1, (1, 1))
