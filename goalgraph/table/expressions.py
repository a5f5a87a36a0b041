"""The portable subset of PynamoDB's expressions, and what each means.

Conditions: =, <>, <, <=, >, >=, BETWEEN and begins_with of a top-level attribute against values, attribute_exists, attribute_not_exists,
AND, OR, NOT. Actions on top-level attributes: SET (a value, an attribute, or a sum of two), ADD of a number, REMOVE. `check_*` refuses
the rest, so that no service comes to depend on what only one store can do; `holds` and `apply` are the meaning, for adapters whose store
does not speak it.
"""

import operator
from collections.abc import Callable, Sequence
from decimal import Context, Decimal
from typing import Any

from pynamodb.expressions import condition as c
from pynamodb.expressions import operand as o
from pynamodb.expressions import update as u

from goalgraph.table.definition import BASE, index
from goalgraph.table.port import Raw, Span

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ORDERED = {"S", "N", "B"}
_NUMBERS = Context(prec=38)
"""DynamoDB's numbers have 38 significant digits."""


class NotPortable(TypeError):
    """An expression outside the subset: a mistake in our code, not in somebody's input."""


def check_condition(condition: c.Condition | None) -> None:
    """Raises NotPortable unless every node of `condition` is in the subset."""
    match condition:
        case None:
            return
        case c.And() | c.Or() | c.Not():
            for part in condition.values:
                check_condition(part)
        case c.Exists() | c.NotExists():
            _check_path(condition.values[0])
        case c.Comparison() | c.Between() | c.BeginsWith():
            _check_path(condition.values[0])
            _check_bounds(condition)
        case _:
            raise NotPortable(f"condition {condition!r} is not portable")


def check_range(span: Span) -> None:
    """Raises NotPortable unless the span's condition is one that a store can seek by: no <>, no logic, on the sort key of its index."""
    if span.sk is None:
        return
    check_condition(span.sk)
    seekable = isinstance(span.sk, c.Comparison | c.Between | c.BeginsWith) and span.sk.operator != "<>"
    if not seekable or _name(span.sk.values[0]) != index(span.index).sk:
        raise NotPortable(f"{span.sk!r} is no range of {index(span.index).sk}")


def check_actions(actions: Sequence[u.Action]) -> None:
    """Raises NotPortable unless every action is in the subset, each on an attribute of its own that is no key of the table."""
    names = [_check_action(action) for action in actions]
    if len(set(names)) < len(names) or {BASE.pk, BASE.sk} & set(names):
        raise NotPortable(f"actions on {names}: each attribute changes once, and keys never")


def counts(action: u.Action) -> bool:
    """Whether doing `action` twice differs from doing it once."""
    return isinstance(action, u.AddAction) or isinstance(action.values[-1], o._Increment | o._Decrement)


def _check_action(action: u.Action) -> str:
    _check_path(action.values[0])
    match action:
        case u.RemoveAction():
            pass
        case u.AddAction():
            if _kind(action.values[1]) != "N":
                raise NotPortable(f"ADD is portable for numbers only, not {action!r}")
        case u.SetAction():
            value = action.values[1]
            for leaf in value.values if isinstance(value, o._Increment | o._Decrement) else (value,):
                if not isinstance(leaf, o.Value):
                    _check_path(leaf)
        case _:
            raise NotPortable(f"action {action!r} is not portable")
    return _name(action.values[0])


def _check_path(operand: Any) -> None:
    if not isinstance(operand, o.Path) or len(operand.path) != 1 or "[" in operand.path[0]:
        raise NotPortable(f"operand {operand!r} is not portable: a top-level attribute is")


def _check_bounds(condition: c.Condition) -> None:
    """What an attribute is compared with is a value, of a type that has an order where the comparison asks for one."""
    bounds = condition.values[1:]
    kinds = {_kind(value) for value in bounds}
    fitting = {"S", "B"} if isinstance(condition, c.BeginsWith) else _ORDERED
    if None in kinds or (condition.operator not in {"=", "<>"} and not kinds <= fitting):
        raise NotPortable(f"condition {condition!r} compares with {kinds}")
    if isinstance(condition, c.Between) and not _compare("<=", _typed(bounds[0], {}), _typed(bounds[1], {})):
        raise NotPortable(f"condition {condition!r}: its bounds are of two types, or the lower is above the upper")


