"""Attribute types beside PynamoDB's own."""

from datetime import UTC, datetime

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
