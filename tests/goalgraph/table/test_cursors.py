"""Cursors by themselves. What a query does with them is in `tests/contracts/test_table_pages.py`."""

import pytest
from django.test import override_settings
from hypothesis import assume, given
from hypothesis import strategies as st

from goalgraph.table import cursors, definition
from goalgraph.table.cursors import InvalidCursor
from goalgraph.table.keys import SK
from goalgraph.table.port import Raw, Span

names = st.text(st.characters(codec="ascii"), min_size=1, max_size=40)
conditions = st.none() | names.map(SK.startswith) | st.tuples(names, names).map(lambda pair: SK.between(*sorted(pair)))
spans = st.builds(Span, names, conditions, st.sampled_from([None, *definition.INDEXES]))


def item(span: Span, value: str) -> Raw:
    """An item that stands in every index."""
    pairs = [(index.pk, index.sk) for index in (definition.BASE, *definition.INDEXES.values())]
    return {name: {"S": f"{value}{name}"} for pair in pairs for name in pair} | {"title": {"S": "told to nobody"}}


@given(span=spans, value=names)
def test_a_cursor_brings_back_the_key_and_nothing_else(span: Span, value: str) -> None:
    stood_behind = item(span, value)
    place = definition.index(span.index)
    cursor = cursors.encode(stood_behind, span)
    assert cursors.decode(cursor, span) == {name: stood_behind[name] for name in {"PK", "SK", place.pk, place.sk}}
    assert cursor.isascii()
    assert cursor.isprintable()


@given(span=spans, other=spans, value=names)
def test_a_cursor_is_no_good_elsewhere(span: Span, other: Span, value: str) -> None:
    assume((span.pk, repr(span.sk), span.index) != (other.pk, repr(other.sk), other.index))
    with pytest.raises(InvalidCursor):
        cursors.decode(cursors.encode(item(span, value), span), other)


def test_parts_of_the_binding_do_not_run_into_each_other() -> None:
    """`GSI1` and `2X` is not `GSI12` and `X`."""
    cursor = cursors.encode(item(Span("2X"), "v"), Span("2X", index="GSI1"))
    for other in (Span("X", index="GSI1"), Span("GSI1\x1f2X"), Span("2X\x1fNone", index="GSI1")):
        with pytest.raises(InvalidCursor):
            cursors.decode(cursor, other)


@given(data=st.data())
def test_any_change_is_noticed(data: st.DataObject) -> None:
    span = Span("USER#ana", SK.startswith("GOAL#"))
    cursor = cursors.encode(item(span, "v"), span)
    place = data.draw(st.integers(0, len(cursor) - 1))
    changed = cursor[:place] + data.draw(st.text(max_size=2)) + cursor[place + data.draw(st.integers(0, 2)) :]
    assume(changed != cursor)
    with pytest.raises(InvalidCursor):
        cursors.decode(changed, span)


def test_a_cursor_of_another_installation_is_refused() -> None:
    span = Span("USER#ana")
    with override_settings(SECRET_KEY="another-secret-key-that-guards-nothing-either"):
        cursor = cursors.encode(item(span, "v"), span)
    with pytest.raises(InvalidCursor):
        cursors.decode(cursor, span)


@pytest.mark.parametrize("length", [cursors.MAX_LENGTH + 1, 10_240, 10_000_000])
def test_what_is_too_long_is_refused_unread(length: int) -> None:
    with pytest.raises(InvalidCursor):
        cursors.decode("x" * length, Span("USER#ana"))


def test_the_longest_keys_there_are_fit() -> None:
    """Tenant, user and two further ids of 128 characters each, in an index."""
    longest = "x" * 128
    raw = {name: {"S": f"TENANT#{longest}#USER#{longest}"} for name in ("PK", "GSI1PK")}
    raw |= {name: {"S": f"ENTITY#Goal#2027-07-01T12:00:00.000000Z#{longest}#{longest}"} for name in ("SK", "GSI1SK")}
    span = Span(raw["GSI1PK"]["S"], index="GSI1")
    assert cursors.decode(cursors.encode(raw, span), span) == raw
