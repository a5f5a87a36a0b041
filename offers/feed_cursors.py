"""Cursors of a feed: what was shown before them, so that the next page neither repeats nor skips whatever has changed since.

The order of a feed follows from the member's goals, the clock and the companies' pacing, and all of these move while somebody reads. A
cursor that named a place in that order would repeat what falls behind it and skip what rises above it. So it holds a mark of 4 bytes for
each offer up to it, and from when the feed is. It is signed, and good for the member who was given it.
"""

import base64
import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from django.core import signing

from goalgraph.auth.actor import Actor
from goalgraph.table.cursors import MAX_LENGTH, InvalidCursor

MAX_FEED = 200
"""Offers of one feed, so that a cursor stays short. In 1 of 200,000 feeds of this length two share a mark, and one of them is skipped."""
_MARK = 4
_HEAD = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Place:
    """Behind the offers whose marks are `shown`, in a feed that began at `as_of` (whole seconds)."""

    as_of: datetime
    shown: bytes = b""

    @classmethod
    def start(cls, now: datetime) -> Self:
        return cls(now.replace(microsecond=0))

    def marks(self) -> Iterator[bytes]:
        """In their order."""
        return (self.shown[start : start + _MARK] for start in range(0, len(self.shown), _MARK))

    def behind(self, offer_ids: Iterable[str]) -> Iterator["Place"]:
        """The places behind each of the offers that follow here."""
        shown = self.shown
        for offer_id in offer_ids:
            shown += mark(offer_id)
            yield Place(self.as_of, shown)


def mark(offer_id: str) -> bytes:
    return hashlib.blake2b(offer_id.encode(), digest_size=_MARK).digest()


def encode(actor: Actor, place: Place) -> str:
    packed = _HEAD.pack(int(place.as_of.timestamp())) + place.shown
    return _signer(actor).sign(base64.urlsafe_b64encode(packed).decode().rstrip("="))


def decode(actor: Actor, cursor: str) -> Place:
    """Raises InvalidCursor for what `encode` did not make for this actor."""
    if len(cursor) > MAX_LENGTH:
        raise InvalidCursor("too long")
    try:
        text = _signer(actor).unsign(cursor)
        packed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        (since,) = _HEAD.unpack_from(packed)
        return Place(datetime.fromtimestamp(since, UTC), packed[_HEAD.size :])
    except (signing.BadSignature, ValueError, struct.error) as error:
        raise InvalidCursor("not a cursor of this list") from error


def _signer(actor: Actor) -> signing.Signer:
    return signing.Signer(salt=f"offers.feed\x1f{actor.tenant_id or ''}\x1f{actor.user_id}")
