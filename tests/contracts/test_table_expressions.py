"""Contract: an expression of the portable subset means the same on every adapter.

Random conditions and actions over random small items, on the memory adapter's interpreter and on DynamoDB: the same outcome, the same
item in its refusal, and the same item afterwards.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pynamodb.expressions.condition import And, BeginsWith, Between, Comparison, Condition, Exists, Not, NotExists, Or
from pynamodb.expressions.operand import Path, Value, _Decrement, _Increment
from pynamodb.expressions.update import Action, AddAction, RemoveAction, SetAction

from goalgraph.table.expressions import check_actions, check_condition
from goalgraph.table.memory import MemoryTable
from goalgraph.table.port import Adapter, Check, ConditionFailed, Delete, Key, Put, Raw, TransactionCanceled, Update
from tests.contracts.table_items import ON_A_FIXTURE, new_partition, raw_item

NAMES = ["a", "b", "size", "c-d"]
"""One of them is a reserved word of DynamoDB's, one no bare name."""

texts = st.text("ab~é€😀", max_size=3)
numbers = st.integers(-3, 3).map(str) | st.sampled_from(["1.0", "-0", "1e2", "100", "0.1", "-2.50", "12345678901234567890"])
blobs = st.binary(max_size=2)
strings_raw = texts.map(lambda content: {"S": content})
numbers_raw = numbers.map(lambda content: {"N": content})
blobs_raw = blobs.map(lambda content: {"B": content})
scalars = strings_raw | numbers_raw | blobs_raw | st.booleans().map(lambda content: {"BOOL": content}) | st.just({"NULL": True})
sets = (
    st.lists(texts, min_size=1, max_size=3, unique=True).map(lambda content: {"SS": content})
    | st.lists(numbers, min_size=1, max_size=3, unique_by=Decimal).map(lambda content: {"NS": content})
    | st.lists(blobs, min_size=1, max_size=3, unique=True).map(lambda content: {"BS": content})
)
nested = st.lists(scalars | sets, max_size=2).map(lambda content: {"L": content}) | st.dictionaries(
    st.sampled_from(["B", "S", "x"]), scalars | sets, max_size=2
).map(lambda content: {"M": content})
values = scalars | sets | nested
attributes = st.builds(
    lambda some, typed: some | typed,
    st.dictionaries(st.sampled_from(NAMES), values, max_size=4),
    st.fixed_dictionaries({}, optional={"text": strings_raw, "blob": blobs_raw, "n": numbers_raw}),
)
paths = st.sampled_from(NAMES).map(Path)


def same_kind(kinds: Any) -> Any:
    return kinds.flatmap(lambda each: st.tuples(each, each))


