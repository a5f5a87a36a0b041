"""Checks of input that every context shares. Each returns the value to store, or raises `Invalid` naming the field."""

import json
import re
import unicodedata
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from goalgraph.errors import Invalid

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)

_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_INVISIBLE = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
_BLANKS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs that show nothing."""
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)
_TAG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_MAX_JSON_DEPTH = 8


def text(value: str, *, field: str, longest: int, lines: bool = False, empty: bool = False) -> str:
    """Trimmed text in Unicode normal form C, of at most `longest` characters; with `lines`, tabs and line feeds are allowed.

    Control characters, lone surrogates, unassigned code points and text-direction overrides are refused, and so is text in which nothing
    is visible (unless `empty`).
    """
    if len(value) > longest * 4:  # before any work on it
        raise Invalid(f"At most {longest} characters, please.", field=field)
    value = unicodedata.normalize("NFC", value.replace("\r\n", "\n") if lines else value).strip()
    if len(value) > longest:
        raise Invalid(f"At most {longest} characters, please.", field=field)
    allowed = "\n\t" if lines else ""
    if any((unicodedata.category(char) in _INVISIBLE and char not in allowed) or char in _BIDI_CONTROLS for char in value):
        raise Invalid("This text holds control characters.", field=field)
    if not empty and not any(unicodedata.category(char)[0] in "LNPS" and char not in _BLANKS for char in value):
        raise Invalid("Please write something here.", field=field)
    return value


def tags(values: list[str | None], *, field: str = "tags", most: int) -> list[str]:
    """Tags as slugs: lower case, without accents, words joined by hyphens; doubles are dropped, the order is kept."""
    if len(values) > most:
        raise Invalid(f"At most {most} tags, please.", field=field)
    return list(dict.fromkeys(_tag(value, field) for value in values))


def _tag(value: str | None, field: str) -> str:
    if value is None or len(value) > 160:
        raise Invalid("A tag has 1 to 40 characters.", field=field)
    plain = "".join(char for char in unicodedata.normalize("NFKD", value.strip().casefold()) if not unicodedata.combining(char))
    slug = re.sub(r"[\s_-]+", "-", plain)
    if len(slug) > 40 or not _TAG.fullmatch(slug):
        raise Invalid("A tag has 1 to 40 letters and digits; words are joined by hyphens.", field=field)
    return slug


def instant(value: datetime, *, field: str) -> datetime:
    """An aware datetime between the years 2000 and 2200, in UTC."""
    if value.tzinfo is None:
        raise Invalid("Give the time with its offset, as in 2027-07-01T12:00:00Z.", field=field)
    try:
        utc = value.astimezone(UTC)
    except OverflowError:
        utc = LATEST
    if not EARLIEST <= utc < LATEST:
        raise Invalid("Give a date between the years 2000 and 2200.", field=field)
    return utc


def one_of(value: str, allowed: tuple[str, ...], *, field: str) -> str:
    """`value` in lower case, out of `allowed`."""
    lowered = value.lower() if len(value) < 40 else value
    if lowered not in allowed:
        raise Invalid(f"One of {', '.join(allowed)}, please.", field=field)
    return lowered


def https_url(value: str, *, field: str) -> str:
    """An https URL of at most 2,048 characters, without credentials."""
    if len(value) > 2048:
        raise Invalid("At most 2048 characters, please.", field=field)
    try:
        parts = urlsplit(value)
        usable = parts.scheme == "https" and bool(_HOST.fullmatch(parts.hostname or "")) and parts.username is None and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not value.isprintable() or not value.isascii() or " " in value:
        raise Invalid("Give an address that starts with https://", field=field)
    return value


def json_document(value: Any, *, field: str, most_bytes: int) -> Any:
    """A JSON value of at most `most_bytes` as text and 8 levels."""
    _check_depth(value, field, 0)
    try:
        size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode())
    except (ValueError, TypeError, UnicodeEncodeError) as error:
        raise Invalid("This is not valid JSON.", field=field) from error
    if size > most_bytes:
        raise Invalid(f"At most {most_bytes} bytes of JSON, please.", field=field)
    return value


def _check_depth(value: Any, field: str, depth: int) -> None:
    if depth > _MAX_JSON_DEPTH:
        raise Invalid(f"At most {_MAX_JSON_DEPTH} levels of JSON, please.", field=field)
    if isinstance(value, dict | list):
        for entry in value.values() if isinstance(value, dict) else value:
            _check_depth(entry, field, depth + 1)
