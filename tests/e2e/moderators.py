"""A moderator that does what the text says, for a worker in a process of its own."""

import os
import signal
from pathlib import Path

from goalgraph.adapters.moderation.rules import RulesModerator
from goalgraph.ports.moderator import ModeratorUnavailable, Verdict

STALL, POISON = "stall once", "never answer"


class Scripted(RulesModerator):
    def review(self, text: str, *, language: str | None = None) -> Verdict:
        if POISON in text:
            raise ModeratorUnavailable(text)
        if STALL in text:
            self._stall_once()
        return super().review(text, language=language)

    @staticmethod
    def _stall_once() -> None:
        """Stand still for ever, after a word that we do; the next one who comes here passes."""
        sign = Path(os.environ["STALL_SIGN"])
        if not sign.exists():
            sign.touch()
            signal.pause()
