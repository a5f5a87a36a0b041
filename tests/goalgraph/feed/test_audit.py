"""The audit trail: each change once, in order, whatever dies and however often it is told."""

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st
from pynamodb.expressions.update import Action

from goalgraph import trace, wiring
from goalgraph.adapters.audit_log import MemoryAuditLog, S3AuditLog
from goalgraph.auth.actor import SYSTEM
from goalgraph.feed.audit import AuditTrail
from goalgraph.feed.audit_lines import fingerprint, genesis
from goalgraph.feed.audit_verification import verify
from goalgraph.feed.reader import Reader
from goalgraph.ports.audit_log import AuditLogUnavailable
from goalgraph.table import keys, table
from goalgraph.table.dynamodb import DynamoTable
from goalgraph.table.port import Key, Operation, Raw, TableUnavailable
from goals import services as goals
from tests.contracts.table_items import ON_A_FIXTURE, Probe, at_once, probe_key
from tests.fixtures import new_user
from tests.goalgraph.feed.audit_world import OTHER, SHARD, counted, faults, keys_of, lines, log, made, new_shard, report, sequences, write
from tests.streams import StreamingTable, StreamingWorld
from users import services as users


def take(*changes: Any) -> list[dict[str, Any]]:
    AuditTrail().take(SHARD, changes)
    return [line for key in keys_of() for line in lines(log().objects[key])]


# What a line says ----------------------------------------------------------------------------------------------------------------------


def test_a_line_says_who_changed_what_and_when_and_quotes_nobody(streaming_world: StreamingWorld) -> None:
    ana = new_user(tenant_id="acme")
    trace.start("trace-of-this-request")
    users.upsert_profile(ana, {"nickname": "Ana Maria", "bio": "I like peace and quiet"})
    users.upsert_profile(ana, {"bio": "I like noise"})
    changes = streaming_world.changes()

    first, second = take(*changes)

    profile = keys.profile(ana.user_id)
    assert second == {
        "number": 2,
        "sequence": changes[1].sequence,
        "at": "2027-07-01T12:00:00.000000Z",
        "tenant": "acme",
        "actor": ana.user_id,
        "lastActor": None,
        "trace": "trace-of-this-request",
        "type": "User",
        "pk": profile.pk,
        "sk": profile.sk,
        "kind": "MODIFY",
        "version": 2,
        "before": first["after"],
        "after": fingerprint(changes[1].new_image),
        "expired": False,
        "prev": hashlib.sha256(log().objects[keys_of()[0]].splitlines()[0]).hexdigest(),
    }
    assert (first["kind"], first["before"], first["prev"]) == ("INSERT", None, genesis(SHARD))
    for text in (b"Ana", b"quiet", b"noise"):
        assert text not in log().objects[keys_of()[0]]


def test_of_a_removal_only_the_last_to_change_the_item_is_known(streaming_world: StreamingWorld) -> None:
    ana, bruno = new_user(), new_user()
    (put,) = made(streaming_world, 1, ana)
    table(bruno).delete(put.key)
    line = take(*streaming_world.changes())[-1]
    assert (line["kind"], line["actor"], line["lastActor"], line["trace"]) == ("REMOVE", None, ana.user_id, None)
    assert (line["before"], line["after"], line["expired"]) == (fingerprint(put.new_image), None, False)


def test_what_expired_is_told_from_what_somebody_removed(streaming_world: StreamingWorld) -> None:
    (put,) = made(streaming_world, 1)
    streaming_world.table.expire(put.key)
    assert [line["expired"] for line in take(*streaming_world.changes())] == [False, True]


def test_what_is_nobodys_data_is_left_out(streaming_world: StreamingWorld) -> None:
    """Not least what the log itself writes: a line on each line would have no end."""
    (real,) = made(streaming_world, 1)
    take(real)
    own = streaming_world.changes()
    assert len(own) == 4
    others = [
        replace(real, key=key, sequence=f"{int(real.sequence) + place}")
        for place, key in enumerate(
            [keys.wheel_shard(1), keys.feed_shard("audit", "shard-1"), keys.audit_head("shard-1"), keys.idempotency("ana", "k")], 100
        )
    ]
    assert len(take(*own, *others)) == 1


