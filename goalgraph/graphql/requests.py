"""The body of a GraphQL request, believed only as far as it was checked (GraphQL over HTTP, section 5.3)."""

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from goalgraph.errors import Invalid

MAX_JSON_DEPTH = 30
MAX_JSON_VALUES = 10_000


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    query: str
    variables: dict[str, Any]
    operation_name: str | None = None

    def fingerprint(self) -> str:
        """A digest that two requests share when they ask for the same, whatever the order of their variables."""
        parts = [self.query, self.variables, self.operation_name]
        return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def read_json(body: bytes) -> Any:
    """The value behind `body`, UTF-8 JSON. Raises Invalid when it is not, or is nested beyond 30 levels or 10,000 values.

    orjson refuses more than 1024 levels by itself, so parsing is safe; what follows the parsing is safe below our own limits.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Invalid("The body is not valid JSON in UTF-8.") from None
    check_json(value)
    return value


def check_json(value: Any) -> None:
    """Raises Invalid where parsed JSON is nested too deeply or holds too many values. Walks without recursion."""
    level, values = [value], 0
    for _ in range(MAX_JSON_DEPTH):
        below: list[Any] = []
        for entry in level:
            if isinstance(entry, dict):
                below.extend(entry.values())
            elif isinstance(entry, list):
                below.extend(entry)
        values += len(below)
        if values > MAX_JSON_VALUES:
            raise Invalid(f"The JSON holds more than {MAX_JSON_VALUES} values.")
        if not below:
            return
        level = below
    raise Invalid(f"The JSON nests deeper than {MAX_JSON_DEPTH} levels.")


def read_request(payload: Any) -> GraphQLRequest:
    """The request in a parsed body. Members that the specification does not know are passed over. Raises Invalid."""
    if isinstance(payload, list):
        raise Invalid("Batches are not served: send one operation a request.")
    if not isinstance(payload, dict):
        raise Invalid("The body is not a JSON object.")
    query, operation_name = payload.get("query"), payload.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise Invalid("`query` is not a GraphQL document.", field="query")
    if not isinstance(operation_name, str | None):
        raise Invalid("`operationName` is not a string.", field="operationName")
    for name in ("variables", "extensions"):
        if not isinstance(payload.get(name), dict | None):
            raise Invalid(f"`{name}` is not an object.", field=name)
    return GraphQLRequest(query, payload.get("variables") or {}, operation_name or None)
