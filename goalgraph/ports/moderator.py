"""Who judges what members write. Services ask; rules, a model or a service elsewhere answer."""

from dataclasses import dataclass
from typing import Literal, Protocol

Action = Literal["allow", "flag", "redact"]

URGENT = "self_harm"
"""The reason that brings a case to the top of the queue: somebody may need help now."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`score` goes from 0 (nothing) to 1 (certain and grave). `reasons` are codes, a kind with an optional detail: `link`,
    `profanity:pt-BR`."""

    action: Action = "allow"
    score: float = 0.0
    reasons: tuple[str, ...] = ()
    keepable: str | None = None
    """The text as it may be kept for moderators, where it holds what nobody should keep (card numbers). None: as it is."""

    @property
    def urgent(self) -> bool:
        return URGENT in self.reasons


class ModeratorUnavailable(Exception):
    """No judgement is to be had now, of this text or another. Ask again later."""


class Moderator(Protocol):
    def review(self, text: str, *, language: str | None = None) -> Verdict:
        """Judge one text. `language` is a BCP 47 tag where it is known; None: judge by all known languages.

        It is told the text and nothing of whom it is from. It may block. Raises ModeratorUnavailable; anything else that it raises is
        taken for a text it cannot judge, which people then look at.
        """