def test_the_change_of_a_goal_is_told(streaming_world: StreamingWorld) -> None:
    ana = new_user()
    goal = goals.create_goal(ana, {"title": "Run"})
    told = take(*streaming_world.changes())
    assert (ana.user_id, keys.goal(ana.user_id, goal.goal_id).sk, "Goal") in {(line["actor"], line["sk"], line["type"]) for line in told}
    assert sequences(streaming_world.changes())[: len(told)] == [line["sequence"] for line in told]


def test_a_chain_belongs_to_a_shard(streaming_world: StreamingWorld) -> None:
    """Lambda tells no shard. Places in several shards do not compare, so what seems to be told twice may be new."""
    changes = made(streaming_world, 1)
    with pytest.raises(ValueError, match="by shard"):
        AuditTrail().take("lambda-0a1b2c3d", changes)
    AuditTrail().take(SHARD, changes)
    AuditTrail().take(OTHER, changes)
    assert [len(keys_of(shard)) for shard in (SHARD, OTHER)] == [1, 1]
    assert keys_of(SHARD)[0].rpartition("/")[2] != keys_of(OTHER)[0].rpartition("/")[2]


# The hash of an item -------------------------------------------------------------------------------------------------------------------

values = st.recursive(
    st.builds(lambda text: {"S": text}, st.text(max_size=5))
    | st.builds(lambda number: {"N": str(number)}, st.integers())
    | st.builds(lambda data: {"B": data}, st.binary(max_size=5))
    | st.builds(lambda texts: {"SS": sorted(texts)}, st.sets(st.text(max_size=3), min_size=1))
    | st.builds(lambda blobs: {"BS": sorted(blobs)}, st.sets(st.binary(max_size=3), min_size=1))
    | st.builds(lambda yes: {"BOOL": yes}, st.booleans()),
    lambda inner: (
        st.builds(lambda some: {"L": some}, st.lists(inner, max_size=3))
        | st.builds(lambda some: {"M": some}, st.dictionaries(st.sampled_from(["a", "b", "SS", "B"]), inner, max_size=3))
    ),
    max_leaves=8,
)
images = st.dictionaries(st.sampled_from(["PK", "SK", "title", "SS", "NS"]), values, max_size=5)


