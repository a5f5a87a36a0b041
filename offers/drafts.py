"""Pure rules of what is written into an offer: what each field may hold, and what is missing before it can be submitted."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from goalgraph import inputs
from goalgraph.errors import Invalid
from offers import domain

MAX_TITLE, MAX_BODY, MAX_URL = 120, 2000, 2048
MAX_TAGS = 10
MAX_GOAL_KINDS = 5
MAX_EARLY_ACCESS_DAYS = 30
MAX_COUNT = 2_000_000_000
"""Of cents, clicks and views: what every SQL database of ours holds in a whole number."""
TIERS = (domain.FREE, domain.PREMIUM)
GOAL_KINDS = tuple(domain.KINDS)

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)


class Draft(Protocol):
    """The fields of an offer that `missing` looks at."""

    body: str
    url: str
    tags: Any
    goal_kinds: Any
    valid_to: datetime | None


def checked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """`fields` as they are stored; `image` is not looked at. Raises Invalid naming the field, TypeError for one that offers do not have."""
    found = {}
    for name, value in fields.items():
        if name not in _CHECKS:
            raise TypeError(f"an offer has no field {name}")
        found[name] = _CHECKS[name](value, name)
    return found


def check_validity(valid_from: datetime | None, valid_to: datetime | None) -> None:
    """Raises Invalid where an offer would end before it begins."""
    if valid_from and valid_to and valid_to <= valid_from:
        raise Invalid("It has to end after it begins.", field="valid_to")


def missing(draft: Draft, now: datetime) -> list[str]:
    """What an offer lacks before staff can look at it, as sentences for who writes it."""
    gaps = {
        "Write a text: what do members get?": not draft.body,
        "Give the address that a click leads to.": not draft.url,
        "Give at least one tag or kind of goal, or nobody would see it.": not draft.tags and not draft.goal_kinds,
        "Its last day is over: choose a later one.": draft.valid_to is not None and draft.valid_to <= now,
    }
    return [sentence for sentence, lacks in gaps.items() if lacks]


def _text(longest: int, *, empty: bool, lines: bool = False) -> Callable[[Any, str], str]:
    return lambda value, field: inputs.text(value or "", field=field, longest=longest, empty=empty, lines=lines)


def _url(value: Any, field: str) -> str:
    return inputs.https_url(value.strip(), field=field) if value and value.strip() else ""


def _tags(values: Any, field: str) -> list[str]:
    return inputs.tags(list(values or []), field=field, most=MAX_TAGS)


def _kinds(values: Any, field: str) -> list[str]:
    kinds = list(dict.fromkeys(values or []))
    if len(kinds) > MAX_GOAL_KINDS:
        raise Invalid(f"At most {MAX_GOAL_KINDS} kinds of goal, please.", field=field)
    return [inputs.one_of(kind, GOAL_KINDS, field=field) for kind in kinds]


def _count(least: int, most: int, *, empty: Any) -> Callable[[Any, str], Any]:
    def check(value: Any, field: str) -> Any:
        if value is None:
            return empty
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise Invalid(f"A whole number from {least} to {most}, please.", field=field)
        return value

    return check


def _instant(value: Any, field: str) -> datetime | None:
    return None if value is None else inputs.instant(value, field=field)


def _language(value: Any, field: str) -> str:
    if value and not _LANGUAGE.fullmatch(value):
        raise Invalid("Give a language tag such as en, pt-BR or es.", field=field)
    return value or ""


_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "title": _text(MAX_TITLE, empty=False),
    "body": _text(MAX_BODY, empty=True, lines=True),
    "url": _url,
    "tags": _tags,
    "goal_kinds": _kinds,
    "tier": lambda value, field: inputs.one_of(value, TIERS, field=field),
    "early_access_days": _count(0, MAX_EARLY_ACCESS_DAYS, empty=0),
    "language": _language,
    "valid_from": _instant,
    "valid_to": _instant,
    "budget_cents": _count(1, MAX_COUNT, empty=None),
    "cost_per_click_cents": _count(0, MAX_COUNT, empty=0),
    "daily_clicks": _count(1, MAX_COUNT, empty=None),
    "total_views": _count(1, MAX_COUNT, empty=None),
}
