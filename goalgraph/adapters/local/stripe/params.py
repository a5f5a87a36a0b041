"""Parameters as Stripe takes them: form-encoded, nested by brackets (`items[0][price]=...`), every value a string."""

from collections.abc import Iterable, Iterator
from typing import Any

from goalgraph.adapters.local.stripe.errors import invalid, missing_param

MAX_DEPTH = 8
Json = dict[str, Any]


def decode(pairs: Iterable[tuple[str, str]]) -> Json:
    """The nested form of flat pairs: `a[b]` is a mapping, `a[0]` and `a[]` are a list. Raises StripeError."""
    root: Json = {}
    for name, value in pairs:
        _put(root, name.replace("]", "").split("["), value, name)
    return {name: _lists(value) for name, value in root.items()}


def _put(holder: Json, path: list[str], value: str, name: str) -> None:
    if len(path) > MAX_DEPTH:
        raise invalid(f"Invalid parameter name: {name}", param=name)
    *parents, last = path
    for key in parents:
        holder = holder.setdefault(key, {})
        if not isinstance(holder, dict):
            raise invalid(f"Invalid hash: {name}", param=name)
    if isinstance(holder.get(last), dict):
        raise invalid(f"Invalid hash: {name}", param=name)
    holder[last or str(len(holder))] = value


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    found = {key: _lists(each) for key, each in value.items()}
    if found and all(key.isascii() and key.isdigit() for key in found):
        return [found[key] for key in sorted(found, key=int)]
    return found


class Params:
    """Reads parameters by type. Raises StripeError, as Stripe does, where one is missing or of another type."""

    def __init__(self, values: Json, prefix: str = "") -> None:
        self.values = values
        self.prefix = prefix

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def full(self, name: str) -> str:
        """The name as the caller wrote it."""
        return f"{self.prefix}[{name}]" if self.prefix else name

    def allow_only(self, names: frozenset[str]) -> None:
        for name in self.values:
            if name not in names:
                raise invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")

    def text(self, name: str) -> str | None:
        """None where it is left out or empty: an empty string unsets."""
        value = self.values.get(name, "")
        if not isinstance(value, str):
            raise invalid(f"Invalid string: {value}", param=self.full(name))
        return value or None

    def need(self, name: str) -> str:
        value = self.text(name)
        if value is None:
            raise missing_param(self.full(name))
        return value

    def one_of(self, name: str, choices: Iterable[str]) -> str | None:
        value, choices = self.text(name), tuple(choices)
        if value is not None and value not in choices:
            raise invalid(f"Invalid {self.full(name)}: must be one of {', '.join(choices)}", param=self.full(name))
        return value

    def integer(self, name: str) -> int | None:
        value = self.text(name)
        try:
            return None if value is None else int(value)
        except ValueError:
            raise invalid(f"Invalid integer: {value}", param=self.full(name), code="parameter_invalid_integer") from None

    def boolean(self, name: str) -> bool | None:
        value = self.text(name)
        if value not in (None, "true", "false"):
            raise invalid(f"Invalid boolean: {value}", param=self.full(name))
        return None if value is None else value == "true"

    def within(self, name: str) -> "Params":
        """A nested mapping; an empty one where it is left out or unset."""
        value = self.values.get(name) or {}
        if not isinstance(value, dict):
            raise invalid("Invalid object", param=self.full(name))
        return Params(value, self.full(name))

    def each(self, name: str) -> list["Params"]:
        """A list of nested mappings."""
        return [Params(value, f"{self.full(name)}[{index}]") for index, value in enumerate(self._list(name, dict))]

    def texts(self, name: str) -> list[str]:
        return list(self._list(name, str))

    def _list(self, name: str, kind: type) -> list[Any]:
        value = self.values.get(name) or []
        if not isinstance(value, list) or not all(isinstance(each, kind) for each in value):
            raise invalid("Invalid array", param=self.full(name))
        return value

    def metadata(self, before: Json | None = None) -> dict[str, str]:
        """`before` with what is given: an empty value removes its key, an empty `metadata` removes all of them."""
        if self.values.get("metadata") == "":
            return {}
        given = self.within("metadata").values
        if not all(isinstance(value, str) for value in given.values()):
            raise invalid("Metadata values must be strings.", param=self.full("metadata"))
        return {key: value for key, value in ((before or {}) | given).items() if value != ""}
