"""What each adapter of the `audit_log` port promises."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from goalgraph import wiring
from goalgraph.adapters.audit_log import MemoryAuditLog, S3AuditLog
from goalgraph.feed.audit import AuditTrail
from goalgraph.feed.audit_verification import verify
from goalgraph.ports.audit_log import AuditLog, AuditLogUnavailable
from tests.contracts.table_items import at_once
from tests.goalgraph.feed.audit_world import SHARD, made
from tests.streams import StreamingWorld


def new_s3_log() -> S3AuditLog:
    log = S3AuditLog(f"audit-{uuid.uuid4().hex}", settings.AWS_REGION)
    assert list(log.ensure()) == [f"created bucket {log.bucket}"]
    return log


@pytest.fixture(params=["memory", "s3"])
def log(request: pytest.FixtureRequest) -> AuditLog:
    return MemoryAuditLog() if request.param == "memory" else new_s3_log()


def test_what_is_appended_is_read_and_listed_in_order(log: AuditLog) -> None:
    bodies = {f"audit/2027/{name}.jsonl": name.encode() for name in ("07/b", "07/a", "06/z", "07/a:b@c+d/1")}
    for key, body in bodies.items():
        log.append(key, body)
    assert list(log.keys("audit/2027/07/")) == sorted(key for key in bodies if "/07/" in key)
    assert {key: log.read(key) for key in log.keys("")} == bodies


def test_what_is_not_there_is_none(log: AuditLog) -> None:
    assert log.read("audit/none") is None
    assert list(log.keys("audit/")) == []


def test_an_object_is_written_once(log: AuditLog) -> None:
    """The key tells what is in it, so a second writer would write the same; whoever would not must not win."""
    log.append("audit/1", b"first\n")
    log.append("audit/1", b"second\n")
    assert log.read("audit/1") == b"first\n"


def test_of_writers_at_once_one_wins_and_none_fails(log: AuditLog) -> None:
    assert at_once([lambda: log.append("audit/1", b"x\n")] * 8) == [None] * 8
    assert list(log.keys("audit/")) == ["audit/1"]


def test_more_are_listed_than_s3_tells_at_once(log: AuditLog) -> None:
    keys = [f"audit/{number:06d}" for number in range(1005)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: log.append(key, b"x"), keys))
    assert list(log.keys("audit/")) == keys


def test_the_store_is_made_once(log: AuditLog) -> None:
    assert list(log.ensure()) == []


def test_an_outage_has_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    log = S3AuditLog("b", settings.AWS_REGION)
    for ask in (lambda: log.append("k", b"x"), lambda: list(log.keys("")), lambda: log.read("k"), lambda: list(log.ensure())):
        with pytest.raises(AuditLogUnavailable):
            ask()


def test_a_bucket_that_is_not_there_is_an_outage_and_no_empty_log() -> None:
    log = S3AuditLog("nobody-made-this", settings.AWS_REGION)
    for ask in (lambda: log.append("k", b"x"), lambda: list(log.keys("")), lambda: log.read("k")):
        with pytest.raises(AuditLogUnavailable):
            ask()


def test_create_feed_makes_bus_and_bucket_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"made-{uuid.uuid4().hex}"
    ports = {
        "audit_log": {"BACKEND": "goalgraph.adapters.audit_log.S3AuditLog", "OPTIONS": {"bucket": name, "region": settings.AWS_REGION}},
        "event_bus": {"BACKEND": "goalgraph.adapters.events.EventBridgeBus", "OPTIONS": {"name": name, "region": settings.AWS_REGION}},
    }
    with override_settings(PORTS=settings.PORTS | ports):
        call_command("create_feed")
        assert capsys.readouterr().out.splitlines() == [f"  created event bus {name}", f"  created bucket {name}"]
        call_command("create_feed")
        assert capsys.readouterr().out == ""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with override_settings(PORTS=settings.PORTS | ports), pytest.raises(CommandError, match="does not answer"):
        call_command("create_feed")


def test_a_chain_in_s3_is_verified_and_missed(streaming_world: StreamingWorld) -> None:
    bucket = new_s3_log().bucket
    options = {"bucket": bucket, "region": settings.AWS_REGION}
    log_in_s3 = {"audit_log": {"BACKEND": "goalgraph.adapters.audit_log.S3AuditLog", "OPTIONS": options}}
    s3 = boto3.client("s3", region_name=settings.AWS_REGION)
    with override_settings(PORTS=settings.PORTS | log_in_s3 | {"table": {"BACKEND": "tests.streams.StreamingTable"}}):
        changes = made(streaming_world, 6)
        for begin in (0, 1, 3, 4):
            AuditTrail().take(SHARD, changes[begin : begin + 2])
        assert [(report.lines, report.faults, report.remarks) for report in verify()] == [(6, [], [])]

        key = list(wiring.audit_log().keys("audit/"))[1]
        s3.delete_object(Bucket=bucket, Key=key)
        (report,) = verify()
        assert report.faults == ["object 2 is missing", "line 3 is missing"]
    s3.close()
