"""Keys: no id reaches out of its place, no two things share one, and spans hold what they should."""

import inspect
import typing
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from goalgraph.ids import ID_PATTERN, is_id
from goalgraph.table import keys
from goalgraph.table.expressions import check_range, holds
from goalgraph.table.port import IndexKey, Key, Span
from tests.contracts.table_items import instants

IDS = st.from_regex(ID_PATTERN, fullmatch=True)
INSTANTS = instants(st.just(UTC))
MINUTES = INSTANTS.map(lambda instant: instant.replace(second=0, microsecond=0))
"""Some keys are as fine as a minute."""
ARGUMENTS: dict[Any, st.SearchStrategy[Any]] = {
    str: IDS,
    str | None: st.none() | IDS,
    int: st.integers(1, 9_999),
    int | None: st.none() | st.integers(1, 9_999),
    bool: st.booleans(),
    float: st.integers(0, 1000).map(lambda thousandths: thousandths / 1000),
    datetime: MINUTES,
    datetime | None: st.none() | MINUTES,
    date: st.dates(),
}
FUNCTIONS = {
    name: function
    for name, function in inspect.getmembers(keys, inspect.isfunction)
    if function.__module__ == keys.__name__ and not name.startswith("_") and function.__annotations__["return"] in (Key, IndexKey, Span)
}
PLACES = {name: function for name, function in FUNCTIONS.items() if function.__annotations__["return"] is not Span}

NO_IDS = [
    "",
    "#",
    "a#b",
    "#a",
    "a#",
    "USER#ana",
    "a\x00",
    "a\n",
    "\na",
    "a\r",
    "a\t",
    " a",
    "a ",
    "a b",
    "-a",
    ".",
    "_a",
    "a/b",
    "a\\b",
    "a~",
    "ａ",  # noqa: RUF001 - looks like an a, and so do the next
    "а",  # noqa: RUF001
    "á",
    "a\u200b",
    "\u202ea",
    "＃a",  # noqa: RUF001
    "🎯",
    "\ud800",
    "a" * 129,
    "a" * 10_000_000,
]


