"""Making the table what its definition says, on an account where it may exist already."""

import time
from collections.abc import Iterator
from typing import Any

from goalgraph.table.definition import INDEXES, STREAM_VIEW, TTL_ATTRIBUTE, create_table_request
from goalgraph.table.transport import LeanConnection, Refused

_PATIENCE = 600  # seconds; AWS takes a minute or two to build six empty indexes
_PAUSE = 1.0


class TableMismatch(Exception):
    """A table of that name differs in what cannot be added to it; only a person can decide what becomes of its data."""


def ensure(connection: LeanConnection, name: str) -> Iterator[str]:
    """Create or complete the table; idempotent. Yields a sentence for each thing done or found. Raises TableMismatch, Refused."""
    found = describe(connection, name)
    if found is None and _create(connection, name):
        yield f"created table {name} with {len(INDEXES)} indexes and its stream"
    else:
        yield f"table {name} exists"
        yield from _complete(connection, name, found or _await_active(connection, name))
    different = differences(_await_active(connection, name))
    if different:
        raise TableMismatch(f"table {name} is not as it has to be: {'; '.join(different)}")
    yield from _ensure_ttl(connection, name)


def _create(connection: LeanConnection, name: str) -> bool:
    """False where somebody else, or a try of ours whose answer was lost, came first."""
    try:
        connection.dispatch("CreateTable", create_table_request(name))
    except Refused as error:
        if error.code != "ResourceInUseException":
            raise
        return False
    return True


def describe(connection: LeanConnection, name: str) -> dict[str, Any] | None:
    """DynamoDB's DescribeTable; None where there is no such table."""
    try:
        description: dict[str, Any] = connection.dispatch("DescribeTable", {"TableName": name})["Table"]
    except Refused as error:
        if error.code == "ResourceNotFoundException":
            return None
        raise
    return description


def differences(found: dict[str, Any]) -> list[str]:
    """What of the definition a described table lacks, in words; empty when nothing."""
    wanted: dict[str, Any] = create_table_request(found["TableName"])
    missing = [f"its keys are {found['KeySchema']}"] if found["KeySchema"] != wanted["KeySchema"] else []
    indexes = {index["IndexName"]: index for index in found.get("GlobalSecondaryIndexes", [])}
    for index in wanted["GlobalSecondaryIndexes"]:
        there = indexes.get(index["IndexName"])
        if there is None:
            missing.append(f"index {index['IndexName']} is missing")
        elif there["KeySchema"] != index["KeySchema"] or there["Projection"]["ProjectionType"] != "ALL":
            missing.append(f"index {index['IndexName']} has other keys or another projection")
    if found.get("StreamSpecification", {}).get("StreamViewType") != STREAM_VIEW:
        missing.append(f"its stream is not {STREAM_VIEW}")
    return missing


def time_to_live(connection: LeanConnection, name: str) -> str | None:
    """The attribute by which items expire; None where the table has none."""
    found = connection.dispatch("DescribeTimeToLive", {"TableName": name}).get("TimeToLiveDescription", {})
    return found.get("AttributeName") if found.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"} else None


def _complete(connection: LeanConnection, name: str, found: dict[str, Any]) -> Iterator[str]:
    wanted: dict[str, Any] = create_table_request(name)
    if found["KeySchema"] != wanted["KeySchema"]:
        raise TableMismatch(f"table {name} has the keys {found['KeySchema']}, not {wanted['KeySchema']}")
    there = {index["IndexName"] for index in found.get("GlobalSecondaryIndexes", [])}
    for index in wanted["GlobalSecondaryIndexes"]:
        if index["IndexName"] not in there:  # DynamoDB adds one index at a time
            _await_active(connection, name)
            keys = {key["AttributeName"] for key in index["KeySchema"]}
            definitions = [each for each in wanted["AttributeDefinitions"] if each["AttributeName"] in keys]
            change = {"AttributeDefinitions": definitions, "GlobalSecondaryIndexUpdates": [{"Create": index}]}
            connection.dispatch("UpdateTable", {"TableName": name, **change})
            yield f"added index {index['IndexName']}"
    if not found.get("StreamSpecification", {}).get("StreamEnabled"):
        _await_active(connection, name)
        connection.dispatch("UpdateTable", {"TableName": name, "StreamSpecification": wanted["StreamSpecification"]})
        yield "turned on its stream"


def _ensure_ttl(connection: LeanConnection, name: str) -> Iterator[str]:
    if time_to_live(connection, name) == TTL_ATTRIBUTE:
        return
    specification = {"Enabled": True, "AttributeName": TTL_ATTRIBUTE}
    connection.dispatch("UpdateTimeToLive", {"TableName": name, "TimeToLiveSpecification": specification})
    yield f"items expire by their attribute {TTL_ATTRIBUTE}"


def _await_active(connection: LeanConnection, name: str) -> dict[str, Any]:
    for _ in range(int(_PATIENCE / _PAUSE)):
        found = describe(connection, name) or {}
        states = [found.get("TableStatus"), *(index.get("IndexStatus", "ACTIVE") for index in found.get("GlobalSecondaryIndexes", []))]
        if set(states) == {"ACTIVE"}:
            return found
        time.sleep(_PAUSE)
    raise TimeoutError(f"table {name} was not ready within {_PATIENCE} s")
