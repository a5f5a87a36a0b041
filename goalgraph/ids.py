"""Public ids: what one may look like, and how a new one is made.

An id ends up inside a table key, where `#` separates the parts, and in URLs and logs. So the allow-list is narrow and ASCII.
"""

import hashlib
import re
import secrets
import threading
import time
import uuid
from datetime import datetime
from typing import TypeGuard

ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}", re.ASCII)
"""The allow-list. Always match it with `fullmatch`, or ask `is_id`: a `$` would let a final newline through."""

_TAIL_BITS = 74
_STEP_BITS = 40


def is_id(value: object) -> TypeGuard[str]:
    """Whether `value` is a string that may be an id: 1 to 128 characters of the allow-list, never a separator or a control character."""
    return isinstance(value, str) and ID_PATTERN.fullmatch(value) is not None


class _Uuid7:
    """UUIDv7 (RFC 9562, section 5.7), strictly increasing within a process (section 6.2, method 2: a random step within a millisecond)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millis = 0
        self._tail = 0

    def __call__(self) -> uuid.UUID:
        with self._lock:
            now = time.time_ns() // 1_000_000
            if now > self._millis:
                # The top bit stays clear, which leaves room for 2**33 steps in this millisecond.
                self._millis, self._tail = now, secrets.randbits(_TAIL_BITS - 1)
            else:
                self._step()
            return self._compose()

    def _step(self) -> None:
        """Move on within a millisecond, or while the clock stands behind what was already given out."""
        self._tail += 1 + secrets.randbits(_STEP_BITS)
        if self._tail >> _TAIL_BITS:
            self._millis, self._tail = self._millis + 1, secrets.randbits(_TAIL_BITS - 1)

    def _compose(self) -> uuid.UUID:
        high, low = self._tail >> 62, self._tail & (1 << 62) - 1
        return uuid.UUID(int=self._millis << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)


_next_uuid = _Uuid7()


def derived_id(seed: str, number: int) -> str:
    """The `number`-th id that follows from `seed`, an id of `new_id`: the same each time, and as old as the seed."""
    value = uuid.UUID(seed).int
    tail = (1 << 62) - 1
    return str(uuid.UUID(int=value & ~tail | (value + number) & tail))


def new_id() -> str:
    """A new id: UUIDv7 as text, whose order as text is the order of creation."""
    return str(_next_uuid())


def id_of(at: datetime, *parts: str) -> str:
    """The id of what happened at `at` and is told apart by `parts`: the same each time, and its order as text is the order of `at`.

    A UUIDv7 whose random bits are a hash, so two that differ in a part are as unlikely to meet as two random ones.
    """
    digest = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=10).digest()
    tail = int.from_bytes(digest) >> (80 - _TAIL_BITS)
    high, low = tail >> 62, tail & (1 << 62) - 1
    return str(uuid.UUID(int=int(at.timestamp() * 1000) << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low))
