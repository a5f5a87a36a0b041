"""Who is where right now: a store of entries that live only as long as the web process behind them says so.

An entry says that a member follows a topic through a process. It is not data: losing all of it costs one renewal, and nothing of it is kept
anywhere else. So no method raises because the store is away. It answers None then, which means: not known.
"""

from collections.abc import Collection
from typing import NamedTuple, Protocol

PRESENCE = "presence"
"""The kind of the event with which the hub says on a topic that somebody came or went: `{"userId": str, "online": bool}`. It is a hint, and
hints of two processes overtake each other, so whoever hears it asks `present` for what is true by now."""


class Entry(NamedTuple):
    """A member who follows a topic. Names of topics tell tenants apart."""

    topic: str
    user_id: str


class Presence(Protocol):
    """Shared by all web processes. Blocks; from any thread. Each step is atomic for a topic: of two processes, one learns who came or went.

    `process` names one web process: unique, without `|`. An expired entry counts as gone, taken away or not.
    """

    @property
    def seconds(self) -> float:
        """How long an entry lives unless it is entered again."""

    def enter(self, process: str, entries: Collection[Entry]) -> list[Entry] | None:
        """Put entries there, or renew them. Returns those whose member was not there through any process."""

    def leave(self, process: str, entries: Collection[Entry]) -> list[Entry] | None:
        """Take entries away. Returns those that were the last of their member."""

    def expire(self, topics: Collection[str]) -> list[Entry] | None:
        """Take away the expired entries of topics, which dead processes left. Returns those that were the last of their member."""

    def present(self, topic: str) -> frozenset[str] | None:
        """The ids of the members who are there."""
