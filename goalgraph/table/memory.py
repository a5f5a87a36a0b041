"""The table in memory: for fast tests of services, and the plain reading of what the port means."""

import bisect
import threading
from collections.abc import Sequence
from typing import Any

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from goalgraph.table import definition
from goalgraph.table.expressions import apply, holds
from goalgraph.table.metering import item_size
from goalgraph.table.port import (
    CONDITION_FAILED,
    STORE_ITEM_BYTES,
    Check,
    ConditionFailed,
    Delete,
    ItemTooLarge,
    Key,
    Operation,
    Put,
    Raw,
    RawPage,
    Reason,
    Span,
    TokenUsed,
    TransactionCanceled,
    Update,
)

_PAGE_BYTES = 1024 * 1024


class MemoryTable:
    """One lock around one dict: every verb is atomic, as in DynamoDB."""

    def __init__(self, **_: Any) -> None:
        self._items: dict[Key, Raw] = {}
        self._tokens: dict[str, str] = {}
        self._lock = threading.Lock()

    def get(self, key: Key, *, consistent: bool) -> Raw | None:  # noqa: ARG002 - memory is always consistent
        with self._lock:
            return self._items.get(key)

    def get_many(self, keys: Sequence[Key], *, consistent: bool) -> list[Raw]:  # noqa: ARG002
        with self._lock:
            return [self._items[key] for key in keys if key in self._items]

    def query(self, span: Span, *, limit: int | None, forward: bool, consistent: bool, start: Raw | None) -> RawPage:  # noqa: ARG002
        index = definition.index(span.index)
        with self._lock:
            inside = [
                raw for raw in self._items.values() if raw.get(index.pk) == {"S": span.pk} and index.sk in raw and holds(span.sk, raw)
            ]

        def place(raw: Raw) -> list[bytes]:
            return [raw[name]["S"].encode() for name in (index.sk, "PK", "SK")]

        inside.sort(key=place)
        if start is not None:
            at = bisect.bisect_right(inside, place(start), key=place) if forward else bisect.bisect_left(inside, place(start), key=place)
            inside = inside[at:] if forward else inside[:at]
        if not forward:
            inside.reverse()
        return _page(inside, limit, {"PK", "SK", index.pk, index.sk})

    def put(self, raw: Raw, condition: Condition | None) -> None:
        self._one(Put(raw, condition))

    def update(self, key: Key, actions: Sequence[Action], condition: Condition | None) -> Raw:
        return self._one(Update(key, actions, condition))

    def delete(self, key: Key, condition: Condition | None) -> None:
        self._one(Delete(key, condition))

    def transact(self, operations: Sequence[Operation], token: str) -> None:
        with self._lock:
            request = repr(operations)
            if token in self._tokens:
                if self._tokens[token] != request:
                    raise TokenUsed("the token belongs to another transaction")
                return
            if len({_key(operation) for operation in operations}) < len(operations):
                raise ValueError("a transaction holds at most one operation an item")
            reasons = [self._refusal(operation) for operation in operations]
            if any(reasons):
                raise TransactionCanceled(reasons)
            after = [(_key(operation), self._outcome(operation)) for operation in operations]
            for key, raw in after:
                self._store(key, raw)
            self._tokens[token] = request

    def _one(self, operation: Put | Update | Delete) -> Raw:
        with self._lock:
            if refusal := self._refusal(operation):
                raise ConditionFailed(refusal.current)
            raw = self._outcome(operation)
            self._store(_key(operation), raw)
            return raw or {}

    def _refusal(self, operation: Operation) -> Reason | None:
        current = self._items.get(_key(operation))
        return None if holds(operation.condition, current) else Reason(CONDITION_FAILED, current)

    def _outcome(self, operation: Operation) -> Raw | None:
        """The item as `operation` leaves it; None: gone."""
        match operation:
            case Put():
                raw: Raw | None = operation.raw
            case Update():
                raw = apply(operation.actions, self._items.get(operation.key) or operation.key.raw())
            case Delete():
                raw = None
            case Check():
                raw = self._items.get(operation.key)
        if raw is not None and item_size(raw) > STORE_ITEM_BYTES:
            raise ItemTooLarge(f"an item of {item_size(raw)} bytes is over the store's {STORE_ITEM_BYTES}")
        return raw

    def _store(self, key: Key, raw: Raw | None) -> None:
        if raw is None:
            self._items.pop(key, None)
        else:
            self._items[key] = raw


def _key(operation: Operation) -> Key:
    return Key(operation.raw["PK"]["S"], operation.raw["SK"]["S"]) if isinstance(operation, Put) else operation.key


def _page(found: list[Raw], limit: int | None, key_names: set[str]) -> RawPage:
    """Ends a page where DynamoDB would: at `limit` items or at 1 MB. It may then name a last key though nothing follows."""
    size = 0
    for count, raw in enumerate(found, 1):
        size += item_size(raw)
        if count == limit or size >= _PAGE_BYTES:
            return RawPage(found[:count], {name: raw[name] for name in key_names})
    return RawPage(found, None)
