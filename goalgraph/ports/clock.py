"""Time as a port, so that tests can stand still or jump."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The current instant: aware, in UTC, with microseconds."""


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)
