"""`manage.py doctor`: what is wrong with the configuration and the services, in words, and what to do about it."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import urlsplit

import urllib3
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from goalgraph import health, wiring
from goalgraph.feed import leases
from goalgraph.feed.consumers import consumers
from goalgraph.ports.search import SearchUnavailable
from goalgraph.table import creation
from goalgraph.table.definition import TTL_ATTRIBUTE
from goalgraph.table.dynamodb import DynamoTable
from goalgraph.table.port import TableError
from goalgraph.table.transport import Refused

CLOCK_WARNING, CLOCK_ERROR = 30, 300
"""Seconds. AWS refuses a signature that is five minutes off; a token's `exp` and a reminder's minute suffer earlier."""
FEED_LAG_WARNING = timedelta(minutes=2)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `advice` says what to do, where something is to be done."""

    level: Literal["ok", "warn", "fail"]
    subject: str
    said: str
    advice: str = ""


class Command(BaseCommand):
    help = "Says what is wrong with the configuration and the services, and what to do. Changes nothing. Exit code 1 on a failure."
    requires_system_checks = ()

    def handle(self, *_args: Any, **_options: Any) -> None:
        styles = {"ok": self.style.SUCCESS, "warn": self.style.WARNING, "fail": self.style.ERROR}
        failures = 0
        for finding in examine():
            failures += finding.level == "fail"
            self.stdout.write(f"{styles[finding.level](f'{finding.level:4}')}  {finding.subject}: {finding.said}")
            if finding.advice:
                self.stdout.write(f"        {finding.advice}")
        self.stdout.write(f"\n{failures} to repair." if failures else "\nAll is well.")
        if failures:
            raise SystemExit(1)


def examine() -> Iterator[Finding]:
    """All findings. Each examination stands alone: one that breaks is a finding too, and the others still run."""
    for examination in (_settings, _services, _table, _feed, _search, _migrations, _clock):
        yield from _guarded(examination)


