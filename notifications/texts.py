"""The words of notifications: a template for each kind and language, in `templates/notifications/<language>/<kind>.txt`.

The first line of a template is the title, the rest is the body. Facts fill its variables and are never read as a template themselves. A
fact whose name ends in `At` is an instant (text of RFC 3339), and a template finds it as the member's clock shows it.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.template import Context, Engine
from django.utils import translation

FALLBACK = "en"
LANGUAGES = (FALLBACK, "pt-BR", "es")
MAX_TITLE_BYTES, MAX_BODY_BYTES = 400, 2000
"""In UTF-8, for the table counts so."""
MAX_FACT_BYTES = 400


def language_of(tag: str | None) -> str:
    """The language of ours that is nearest to a member's tag, such as pt-PT: the same one, then the same first part, then English."""
    wanted = (tag or FALLBACK).lower()
    exact = [language for language in LANGUAGES if language.lower() == wanted]
    alike = [language for language in LANGUAGES if language.lower().partition("-")[0] == wanted.partition("-")[0]]
    return (exact + alike + [FALLBACK])[0]


def render(kind: str, language: str, zone: ZoneInfo, facts: Mapping[str, Any]) -> tuple[str, str]:
    """Title and body in one of `LANGUAGES`. Raises ValueError where a fact that should be an instant is none."""
    title, _, body = _rendered(f"{language}/{kind}.txt", language, _local(facts, zone)).strip().partition("\n")
    return clipped(" ".join(title.split()), MAX_TITLE_BYTES), clipped(_paragraphs(body), MAX_BODY_BYTES)


def explanation(language: str, zone: ZoneInfo, *, kind: str, channel: str, decision: str, reason: str, until: datetime | None) -> str:
    """In a sentence, what became of a notification on a channel and why."""
    known = {"kind": kind, "channel": channel, "decision": decision, "reason": reason, "until": until and until.astimezone(zone)}
    return " ".join(_rendered(f"{language}/why.txt", language, known).split())


def bounded(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as they are stored and shown: long texts are cut."""
    return {name: _bounded(value) for name, value in facts.items()}


def clipped(text: str, most: int) -> str:
    """`text` in at most `most` bytes of UTF-8. What is cut ends in an ellipsis."""
    stored = text.encode()
    return text if len(stored) <= most else stored[: most - 3].decode(errors="ignore").rstrip() + "…"


def _bounded(value: Any) -> Any:
    match value:
        case str():
            return clipped(value, MAX_FACT_BYTES)
        case list():
            return [_bounded(entry) for entry in value]
        case dict():
            return bounded(value)
    return value


def _local(value: Any, zone: ZoneInfo, name: str = "") -> Any:
    match value:
        case str() if name.endswith("At"):
            return datetime.fromisoformat(value).astimezone(zone)
        case Mapping():
            return {key: _local(entry, zone, key) for key, entry in value.items()}
        case list():
            return [_local(entry, zone) for entry in value]
    return value


def _paragraphs(body: str) -> str:
    """Without blanks at the ends of lines, and with one empty line at most between two."""
    lines = [line.strip() for line in body.strip().splitlines()]
    return "\n".join(line for place, line in enumerate(lines) if line or lines[place - 1])


def _rendered(name: str, language: str, values: Mapping[str, Any]) -> str:
    """Months and days are Django's own words in that language; instants are local already."""
    with translation.override(language.lower()):
        return _engine().get_template(name).render(Context(dict(values), autoescape=False, use_tz=False))


@cache
def _engine() -> Engine:
    """One of our own: these are plain texts, so nothing is escaped."""
    return Engine(dirs=[str(settings.BASE_DIR / "templates" / "notifications")], autoescape=False)
