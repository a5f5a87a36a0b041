"""Contract: a list read page by page, in either direction, in the table and in each index, has each item once; cursors are its own."""

import base64
from collections.abc import Iterator

import pytest
from django.core import signing
from hypothesis import given, settings
from hypothesis import strategies as st

from goalgraph.auth.actor import Actor
from goalgraph.table import definition, metering
from goalgraph.table.cursors import InvalidCursor
from goalgraph.table.keys import SK
from goalgraph.table.memory import MemoryTable
from goalgraph.table.port import Adapter, Key, Span
from goalgraph.table.table import Page, Put, Table
from tests.contracts.table_items import ON_A_FIXTURE, Entry, entries_of, new_partition, raw_item, table_of
from tests.fixtures import new_user

EVERYWHERE = [None, *definition.INDEXES]
RANKS = st.text(st.sampled_from("019AZaz~!é€😀"), min_size=1, max_size=4)


def filled(adapter: Adapter, ranks: list[str], **more: str) -> tuple[Table, str]:
    """A table with one entry of a new owner for each of `ranks`, and that owner."""
    owner = new_user()
    items = table_of(adapter, owner)
    puts = [Put(Entry(name=f"e{number:04}", rank=rank, **more)) for number, rank in enumerate(ranks)]
    for start in range(0, len(puts), 100):
        items.transact(puts[start : start + 100])
    return items, owner.user_id


def pages(items: Table, span: Span, sizes: list[int], *, forward: bool) -> Iterator[Page]:
    """All pages of `span`, of `sizes` in turn and again, to the end."""
    after = None
    for turn in range(10_000):
        page = items.query(span, limit=sizes[turn % len(sizes)], after=after, forward=forward)
        yield page
        if not page.has_more:
            return
        after = page.cursors[-1]
    raise AssertionError("pages without end")


def sort_key(entry: Entry, index: str | None) -> bytes:
    """Where `entry` stands in its list. DynamoDB orders text by its UTF-8 bytes."""
    return (entry.key().sk if index is None else f"RANK#{entry.rank}").encode()


def check_to_the_end(adapter: Adapter, ranks: list[str], sizes: list[int], index: str | None, *, forward: bool) -> None:
    items, owner = filled(adapter, ranks)
    span = entries_of(owner, index)
    read = list(pages(items, span, sizes, forward=forward))
    found = [entry for page in read for entry in page.items]
    names = [entry.name for entry in found]
    places = [sort_key(entry, index) for entry in found]
    assert sorted(names) == [f"e{number:04}" for number in range(len(ranks))]
    assert places == sorted(places, reverse=not forward)
    assert [len(page.items) for page in read[:-1]] == [sizes[turn % len(sizes)] for turn in range(len(read) - 1)]
    assert [page.has_more for page in read] == [True] * (len(read) - 1) + [False]
    assert names == [entry.name for entry in items.query(span, forward=forward).items]


@settings(ON_A_FIXTURE, max_examples=40)
@given(
    ranks=st.lists(RANKS, max_size=40),
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    index=st.sampled_from(EVERYWHERE),
    forward=st.booleans(),
)
def test_any_list_is_read_to_its_end(adapter: Adapter, ranks: list[str], sizes: list[int], index: str | None, forward: bool) -> None:
    check_to_the_end(adapter, ranks, sizes, index, forward=forward)


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("index", EVERYWHERE)
def test_each_index_is_read_to_its_end(adapter: Adapter, index: str | None, forward: bool) -> None:
    """Among others, ten entries that stand at the same place of the index."""
    check_to_the_end(adapter, ["b", "a", "c", *["same"] * 10, "~"], [1, 3, 7], index, forward=forward)


