import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph import ids
from goalgraph.ids import is_id, new_id


@pytest.mark.parametrize("value", ["a", "7", "ana", "a" * 128, "0b1f7c5e-7f7b-4f52-8d8b-4a55f0f2f9b1", "a.b_c:d@e+f-g"])
def test_an_id_of_the_allow_list_is_one(value: str) -> None:
    assert is_id(value)


@pytest.mark.parametrize(
    "value",
    [
        *["", "a" * 129, "#", "a#b", "-a", ".a", "_a", ":a", "a b", "a\n", "\na", "a\x00", "a/b", "a\\b", "a%23"],
        *["\u0430na", "\uff03", "a\u200b", "\u00e9", "\u0661", None, 7, True, b"ana", ["ana"]],
    ],
    ids=repr,
)
def test_anything_else_is_not(value: object) -> None:
    assert not is_id(value)


@given(st.text())
def test_an_id_never_holds_what_a_key_cannot(value: str) -> None:
    if is_id(value):
        assert value.isascii()
        assert value.isprintable()
        assert not set(value) & set("#/ \\%")
        assert 1 <= len(value) <= 128


def test_a_new_id_is_a_uuid_of_version_7_with_the_time_in_front() -> None:
    before = time.time_ns() // 1_000_000
    value = new_id()
    parsed = uuid.UUID(value)
    assert is_id(value)
    assert str(parsed) == value
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert before <= parsed.int >> 80 <= time.time_ns() // 1_000_000 + 1


def test_new_ids_increase_even_within_a_millisecond() -> None:
    made = [new_id() for _ in range(20_000)]
    assert made == sorted(set(made))


def test_new_ids_are_distinct_across_threads() -> None:
    with ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(lambda _: [new_id() for _ in range(2000)], range(8)))
    assert all(batch == sorted(batch) for batch in batches)
    assert len(set().union(*batches)) == 16_000


def test_new_ids_increase_while_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_id()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1)
    made = [first, *(new_id() for _ in range(100))]
    assert made == sorted(set(made))


def test_a_full_millisecond_runs_over_into_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    make = ids._Uuid7()
    monkeypatch.setattr(ids.time, "time_ns", lambda: 5_000_000)
    monkeypatch.setattr(ids.secrets, "randbits", lambda bits: (1 << bits) - 1)
    first = make()
    make._tail = (1 << 74) - 1
    second = make()
    assert second > first
    assert second.int >> 80 == 6
    assert second.version == 7
