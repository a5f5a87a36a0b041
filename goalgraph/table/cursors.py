"""Cursors: where a page ended, opaque and signed, and good only for the query it came from.

A cursor is bound to tenant, index, partition and range by the salt of its signature; a forged, cut or borrowed one is `InvalidCursor`.
It serves both directions, as Relay wants. It holds key values only, and those may name the member who asked; so it is never logged.
"""

from collections.abc import Sequence

from django.core import signing

from goalgraph.table import definition
from goalgraph.table.port import Raw, Span

MAX_LENGTH = 2048


class InvalidCursor(ValueError):
    """Not a cursor of ours, or one of another query."""


def _signer(span: Span) -> signing.Signer:
    binding = "\x1f".join((span.index or "", span.pk, repr(span.sk)))
    return signing.Signer(salt=f"goalgraph.table.cursor\x1f{binding}")


def _names(span: Span) -> Sequence[str]:
    index = definition.index(span.index)
    return ("PK", "SK") if span.index is None else ("PK", "SK", index.pk, index.sk)


def encode(raw: Raw, span: Span) -> str:
    """The cursor that stands behind the item `raw` of `span`."""
    return _signer(span).sign_object([raw[name]["S"] for name in _names(span)])


def decode(cursor: str, span: Span) -> Raw:
    """The key behind which the next page starts. Raises InvalidCursor."""
    names = _names(span)
    try:
        if len(cursor) > MAX_LENGTH:
            raise InvalidCursor("too long")
        values = _signer(span).unsign_object(cursor)
        return {name: {"S": value} for name, value in zip(names, values, strict=True)}
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise InvalidCursor("not a cursor of this list") from error
