"""What the stand-in holds: in memory, and in one file where it was given one."""

import os
import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import orjson

from goalgraph.adapters.local.stripe.params import Json

_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix: str) -> str:
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(24))}"


@dataclass(slots=True)
class State:
    """`objects` are by kind and id, the oldest first. Members whose name begins with `_` are ours and never shown."""

    objects: dict[str, dict[str, Json]] = field(default_factory=dict)
    deliveries: dict[str, Json] = field(default_factory=dict)
    answers: dict[str, Json] = field(default_factory=dict)
    """What was answered, by idempotency key."""
    offset: int = 0
    """Seconds by which our clock is ahead of the world's."""
    held: bool = False
    """Whether new deliveries wait to be released."""
    drop_next: int = 0
    """How many of the next deliveries are lost."""
    after_retries: str = "cancel"
    """What becomes of a subscription whose invoice was tried in vain: `cancel`, `mark_unpaid` or `leave`."""

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """What the file holds; empty without one. Raises ValueError where it can't be read."""
        if path is None or not path.exists():
            return cls()
        try:
            return cls(**orjson.loads(path.read_bytes()))
        except (orjson.JSONDecodeError, TypeError) as error:
            raise ValueError(f"{path} does not hold a state of ours ({error}). Delete it to begin anew.") from error

    def save(self, path: Path | None) -> None:
        """Write all of it beside the file and put it in its place, so that the file is never half a state."""
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(path.name + ".new")
        beside.write_bytes(orjson.dumps({name: getattr(self, name) for name in self.__slots__}))
        os.replace(beside, path)
