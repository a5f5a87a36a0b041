"""The port to the single table: seven verbs over raw attribute maps, and what may go wrong.

An adapter stores and finds; every rule of ours (tenants, stamps, expiry, size, metering) stands above it in `goalgraph.table.table`, so an
adapter for another store has only this page to fulfil. Conditions and actions are PynamoDB's own expression objects, limited to the
portable subset of `goalgraph.table.expressions`. There is no scan. `tests/contracts/` holds every adapter to the same behaviour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

Raw = dict[str, dict[str, Any]]
"""An item as DynamoDB spells it: `{"PK": {"S": "USER#ana"}, "version": {"N": "3"}}`."""


@dataclass(frozen=True, slots=True)
class Key:
    pk: str
    sk: str

    def raw(self) -> Raw:
        return {"PK": {"S": self.pk}, "SK": {"S": self.sk}}


@dataclass(frozen=True, slots=True)
class IndexKey:
    """Where an item stands in the index named `index`."""

    index: str
    pk: str
    sk: str


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one partition, of the table (`index` None) or of an index. `sk` is a condition on that index's sort key."""

    pk: str
    sk: Condition | None = None
    index: str | None = None


@dataclass(frozen=True, slots=True)
class Put:
    raw: Raw
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Update:
    key: Key
    actions: Sequence[Action]
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    key: Key
    condition: Condition | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """Changes nothing; the transaction holds only while `condition` does."""

    key: Key
    condition: Condition


Operation = Put | Update | Delete | Check


@dataclass(frozen=True, slots=True)
class RawPage:
    items: list[Raw]
    last_key: Raw | None
    """Where to go on; None at the end of the span."""


class TableError(Exception):
    """Base of what the table raises. Services turn it into a coded error; none of it reaches a member."""


class TableUnavailable(TableError):
    """The store did not answer, or refused for load, after the adapter's own retries. Whether a write took effect is unknown."""


class ItemTooLarge(TableError):
    """An item is over the limit of ours (8 KB) or of the store (400 KB)."""


class TokenUsed(TableError):
    """Another transaction took effect under this token in the last 10 minutes. Nothing was written now."""


class ConditionFailed(TableError):
    """The condition did not hold. `current` is the item as the store has it, None when there is none."""

    def __init__(self, current: Any = None) -> None:
        self.current = current
        super().__init__("the condition did not hold")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one operation canceled its transaction. `code` is DynamoDB's: `ConditionalCheckFailed`, `TransactionConflict`, ..."""

    code: str
    current: Any = None


class TransactionCanceled(TableError):
    """Nothing was written. `reasons` has one entry an operation, in their order; None where that operation was not at fault."""

    def __init__(self, reasons: Sequence[Reason | None]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(f"transaction canceled: {[reason.code if reason else None for reason in reasons]}")

    def failed(self, position: int) -> bool:
        """Whether the condition of the operation at `position` did not hold."""
        reason = self.reasons[position]
        return reason is not None and reason.code == CONDITION_FAILED

    def current(self, position: int) -> Any:
        """The item on which the condition at `position` did not hold; None where it held, or where there is no item."""
        reason = self.reasons[position]
        return reason.current if reason is not None and reason.code == CONDITION_FAILED else None


STORE_ITEM_BYTES = 400 * 1024
"""DynamoDB's own limit on an item."""

CONDITION_FAILED = "ConditionalCheckFailed"
TRANSACTION_CONFLICT = "TransactionConflict"


class Adapter(Protocol):
    """What a store has to do. Every call may block on the network: never call it on an event loop.

    Beside what each verb says, a call raises TableUnavailable, ItemTooLarge for a write over the store's limit, and ValueError for a
    request that the store refuses as such: an operand that is not there, a sum of what is no number, two operations on one item.
    """

    def get(self, key: Key, *, consistent: bool) -> Raw | None: ...

    def get_many(self, keys: Sequence[Key], *, consistent: bool) -> list[Raw]:
        """The items that exist, in any order; at most 100 distinct keys. What the store leaves unprocessed is asked for again."""

    def query(self, span: Span, *, limit: int | None, forward: bool, consistent: bool, start: Raw | None) -> RawPage:
        """One page, in the order of the sort key. A page may be short (DynamoDB ends one at 1 MB) while `last_key` says there is more."""

    def put(self, raw: Raw, condition: Condition | None) -> None: ...

    def update(self, key: Key, actions: Sequence[Action], condition: Condition | None) -> Raw:
        """The item after the update."""

    def delete(self, key: Key, condition: Condition | None) -> None: ...

    def transact(self, operations: Sequence[Operation], token: str) -> None:
        """All or nothing, at most 100 operations on distinct keys.

        The same operations under the same `token` within 10 minutes take effect once, others raise TokenUsed. A transaction that was
        canceled has not used its token.
        """