def test_both_adapters_page_alike(dynamo_table: Adapter) -> None:
    ranks = [format(number * 7919 % 97, "b") for number in range(60)]
    read = []
    for adapter in (MemoryTable(), dynamo_table):
        items, owner = filled(adapter, ranks)
        read.append([[entry.name for entry in page.items] for page in pages(items, entries_of(owner), [5, 8], forward=False)])
    assert read[0] == read[1]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (SK == "ENTRY#b#e0001", "b"),
        (SK < "ENTRY#b", "a"),
        (SK <= "ENTRY#b#e0001", "ab"),
        (SK > "ENTRY#b#e0001", "cd"),
        (SK >= "ENTRY#b#e0001", "bcd"),
        (SK.between("ENTRY#b", "ENTRY#c~"), "bc"),
        (SK.startswith("ENTRY#c"), "c"),
        (SK.startswith("ENTRY#"), "abcd"),
        (SK.startswith("OTHER#"), ""),
    ],
)
def test_a_span_is_a_stretch_of_the_sort_key(adapter: Adapter, condition: object, expected: str) -> None:
    items, owner = filled(adapter, list("abcd"))
    span = Span(f"PROBES#{owner}", condition)
    assert "".join(entry.rank for entry in items.query(span).items) == expected
    assert "".join(entry.rank for entry in items.query(span, forward=False).items) == expected[::-1]


@pytest.mark.parametrize("condition", [SK != "x", (SK > "a") & (SK < "b"), ~(SK > "a"), SK.exists(), Entry.rank == "a"])
def test_a_span_that_no_store_can_seek_is_refused(adapter: Adapter, condition: object) -> None:
    with pytest.raises(TypeError, match="is no range of SK"):
        table_of(adapter, new_user()).query(Span("PROBES#x", condition))


def test_a_span_that_runs_backwards_is_refused(adapter: Adapter) -> None:
    with pytest.raises(TypeError, match="bounds"):
        table_of(adapter, new_user()).query(Span("PROBES#x", SK.between("b", "a")))


def test_no_index_is_read_consistently_and_no_page_is_negative(adapter: Adapter) -> None:
    items = table_of(adapter, new_user())
    with pytest.raises(ValueError, match="consistently"):
        items.query(entries_of("x", "GSI1"), consistent=True)
    with pytest.raises(ValueError, match="less than 0"):
        items.query(entries_of("x"), limit=-1)


def test_a_page_of_none_says_whether_there_are_some(adapter: Adapter) -> None:
    items, owner = filled(adapter, ["a"])
    assert items.query(entries_of(owner), limit=0).has_more
    assert not items.query(entries_of(new_user().user_id), limit=0).has_more


def test_each_item_of_a_page_has_a_cursor(adapter: Adapter) -> None:
    items, owner = filled(adapter, list("abcde"))
    page = items.query(entries_of(owner), limit=5)
    rest = [[entry.rank for entry in items.query(entries_of(owner), limit=5, after=cursor).items] for cursor in page.cursors]
    assert rest == [list("bcde"), list("cde"), list("de"), ["e"], []]


def test_a_cursor_stays_good_when_its_item_is_gone(adapter: Adapter) -> None:
    items, owner = filled(adapter, list("abc"))
    page = items.query(entries_of(owner), limit=2)
    items.delete(page.items[-1].key())
    assert [entry.rank for entry in items.query(entries_of(owner), limit=2, after=page.cursors[-1]).items] == ["c"]


def test_a_cursor_is_good_for_its_own_query_only(adapter: Adapter) -> None:
    items, owner = filled(adapter, list("abc"))
    span = entries_of(owner)
    cursor = items.query(span, limit=1).cursors[0]
    tenant = table_of(adapter, Actor(user_id=owner, tenant_id="acme"))
    borrowed = [
        (items, entries_of(new_user().user_id)),
        (items, entries_of(owner, "GSI1")),
        (items, Span(span.pk)),
        (items, Span(span.pk, SK.startswith("ENTRY#a"))),
        (items, Span(span.pk, SK >= "ENTRY#")),
        (tenant, span),
    ]
    for place, other in borrowed:
        for forward in (True, False):
            with pytest.raises(InvalidCursor):
                place.query(other, limit=1, after=cursor, forward=forward)
    in_index = items.query(entries_of(owner, "GSI1"), limit=1).cursors[0]
    with pytest.raises(InvalidCursor):
        items.query(entries_of(owner, "GSI2"), limit=1, after=in_index)
    assert [entry.rank for entry in items.query(span, limit=1, after=cursor).items] == ["b"]