def ordered(pair: tuple[dict[str, Any], dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(pair, key=lambda value: comparable(value)[1])


comparisons = st.builds(lambda path, symbol, value: Comparison(symbol, path, Value(value)), paths, st.sampled_from(["=", "<>"]), values)
orders = st.builds(
    lambda path, symbol, value: Comparison(symbol, path, Value(value)),
    paths,
    st.sampled_from(["<", "<=", ">", ">="]),
    strings_raw | numbers_raw | blobs_raw,
)
betweens = st.builds(
    lambda path, bounds: Between(path, *map(Value, bounds)),
    paths,
    same_kind(st.sampled_from([strings_raw, numbers_raw, blobs_raw])).map(ordered),
)
beginnings = strings_raw.map(lambda prefix: BeginsWith(Path("text"), Value(prefix))) | blobs_raw.map(
    lambda prefix: BeginsWith(Path("blob"), Value(prefix))
)
"""Of attributes that are of the prefix's type or not there: of another type, DynamoDB says false and the emulator refuses the request."""
existences = st.builds(lambda path, kind: kind(path), paths, st.sampled_from([Exists, NotExists]))
conditions = st.recursive(
    comparisons | orders | betweens | beginnings | existences,
    lambda parts: parts.map(Not) | st.builds(And, parts, parts) | st.builds(Or, parts, parts),
    max_leaves=5,
)

terms = st.just(Path("n")) | numbers_raw.map(Value)
"""Of a sum: what is a number or not there. Of another type, DynamoDB refuses it and the emulator sets something."""
assignments = paths | values.map(Value) | st.builds(_Increment, terms, terms) | st.builds(_Decrement, terms, terms)
changes: list[Callable[[Path], Any]] = [
    lambda path: st.builds(SetAction, st.just(path), assignments),
    lambda path: st.builds(AddAction, st.just(path), numbers_raw.map(Value)),
    lambda path: st.just(RemoveAction(path)),
]


@st.composite
def actions(draw: Any) -> list[Action]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    return [draw(draw(st.sampled_from(changes))(Path(name))) for name in names]


def comparable(raw: Any) -> Any:
    """A raw value with its numbers by value and its sets without order."""
    ((kind, content),) = raw.items()
    match kind:
        case "N":
            return kind, Decimal(content)
        case "S":
            return kind, content.encode()
        case "NS":
            return kind, frozenset(map(Decimal, content))
        case "SS" | "BS":
            return kind, frozenset(content)
        case "L":
            return kind, [comparable(entry) for entry in content]
        case "M":
            return kind, {name: comparable(entry) for name, entry in content.items()}
    return kind, content


def plain(raw: Raw | None) -> Any:
    return None if raw is None else {name: comparable(value) for name, value in raw.items()}


def outcome(call: Callable[[], Any]) -> Any:
    try:
        result = call()
    except ConditionFailed as refusal:
        return "refused", plain(refusal.current)
    except TransactionCanceled as canceled:
        failed = [place for place in range(len(canceled.reasons)) if canceled.failed(place)]
        return "canceled", {place: plain(canceled.reasons[place].current) for place in failed}
    except ValueError:
        return "invalid"
    return "done", plain(result)


def agree(dynamo: Adapter, before: list[Raw], call: Callable[[Adapter, str], Any]) -> None:
    """Whether `call` ends the same on both adapters, and leaves the same behind. Each of `before` gets a partition of its own."""
    pk = new_partition()
    key, ends = Key(pk, "one"), []
    for adapter in (MemoryTable(), dynamo):
        for each in before:
            adapter.put({**each, **key.raw()}, None)
        ends.append((outcome(lambda adapter=adapter: call(adapter, pk)), plain(adapter.get(key, consistent=True))))
    assert ends[0] == ends[1]


before = st.lists(attributes, max_size=1)


@settings(ON_A_FIXTURE, max_examples=400)
@given(before=before, condition=conditions, after=attributes)
def test_conditions_agree(dynamo_table: Adapter, before: list[Raw], condition: Condition, after: Raw) -> None:
    check_condition(condition)
    agree(dynamo_table, before, lambda adapter, pk: adapter.put(raw_item(pk, **after), condition))


@settings(ON_A_FIXTURE, max_examples=300)
@given(before=before, changes=actions(), condition=st.none() | conditions)
def test_actions_agree(dynamo_table: Adapter, before: list[Raw], changes: list[Action], condition: Condition | None) -> None:
    check_actions(changes)
    agree(dynamo_table, before, lambda adapter, pk: adapter.update(Key(pk, "one"), changes, condition))


@settings(ON_A_FIXTURE, max_examples=50)
@given(before=before, condition=conditions)
def test_deletions_agree(dynamo_table: Adapter, before: list[Raw], condition: Condition) -> None:
    agree(dynamo_table, before, lambda adapter, pk: adapter.delete(Key(pk, "one"), condition))


@settings(ON_A_FIXTURE, max_examples=100)
@given(
    before=before,
    changes=actions(),
    conditions=st.tuples(st.none() | conditions, st.none() | conditions, st.none() | conditions, conditions),
    after=attributes,
)
def test_transactions_agree(
    dynamo_table: Adapter, before: list[Raw], changes: list[Action], conditions: tuple[Condition, ...], after: Raw
) -> None:
    def call(adapter: Adapter, pk: str) -> None:
        operations = [
            Put(raw_item(pk, "two", **after), conditions[0]),
            Update(Key(pk, "one"), changes, conditions[1]),
            Delete(Key(pk, "three"), conditions[2]),
            Check(Key(pk, "four"), conditions[3]),
        ]
        adapter.transact(operations, pk[:36])

    agree(dynamo_table, before, call)
