"""Adapters of the `stream` port: `DynamoStream` reads DynamoDB Streams, `RecordedStream` keeps records in memory, for tests."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import boto3.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from goalgraph.ports.streams import Batch, CursorExpired, Shard, ShardGone, StreamUnavailable, Trimmed

T = TypeVar("T")

_PATIENCE = Config(connect_timeout=2, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})
_ERRORS: Mapping[str, type[Exception]] = {
    "ExpiredIteratorException": CursorExpired,
    "TrimmedDataAccessException": Trimmed,
    "ResourceNotFoundException": ShardGone,
}


class DynamoStream:
    """The current stream of the table `table`. Safe across threads. `endpoint_url` None means AWS."""

    def __init__(self, *, table: str, region: str, endpoint_url: str | None = None) -> None:
        self._table = table
        self._region, self._endpoint_url = region, endpoint_url
        self._arn: str | None = None
        self._made: tuple[Any, Any] | None = None
        self._lock = threading.Lock()

    def shards(self) -> list[Shard]:
        """Learns the stream's name anew each time: a table whose stream was turned off and on has another one."""
        try:
            return self._shards()
        except (BotoCoreError, ClientError) as error:
            raise StreamUnavailable(_kind(error)) from error

    def _shards(self) -> list[Shard]:
        self._arn = self._tables.describe_table(TableName=self._table)["Table"].get("LatestStreamArn")
        if self._arn is None:
            raise StreamUnavailable("the table has no stream")
        found: list[Shard] = []
        more: dict[str, Any] = {}
        while True:
            page = self._streams.describe_stream(StreamArn=self._arn, **more)["StreamDescription"]
            found += [Shard(shard["ShardId"], shard.get("ParentShardId")) for shard in page["Shards"]]
            if not (last := page.get("LastEvaluatedShardId")):
                return found
            more = {"ExclusiveStartShardId": last}

    def cursor(self, shard_id: str, after: str | None) -> str:
        if self._arn is None:
            self.shards()
        where = {"ShardIteratorType": "TRIM_HORIZON"}
        if after is not None:
            where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": after}
        return _asked(lambda: str(self._streams.get_shard_iterator(StreamArn=self._arn, ShardId=shard_id, **where)["ShardIterator"]))

    def read(self, cursor: str) -> Batch:
        answer = _asked(lambda: self._streams.get_records(ShardIterator=cursor))
        return Batch(answer["Records"], answer.get("NextShardIterator"))

    @property
    def _streams(self) -> Any:
        return self._clients[0]

    @property
    def _tables(self) -> Any:
        return self._clients[1]

    @property
    def _clients(self) -> tuple[Any, Any]:
        """Made once, one after the other: a session of boto3 is not safe across threads, its clients are."""
        with self._lock:
            if self._made is None:
                session = boto3.session.Session(region_name=self._region)
                options = {"endpoint_url": self._endpoint_url, "config": _PATIENCE}
                make: Callable[..., Any] = session.client
                self._made = make("dynamodbstreams", **options), make("dynamodb", **options)
            return self._made


def _asked(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except ClientError as error:
        raise _ERRORS.get(_kind(error), StreamUnavailable)(_kind(error)) from error
    except BotoCoreError as error:
        raise StreamUnavailable(_kind(error)) from error


def _kind(error: BotoCoreError | ClientError) -> str:
    return str(error.response["Error"]["Code"]) if isinstance(error, ClientError) else type(error).__name__


# For tests -------------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Recorded:
    parent_id: str | None
    records: list[Mapping[str, Any]] = field(default_factory=list)
    trimmed: int = 0
    """How many of the oldest records are gone."""
    closed: bool = False


class RecordedStream:
    """Shards in memory, which begin, are written, closed, trimmed and forgotten by whoever tests. Begins with one shard, `shard-0`."""

    def __init__(self, *, page: int = 1000) -> None:
        self.page = page
        self._shards: dict[str, _Recorded] = {"shard-0": _Recorded(None)}
        self._lock = threading.RLock()

    def open(self, shard_id: str, parent_id: str | None = None) -> None:
        self._shards[shard_id] = _Recorded(parent_id)

    def append(self, shard_id: str, record: Mapping[str, Any]) -> None:
        with self._lock:
            assert not self._shards[shard_id].closed
            self._shards[shard_id].records.append(record)

    def close(self, shard_id: str) -> None:
        self._shards[shard_id].closed = True

    def trim(self, shard_id: str, count: int) -> None:
        """The oldest `count` records are gone."""
        shard = self._shards[shard_id]
        shard.trimmed = min(len(shard.records), shard.trimmed + count)

    def forget(self, shard_id: str) -> None:
        del self._shards[shard_id]

    def restart(self) -> None:
        """As the emulator's stream after a restart: the same shards, and no record."""
        for shard in self._shards.values():
            shard.records, shard.trimmed = [], 0

    def shards(self) -> list[Shard]:
        with self._lock:
            return [Shard(shard_id, shard.parent_id) for shard_id, shard in self._shards.items()]

    def cursor(self, shard_id: str, after: str | None) -> str:
        with self._lock:
            shard = self._shard(shard_id)
            if after is None:
                return f"{shard_id}:{shard.trimmed}"
            for place, record in enumerate(shard.records):
                if record["dynamodb"]["SequenceNumber"] == after and place >= shard.trimmed:
                    return f"{shard_id}:{place + 1}"
            raise Trimmed

    def read(self, cursor: str) -> Batch:
        with self._lock:
            shard_id, _, place = cursor.rpartition(":")
            shard, begin = self._shard(shard_id), int(place)
            if begin < shard.trimmed:
                raise Trimmed
            found = shard.records[begin : begin + self.page]
            end = begin + len(found)
            return Batch(found, None if shard.closed and end == len(shard.records) else f"{shard_id}:{end}")

    def _shard(self, shard_id: str) -> _Recorded:
        if shard_id not in self._shards:
            raise ShardGone
        return self._shards[shard_id]
