"""What every item of the table has in common."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any, Self, TypeVar

from pynamodb.attributes import (
    Attribute,
    AttributeContainer,
    AttributeContainerMeta,
    BooleanAttribute,
    DiscriminatorAttribute,
    ListAttribute,
    MapAttribute,
    NumberAttribute,
    UnicodeAttribute,
)

from goalgraph.table import definition
from goalgraph.table.attributes import InstantAttribute
from goalgraph.table.keys import with_tenant
from goalgraph.table.port import IndexKey, Key, Raw


def _camel_case(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)


class _CoreMeta(AttributeContainerMeta):
    """Stores attributes in camelCase: `owner_id` in Python is `ownerId` in the table."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], discriminator: str | None = None) -> Any:
        for python_name, attribute in namespace.items():
            if isinstance(attribute, MapAttribute):  # an attribute only later, in its __set_name__
                attribute.attribute_kwargs.setdefault("attr_name", _camel_case(python_name))
            elif isinstance(attribute, Attribute) and not attribute.attr_name:
                attribute.attr_name = _camel_case(python_name)
        return super().__new__(mcs, name, bases, namespace, discriminator)  # type: ignore[no-untyped-call]


class CoreItem(AttributeContainer, metaclass=_CoreMeta):
    """One row, one entity. A subclass declares its attributes and how they compose its keys.

        class Goal(CoreItem, discriminator="Goal"):
            title = UnicodeAttribute()

            def key(self) -> Key:
                return keys.goal(self.owner_id, self.goal_id)

    `type` names the class in the table and is the GraphQL type's name where there is one. The table stamps the rest at each write; an item
    that was never stored has no `version`.
    """

    max_bytes = 8 * 1024
    """Our limit; larger blobs belong in object storage. The store's own is 400 KB."""

    type = DiscriminatorAttribute()
    owner_id = UnicodeAttribute()
    created_at = InstantAttribute()
    updated_at = InstantAttribute()
    actor_id = UnicodeAttribute()
    trace_id = UnicodeAttribute()
    write_id = UnicodeAttribute()
    version = NumberAttribute()
    ttl = NumberAttribute(null=True)
    premium = BooleanAttribute(null=True)
    """Whether the last write was a premium member's: what follows from it goes first."""

    def __init__(self, **attributes: Any) -> None:
        attributes.pop("_user_instantiated", None)
        super().__init__(**attributes)

    def key(self) -> Key:
        raise TypeError(f"{type(self).__name__} says not how its key is composed")

    def index_keys(self) -> tuple[IndexKey, ...]:
        """The indexes the item stands in, and where."""
        return ()

    def expires_at(self) -> datetime | None:
        return None if self.ttl is None else datetime.fromtimestamp(int(self.ttl), UTC)

    def copy(self) -> Self:
        """A copy to change: the attributes' values are shared, and to be replaced, not mutated."""
        twin = type(self).__new__(type(self))
        twin.attribute_values = dict(self.attribute_values)
        return twin

    def attributes_raw(self) -> Raw:
        """The attributes that have a value, as the store has them, without keys."""
        raw: Raw = {}
        for name, attribute in self.get_attributes().items():
            value = self.attribute_values.get(name)
            stored = None if value is None else attribute.serialize(value)
            if stored is not None:  # DynamoDB has no empty set: it is an attribute that is not there
                raw[attribute.attr_name] = {attribute.attr_type: stored}
        return raw

    def to_raw(self, tenant_id: str | None) -> Raw:
        """The item as the store has it, keys included. Raises ValueError when an attribute that must be there is not."""
        key = self.key()
        raw: Raw = {"PK": {"S": with_tenant(tenant_id, key.pk)}, "SK": {"S": key.sk}}
        for place in self.index_keys():
            index = definition.INDEXES[place.index]
            raw[index.pk] = {"S": with_tenant(tenant_id, place.pk)}
            raw[index.sk] = {"S": place.sk}
        raw |= self.attributes_raw()
        for name, attribute in self.get_attributes().items():
            if not attribute.null and attribute.attr_name not in raw:
                raise ValueError(f"{type(self).__name__}.{name} is missing")
        return raw


ItemT = TypeVar("ItemT", bound=CoreItem)


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _texts(values: list[dict[str, Any]]) -> list[str | None]:
    return [value.get("S") for value in values]


def _reader(attribute: Attribute) -> Callable[[Any], Any] | None:
    """What reads a stored value of `attribute`; None where the stored value is the value.

    Most items hold texts, lists of texts, empty lists and whole numbers, and on these PynamoDB is slow: for each list it makes an
    attribute anew, by a deep copy where the list is of maps, and each number is parsed as JSON.
    """
    if type(attribute) is UnicodeAttribute:
        return None
    if type(attribute) is NumberAttribute:
        return _number
    if type(attribute) is ListAttribute:
        if attribute.element_type is UnicodeAttribute:
            return _texts
        return lambda values: attribute.deserialize(values) if values else []  # type: ignore[no-untyped-call]
    return attribute.deserialize


@cache
def _readers(cls: type[CoreItem]) -> dict[str, tuple[str, str, Callable[[Any], Any] | None]]:
    return {
        attribute.attr_name: (name, attribute.attr_type, _reader(attribute))
        for name, attribute in cls.get_attributes().items()
        if name != "type"
    }


@cache
def _defaults(cls: type[CoreItem]) -> tuple[tuple[str, Any], ...]:
    return tuple((name, attribute.default) for name, attribute in cls.get_attributes().items() if attribute.default is not None)


@cache
def _class_of(discriminator: str) -> type[CoreItem]:
    found: type[CoreItem] = CoreItem.type.deserialize(discriminator)  # type: ignore[no-untyped-call]
    return found


def from_raw(raw: Raw) -> CoreItem:
    """The item behind a raw attribute map, of the class that its `type` names.

    PynamoDB's own way sets each attribute through its descriptor, present or not; this reads what is there, 14 times as fast on the items
    of a home screen (docs/performance.md). Attributes that the class does not know (written by a newer release) are passed over; one that
    has a default and is not there (written by an older release) has its default. Raises ValueError for an unknown `type`.
    """
    cls = _class_of(raw["type"]["S"])
    readers = _readers(cls)
    item = cls.__new__(cls)
    values: dict[str, Any] = {"type": cls}
    for attr_name, value in raw.items():
        reader = readers.get(attr_name)
        if reader is not None:
            name, kind, read = reader
            values[name] = value[kind] if read is None else read(value[kind])
    for name, default in _defaults(cls):
        if name not in values:
            values[name] = default() if callable(default) else default
    item.attribute_values = values
    return item
