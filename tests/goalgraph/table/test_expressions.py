"""What the portable subset refuses, and what it means where DynamoDB's documentation is easily misread.

`tests/contracts/test_table_expressions.py` compares the rest with DynamoDB itself.
"""

import pytest
from pynamodb.attributes import NumberAttribute, UnicodeAttribute, UnicodeSetAttribute
from pynamodb.expressions.condition import BeginsWith, Between, Comparison, size
from pynamodb.expressions.operand import Path, Value
from pynamodb.expressions.update import AddAction

from goalgraph.table.expressions import NotPortable, apply, check_actions, check_condition, counts, holds
from goalgraph.table.items import CoreItem
from goalgraph.table.keys import InvalidKey

A, B = Path("a"), Path("b")


class Sample(CoreItem, discriminator="ExpressionSample"):
    names = UnicodeSetAttribute(null=True)
    title = UnicodeAttribute(null=True)
    number = NumberAttribute(null=True)


REFUSED = {
    "contains": A.contains("x"),
    "IN": A.is_in("x", "y"),
    "attribute_type": A.is_type("S"),
    "size": size("a") > 1,
    "a nested path": Path(["a", "b"]) == 1,
    "a dotted path": Path("a.b") == 1,
    "a list entry": Path("a[0]") == 1,
    "an attribute against an attribute": A == B,
    "a value on the left": Comparison("=", Value(1), Value(1)),
    "an attribute as a bound": Between(A, Value(1), B),
    "the order of booleans": A < True,
    "the order of sets": Sample.names < {"a"},
    "the beginning of a number": BeginsWith(A, Value(1)),
    "bounds the wrong way round": A.between(2, 1),
    "bounds of two types": A.between(1, "a"),
    "deep inside": ~((A == 1) & ((A == 2) | A.contains("x"))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_condition_outside_the_subset_is_refused(name: str) -> None:
    with pytest.raises(NotPortable):
        check_condition(REFUSED[name])


def test_a_condition_inside_the_subset_is_not() -> None:
    check_condition(None)
    check_condition(A.between(1, 1) & (A.startswith("x") | ~A.exists()) & A.does_not_exist() & (A != {"x": 1}) & (Sample.title >= "x"))


@pytest.mark.parametrize(
    "actions",
    [
        [Sample.names.add({"x"})],
        [Sample.names.delete({"x"})],
        [A.set(A.append(["x"]))],
        [A.set(A | 1)],
        [A.set((A | 0) + 1)],
        [Path("a.b").set(1)],
        [Path("a[1]").remove()],
        [AddAction(A, Value({"SS": ["x"]}))],
        [A.set(1), A.remove()],
        [A.set(1), B.set(2), A.add(1)],
        [Path("PK").set("x")],
        [Path("SK").remove()],
    ],
    ids=str,
)
def test_actions_outside_the_subset_are_refused(actions: list) -> None:
    with pytest.raises(NotPortable):
        check_actions(actions)


def test_actions_inside_the_subset_are_not() -> None:
    check_actions([A.set(B), B.set(A + 1), Path("c").set(1 - B), Path("d").remove(), Path("e").add(-1), Sample.names.set({"x"})])


@pytest.mark.parametrize(
    ("action", "expected"),
    [(A.add(1), True), (A.set(A + 1), True), (A.set(1 - A), True), (A.set(1), False), (A.set(B), False), (A.remove(), False)],
    ids=str,
)
def test_what_counts_is_told_from_what_sets(action: object, expected: bool) -> None:
    assert counts(action) is expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (A != 1, True),  # an absent attribute is unequal to everything
        (A == 1, False),
        (A < 1, False),
        (A >= 1, False),
        (A.between(0, 9), False),
        (A.startswith(""), False),
        (~(A < 1), True),
        (A.does_not_exist(), True),
    ],
    ids=str,
)
def test_what_is_not_there(condition: object, expected: bool) -> None:
    assert holds(condition, {}) is expected
    assert holds(condition, None) is expected


@pytest.mark.parametrize(
    ("stored", "condition", "expected"),
    [
        ({"N": "1"}, A == "1", False),
        ({"N": "1"}, A != "1", True),
        ({"N": "1"}, A < "2", False),
        ({"N": "1"}, ~(A < "2"), True),
        ({"N": "1"}, A.startswith("1"), False),  # false, not an error: only the prefix's type is checked
        ({"BOOL": True}, A == 1, False),
        ({"N": "1.0"}, A == 1, True),
        ({"N": "10"}, A > 9, True),
        ({"S": "10"}, A > "9", False),
        ({"S": "\U0001f600"}, A > "\uffff", True),  # by UTF-8 bytes; UTF-16 would say no
        ({"SS": ["b", "a"]}, Comparison("=", A, Value({"SS": ["a", "b"]})), True),
        ({"NS": ["1.0"]}, Comparison("=", A, Value({"NS": ["1"]})), True),
        ({"L": [{"N": "1.0"}]}, Comparison("=", A, Value({"L": [{"N": "1"}]})), True),
        ({"L": [{"N": "1"}, {"N": "2"}]}, Comparison("=", A, Value({"L": [{"N": "2"}, {"N": "1"}]})), False),
        ({"M": {"x": {"SS": ["b", "a"]}}}, Comparison("=", A, Value({"M": {"x": {"SS": ["a", "b"]}}})), True),
        ({"NULL": True}, A.exists(), True),
    ],
)
def test_what_compares(stored: dict, condition: object, expected: bool) -> None:
    assert holds(condition, {"a": stored}) is expected


def test_operands_are_read_before_anything_changes() -> None:
    before = {"a": {"N": "1"}, "b": {"N": "2"}}
    assert apply([A.set(B), B.set(A)], before) == {"a": {"N": "2"}, "b": {"N": "1"}}
    assert before == {"a": {"N": "1"}, "b": {"N": "2"}}


@pytest.mark.parametrize(
    ("stored", "more", "expected"),
    [
        ("1", "2", "3"),
        ("0.1", "0.2", "0.3"),
        ("1e2", "0", "100"),
        ("-1", "1", "0"),
        ("12345678901234567890123456789012345678", "0", "12345678901234567890123456789012345678"),
        ("99999999999999999999999999999999999998", "1", "99999999999999999999999999999999999999"),
    ],
)
def test_sums_have_38_digits_and_one_spelling(stored: str, more: str, expected: str) -> None:
    added = apply([AddAction(A, Value({"N": more}))], {"a": {"N": stored}})
    assert added == apply([A.set(A + Value({"N": more}))], {"a": {"N": stored}}) == {"a": {"N": expected}}


@pytest.mark.parametrize("actions", [[A.set(B)], [A.set(B + 1)], [A.set(A + 1)], [A.add(1)]], ids=str)
def test_an_operand_that_is_absent_or_no_number_is_refused(actions: list) -> None:
    with pytest.raises(ValueError, match=r"no attribute b|only numbers add up"):
        apply(actions, {"a": {"S": "text"}})


def test_a_mistake_of_ours_is_no_bad_input() -> None:
    assert not issubclass(NotPortable, ValueError)
    assert issubclass(InvalidKey, ValueError)
