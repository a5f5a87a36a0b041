"""The Lambda handler: the event as AWS sends it, and the answer that Lambda understands."""

import copy
from types import SimpleNamespace

import pytest

from goalgraph import wiring
from goalgraph.feed import consumers, lambda_handler
from goalgraph.feed.lambda_handler import handler
from tests.goalgraph.feed.world import Collector

# Recorded from an event source mapping: the first records of a table's stream, with an item of ours.
RECORD = {
    "eventID": "c4ca4238a0b923820dcc509a6f75849b",
    "eventName": "INSERT",
    "eventVersion": "1.1",
    "eventSource": "aws:dynamodb",
    "awsRegion": "us-east-1",
    "dynamodb": {
        "ApproximateCreationDateTime": 1814443200.0,
        "Keys": {"PK": {"S": "ROOM#r"}, "SK": {"S": "READ#ana"}},
        "NewImage": {
            "PK": {"S": "ROOM#r"},
            "SK": {"S": "READ#ana"},
            "type": {"S": "ReadMark"},
            "roomId": {"S": "r"},
            "userId": {"S": "ana"},
            "seq": {"N": "1"},
            "ownerId": {"S": "ana"},
            "actorId": {"S": "ana"},
            "traceId": {"S": "0123456789abcdef"},
            "writeId": {"S": "w1"},
            "version": {"N": "1"},
            "createdAt": {"S": "2027-07-01T12:00:00.000Z"},
            "updatedAt": {"S": "2027-07-01T12:00:00.000Z"},
        },
        "SequenceNumber": "4421584500000000017450439091",
        "SizeBytes": 26,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    },
    "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/gg_core/stream/2027-07-01T12:00:00.000",
}
FIRST = 4421584500000000017450439091
CONTEXT = SimpleNamespace(aws_request_id="8f507cfc-xmpl-4697-b07a-ac58fc914c95")


def event_of(count: int) -> dict:
    records = [copy.deepcopy(RECORD) for _ in range(count)]
    for number, record in enumerate(records):
        record["dynamodb"]["SequenceNumber"] = str(FIRST + number)
        record["dynamodb"]["NewImage"]["seq"] = {"N": str(number + 1)}
    return {"Records": records}


@pytest.fixture
def collector(memory_world, monkeypatch):
    found = Collector()
    monkeypatch.setattr(consumers, "consumers", lambda: {found.name: found})
    monkeypatch.setenv("FEED_CONSUMER", found.name)
    lambda_handler._consumer.cache_clear()
    yield found
    lambda_handler._consumer.cache_clear()


def test_all_is_taken_in_order(collector):
    assert handler(event_of(250), CONTEXT) == {"batchItemFailures": []}
    assert collector.taken == [("ana", number) for number in range(1, 251)]


def test_nothing_is_nothing(collector):
    assert handler({"Records": []}, CONTEXT) == {"batchItemFailures": []}


def test_lambda_is_told_from_where_to_go_on(collector):
    def fails_once(shard_id, changes):
        if len(collector.taken) >= 200:
            raise RuntimeError
        Collector.take(collector, shard_id, changes)

    collector.take = fails_once
    answer = handler(event_of(250), CONTEXT)
    assert answer == {"batchItemFailures": [{"itemIdentifier": str(FIRST + 200)}]}
    assert len(collector.taken) == 200

    del collector.take
    again = {"Records": event_of(250)["Records"][200:]}
    assert handler(again, CONTEXT) == {"batchItemFailures": []}
    assert collector.taken == [("ana", number) for number in range(1, 251)]


def test_a_record_that_nobody_understands_holds_up_nobody(collector):
    event = event_of(3)
    event["Records"][1]["dynamodb"]["NewImage"]["type"] = {"S": "Nonsense"}
    assert handler(event, CONTEXT) == {"batchItemFailures": []}
    assert [number for _, number in collector.taken] == [1, 3]
    assert [facts["sequence"] for _, _, facts in wiring.jobs().sent] == [str(FIRST + 1)]


def test_a_function_says_which_consumer_it_is(collector, monkeypatch):
    monkeypatch.setenv("FEED_CONSUMER", "nobody")
    with pytest.raises(KeyError, match="nobody"):
        handler(event_of(1), CONTEXT)