@settings(ON_A_FIXTURE, max_examples=200)
@given(cursor=st.text(max_size=200) | st.binary(max_size=100).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursor):
        table_of(MemoryTable(), new_user()).query(entries_of("ana"), limit=1, after=cursor)


@pytest.mark.parametrize("index", EVERYWHERE)
def test_a_cursor_serves_both_directions(adapter: Adapter, index: str | None) -> None:
    items, owner = filled(adapter, list("abcde"))
    span = entries_of(owner, index)
    middle = items.query(span, limit=3).cursors[-1]
    assert [entry.rank for entry in items.query(span, limit=9, after=middle).items] == ["d", "e"]
    assert [entry.rank for entry in items.query(span, limit=9, after=middle, forward=False).items] == ["b", "a"]


def test_a_cut_stretched_or_forged_cursor_is_refused(adapter: Adapter) -> None:
    items, owner = filled(adapter, list("abc"))
    span = entries_of(owner)
    cursor = items.query(span, limit=1).cursors[0]
    payload, _, signature = cursor.rpartition(":")
    key = Key(f"PROBES#{owner}", "ENTRY#a#e0000")
    forged = [
        "",
        ":",
        payload,
        f"{payload}:",
        f":{signature}",
        cursor[:-1],
        cursor[1:],
        f"{cursor} ",
        f"{cursor}=",
        cursor.swapcase(),
        f"{payload}x:{signature}",
        cursor * 200,
        "A" * 10_240,
        "\ud800",
        signing.Signer(salt="another").sign_object([key.pk, key.sk]),
        signing.Signer(key="another", salt="goalgraph.table.cursor").sign_object([key.pk, key.sk]),
    ]
    for wrong in forged:
        with pytest.raises(InvalidCursor):
            items.query(span, limit=1, after=wrong)


def test_pages_end_where_the_store_ends_them_without_anybody_noticing(adapter: Adapter) -> None:
    """DynamoDB ends a page at 1 MB. 300 items of 7 KB are two pages and more."""
    ranks = [f"{number:03}" for number in range(300)]
    items, owner = filled(adapter, ranks, padding="x" * 7_000)
    span = entries_of(owner)
    with metering.metered() as meter:
        everything = items.query(span).items
    assert [entry.rank for entry in everything] == ranks
    assert meter.round_trips == 3
    page = items.query(span, limit=290)
    assert ([entry.rank for entry in page.items], page.has_more) == (ranks[:290], True)
    rest = items.query(span, limit=290, after=page.cursors[-1])
    assert ([entry.rank for entry in rest.items], rest.has_more) == (ranks[290:], False)
    assert [entry.rank for entry in items.query(entries_of(owner, "GSI3"), forward=False).items] == ranks[::-1]


def test_an_adapters_page_goes_on_from_its_last_key(adapter: Adapter) -> None:
    pk = new_partition()
    for sk in "abcde":
        adapter.put(raw_item(pk, sk), None)
    start, seen = None, []
    for _ in range(10):
        page = adapter.query(Span(pk), limit=2, forward=True, consistent=True, start=start)
        seen += [raw["SK"]["S"] for raw in page.items]
        start = page.last_key
        if start is None:
            break
    assert seen == list("abcde")


def test_an_item_stands_in_an_index_only_with_both_keys_of_it(adapter: Adapter) -> None:
    pk = new_partition()
    adapter.put(raw_item(pk, "both", GSI1PK={"S": pk}, GSI1SK={"S": "x"}), None)
    adapter.put(raw_item(pk, "half", GSI1PK={"S": pk}), None)
    adapter.put(raw_item(pk, "none"), None)
    page = adapter.query(Span(pk, index="GSI1"), limit=None, forward=True, consistent=False, start=None)
    assert [raw["SK"]["S"] for raw in page.items] == ["both"]
