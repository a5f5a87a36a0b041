"""One change of one item, as the table's stream tells it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from goalgraph.table.items import CoreItem, from_raw
from goalgraph.table.port import Key, Raw

Kind = Literal["INSERT", "MODIFY", "REMOVE"]

_TENANT = re.compile(r"TENANT#([^#]+)#(.+)", re.DOTALL)
_TTL_USER = "dynamodb.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Change:
    """An item before and after one write. `key` is without the tenant's prefix, `sequence` is the record's place in its shard.

    `old` is None for an INSERT, `new` for a REMOVE. `expired` tells a REMOVE that the table's TTL made, which nobody did. The images are
    the items as the stream has them, with what this release knows nothing of; the audit log attests to them.
    """

    kind: Kind
    key: Key
    tenant_id: str | None
    old: CoreItem | None
    new: CoreItem | None
    sequence: str
    at: datetime
    expired: bool = False
    old_image: Raw | None = field(default=None, repr=False)
    new_image: Raw | None = field(default=None, repr=False)

    @property
    def item(self) -> CoreItem:
        """The item as it is, or as it was before it was removed."""
        item = self.new if self.new is not None else self.old
        assert item is not None
        return item


def change_of(record: Mapping[str, Any]) -> Change:
    """A record of DynamoDB Streams, which has the same shape from GetRecords (but for `at`, a datetime there) and in a Lambda event.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
    Raises ValueError for an item of a type that this release does not know, and KeyError for what is no such record.
    """
    facts = record["dynamodb"]
    pk, tenant_id = _apart(facts["Keys"]["PK"]["S"])
    return Change(
        kind=record["eventName"],
        key=Key(pk, facts["Keys"]["SK"]["S"]),
        tenant_id=tenant_id,
        old=_item(facts.get("OldImage")),
        new=_item(facts.get("NewImage")),
        sequence=str(facts["SequenceNumber"]),
        at=instant(facts["ApproximateCreationDateTime"]),
        expired=record["eventName"] == "REMOVE" and (record.get("userIdentity") or {}).get("principalId") == _TTL_USER,
        old_image=facts.get("OldImage"),
        new_image=facts.get("NewImage"),
    )


def _item(image: Mapping[str, Any] | None) -> CoreItem | None:
    return from_raw(dict(image)) if image else None


def _apart(pk: str) -> tuple[str, str | None]:
    found = _TENANT.fullmatch(pk)
    return (found[2], found[1]) if found else (pk, None)


def instant(value: datetime | float) -> datetime:
    """When a record was written (UTC): a datetime from GetRecords, seconds since the epoch in a Lambda event."""
    return value.astimezone(UTC) if isinstance(value, datetime) else datetime.fromtimestamp(value, UTC)
