"""The stream of a real table of the emulator's, and what its errors are to us."""

import boto3
import pytest

from chat.items import ReadMark
from goalgraph import wiring
from goalgraph.adapters import streams
from goalgraph.adapters.streams import DynamoStream
from goalgraph.feed.changes import change_of
from goalgraph.ports.streams import CursorExpired, ShardGone, StreamUnavailable, Trimmed
from goalgraph.table import table
from tests.faults import Loopback, Response
from tests.fixtures import new_user


@pytest.fixture
def stream(dynamo_world) -> DynamoStream:
    return wiring.stream()


def write(count: int) -> list[ReadMark]:
    actor = new_user()
    return [table(actor).put(ReadMark(room_id=f"r{n}", user_id=actor.user_id, seq=n)) for n in range(count)]


def test_it_reads_what_was_written_from_the_beginning_and_from_any_place(stream):
    written = write(5)
    (shard,) = stream.shards()
    batch = stream.read(stream.cursor(shard.id, None))
    changes = [change_of(record) for record in batch.records]

    assert [(change.kind, change.key, change.item.seq) for change in changes] == [("INSERT", mark.key(), mark.seq) for mark in written]
    assert changes[0].at.tzinfo is not None
    later = stream.read(stream.cursor(shard.id, changes[2].sequence))
    assert [change_of(record).item.seq for record in later.records] == [3, 4]

    again = stream.read(batch.cursor)
    assert (list(again.records), again.cursor is None) == ([], False)
    (new,) = write(1)
    assert [change_of(record).key for record in stream.read(again.cursor).records] == [new.key()]


def test_each_kind_of_change_is_told_with_what_was_before(stream):
    (mark,) = write(1)
    actor = new_user()
    table(actor).update(mark.key(), [ReadMark.seq.set(7)])
    table(actor).delete(mark.key())
    (shard,) = stream.shards()
    changes = [change_of(record) for record in stream.read(stream.cursor(shard.id, None)).records]

    assert [change.kind for change in changes] == ["INSERT", "MODIFY", "REMOVE"]
    assert [(change.old and change.old.seq, change.new and change.new.seq) for change in changes] == [(None, 0), (0, 7), (7, None)]


def test_what_the_stream_does_not_have(stream):
    write(1)
    (shard,) = stream.shards()
    with pytest.raises(Trimmed):
        stream.cursor(shard.id, "1" * 30)
    with pytest.raises(ShardGone):
        stream.cursor("shardId-00000000000000000001-00000000", None)


def test_a_stream_that_was_turned_off_and_on_is_found_anew(stream, dynamo_world):
    write(1)
    stream.shards()
    client = boto3.client("dynamodb", region_name="us-east-1", endpoint_url=dynamo_world.connection.client.meta.endpoint_url)
    client.update_table(TableName=dynamo_world.name, StreamSpecification={"StreamEnabled": False})
    client.update_table(TableName=dynamo_world.name, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    client.close()
    (new,) = write(1)

    (shard,) = stream.shards()
    assert [change_of(record).key for record in stream.read(stream.cursor(shard.id, None)).records] == [new.key()]


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(streams, "_PATIENCE", streams._PATIENCE.merge(streams.Config(retries={"total_max_attempts": 1})))


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        ("ExpiredIteratorException", CursorExpired),
        ("TrimmedDataAccessException", Trimmed),
        ("ResourceNotFoundException", ShardGone),
        ("LimitExceededException", StreamUnavailable),
        ("InternalServerError", StreamUnavailable),
    ],
)
def test_aws_words_are_ours(code, raised, impatient):
    with Loopback(lambda _: Response.error(code)) as server, pytest.raises(raised):
        DynamoStream(table="gg", region="us-east-1", endpoint_url=server.url).read("cursor")


ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/gg/stream/2027-07-01T12:00:00.000"
ONE, TWO = "shardId-00000000000000000001-00000001", "shardId-00000000000000000002-00000002"


def test_all_pages_of_shards_are_read_with_their_parents(impatient):
    answers = iter(
        [
            {"Table": {"LatestStreamArn": ARN}},
            {"StreamDescription": {"Shards": [{"ShardId": ONE}], "LastEvaluatedShardId": ONE}},
            {"StreamDescription": {"Shards": [{"ShardId": TWO, "ParentShardId": ONE}]}},
        ]
    )
    with Loopback(lambda _: Response.of(next(answers))) as server:
        found = DynamoStream(table="gg", region="us-east-1", endpoint_url=server.url).shards()
        asked = [request.parameters for request in server.requests]
    assert [(shard.id, shard.parent_id) for shard in found] == [(ONE, None), (TWO, ONE)]
    assert asked[1:] == [{"StreamArn": ARN}, {"StreamArn": ARN, "ExclusiveStartShardId": ONE}]


def test_a_table_without_a_stream_and_a_store_that_is_away(impatient):
    with Loopback(lambda _: Response.of({"Table": {}})) as server, pytest.raises(StreamUnavailable):
        DynamoStream(table="gg", region="us-east-1", endpoint_url=server.url).shards()
    nowhere = DynamoStream(table="gg", region="us-east-1", endpoint_url="http://127.0.0.1:9")
    for ask in (nowhere.shards, lambda: nowhere.read("cursor"), lambda: nowhere.cursor("shard", None)):
        with pytest.raises(StreamUnavailable):
            ask()
