"""The moderator by rules: word lists, and what should not be passed on in a chat. A message takes it some 0.1 ms."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from django.core.exceptions import ImproperlyConfigured

from goalgraph.adapters.moderation import details
from goalgraph.adapters.moderation.words import LANGUAGES, WordLists, shipped
from goalgraph.ports.moderator import URGENT, Action, Verdict

RULES: dict[str, tuple[Action, float]] = {
    "card": ("redact", 0.5),
    URGENT: ("flag", 1.0),
    "slur": ("flag", 0.8),
    "profanity": ("flag", 0.4),
    "phone": ("flag", 0.2),
    "email": ("flag", 0.2),
    "link": ("flag", 0.1),
}
"""What each kind of finding leads to, and how grave it is. The setting may say otherwise, but never `redact` for a cry for help."""
LISTS = ("profanity", "slurs", URGENT)
_KIND_OF_LIST = {"slurs": "slur"}
_ACTIONS: tuple[Action, ...] = ("redact", "flag", "allow")  # the gravest first


class RulesModerator:
    """`rules` replaces single rules: `{"link": ("allow", 0.0)}`. `regions` are the countries whose telephone numbers are known without
    their code. Raises ImproperlyConfigured."""

    def __init__(self, *, rules: Mapping[str, Any] | None = None, regions: Sequence[str] = ("BR", "US", "ES", "MX")) -> None:
        self._rules = RULES | {kind: _rule(kind, *rule) for kind, rule in (rules or {}).items()}
        self._regions = regions
        self._lists = {language: _lists([language]) for language in LANGUAGES}
        self._all_lists = _lists(LANGUAGES)

    def review(self, text: str, *, language: str | None = None) -> Verdict:
        numbers = details.with_ascii_digits(text)
        reasons = sorted((self._lists.get(language or "") or self._all_lists).found_in(text))
        if card := next(details.cards(numbers), None):
            reasons.append("card")
        checks = {"email": details.has_email(text), "link": details.has_link(text)}
        reasons += [kind for kind, found in checks.items() if found]
        # A card number is no telephone number, though a part of it may look like one.
        if details.has_phone(details.without_cards(numbers) if card else numbers, self._regions):
            reasons.append("phone")
        return self._verdict(reasons, details.without_cards(text) if card else None)

    def _verdict(self, reasons: Iterable[str], keepable: str | None) -> Verdict:
        found = tuple(reasons)
        rules = [self._rules[reason.partition(":")[0]] for reason in found]
        actions = [action for action, _ in rules]
        action: Action = next((worst for worst in _ACTIONS if worst in actions), "allow")
        score = max((score for _, score in rules), default=0.0)
        return Verdict(action, score, found, keepable)


def _lists(languages: Iterable[str]) -> WordLists:
    return WordLists((_label(name, language), shipped(name, language)) for language in languages for name in LISTS)


def _label(name: str, language: str) -> str:
    kind = _KIND_OF_LIST.get(name, name)
    return kind if kind == URGENT else f"{kind}:{language}"


def _rule(kind: str, action: Any, score: Any) -> tuple[Action, float]:
    if kind not in RULES or action not in get_args(Action) or not 0 <= float(score) <= 1 or (kind == URGENT and action == "redact"):
        raise ImproperlyConfigured(f"PORTS: the moderator has no such rule: {kind!r}: ({action!r}, {score!r})")
    return action, float(score)
