"""The embedded services, seen from outside: what they listen on, what they keep, and that they end with their owner."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import boto3
import psutil
import pytest
from redis import Redis

from goalgraph.adapters.local import emulator
from goalgraph.adapters.local.embedded import EmbeddedServices, ServiceError, free_port, port_is_free


def dynamodb(services: EmbeddedServices):
    return boto3.client(
        "dynamodb",
        endpoint_url=services.aws_endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="000000000000",
        aws_secret_access_key="local",
    )


def make_table(client) -> None:
    client.create_table(
        TableName="kept",
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )


def put(client, name: str) -> None:
    client.put_item(TableName="kept", Item={"PK": {"S": name}})


def get(client, name: str):
    return client.get_item(TableName="kept", Key={"PK": {"S": name}}).get("Item")


def eventually(true: Callable[[], bool], seconds: float = 15) -> bool:
    """Whether it became true in time. The limit is for a machine in trouble; on a good one the wait is short."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def processes_of(services: EmbeddedServices) -> list[psutil.Process]:
    return [psutil.Process(pid) for pid in (services.keeper.pid, *services.pids.values())]


def all_gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def test_both_answer_on_loopback_only_and_stop_without_a_trace():
    with EmbeddedServices.start() as services:
        processes = processes_of(services)
        assert dynamodb(services).list_tables()["TableNames"] == []
        assert Redis.from_url(services.redis_url).ping()
        family = [child for process in processes for child in (process, *process.children(recursive=True))]
        listening = {
            (connection.laddr.ip, connection.laddr.port)
            for process in set(family)
            for connection in process.net_connections()
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {("127.0.0.1", port) for port in services.ports.values()}
        assert services.failure() is None
    assert all_gone(processes)
    assert all(port_is_free(port) for port in services.ports.values())


def test_a_second_start_finds_what_the_first_one_held(tmp_path):
    with EmbeddedServices.start(tmp_path) as services:
        make_table(dynamodb(services))
        put(dynamodb(services), "before")
        Redis.from_url(services.redis_url, db=3).set("key", "before")
    with EmbeddedServices.start(tmp_path) as services:
        assert get(dynamodb(services), "before")
        assert Redis.from_url(services.redis_url, db=3, decode_responses=True).get("key") == "before"


def test_without_a_data_folder_nothing_is_kept_and_nothing_is_left_on_disk():
    with EmbeddedServices.start() as services:
        folder = Path(str(Redis.from_url(services.redis_url, decode_responses=True).config_get("dir")["dir"])).parent
        make_table(dynamodb(services))
        assert folder.exists()
    assert not folder.exists()


def test_a_killed_emulator_loses_the_last_seconds_at_most(tmp_path):
    state = tmp_path / "aws" / "state" / "dynamodb.json"

    def is_saved(name: str) -> bool:
        return state.exists() and f'"{name}"' in state.read_text()

    services = EmbeddedServices.start(tmp_path)
    try:
        client = dynamodb(services)
        make_table(client)
        put(client, "first")
        assert eventually(lambda: is_saved("first"))
        put(client, "second")  # within the pause that follows a save
        assert eventually(lambda: is_saved("second"), seconds=emulator.MIN_PAUSE + 15)
        os.kill(services.pids["emulator"], signal.SIGKILL)
        services.keeper.wait(30)
        assert "emulator ended (exit code -9)" in str(services.failure())
    finally:
        services.stop()
    with EmbeddedServices.start(tmp_path) as services:
        assert get(dynamodb(services), "first")
        assert get(dynamodb(services), "second")


def test_when_one_service_ends_the_other_ends_too_and_the_first_is_named():
    services = EmbeddedServices.start()
    processes = processes_of(services)
    os.kill(services.pids["redis"], signal.SIGKILL)
    services.keeper.wait(30)
    assert "redis ended (exit code -9)" in str(services.failure())
    assert all_gone(processes)
    services.stop()


def test_they_end_with_an_owner_that_was_killed():
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import time\n"
            "from goalgraph.adapters.local.embedded import EmbeddedServices\n"
            "services = EmbeddedServices.start()\n"
            "print(services.keeper.pid, *services.pids.values(), flush=True)\n"
            "time.sleep(600)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout
    with owner.stdout:
        processes = [psutil.Process(int(pid)) for pid in owner.stdout.readline().split()]
    assert len(processes) == 3
    owner.kill()
    owner.wait()
    assert eventually(lambda: all_gone(processes), seconds=30)


@pytest.mark.parametrize("which", ["emulator", "redis"])
def test_a_taken_port_is_named_and_its_holder_is_left_alone(which):
    with EmbeddedServices.start() as holder:
        port = holder.ports[which]
        with pytest.raises(ServiceError, match=f"Port {port}, where {which} should listen, is taken"):
            EmbeddedServices.start(**{f"{which}_port": port})
        assert Redis.from_url(holder.redis_url).ping()
        assert holder.failure() is None


def test_accounts_of_the_emulator_do_not_see_each_other():
    with EmbeddedServices.start() as services:
        make_table(dynamodb(services))
        other = boto3.client(
            "dynamodb",
            endpoint_url=services.aws_endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="000000000042",
            aws_secret_access_key="local",
        )
        assert other.list_tables()["TableNames"] == []


def test_a_free_port_is_free():
    assert port_is_free(free_port())


@pytest.mark.parametrize(
    ("method", "target", "writes"),
    [
        ("POST", b"DynamoDB_20120810.PutItem", True),
        ("POST", b"DynamoDB_20120810.TransactWriteItems", True),
        ("POST", b"DynamoDB_20120810.BatchWriteItem", True),
        ("POST", b"DynamoDB_20120810.GetItem", False),
        ("POST", b"DynamoDB_20120810.Query", False),
        ("POST", b"DynamoDB_20120810.TransactGetItems", False),
        ("POST", b"AmazonSQS.ReceiveMessage", False),
        ("POST", b"", True),
        ("PUT", b"", True),
        ("GET", b"", False),
        ("HEAD", b"", False),
    ],
)
def test_what_counts_as_a_write(method, target, writes):
    assert emulator.may_write(method, [(b"host", b"x"), *([(b"X-Amz-Target", target)] if target else [])]) is writes


def test_the_stand_in_for_stripe_is_started_where_it_is_wanted_and_ends_with_the_others(tmp_path):
    port = free_port()
    with EmbeddedServices.start(tmp_path, stripe_port=port, stripe_webhook="http://127.0.0.1:9/") as services:
        processes = processes_of(services)
        assert services.ports["stripe"] == port
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as page:
            assert b"No money moves" in page.read()
        assert "http://127.0.0.1:9/" in (tmp_path / "stripe.json").read_text()
        os.kill(services.pids["stripe"], signal.SIGKILL)
        services.keeper.wait(30)
        assert "stripe ended (exit code -9)" in str(services.failure())
    assert all_gone(processes)
