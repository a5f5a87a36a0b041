"""What `manage.py audit verify` finds when somebody was at the log, and that it finds nothing else."""

import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.adapters.audit_log import MemoryAuditLog
from goalgraph.auth.actor import SYSTEM
from goalgraph.feed.audit_verification import verify
from goalgraph.ports.audit_log import AuditLogUnavailable
from goalgraph.table import keys, table
from tests.contracts.table_items import ON_A_FIXTURE
from tests.goalgraph.feed.audit_world import OTHER, SHARD, faults, keys_of, log, new_shard, report, write
from tests.streams import StreamingWorld


@pytest.fixture
def chain(streaming_world: StreamingWorld) -> StreamingWorld:
    """Four objects: lines 1 to 3, 4, 5 to 8, 9 to 10."""
    write(streaming_world, 3, 1, 4, 2)
    assert (faults(), report().remarks, report().objects, report().lines) == ([], [], 4, 10)
    return streaming_world


def split(number: int) -> tuple[str, list[bytes]]:
    key = keys_of()[number - 1]
    return key, log().objects[key].splitlines(keepends=True)


def rewrite(number: int, change: Callable[[list[bytes]], list[bytes]]) -> None:
    key, lines = split(number)
    log().objects[key] = b"".join(change(lines))


def edited(line: bytes, **facts: Any) -> bytes:
    return json.dumps(json.loads(line) | facts, separators=(",", ":")).encode() + b"\n"


def rehashed(key: str, body: bytes) -> str:
    """The name that an object with this body would have."""
    return re.sub(r"-[0-9a-f]{64}\.", f"-{hashlib.sha256(body.splitlines()[-1]).hexdigest()}.", key)


def renumbered(key: str, number: int) -> str:
    return re.sub(r"/\d{12}-", f"/{number:012d}-", key)


# In words ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "place", "line"), [(1, 0, 1), (1, 1, 2), (1, 2, 3), (2, 0, 4), (3, 3, 8), (4, 1, 10)])
def test_an_edited_line_is_named(chain: StreamingWorld, number: int, place: int, line: int) -> None:
    def change(lines: list[bytes]) -> list[bytes]:
        lines[place] = edited(lines[place], actor="somebody else")
        return lines

    rewrite(number, change)
    assert f"line {line} was edited" in faults()
    assert [fault for fault in faults() if fault.startswith("line")] == [f"line {line} was edited"]


def test_a_line_edited_together_with_its_object_s_name_is_named(chain: StreamingWorld) -> None:
    key, lines = split(4)
    lines[-1] = edited(lines[-1], actor="somebody else")
    body = b"".join(lines)
    del log().objects[key]
    log().objects[rehashed(key, body)] = body
    assert faults() == ["line 10 was edited"]


def test_what_is_no_line_any_more_is_told(chain: StreamingWorld) -> None:
    rewrite(3, lambda lines: [lines[0], b"rubbish\n", *lines[2:]])
    assert faults() == ["what stands before line 7 is no line of this log: it was edited"]


@pytest.mark.parametrize(
    ("number", "place", "said"),
    [
        (1, 0, "line 1 is missing"),
        (1, 1, "line 2 is missing"),
        (3, 0, "line 5 is missing"),
        (3, 2, "line 7 is missing"),
        (3, 3, "line 8 is missing"),
        (4, 1, "line 10 is missing: the end of the chain was cut off"),
    ],
)
def test_a_missing_line_is_named(chain: StreamingWorld, number: int, place: int, said: str) -> None:
    rewrite(number, lambda lines: lines[:place] + lines[place + 1 :])
    assert said in faults()
    assert len([fault for fault in faults() if fault.startswith("line")]) == 1


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (1, ["object 1 is missing", "lines 1 to 3 are missing"]),
        (2, ["object 2 is missing", "line 4 is missing"]),
        (3, ["object 3 is missing", "lines 5 to 8 are missing"]),
        (4, ["object 4 is missing", "lines 9 to 10 are missing: the end of the chain was cut off"]),
    ],
)
def test_a_missing_object_is_named(chain: StreamingWorld, number: int, said: list[str]) -> None:
    del log().objects[keys_of()[number - 1]]
    assert faults() == said


def test_lines_in_another_order_are_told(chain: StreamingWorld) -> None:
    rewrite(3, lambda lines: [lines[0], lines[2], lines[1], lines[3]])
    assert faults() == ["line 7 stands before line 6: the order was changed"]


