"""`create_table`: makes the table, completes one that lacks something, touches none that is another's, and says what it did."""

import time
import uuid
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from goalgraph.table import creation
from goalgraph.table.creation import TableMismatch, ensure
from goalgraph.table.definition import INDEXES, create_table_request
from goalgraph.table.dynamodb import DynamoTable
from goalgraph.table.port import Key
from goalgraph.table.transport import LeanConnection
from tests.contracts.table_items import raw_item
from tests.faults import Loopback, Request, Response, cutting_first_answers, forward_to


def connect(url: str | None = None) -> LeanConnection:
    return LeanConnection(region=settings.AWS_REGION, host=url or settings.AWS_ENDPOINT_URL, max_pool_connections=4)


@pytest.fixture(scope="module")
def connection() -> LeanConnection:
    return connect()


@pytest.fixture
def name(connection: LeanConnection) -> Iterator[str]:
    """A table's name that nobody used before; the table is dropped in the end."""
    name = f"gg_{uuid.uuid4().hex}"
    yield name
    if creation.describe(connection, name):
        connection.dispatch("DeleteTable", {"TableName": name})


def create(connection: LeanConnection, name: str, **other: Any) -> None:
    """A table that somebody else made, with `other` in place of what the definition says (None: left out)."""
    request = {key: value for key, value in (create_table_request(name) | other).items() if value is not None}
    schemas = [request["KeySchema"], *(index["KeySchema"] for index in request.get("GlobalSecondaryIndexes", []))]
    used = {key["AttributeName"] for schema in schemas for key in schema}
    request["AttributeDefinitions"] = [{"AttributeName": each, "AttributeType": "S"} for each in sorted(used)]
    connection.dispatch("CreateTable", request)


def assert_complete(connection: LeanConnection, name: str) -> None:
    assert creation.differences(creation.describe(connection, name)) == []
    assert creation.time_to_live(connection, name) == "ttl"


def run_command(name: str) -> list[str]:
    ports = settings.PORTS | {
        "table": {
            "BACKEND": "goalgraph.table.dynamodb.DynamoTable",
            "OPTIONS": {"name": name, "region": settings.AWS_REGION, "endpoint_url": settings.AWS_ENDPOINT_URL},
        }
    }
    said = StringIO()
    with override_settings(PORTS=ports):
        call_command("create_table", stdout=said)
    return said.getvalue().splitlines()


def test_the_command_makes_the_table_and_says_so(connection: LeanConnection, name: str) -> None:
    assert run_command(name) == [f"  created table {name} with 6 indexes and its stream", "  items expire by their attribute ttl"]
    assert_complete(connection, name)
    described = creation.describe(connection, name)
    assert {index["IndexName"] for index in described["GlobalSecondaryIndexes"]} == set(INDEXES)
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


def test_the_command_may_be_repeated(connection: LeanConnection, name: str) -> None:
    run_command(name)
    DynamoTable(name=name, region=settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL).put(raw_item("kept"), None)
    assert run_command(name) == [f"  table {name} exists"]
    kept = DynamoTable(name=name, region=settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL)
    assert kept.get(Key("kept", "one"), consistent=True) == raw_item("kept")


def test_the_command_needs_a_table_that_is_created() -> None:
    ports = settings.PORTS | {"table": {"BACKEND": "goalgraph.table.memory.MemoryTable"}}
    with override_settings(PORTS=ports), pytest.raises(CommandError, match="MemoryTable, which has no table to create"):
        call_command("create_table")


def test_a_table_without_indexes_stream_and_expiry_is_completed(connection: LeanConnection, name: str) -> None:
    create(connection, name, GlobalSecondaryIndexes=None, StreamSpecification=None)
    assert list(ensure(connection, name)) == [
        f"table {name} exists",
        *(f"added index GSI{number}" for number in range(1, 7)),
        "turned on its stream",
        "items expire by their attribute ttl",
    ]
    assert_complete(connection, name)
    assert list(ensure(connection, name)) == [f"table {name} exists"]


