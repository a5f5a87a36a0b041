"""The table as services and repositories see it: seven verbs over items, and every rule of the table in one place.

Stamps, tenant prefix, optimistic locking, expiry, size limits, metering and the treatment of lost answers are here, above the adapter, so
they hold on every store alike.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path, Value
from pynamodb.expressions.update import Action

from goalgraph import trace
from goalgraph.auth.actor import PREMIUM, Actor
from goalgraph.ports.clock import Clock
from goalgraph.table import cursors, metering, port
from goalgraph.table.expressions import check_actions, check_condition, check_range, counts, holds
from goalgraph.table.items import CoreItem, from_raw
from goalgraph.table.keys import with_tenant
from goalgraph.table.port import Adapter, ConditionFailed, ItemTooLarge, Key, Raw, Span, TokenUsed, TransactionCanceled

MAX_ITEM_BYTES = CoreItem.max_bytes
MAX_TRANSACTION = 100
MAX_BATCH = 100
_STRIDE = 100
"""How many items more a query asks for when expired ones took the place of those it wanted."""

_ABSENT = Path("PK").does_not_exist()
_PRESENT = Path("PK").exists()


@dataclass(frozen=True, slots=True)
class Page:
    """Items in the order asked for, and the cursor of each."""

    items: list[Any]
    cursors: list[str]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Put:
    """Store the whole item: a new one must not be there yet, a loaded one must still have the version it was loaded with."""

    item: CoreItem
    condition: Condition | None = None
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class Update:
    """Change attributes of an item that is there. `item`, where it was loaded before, lets the meter know its size and indexes."""

    key: Key
    actions: Sequence[Action]
    condition: Condition | None = None
    item: CoreItem | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    key: Key
    condition: Condition | None = None
    item: CoreItem | None = None


@dataclass(frozen=True, slots=True)
class Check:
    key: Key
    condition: Condition


Operation = Put | Update | Delete | Check


class Table:
    """The table in the hands of one actor. Cheap: build one per use case."""

    def __init__(self, adapter: Adapter, actor: Actor, clock: Clock) -> None:
        self._adapter = adapter
        self._actor = actor
        self._clock = clock

    # Reading -----------------------------------------------------------------------------------------------------------------------

    def get(self, key: Key, *, consistent: bool = False) -> CoreItem | None:
        raw = self._adapter.get(self._key(key), consistent=consistent)
        metering.charge("get", read_units=metering.read_units(metering.item_size(raw or {}), consistent=consistent))
        return self._live(raw)

    def get_many(self, keys: Sequence[Key], *, consistent: bool = False) -> list[CoreItem | None]:
        """The items of `keys`, in the order of `keys`; None where there is none. At most 100 keys a round trip."""
        found: dict[tuple[str, str], Raw] = {}
        wanted = [self._key(key) for key in dict.fromkeys(keys)]
        for start in range(0, len(wanted), MAX_BATCH):
            raws = self._adapter.get_many(wanted[start : start + MAX_BATCH], consistent=consistent)
            found |= {(raw["PK"]["S"], raw["SK"]["S"]): raw for raw in raws}
            asked = len(wanted[start : start + MAX_BATCH])
            units = sum(metering.read_units(metering.item_size(raw), consistent=consistent) for raw in raws)
            missing = (asked - len(raws)) * metering.read_units(0, consistent=consistent)
            metering.charge("get_many", items=asked, read_units=units + missing)
        return [self._live(found.get((self._key(key).pk, key.sk))) for key in keys]

    def query(
        self, span: Span, *, limit: int | None = None, after: str | None = None, forward: bool = True, consistent: bool = False
    ) -> Page:
        """Up to `limit` live items of `span` (None: all) behind the cursor `after`, in the order of the sort key.

        Expired items never count, so a page is full whenever the span has enough. Raises InvalidCursor.
        """
        check_range(span)
        if limit is not None and limit < 0:
            raise ValueError("a page has no less than 0 items")
        if consistent and span.index is not None:
            raise ValueError("no index is read consistently")
        span = Span(with_tenant(self._actor.tenant_id, span.pk), span.sk, span.index)
        start = None if after is None else cursors.decode(after, span)
        live: list[Raw] = []
        ask = wanted = None if limit is None else limit + 1
        while True:
            page = self._adapter.query(span, limit=ask, forward=forward, consistent=consistent, start=start)
            size = sum(metering.item_size(raw) for raw in page.items)
            units = metering.read_units(size, consistent=consistent)
            metering.charge("query", index=span.index, items=len(page.items), read_units=units)
            fresh = [raw for raw in page.items if not self._expired(raw)]
            live += fresh
            start = page.last_key
            if start is None or (wanted is not None and len(live) >= wanted):
                break
            if wanted is not None:
                ask = max(wanted - len(live), _STRIDE if len(fresh) < len(page.items) else 1)
        shown = live if limit is None else live[:limit]
        return Page(
            [from_raw(raw) for raw in shown],
            [] if limit is None else [cursors.encode(raw, span) for raw in shown],
            len(live) > len(shown),
        )

    # Writing -----------------------------------------------------------------------------------------------------------------------

    def put(self, item: CoreItem, *, condition: Condition | None = None, overwrite: bool = False) -> CoreItem:
        """Store the whole item and return it as stored (see `Put`; `overwrite` drops both checks).

        Raises ConditionFailed, with the item that is there; ItemTooLarge.
        """
        write_id = _new_write_id()
        stored, operation = self._put(Put(item, condition, overwrite), write_id)
        try:
            self._adapter.put(operation.raw, operation.condition)
        except ConditionFailed as error:
            self._won_or_raise(error, write_id)
        metering.charge("put", write_units=metering.write_units(operation.raw))
        return stored

    def update(self, key: Key, actions: Sequence[Action], *, condition: Condition | None = None) -> CoreItem:
        """Change attributes of an item that is there, and return it as it then is.

        Not for counters: an answer that is lost is asked for again, and a bare ADD or sum would count twice; those go through `transact`.
        Raises ConditionFailed (with `current` None when there is no item); ItemTooLarge when the new values alone are over the limit.
        """
        if any(map(counts, actions)):
            raise TypeError("a counter moves in a transaction: update() could count a lost answer twice")
        write_id = _new_write_id()
        operation = self._update(Update(key, actions, condition), write_id)
        try:
            raw = self._adapter.update(operation.key, operation.actions, operation.condition)
        except ConditionFailed as error:
            raw = self._won_or_raise(error, write_id)
        metering.charge("update", write_units=metering.write_units(raw))
        return from_raw(raw)

    def delete(self, key: Key, *, condition: Condition | None = None) -> None:
        """Remove an item; one that is not there is removed already. Raises ConditionFailed where `condition` does not hold."""
        operation = self._delete(Delete(key, condition))
        try:
            self._adapter.delete(operation.key, operation.condition)
        except ConditionFailed as error:
            raise ConditionFailed(self._live(error.current)) from error
        metering.charge("delete", write_units=1)

    def transact(self, operations: Sequence[Operation], *, token: str | None = None) -> None:
        """All or nothing, on at most 100 distinct items. An answer that is lost is asked for again under the same token and counts once.

        `token` names the effect: for 10 minutes, a later call in this tenant under the same one does nothing, whatever it holds (stamps
        differ from call to call, so the store itself could not take them for the same). A canceled transaction has not used its token.
        Raises TransactionCanceled with a reason for each operation, and ItemTooLarge.
        """
        if not 1 <= len(operations) <= MAX_TRANSACTION:
            raise ValueError(f"a transaction holds 1 to {MAX_TRANSACTION} operations, not {len(operations)}")
        write_id = _new_write_id() if token is None else self._write_id(token)
        prepared = [self._prepare(operation, write_id) for operation in operations]
        if len({_key_of(operation) for operation in prepared}) < len(prepared):
            raise ValueError("a transaction holds at most one operation an item")
        try:
            self._adapter.transact(prepared, write_id)
        except TransactionCanceled as error:
            reasons = [reason and port.Reason(reason.code, self._live(reason.current)) for reason in error.reasons]
            raise TransactionCanceled(reasons) from error
        except TokenUsed:
            if token is None:
                raise
            return
        metering.charge("transact", items=len(prepared), write_units=sum(map(_transact_units, operations, prepared)))

    # Rules -------------------------------------------------------------------------------------------------------------------------

    def _key(self, key: Key) -> Key:
        return Key(with_tenant(self._actor.tenant_id, key.pk), key.sk)

    def _expired(self, raw: Raw) -> bool:
        return "ttl" in raw and float(raw["ttl"]["N"]) <= self._now()

    def _now(self) -> int:
        """The clock as `ttl` counts: whole seconds since the epoch."""
        return seconds(self._clock.now())

    def _live(self, raw: Raw | None) -> CoreItem | None:
        return None if raw is None or self._expired(raw) else from_raw(raw)

    def _unless_expired(self, condition: Condition) -> Condition:
        """`condition` as it reads when an expired item, which may lie there for days, counts as none."""
        expired = CoreItem.ttl <= self._now()
        return expired | condition if holds(condition, None) else condition & ~expired

    def _write_id(self, token: str) -> str:
        """`token` in this tenant: no tenant's tokens use up another's, and any length fits the store's 36 characters."""
        return hashlib.blake2b(f"{self._actor.tenant_id or ''}#{token}".encode(), digest_size=16).hexdigest()

    def _prepare(self, operation: Operation, write_id: str) -> port.Operation:
        match operation:
            case Put():
                return self._put(operation, write_id)[1]
            case Update():
                return self._update(operation, write_id)
            case Delete():
                return self._delete(operation)
            case Check():
                check_condition(operation.condition)
                return port.Check(self._key(operation.key), self._unless_expired(operation.condition))

    def _put(self, put: Put, write_id: str) -> tuple[CoreItem, port.Put]:
        check_condition(put.condition)
        stored = self._stamped(put.item, write_id)
        raw = stored.to_raw(self._actor.tenant_id)
        if (size := metering.item_size(raw)) > put.item.max_bytes:
            raise ItemTooLarge(f"{type(put.item).__name__} takes {size} bytes, and {put.item.max_bytes} is the most")
        condition = put.condition if put.overwrite else _both(_unchanged(put.item), put.condition)
        return stored, port.Put(raw, None if condition is None else self._unless_expired(condition))

    def _stamped(self, item: CoreItem, write_id: str) -> CoreItem:
        now = self._clock.now()
        stored = item.copy()
        stored.created_at = item.created_at or now
        stored.owner_id = item.owner_id or self._actor.user_id
        stored.updated_at = now
        stored.actor_id = self._actor.user_id
        stored.trace_id = trace.current()
        stored.write_id = write_id
        stored.version = int(item.version or 0) + 1
        stored.premium = self._actor.tier == PREMIUM or None
        return stored

    def _update(self, update: Update, write_id: str) -> port.Update:
        check_condition(update.condition)
        if (size := sum(map(_value_bytes, update.actions))) > MAX_ITEM_BYTES:
            raise ItemTooLarge(f"the new values take {size} bytes, and {MAX_ITEM_BYTES} is the most for an item")
        stamps = (
            CoreItem.updated_at.set(self._clock.now()),
            CoreItem.actor_id.set(self._actor.user_id),
            CoreItem.trace_id.set(trace.current()),
            CoreItem.write_id.set(write_id),
            CoreItem.version.set(CoreItem.version + 1),
            CoreItem.premium.set(True) if self._actor.tier == PREMIUM else CoreItem.premium.remove(),
        )
        actions = (*update.actions, *stamps)
        check_actions(actions)
        return port.Update(self._key(update.key), actions, self._unless_expired(_both(_PRESENT, update.condition)))

    def _delete(self, delete: Delete) -> port.Delete:
        check_condition(delete.condition)
        condition = None if delete.condition is None else self._unless_expired(_ABSENT | delete.condition)
        return port.Delete(self._key(delete.key), condition)

    def _won_or_raise(self, error: ConditionFailed, write_id: str) -> Raw:
        """A conditional write that fails on an item which carries our own write id did take effect: only its answer was lost."""
        current: Raw | None = error.current
        if current and current.get("writeId", {}).get("S") == write_id:
            return current
        raise ConditionFailed(self._live(current)) from error


def _new_write_id() -> str:
    return secrets.token_hex(16)


def _unchanged(item: CoreItem) -> Condition:
    """True while nobody else wrote the item since we loaded it. (The version alone starts again when an item is deleted or overwritten.)"""
    if item.version is None:
        return _ABSENT
    return _both(CoreItem.version == item.version, None if item.write_id is None else CoreItem.write_id == item.write_id)


def _key_of(operation: port.Operation) -> Key:
    return Key(operation.raw["PK"]["S"], operation.raw["SK"]["S"]) if isinstance(operation, port.Put) else operation.key


def _value_bytes(action: Action) -> int:
    value = action.values[-1]
    return metering.value_size(value.value) if isinstance(value, Value) else 0


def _both(first: Condition, second: Condition | None) -> Condition:
    return first if second is None else first & second


def _transact_units(operation: Operation, prepared: port.Operation) -> float:
    if isinstance(prepared, port.Put):
        return metering.write_units(prepared.raw, transactional=True)
    known = operation.item if isinstance(operation, Update | Delete) else None
    return metering.write_units(known.to_raw(None) if known else {}, transactional=True)


def seconds(instant: datetime) -> int:
    """An instant as TTL holds it: whole seconds since the epoch."""
    return int(instant.timestamp())