def test_two_objects_that_were_swapped_are_told(chain: StreamingWorld) -> None:
    one, other = keys_of()[1:3]
    log().objects[one], log().objects[other] = log().objects[other], log().objects[one]
    assert [fault for fault in faults() if "order was changed" in fault] == ["line 8 stands before line 4: the order was changed"]
    assert not [fault for fault in faults() if "missing" in fault]


def test_two_objects_whose_numbers_were_swapped_are_told(chain: StreamingWorld) -> None:
    one, other = keys_of()[1:3]
    bodies = log().objects.pop(one), log().objects.pop(other)
    log().objects[renumbered(one, 3)], log().objects[renumbered(other, 2)] = bodies
    assert faults() == ["line 8 stands before line 4: the order was changed"]


def test_a_line_behind_the_end_is_told(chain: StreamingWorld) -> None:
    key, lines = split(4)
    forged = edited(lines[-1], number=11, prev=hashlib.sha256(lines[-1].rstrip()).hexdigest())
    log().objects[key] += forged
    assert "line 11 stands behind the end of the chain" in faults()


def test_an_object_that_does_not_link_is_told(chain: StreamingWorld) -> None:
    key, lines = split(3)
    body = edited(lines[0], prev="0" * 64)
    log().objects[rehashed(key, body)] = body
    (fault,) = faults()
    assert "is not linked to the chain" in fault


def test_a_strange_name_is_told(chain: StreamingWorld) -> None:
    log().objects[f"{keys_of()[0]}.bak"] = b"x"
    (fault,) = faults()
    assert fault.endswith("is no object of this log")


def test_an_object_of_another_chain_is_no_part_of_this_one(chain: StreamingWorld) -> None:
    write(chain, 3, shard=OTHER)
    (other,) = keys_of(OTHER)
    log().objects[keys_of()[0]] = log().objects[other]
    assert faults()
    log().objects[other.replace(OTHER, SHARD)] = log().objects[other]
    assert any("is not linked to the chain" in fault for fault in faults())


def test_what_is_written_meanwhile_is_no_fault(chain: StreamingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = MemoryAuditLog.keys

    def write_then_list(self: MemoryAuditLog, prefix: str) -> Any:
        monkeypatch.undo()
        write(chain, 2, 2)
        return listed(self, prefix)

    monkeypatch.setattr(MemoryAuditLog, "keys", write_then_list)
    found = report()
    assert (found.lines, found.faults, len(found.remarks)) == (10, [], 2)
    assert (report().lines, report().faults, report().remarks) == (14, [], [])


# The table's side ----------------------------------------------------------------------------------------------------------------------


def test_a_chain_that_was_deleted_whole_is_missed(chain: StreamingWorld) -> None:
    log().objects.clear()
    (found,) = verify()
    assert found.faults[:4] == [f"object {number} is missing" for number in (4, 3, 2, 1)]
    assert found.faults[4:] == ["lines 1 to 10 are missing: the end of the chain was cut off"]


def test_a_head_that_was_deleted_is_missed(chain: StreamingWorld) -> None:
    table(SYSTEM).delete(keys.audit_head(SHARD))
    assert faults() == ["the table does not know how far the chain goes: its head is gone"]
    assert [len(found.faults) for found in verify()] == [1, 1]


def test_a_chain_that_the_table_does_not_know_is_told(chain: StreamingWorld) -> None:
    table(SYSTEM).delete(keys.audit_chain("202707", SHARD))
    (found,) = verify()
    assert found.faults == ["the log holds objects of a chain that the table does not know"]


def test_an_older_head_put_back_shows_what_was_behind_it(chain: StreamingWorld) -> None:
    """Whoever may write to both can cut the end off together with the head; whoever may write to the table alone cannot."""
    head = table(SYSTEM).get(keys.audit_head(SHARD))
    head.objects, head.lines, head.last_hash = 3, 8, re.search(r"-([0-9a-f]{64})", keys_of()[2])[1]
    table(SYSTEM).put(head)
    assert report().faults == []
    assert len(report().remarks) == 1


# Anything at all -----------------------------------------------------------------------------------------------------------------------

SPLICE = st.tuples(st.integers(0), st.integers(0, 300), st.binary(max_size=20))


def splice(body: bytes, begin: int, length: int, new: bytes) -> bytes:
    begin %= len(body) + 1
    return body[:begin] + new + body[begin + length :]


@ON_A_FIXTURE
@given(data=st.data())
def test_no_byte_changes_unseen(streaming_world: StreamingWorld, data: st.DataObject) -> None:
    shard = new_shard()
    write(streaming_world, *data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)), shard=shard)
    key = data.draw(st.sampled_from(keys_of(shard)))
    before = log().objects[key]
    log().objects[key] = splice(before, *data.draw(SPLICE))
    assert bool(faults(shard)) == (log().objects[key] != before)


