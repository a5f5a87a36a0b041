"""Where the audit log lies: a store of objects that are written once and never changed."""

from collections.abc import Iterator
from typing import Protocol


class AuditLogUnavailable(Exception):
    """The store refuses, or does not answer. Whether a write took effect is unknown."""


class AuditLog(Protocol):
    """All methods may block on the network, and raise AuditLogUnavailable."""

    def append(self, key: str, body: bytes) -> None:
        """Store a new object. What stands under `key` already stays: the key says what is in the object, so it is the same."""

    def keys(self, prefix: str) -> Iterator[str]:
        """The keys that begin with `prefix`, in the order of their UTF-8."""

    def read(self, key: str) -> bytes | None:
        """None where there is no such object."""

    def ensure(self) -> Iterator[str]:
        """Make the store where there is none; yields a sentence for each thing done. Safe to repeat."""
