"""The table on DynamoDB, through PynamoDB's connection and one HTTP pool for the whole process."""

import random
import time
from collections.abc import Sequence
from typing import Any

from pynamodb.connection.base import MetaTable
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from goalgraph.table import definition
from goalgraph.table.metering import item_size
from goalgraph.table.port import (
    CONDITION_FAILED,
    STORE_ITEM_BYTES,
    TRANSACTION_CONFLICT,
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
    TableUnavailable,
    TokenUsed,
    TransactionCanceled,
    Update,
)
from goalgraph.table.transport import LeanConnection, Refused

_TRANSACT_TRIES = 8
_UNPROCESSED_TRIES = 8
_THROTTLED = frozenset({"ThrottlingError", "ProvisionedThroughputExceeded"})
_PASSING = _THROTTLED | {TRANSACTION_CONFLICT}
"""Reasons of a canceled transaction that say nothing against it (the table "Error codes" of DynamoDB's TransactWriteItems)."""


class DynamoTable:
    """`endpoint_url` None means AWS. Credentials come from the SDK's own chain (environment, profile, role)."""

    def __init__(self, *, name: str, region: str, endpoint_url: str | None = None, pool: int = 32) -> None:
        self.name = name
        self.connection = LeanConnection(region=region, host=endpoint_url, max_pool_connections=pool)
        self.connection.add_meta_table(MetaTable(definition.create_table_request(name)))

    def get(self, key: Key, *, consistent: bool) -> Raw | None:
        answer = self._call("GetItem", self._arguments(key, consistent_read=consistent))
        return answer.get("Item")

    def get_many(self, keys: Sequence[Key], *, consistent: bool) -> list[Raw]:
        found: list[Raw] = []
        wanted = [key.raw() for key in keys]
        for turn in range(_UNPROCESSED_TRIES):
            if not wanted:
                return found
            if turn:
                _pause(turn)
            request = {self.name: {"Keys": wanted, "ConsistentRead": consistent}}
            answer = self._call("BatchGetItem", {"RequestItems": request})
            found += answer["Responses"].get(self.name, [])
            wanted = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
        if wanted:
            raise TableUnavailable(f"{len(wanted)} of {len(keys)} keys stayed unprocessed")
        return found

    def query(self, span: Span, *, limit: int | None, forward: bool, consistent: bool, start: Raw | None) -> RawPage:
        try:
            answer = self.connection.query(
                self.name,
                span.pk,
                range_key_condition=span.sk,
                consistent_read=consistent,
                exclusive_start_key=start,
                index_name=span.index,
                limit=limit,
                scan_index_forward=forward,
            )
        except Refused as error:
            raise _translated(error) from error
        return RawPage(answer["Items"], answer.get("LastEvaluatedKey"))

    def put(self, raw: Raw, condition: Condition | None) -> None:
        _check_size(raw)
        self._call("PutItem", self._put_arguments(raw, condition))

    def update(self, key: Key, actions: Sequence[Action], condition: Condition | None) -> Raw:
        arguments = self._arguments(key, actions=actions, condition=condition, return_values="ALL_NEW")
        return self._call("UpdateItem", arguments)["Attributes"]

    def delete(self, key: Key, condition: Condition | None) -> None:
        self._call("DeleteItem", self._arguments(key, condition=condition))

    def transact(self, operations: Sequence[Operation], token: str) -> None:
        """A canceled transaction that nothing was wrong with (it met another one, or the store was busy) goes again, under its token."""
        request = {"TransactItems": [self._transact_item(operation) for operation in operations], "ClientRequestToken": token}
        for turn in range(1, _TRANSACT_TRIES + 1):
            try:
                self._call("TransactWriteItems", dict(request))
            except TransactionCanceled as error:
                codes = {reason.code for reason in error.reasons if reason}
                if not codes or not codes <= _PASSING:
                    raise
                if turn == _TRANSACT_TRIES:
                    if codes & _THROTTLED:
                        raise TableUnavailable(f"transaction canceled for load {turn} times") from error
                    raise
                _pause(turn)
            else:
                return

    # ---------------------------------------------------------------------------------------------------------------------------------

    def _call(self, operation: str, arguments: dict[str, Any]) -> Any:
        try:
            return self.connection.dispatch(operation, arguments)
        except Refused as error:
            raise _translated(error) from error

    def _arguments(self, at: Key, *, condition: Condition | None = None, **more: Any) -> dict[str, Any]:
        returned = "ALL_OLD" if condition is not None else None
        return self.connection.get_operation_kwargs(
            self.name, at.pk, at.sk, condition=condition, return_values_on_condition_failure=returned, **more
        )

    def _put_arguments(self, raw: Raw, condition: Condition | None) -> dict[str, Any]:
        key = Key(raw["PK"]["S"], raw["SK"]["S"])
        return self._arguments(key, key="Item", attributes=raw, condition=condition)

    def _transact_item(self, operation: Operation) -> dict[str, Any]:
        match operation:
            case Put():
                _check_size(operation.raw)
                return {"Put": self._put_arguments(operation.raw, operation.condition)}
            case Update():
                return {"Update": self._arguments(operation.key, actions=operation.actions, condition=operation.condition)}
            case Delete():
                return {"Delete": self._arguments(operation.key, condition=operation.condition)}
            case Check():
                return {"ConditionCheck": self._arguments(operation.key, condition=operation.condition)}


def _check_size(raw: Raw) -> None:
    if (size := item_size(raw)) > STORE_ITEM_BYTES:
        raise ItemTooLarge(f"an item of {size} bytes is over the store's {STORE_ITEM_BYTES}")


def _translated(error: Refused) -> Exception:
    match error.code:
        case "ConditionalCheckFailedException":
            return ConditionFailed(error.answer.get("Item") or None)
        case "TransactionCanceledException":
            return _canceled(error.answer.get("CancellationReasons", []))
        case "ValidationException":
            return _invalid(error.message)
        case "IdempotentParameterMismatchException":
            return TokenUsed(error.message)
    return TableUnavailable(f"{error.code}: {error.message}")


def _canceled(reasons: list[dict[str, Any]]) -> Exception:
    invalid = next((reason for reason in reasons if reason.get("Code") == "ValidationError"), None)
    if invalid and not any(reason.get("Code") == CONDITION_FAILED for reason in reasons):
        return _invalid(invalid.get("Message") or "")
    return TransactionCanceled([_reason(reason) for reason in reasons])


def _invalid(message: str) -> Exception:
    if message.startswith("Item size"):
        return ItemTooLarge(message)
    return ValueError(f"DynamoDB refuses the request: {message}")


def _reason(reason: dict[str, Any]) -> Reason | None:
    code = reason.get("Code", "None")
    if code == "None":
        return None
    return Reason(code, reason.get("Item") or None)


def _pause(turn: int) -> None:
    """Full jitter (aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter), at most 1 s."""
    time.sleep(random.uniform(0, min(1.0, 0.01 * 2**turn)))  # noqa: S311 - spreads load, guards nothing