@ON_A_FIXTURE
@given(data=st.data())
def test_no_line_goes_comes_or_moves_unseen(streaming_world: StreamingWorld, data: st.DataObject) -> None:
    """The lines of the whole chain, in another order, some left out, some twice, in the same objects, with old names or right ones."""
    shard = new_shard()
    write(streaming_world, *data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=4)), shard=shard)
    before = {key: log().objects[key] for key in keys_of(shard)}
    lines = b"".join(before.values()).splitlines(keepends=True)
    order = data.draw(st.permutations(range(len(lines))) | st.lists(st.integers(0, len(lines) - 1), max_size=8))
    sizes = [body.count(b"\n") for body in before.values()]
    for key, size in zip(before, sizes, strict=True):
        body, order = b"".join(lines[place] for place in order[:size]), order[size:]
        del log().objects[key]
        if body or data.draw(st.booleans()):
            log().objects[rehashed(key, body) if body and data.draw(st.booleans()) else key] = body
    after = {key: log().objects[key] for key in keys_of(shard)}
    assert bool(faults(shard)) == (after != before)


@ON_A_FIXTURE
@given(data=st.data())
def test_no_object_goes_or_moves_unseen(streaming_world: StreamingWorld, data: st.DataObject) -> None:
    shard = new_shard()
    write(streaming_world, *data.draw(st.lists(st.integers(1, 3), min_size=2, max_size=5)), shard=shard)
    before = {key: log().objects.pop(key) for key in keys_of(shard)}
    for place, (key, body) in enumerate(before.items(), 1):
        number = data.draw(st.sampled_from([place, place, place, *range(len(before) + 2)]))
        if data.draw(st.sampled_from([True, True, True, False])):
            log().objects[renumbered(key, number)] = body
    after = {key: log().objects[key] for key in keys_of(shard)}
    assert bool(faults(shard)) == (after != before)


# The command ---------------------------------------------------------------------------------------------------------------------------


def test_the_command_says_that_all_is_well(chain: StreamingWorld, capsys: pytest.CaptureFixture[str]) -> None:
    chain.clock.advance(days=40)
    write(chain, 1, shard=OTHER)
    call_command("audit", "verify")
    said = capsys.readouterr().out
    assert f"{SHARD}: 4 objects, 10 lines, as it was written" in said
    assert f"{OTHER}: 1 objects, 1 lines, as it was written" in said
    assert "2 chains, each as it was written." in said

    for arguments, chosen in (["--month", "202707"], SHARD), (["--month", "202708"], OTHER), (["--chain", OTHER], OTHER):
        call_command("audit", "verify", *arguments)
        said = capsys.readouterr().out
        assert {SHARD, OTHER} & set(re.findall(r"shardId-[\w-]+", said)) == {chosen}
    call_command("audit", "verify", "--month", "202609")
    assert "no chain" in capsys.readouterr().out


def test_the_command_fails_on_a_fault(chain: StreamingWorld, capsys: pytest.CaptureFixture[str]) -> None:
    del log().objects[keys_of()[1]]
    with pytest.raises(SystemExit) as ended:
        call_command("audit", "verify")
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert "fault: object 2 is missing" in said
    assert "2 faults: the audit log is not as it was written." in said


def test_the_command_shows_how_far_it_is(streaming_world: StreamingWorld, capsys: pytest.CaptureFixture[str]) -> None:
    write(streaming_world, *[1] * 250)
    call_command("audit", "verify")
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ["  100 of 250 objects", "  200 of 250 objects"]


def test_the_command_says_what_it_cannot_do(streaming_world: StreamingWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments in (["--month", "2027-07"], ["--month", "202713"], ["--chain", "a b"]):
        with pytest.raises(CommandError):
            call_command("audit", "verify", *arguments)

    def refuse(*_: Any) -> None:
        raise AuditLogUnavailable("no answer")

    monkeypatch.setattr(MemoryAuditLog, "keys", refuse)
    with pytest.raises(CommandError, match="no answer"):
        call_command("audit", "verify")