def _kind(operand: Any) -> str | None:
    return next(iter(operand.value)) if isinstance(operand, o.Value) else None


def holds(condition: c.Condition | None, raw: Raw | None) -> bool:
    """Whether `condition` is true of the item (None: there is no item)."""
    if condition is None:
        return True
    item = raw or {}
    match condition:
        case c.And():
            return all(holds(part, raw) for part in condition.values)
        case c.Or():
            return any(holds(part, raw) for part in condition.values)
        case c.Not():
            return not holds(condition.values[0], raw)
        case c.Exists():
            return _name(condition.values[0]) in item
        case c.NotExists():
            return _name(condition.values[0]) not in item
    found = [_typed(value, item) for value in condition.values]
    match condition:
        case c.Between():
            return _compare("<=", found[1], found[0]) and _compare("<=", found[0], found[2])
        case c.BeginsWith():
            return found[0] is not None and found[1] is not None and found[0][0] == found[1][0] and found[0][1].startswith(found[1][1])
    return _compare(condition.operator, found[0], found[1])


def _compare(symbol: str, left: tuple[str, Any] | None, right: tuple[str, Any] | None) -> bool:
    """DynamoDB's comparison: an absent attribute, or one of another type, is unequal to the value and has no order with it."""
    if left is None or right is None or left[0] != right[0]:
        return symbol == "<>"
    return _COMPARE[symbol](left[1], right[1])


def apply(actions: Sequence[u.Action], raw: Raw) -> Raw:
    """The item after `actions`. Every operand is read from the item as it was before, as DynamoDB does.

    Raises ValueError for an operand that is not there, and for a sum of what is no number.
    """
    result = dict(raw)
    for action in actions:
        name = _name(action.values[0])
        match action:
            case u.RemoveAction():
                result.pop(name, None)
            case u.AddAction():
                result[name] = _sum(raw.get(name, {"N": "0"}), _evaluate(action.values[1], raw))
            case _:
                result[name] = _evaluate(action.values[1], raw)
    return result


def _evaluate(value: Any, item: Raw) -> dict[str, Any]:
    if isinstance(value, o._Increment | o._Decrement):
        left, right = (_evaluate(part, item) for part in value.values)
        return _sum(left, right, negative=isinstance(value, o._Decrement))
    if isinstance(value, o.Path):
        if _name(value) not in item:
            raise ValueError(f"there is no attribute {_name(value)}")
        return item[_name(value)]
    content: dict[str, Any] = value.value
    return content


def _sum(left: dict[str, Any], right: dict[str, Any], *, negative: bool = False) -> dict[str, Any]:
    if "N" not in left or "N" not in right:
        raise ValueError("only numbers add up")
    calculate = _NUMBERS.subtract if negative else _NUMBERS.add
    total = calculate(Decimal(left["N"]), Decimal(right["N"])).normalize(_NUMBERS)
    return {"N": format(total if total else Decimal(0), "f")}


def _name(path: Any) -> str:
    name: str = path.path[0]
    return name


def _typed(value: Any, item: Raw) -> tuple[str, Any] | None:
    raw = item.get(_name(value)) if isinstance(value, o.Path) else value.value
    return None if raw is None else _comparable(raw)


def _comparable(raw: dict[str, Any]) -> tuple[str, Any]:
    """Type and content, so that what DynamoDB takes for equal is equal here: numbers by value, sets without order."""
    ((kind, content),) = raw.items()
    match kind:
        case "N":
            return kind, Decimal(content)
        case "S":
            return kind, content.encode()  # DynamoDB orders strings by their UTF-8 bytes
        case "NS":
            return kind, frozenset(map(Decimal, content))
        case "SS" | "BS":
            return kind, frozenset(content)
        case "L":
            return kind, [_comparable(entry) for entry in content]
        case "M":
            return kind, {name: _comparable(entry) for name, entry in content.items()}
    return kind, content
