"""What a profile may hold."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any
from zoneinfo import available_timezones

from goalgraph import inputs
from goalgraph.errors import Invalid

MAX_TAGS = 20
REQUESTED, RECEIVED, ACCEPTED = "requested", "received", "accepted"
"""How a member stands with another one: asked them, was asked by them, is connected with them."""
CONNECTION_STATES = (REQUESTED, RECEIVED, ACCEPTED)
VISIBILITIES = ("public", "private")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)


def language(value: str, *, field: str) -> str:
    """A language tag such as `en`, `pt-BR` (the usual part of BCP 47)."""
    if not _LANGUAGE.fullmatch(value):
        raise Invalid("Give a language tag such as en, pt-BR or es.", field=field)
    return value


def timezone(value: str, *, field: str) -> str:
    """The name of an IANA time zone."""
    if value not in _timezones():
        raise Invalid("Give the name of a time zone, such as America/Sao_Paulo.", field=field)
    return value


@cache
def _timezones() -> frozenset[str]:
    """They are files, and looking through them takes 25 ms."""
    return frozenset(available_timezones())


FURTHER_NOTICE = inputs.LATEST
"""The end of a sanction that has none yet."""
MUTED_WORDS = "Moderators have muted you"


def later(one: datetime | None, other: datetime | None) -> datetime | None:
    """The later end of two sanctions; None is none."""
    return max((end for end in (one, other) if end is not None), default=None)


def sanction_words(what: str, until: datetime) -> str:
    """A sentence for the member: `what`, and until when (UTC)."""
    if until >= FURTHER_NOTICE:
        return f"{what} until further notice."
    return f"{what} until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC."


_CHECKS: dict[str, Callable[..., Any]] = {
    "nickname": partial(inputs.text, longest=50),
    "avatar_url": inputs.https_url,
    "language": language,
    "pronouns": partial(inputs.text, longest=40),
    "bio": partial(inputs.text, longest=1000, lines=True),
    "tags": partial(inputs.tags, most=MAX_TAGS),
    "timezone": timezone,
    "visibility": partial(inputs.one_of, allowed=VISIBILITIES),
}
_CLEARED = {"tags": [], "timezone": "UTC", "visibility": "public"}


def checked_profile(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes as they are stored: a null clears. Raises Invalid naming the field as the API spells it."""
    checked: dict[str, Any] = {}
    for name, value in changes.items():
        if name not in _CHECKS:
            raise Invalid("A profile has no such field.", field=api_name(name))
        checked[name] = _CLEARED.get(name) if value is None else _CHECKS[name](value, field=api_name(name))
    return checked


def api_name(name: str) -> str:
    return "avatarUrl" if name == "avatar_url" else name