def as_lambda_has_it(value: Any) -> Any:
    """The same in another order, with binary values in base64, as they are in the JSON of an event."""
    if isinstance(value, dict):
        return {
            name: list(reversed(list(map(as_lambda_has_it, entry))))
            if name in ("SS", "BS") and isinstance(entry, list)
            else as_lambda_has_it(entry)
            for name, entry in reversed(value.items())
        }
    if isinstance(value, list):
        return [as_lambda_has_it(entry) for entry in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


@given(images)
def test_an_item_has_one_hash_however_it_is_told(image: Raw) -> None:
    assert fingerprint(image) == fingerprint(as_lambda_has_it(image))


@given(images, images)
def test_another_item_has_another_hash(one: Raw, other: Raw) -> None:
    assert (fingerprint(one) == fingerprint(other)) == (one == other)


def test_the_hash_is_one_that_anybody_can_compute() -> None:
    image = {"title": {"S": "é"}, "PK": {"S": "a"}, "tags": {"SS": ["b", "a"]}, "blob": {"B": b"\x00"}}
    text = '{"PK":{"S":"a"},"blob":{"B":"AA=="},"tags":{"SS":["a","b"]},"title":{"S":"é"}}'
    assert fingerprint(image) == hashlib.sha256(text.encode()).hexdigest()


# Each change once ----------------------------------------------------------------------------------------------------------------------


@ON_A_FIXTURE
@given(data=st.data())
def test_each_change_stands_once_however_often_it_comes(streaming_world: StreamingWorld, data: st.DataObject) -> None:
    """Batches with any boundaries, from any place further back, as long as none is left out."""
    shard = new_shard()
    changes = made(streaming_world, data.draw(st.integers(1, 12)))
    reached = 0
    while reached < len(changes):
        begin = data.draw(st.integers(0, reached))
        end = data.draw(st.integers(begin + 1, len(changes)))
        AuditTrail().take(shard, changes[begin:end])
        reached = max(reached, end)
    assert counted(shard) == sequences(changes)
    assert (report(shard).faults, report(shard).remarks) == ([], [])


class Killed(Exception):
    pass


class Faults:
    """Counts the calls that may fail, and ends the process before or after the effect of one of them."""

    def __init__(self, fatal: int, *, after: bool) -> None:
        self.count = 0
        self._fatal, self._after = fatal, after

    def __call__(self, effect: Callable[[], Any]) -> Any:
        self.count += 1
        if self.count != self._fatal:
            return effect()
        if self._after:
            effect()
        raise Killed


class DyingTable(StreamingTable):
    faults = Faults(0, after=False)

    def get(self, key: Key, *, consistent: bool) -> Raw | None:
        return self.faults(lambda: super(DyingTable, self).get(key, consistent=consistent))  # type: ignore[no-any-return]

    def put(self, raw: Raw, condition: Any) -> None:
        self.faults(lambda: super(DyingTable, self).put(raw, condition))

    def transact(self, operations: Sequence[Operation], token: str) -> None:
        self.faults(lambda: super(DyingTable, self).transact(operations, token))

    def update(self, key: Key, actions: Sequence[Action], condition: Any) -> Raw:
        raise AssertionError("the trail updates nothing in place")


class DyingLog(MemoryAuditLog):
    def append(self, key: str, body: bytes) -> None:
        DyingTable.faults(lambda: super(DyingLog, self).append(key, body))


@pytest.fixture
def dying_world(streaming_world: StreamingWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[StreamingWorld]:
    monkeypatch.setattr(DyingTable, "faults", Faults(0, after=False))
    ports = {
        "table": {"BACKEND": "tests.goalgraph.feed.test_audit.DyingTable"},
        "audit_log": {"BACKEND": "tests.goalgraph.feed.test_audit.DyingLog"},
    }
    with override_settings(PORTS=settings.PORTS | ports):
        yield streaming_world


CALLS = 8
"""Of writing two batches: head, beginning, head again, object, head; and head, object, head."""


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("fatal", range(1, CALLS + 1))
@pytest.mark.parametrize("again", ["as it was", "more at once", "in smaller parts"])
def test_a_death_at_any_point_loses_nothing_and_doubles_nothing(
    dying_world: StreamingWorld, monkeypatch: pytest.MonkeyPatch, fatal: int, after: bool, again: str
) -> None:
    changes = made(dying_world, 6)
    monkeypatch.setattr(DyingTable, "faults", Faults(fatal, after=after))
    taken = 0
    try:
        for begin in (0, 3):
            AuditTrail().take(SHARD, changes[begin : begin + 3])
            taken = begin + 3
    except Killed:
        pass
    else:
        pytest.fail("nobody died")
    monkeypatch.setattr(DyingTable, "faults", Faults(0, after=False))

    step = {"as it was": 3, "more at once": 6, "in smaller parts": 1}[again]
    for begin in range(taken, 6, step):
        AuditTrail().take(SHARD, changes[begin : begin + step])

    assert counted() == sequences(changes)
    assert faults() == []


def test_the_points_of_death_are_all_there_are(dying_world: StreamingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = made(dying_world, 6)
    monkeypatch.setattr(DyingTable, "faults", Faults(0, after=False))
    for begin in (0, 3):
        AuditTrail().take(SHARD, changes[begin : begin + 3])
    assert DyingTable.faults.count == CALLS


def test_what_a_dead_writer_left_is_told_and_does_not_count(dying_world: StreamingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = made(dying_world, 5)
    monkeypatch.setattr(DyingTable, "faults", Faults(4, after=True))
    with pytest.raises(Killed):
        AuditTrail().take(SHARD, changes[:3])
    monkeypatch.setattr(DyingTable, "faults", Faults(0, after=False))
    assert (report().objects, report().faults, len(report().remarks)) == (0, [], 1)

    AuditTrail().take(SHARD, changes)
    assert len(keys_of()) == 2
    assert (report().objects, report().lines, report().faults, len(report().remarks)) == (1, 5, [], 1)
    assert "does not count" in report().remarks[0]


def test_several_writers_of_one_shard_do_not_tear_its_chain(streaming_world: StreamingWorld) -> None:
    """As when a slow process does not know yet that it lost the shard."""
    changes = made(streaming_world, 40)

    def writer(size: int) -> None:
        for begin in range(0, 40, size):
            AuditTrail().take(SHARD, changes[begin : begin + size])

    assert at_once([lambda size=size: writer(size) for size in (1, 3, 4, 7)]) == [None] * 4  # type: ignore[misc]
    assert counted() == sequences(changes)
    assert faults() == []


def test_an_outage_is_passed_on_so_that_the_feed_waits(streaming_world: StreamingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    changes = made(streaming_world, 2)

    def refuse(*_: Any) -> None:
        raise AuditLogUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(MemoryAuditLog, "append", refuse)
        with pytest.raises(AuditLogUnavailable):
            AuditTrail().take(SHARD, changes)

    def away(*_: Any, **__: Any) -> None:
        raise TableUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(StreamingTable, "put", away)
        with pytest.raises(TableUnavailable):
            AuditTrail().take(SHARD, changes)
    AuditTrail().take(SHARD, changes)
    assert counted() == sequences(changes)


def test_objects_of_a_chain_lie_under_the_day_on_which_it_began(streaming_world: StreamingWorld) -> None:
    write(streaming_world, 2)
    streaming_world.clock.advance(days=40)
    write(streaming_world, 3)
    begun, later = keys_of()
    assert begun.startswith(f"audit/2027/07/01/{SHARD}/000000000001-")
    assert later.startswith(f"audit/2027/07/01/{SHARD}/000000000002-")
    assert [json.loads(line)["number"] for line in log().objects[later].splitlines()] == [3, 4, 5]
    assert table(SYSTEM).get(keys.audit_chain("202707", SHARD)) is not None


def test_items_of_a_newer_release_are_hashed_whole(streaming_world: StreamingWorld) -> None:
    """An attribute that this release knows nothing of is part of the item all the same."""
    ana = new_user()
    raw = table(ana).put(Probe(owner_id=ana.user_id, probe_id="p")).to_raw(None)
    streaming_world.table.put({**raw, "fromTheFuture": {"S": "x"}}, None)
    first, second = take(*streaming_world.changes())
    assert second["before"] == first["after"] != second["after"]
    assert wiring.table_adapter().get(probe_key(ana.user_id, "p"), consistent=True) is not None


def test_the_real_stream_is_written_into_the_real_store(dynamo_world: DynamoTable) -> None:
    s3 = S3AuditLog(f"audit-{uuid.uuid4().hex}", settings.AWS_REGION)
    list(s3.ensure())
    options = {"bucket": s3.bucket, "region": settings.AWS_REGION}
    port = {"audit_log": {"BACKEND": "goalgraph.adapters.audit_log.S3AuditLog", "OPTIONS": options}}
    with override_settings(PORTS=settings.PORTS | port):
        ana = new_user()
        for title in ("Run", "Swim"):
            goals.create_goal(ana, {"title": title})
            Reader(AuditTrail()).run(Event(), until_end=True)
        (found,) = verify()
        told = [line for key in s3.keys("audit/") for line in lines(s3.read(key) or b"")]
    assert (found.faults, found.remarks, found.lines) == ([], [], len(told))
    assert [line["kind"] for line in told if line["type"] == "Goal"] == ["INSERT", "INSERT"]
    assert {line["actor"] for line in told} == {ana.user_id}