def _guarded(examination: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from examination()
    except Exception as error:  # noqa: BLE001 - whatever is wrong, the report goes on
        yield Finding("fail", examination.__name__.strip("_"), f"could not be examined: {type(error).__name__}: {error}")


def is_local() -> bool:
    return os.environ.get("DJANGO_SETTINGS_MODULE", "").endswith((".local", ".test"))


def _settings() -> Iterator[Finding]:
    """Secrets and addresses of production are not examined here: `goalgraph.settings.production` refuses to start without them."""
    where = settings.AWS_ENDPOINT_URL or f"AWS, region {settings.AWS_REGION}"
    yield Finding("ok", "settings", f"{os.environ.get('DJANGO_SETTINGS_MODULE')}; table {settings.GOALGRAPH_TABLE} at {where}")
    if is_local():
        yield Finding("ok", "secrets", "are known to everybody: never open this instance to a network")
    elif settings.DEBUG:
        yield Finding("fail", "settings", "DEBUG is on: errors show code and settings to everybody", "Set DEBUG to False.")
    if not settings.OIDC_ISSUER:
        yield Finding("fail", "settings", "OIDC_ISSUER is not set, so nobody can sign in", "Set it to your issuer's URL.")


ADVICE = {
    "table": "Check AWS_ENDPOINT_URL, AWS_REGION and the credentials; make the table with `manage.py create_table`.",
    "redis": "Check REDIS_URL.",
    "sql": "Check DATABASE_URL.",
    "issuer": "Check OIDC_ISSUER: its /.well-known/openid-configuration must be reachable from here.",
}
LOCAL_ADVICE = "Locally, `make run` starts it; PORT and GOALGRAPH_HOME must be the same here as there."


def _services() -> Iterator[Finding]:
    for name, wrong in health.check().items():
        if wrong is None:
            yield Finding("ok", name, "answers")
        else:
            yield Finding("fail", name, wrong, f"{ADVICE.get(name, '')} {LOCAL_ADVICE if is_local() else ''}".strip())
    if settings.REDIS_URL.startswith("redis://") and urlsplit(settings.REDIS_URL).hostname not in _LOOPBACK:
        yield Finding("warn", "redis", "the connection is not encrypted", "Use rediss:// unless the network is yours alone.")


def _table() -> Iterator[Finding]:
    adapter = wiring.table_adapter()
    if not isinstance(adapter, DynamoTable):
        yield Finding("ok", "table", f"is kept by {type(adapter).__name__}, which has no definition to compare")
        return
    try:
        found = creation.describe(adapter.connection, adapter.name)
        if found is None:
            yield Finding("fail", "table", f"{adapter.name} does not exist", "Run `manage.py create_table`.")
            return
        expires_by = creation.time_to_live(adapter.connection, adapter.name)
    except Refused as error:
        yield Finding("fail", "table", f"{adapter.name} cannot be described: {error}", ADVICE["table"])
        return
    wrong = creation.differences(found)
    states = {found["TableStatus"], *(index.get("IndexStatus", "ACTIVE") for index in found.get("GlobalSecondaryIndexes", []))}
    if states != {"ACTIVE"}:
        yield Finding("warn", "table", f"{adapter.name} is {', '.join(sorted(states))}", "Wait: DynamoDB is still at work on it.")
    if expires_by != TTL_ATTRIBUTE:
        wrong.append(f"items do not expire by {TTL_ATTRIBUTE}")
    if wrong:
        yield Finding("fail", "table", f"{adapter.name}: {'; '.join(wrong)}", "Run `manage.py create_table`, which adds what is missing.")
    else:
        yield Finding("ok", "table", f"{adapter.name} has its keys, indexes, stream and expiry")


def _feed() -> Iterator[Finding]:
    """How far each consumer of the change feed is behind, as the pollers stored it. (Where Lambda reads, its metric IteratorAge tells.)"""
    for name in consumers():
        try:
            behind = leases.lag(name)
        except TableError:
            return  # said above, by the probe
        if behind is None:
            yield Finding("warn", "feed", f"{name} was never read for", "Run `manage.py feed`, unless Lambda does its work.")
        elif behind > FEED_LAG_WARNING:
            said = f"{name} is {behind.total_seconds():.0f} s behind"
            yield Finding("warn", "feed", said, "Look at the log of `manage.py feed`, or start more of them. The stream keeps 24 hours.")
        else:
            yield Finding("ok", "feed", f"{name} keeps up")


def _search() -> Iterator[Finding]:
    if not settings.SEARCH_URL and not is_local():
        said = "the search index is files of this machine, which only processes here can see"
        yield Finding("warn", "search", said, "Set SEARCH_URL to an OpenSearch domain, unless all of them are here.")
    try:
        complete = wiring.search().is_complete()
    except SearchUnavailable as error:
        yield Finding("fail", "search", f"does not answer: {error}", "Check SEARCH_URL and the credentials, or SEARCH_FOLDER.")
        return
    if complete:
        yield Finding("ok", "search", "answers")
    else:
        yield Finding("warn", "search", "the index is not filled, or damaged", "The beat has it filled; or run `manage.py rebuild_search`.")


def _migrations() -> Iterator[Finding]:
    if connection.vendor == "sqlite" and not is_local():
        yield Finding("warn", "sql", "SQLite has one writer and lives on one machine", "Set DATABASE_URL to a PostgreSQL.")
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return  # said above, by the probe
    if pending:
        names = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in pending[:3])
        yield Finding("fail", "sql", f"{len(pending)} migrations are not applied ({names} ...)", "Run `manage.py migrate`.")
    else:
        yield Finding("ok", "sql", f"{connection.vendor}, all migrations are applied")


def _clock() -> Iterator[Finding]:
    """Compare our clock with the table's server, which dates every answer."""
    adapter = wiring.table_adapter()
    if not isinstance(adapter, DynamoTable):
        return
    try:
        answer = urllib3.request("GET", adapter.connection.client.meta.endpoint_url, timeout=2.0, retries=False)
    except urllib3.exceptions.HTTPError:
        return  # said above, by the probe
    if not (date := answer.headers.get("Date")):
        return
    skew = abs((timezone.now() - parsedate_to_datetime(date)).total_seconds())
    level: Literal["ok", "warn", "fail"] = "fail" if skew > CLOCK_ERROR else "warn" if skew > CLOCK_WARNING else "ok"
    yield Finding(
        level, "clock", f"{skew:.0f} s off the table's server", "" if level == "ok" else "Synchronise this machine's clock (NTP)."
    )
