"""What an operation costs: round trips, read units, write units, computed from item sizes by AWS's published rules.

Sizes: "DynamoDB item sizes and formats" (docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html).
Units: "DynamoDB read and write operations" (.../read-write-operations.html). We count by ourselves because an emulator's own figures
are not AWS's, and because a test can then hold a budget for each operation.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from goalgraph.errors import TooComplex
from goalgraph.table.definition import INDEXES
from goalgraph.table.port import Raw

READ_UNIT = 4096
WRITE_UNIT = 1024


@dataclass(frozen=True, slots=True)
class Charge:
    """One round trip. `items` is how many items it read or wrote."""

    verb: str
    index: str | None
    items: int
    read_units: float = 0.0
    write_units: float = 0.0


@dataclass(slots=True)
class Meter:
    """Adds up what the code inside `metered()` asked of the table, and ends it when it reads too much."""

    charges: list[Charge] = field(default_factory=list)
    max_round_trips: float = math.inf
    max_read_units: float = math.inf

    @property
    def round_trips(self) -> int:
        return len(self.charges)

    @property
    def read_units(self) -> float:
        return sum(charge.read_units for charge in self.charges)

    @property
    def write_units(self) -> float:
        return sum(charge.write_units for charge in self.charges)


_meter: ContextVar[Meter | None] = ContextVar("table_meter", default=None)


@contextmanager
def metered(*, max_round_trips: float = math.inf, max_read_units: float = math.inf) -> Iterator[Meter]:
    """Meter what happens inside, in this context and the contexts copied from it. Nested meters each see their own part only.

    A read beyond either bound raises TooComplex. A write never does: it has taken effect.
    """
    meter = Meter(max_round_trips=max_round_trips, max_read_units=max_read_units)
    token = _meter.set(meter)
    try:
        yield meter
    finally:
        _meter.reset(token)


def charge(verb: str, *, index: str | None = None, items: int = 1, read_units: float = 0.0, write_units: float = 0.0) -> None:
    """Note a round trip on the meter at hand, if there is one. Raises TooComplex for a read that goes beyond its bounds."""
    meter = _meter.get()
    if meter is None:
        return
    meter.charges.append(Charge(verb, index, items, read_units, write_units))
    if read_units and (meter.round_trips > meter.max_round_trips or meter.read_units > meter.max_read_units):
        raise TooComplex("The request reads more than one request may. Ask for fewer or shorter lists.")


def read_units(size: int, *, consistent: bool) -> float:
    """Units for `size` bytes read in one piece; a missing item costs as much as a small one."""
    return max(1, math.ceil(size / READ_UNIT)) * (1.0 if consistent else 0.5)


def write_units(raw: Raw, *, transactional: bool = False) -> float:
    """Units for writing `raw` to the table and to each index it stands in. Index writes are never transactional."""
    units = max(1, math.ceil(item_size(raw) / WRITE_UNIT))
    in_indexes = sum(1 for index in INDEXES.values() if index.pk in raw and index.sk in raw)
    return float(units * (2 if transactional else 1) + units * in_indexes)


def item_size(raw: Raw) -> int:
    """Bytes of an item: its attribute names and values. Its texts, which are most of it, are measured in one piece."""
    texts, others = list(raw), 0
    for value in raw.values():
        text = value.get("S")
        if text is None:
            others += value_size(value)
        else:
            texts.append(text)
    return others + len("".join(texts).encode())


def value_size(value: dict[str, Any]) -> int:
    """Bytes of one attribute value."""
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return _number_size(content)
        case "B":
            return len(content)
        case "BOOL" | "NULL":
            return 1
        case "SS":
            return sum(len(entry.encode()) for entry in content)
        case "NS":
            return sum(_number_size(entry) for entry in content)
        case "BS":
            return sum(len(entry) for entry in content)
        case "L":
            return 3 + sum(1 + value_size(entry) for entry in content)
        case _:
            return 3 + sum(1 + len(name.encode()) + value_size(entry) for name, entry in content.items())


def _number_size(text: str) -> int:
    """About a byte for each two significant digits, and one more (two when negative)."""
    if text.isdecimal():  # most numbers are whole; for them this is the same sum, 10 times as fast
        return (len(text.strip("0") or "0") + 1) // 2 + 1
    number = Decimal(text).as_tuple()
    digits = "".join(map(str, number.digits)).strip("0") or "0"
    return math.ceil(len(digits) / 2) + 1 + number.sign