def test_what_is_missing_is_added_and_no_more(connection: LeanConnection, name: str) -> None:
    indexes = [index for index in create_table_request(name)["GlobalSecondaryIndexes"] if index["IndexName"] not in {"GSI2", "GSI5"}]
    create(connection, name, GlobalSecondaryIndexes=indexes)
    assert creation.differences(creation.describe(connection, name)) == ["index GSI2 is missing", "index GSI5 is missing"]
    with Loopback(forward_to(settings.AWS_ENDPOINT_URL)) as proxy:
        said = list(ensure(connect(proxy.url), name))
    assert said == [f"table {name} exists", "added index GSI2", "added index GSI5", "items expire by their attribute ttl"]
    updates = [request.parameters for request in proxy.requests if request.operation == "UpdateTable"]
    assert [len(update["GlobalSecondaryIndexUpdates"]) for update in updates] == [1, 1]  # DynamoDB adds one at a time
    defined = [[each["AttributeName"] for each in update["AttributeDefinitions"]] for update in updates]
    assert defined == [["GSI2PK", "GSI2SK"], ["GSI5PK", "GSI5SK"]]  # and refuses definitions that no key uses


OTHER_KEYS = [{"AttributeName": "id", "KeyType": "HASH"}]


def test_a_table_with_other_keys_is_refused_in_words_and_left_alone(connection: LeanConnection, name: str) -> None:
    create(connection, name, KeySchema=OTHER_KEYS, GlobalSecondaryIndexes=None, StreamSpecification=None)
    before = creation.describe(connection, name)
    with pytest.raises(CommandError) as refusal:
        run_command(name)
    assert f"table {name} has the keys" in str(refusal.value)
    assert "Choose another GOALGRAPH_TABLE, or move that table away." in str(refusal.value)
    assert creation.describe(connection, name) == before
    assert creation.time_to_live(connection, name) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"GlobalSecondaryIndexes": [{"IndexName": "GSI3", "KeySchema": OTHER_KEYS, "Projection": {"ProjectionType": "ALL"}}]},
            "index GSI3 has other keys or another projection",
        ),
        (
            {
                "GlobalSecondaryIndexes": [
                    {
                        "IndexName": "GSI1",
                        "KeySchema": create_table_request("x")["GlobalSecondaryIndexes"][0]["KeySchema"],
                        "Projection": {"ProjectionType": "KEYS_ONLY"},
                    }
                ]
            },
            "index GSI1 has other keys or another projection",
        ),
        ({"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}}, "its stream is not NEW_AND_OLD_IMAGES"),
    ],
)
def test_what_cannot_be_completed_is_said(connection: LeanConnection, name: str, change: dict[str, Any], words: str) -> None:
    create(connection, name, **change)
    with pytest.raises(TableMismatch, match=words):
        list(ensure(connection, name))


def test_every_answer_may_get_lost(connection: LeanConnection, name: str) -> None:
    """Above all CreateTable's: asked again, DynamoDB says that the table is in use."""
    with Loopback(cutting_first_answers(forward_to(settings.AWS_ENDPOINT_URL))) as proxy:
        assert list(ensure(connect(proxy.url), name)) == [f"table {name} exists", "items expire by their attribute ttl"]
    assert proxy.operations().count("CreateTable") == 2
    assert_complete(connection, name)


def described(name: str, status: str, index_status: str) -> Response:
    request = create_table_request(name)
    indexes = [index | {"IndexStatus": index_status} for index in request["GlobalSecondaryIndexes"]]
    return Response.of({"Table": request | {"TableStatus": status, "GlobalSecondaryIndexes": indexes}})


def test_it_waits_until_table_and_indexes_are_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    states = [("CREATING", "CREATING"), ("UPDATING", "CREATING"), ("ACTIVE", "CREATING"), ("ACTIVE", "ACTIVE")]

    def respond(request: Request) -> Response:
        if request.operation == "DescribeTable" and proxy.operations().count("DescribeTable") == 1:
            return Response.error("ResourceNotFoundException")
        if request.operation == "DescribeTable":
            return described("gg", *(states.pop(0)))
        if request.operation == "DescribeTimeToLive":
            return Response.of({"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLING", "AttributeName": "ttl"}})
        return Response.of({})

    with Loopback(respond) as proxy:
        assert list(ensure(connect(proxy.url), "gg")) == ["created table gg with 6 indexes and its stream"]
    assert states == []
    assert waited == [1.0] * 3


def test_it_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with (
        Loopback(lambda _request: described("gg", "CREATING", "CREATING")) as server,
        pytest.raises(TimeoutError, match="table gg was not ready within 600 s"),
    ):
        list(ensure(connect(server.url), "gg"))
