"""Attribute types beside PynamoDB's own."""

import json
from datetime import UTC, datetime
from typing import Any

from pynamodb.attributes import Attribute
from pynamodb.constants import STRING


def instant_text(instant: datetime) -> str:
    """An aware datetime as UTC text of fixed width, microseconds included: text order is time order. Raises ValueError as `in_utc`."""
    return in_utc(instant).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def in_utc(instant: datetime) -> datetime:
    """The same instant in UTC. Raises ValueError for a datetime without time zone, or one that UTC's calendar (years 1 to 9999) has not."""
    if instant.utcoffset() is None:
        raise ValueError("an instant needs a time zone")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("an instant is outside the calendar") from error


class InstantAttribute(Attribute[datetime]):
    """An aware datetime, stored as `2026-11-22T15:11:51.000000Z`."""

    attr_type = STRING

    def serialize(self, value: datetime) -> str:
        return instant_text(value)

    def deserialize(self, value: str) -> datetime:
        return datetime.fromisoformat(value)


class JSONText(Attribute[Any]):
    """A JSON value, stored as text in UTF-8. PynamoDB's own escapes all beyond ASCII, so that a letter may take 6 bytes, an emoji 12."""

    attr_type = STRING

    def serialize(self, value: Any) -> str:
        return json_text(value)

    def deserialize(self, value: str) -> Any:
        return json.loads(value)


def json_text(value: Any) -> str:
    """`value` as JSON without spaces. Raises ValueError for what JSON cannot say, such as NaN."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