def types_of(function: Callable[..., Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(function)
    return {name: hints[name] for name in inspect.signature(function).parameters}


def arguments_of(function: Callable[..., Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({name: ARGUMENTS[kind] for name, kind in types_of(function).items()})


def test_the_functions_are_found() -> None:
    assert {"profile", "goal", "task", "agenda_entry", "due_entry", "idempotency"} <= set(PLACES)
    assert {"home_of", "goals_of", "agenda_of"} <= set(FUNCTIONS) - set(PLACES)


def injections() -> list[Any]:
    return [
        pytest.param(function, name, id=f"{function_name}({name})")
        for function_name, function in FUNCTIONS.items()
        for name, kind in types_of(function).items()
        if kind is str and name != "sk"  # a sort key that this very page composed
    ]


@pytest.mark.parametrize(("function", "parameter"), injections())
def test_what_is_no_id_is_refused_at_each_place(function: Callable[..., Any], parameter: str) -> None:
    good = {str: "good", str | None: None, int: 1, int | None: None, bool: True, float: 0.5, date: date(2027, 7, 1), datetime | None: None}
    good |= {datetime: datetime(2027, 7, 1, tzinfo=UTC)}
    arguments = {name: good[kind] for name, kind in types_of(function).items()}
    function(**arguments)
    for hostile in NO_IDS:
        with pytest.raises(keys.InvalidKey):
            function(**arguments | {parameter: hostile})


@pytest.mark.parametrize(("function", "parameter"), injections())
@given(data=st.data(), hostile=st.text() | st.from_regex(r"[A-Za-z0-9#\n\x00é]{1,8}", fullmatch=True))
def test_any_text_that_is_no_id_is_refused(function: Callable[..., Any], parameter: str, data: st.DataObject, hostile: str) -> None:
    assume(not is_id(hostile))
    arguments = data.draw(arguments_of(function))
    with pytest.raises(keys.InvalidKey):
        function(**arguments | {parameter: hostile})


@pytest.mark.parametrize("hostile", [None, 1, b"a", ["a"], True])
def test_what_is_no_text_is_refused(hostile: Any) -> None:
    with pytest.raises(keys.InvalidKey):
        keys.profile(hostile)


@pytest.mark.parametrize("function", [pytest.param(function, id=name) for name, function in PLACES.items()])
@given(data=st.data())
def test_different_things_have_different_keys(function: Callable[..., Any], data: st.DataObject) -> None:
    first, second = data.draw(arguments_of(function)), data.draw(arguments_of(function))
    changed = data.draw(st.sampled_from(sorted(first)))
    alike = first | {changed: second[changed]}
    for other in (second, alike):
        assert (function(**first) == function(**other)) == (first == other)


@given(data=st.data(), shared=st.lists(IDS, min_size=1, max_size=2))
def test_no_two_kinds_of_thing_share_a_key(data: st.DataObject, shared: list[str]) -> None:
    """Even when all of them have the same ids."""
    found: dict[Key, str] = {}
    for name, function in PLACES.items():
        arguments = data.draw(arguments_of(function)) | {
            parameter: data.draw(st.sampled_from(shared)) for parameter, kind in types_of(function).items() if kind is str
        }
        place = function(**arguments)
        if isinstance(place, Key):
            assert found.setdefault(place, name) == name


@pytest.mark.parametrize("function", [pytest.param(function, id=name) for name, function in FUNCTIONS.items() if name not in PLACES])
@given(data=st.data())
def test_each_span_can_be_sought(function: Callable[..., Span], data: st.DataObject) -> None:
    arguments = data.draw(arguments_of(function))
    assume(arguments.get("above", 0) + 1 < arguments.get("below", keys.MAX_SEQ))
    assume(arguments.get("first", date.min) <= arguments.get("last", date.max) if function is keys.game_days else True)
    check_range(function(**arguments))


@given(tenants=st.lists(st.none() | IDS, min_size=2, max_size=2, unique=True), users=st.tuples(IDS, IDS))
def test_no_tenant_reaches_into_another(tenants: list[str | None], users: tuple[str, str]) -> None:
    first, second = (keys.with_tenant(tenant, keys.profile(user).pk) for tenant, user in zip(tenants, users, strict=True))
    assert first != second


def inside(span: Span, key: Key) -> bool:
    return span.pk == key.pk and holds(span.sk, key.raw())


@given(user=IDS, task=IDS, due=st.none() | INSTANTS, until=st.none() | INSTANTS)
def test_an_agenda_reaches_as_far_as_asked(user: str, task: str, due: datetime | None, until: datetime | None) -> None:
    entry = keys.agenda_entry(user, due, task)
    assert inside(keys.agenda_of(user, until), entry) == (until is None or (due is not None and due <= until))
    assert inside(keys.home_of(user), entry)


@given(user=IDS, others=st.tuples(IDS, IDS), dues=st.tuples(INSTANTS, INSTANTS))
def test_an_agenda_is_in_the_order_of_due_times_the_undated_last(
    user: str, others: tuple[str, str], dues: tuple[datetime, datetime]
) -> None:
    first, second = (keys.agenda_entry(user, due, task).sk for due, task in zip(dues, others, strict=True))
    assert dues[0] == dues[1] or (first < second) == (dues[0] < dues[1])
    assert first < keys.agenda_entry(user, None, others[0]).sk


@given(user=IDS, other=IDS)
def test_lists_hold_their_own_kind(user: str, other: str) -> None:
    assert inside(keys.goals_of(user), keys.goal(user, other))
    assert inside(keys.tasks_of(user), keys.task(user, other))
    assert inside(keys.blocks_of(user), keys.block(user, other))
    assert not inside(keys.goals_of(user), keys.goal_quota(user))
    for key in (keys.profile(user), keys.goal(user, other)):
        assert inside(keys.home_of(user), key)


@given(at=instants(st.timezones()))
def test_the_wheel_turns_in_utc(at: datetime) -> None:
    in_utc = at.astimezone(UTC)
    assert keys.due_entry(at, 0, "t", "r") == keys.due_entry(in_utc, 0, "t", "r")
    assert keys.due_entry(at, 7, "t", "r").pk == f"DUE#{in_utc.year:04}{in_utc:%m%d%H%M}#7"
    assert keys.due_entry(at, 7, "t", "r").pk < keys.due_entry(in_utc + timedelta(minutes=1), 7, "t", "r").pk


def test_the_wheel_refuses_a_naive_time() -> None:
    with pytest.raises(ValueError, match="time zone"):
        keys.due_entry(datetime(2027, 7, 1), 0, "t", "r")  # noqa: DTZ001


@given(identifier=IDS, shards=st.integers(1, 64))
def test_a_shard_is_one_of_those_there_are(identifier: str, shards: int) -> None:
    assert 0 <= keys.shard_of(identifier, shards) < shards


def test_shards_stay_where_they_are_and_share_the_load() -> None:
    assert [keys.shard_of(name, 8) for name in ("ana", "bruno", "carla")] == [4, 0, 3]
    loads = [0] * 8
    for number in range(8_000):
        loads[keys.shard_of(f"task-{number}", 8)] += 1
    assert min(loads) > 850
    assert max(loads) < 1_150
