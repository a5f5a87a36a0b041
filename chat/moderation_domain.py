"""Pure rules of moderation: the states of a case, and which case comes first."""

from datetime import timedelta

from chat.domain import LULL
from goalgraph import inputs

OPEN, CLAIMED, RESOLVED = "open", "claimed", "resolved"
STATES = (OPEN, CLAIMED, RESOLVED)

REVIEW_SHARDS = 16
"""Partitions of what is due for review. Never make it smaller: what stands in the last ones would be forgotten."""
REVIEW_BATCH = 20
"""Messages that one task reviews. More of a room are left to the next."""
GRACE = timedelta(minutes=2)
"""What was written less than this ago is on its way to its review, and no matter for the sweep."""
QUIET = 2 * LULL
"""A room that was silent for so long begins a conversation with its next message, whatever two servers' clocks differ by."""

CONTEXT = 5
"""Messages before the one at issue that are part of its evidence."""
CONTEXT_CHARACTERS = 500
"""What is kept of each of these."""

UNJUDGED = "unjudged"
"""The reason of a text that the moderator failed on."""
UNJUDGED_SCORE = 0.5
_DOUBT = 0.7
"""What one report leaves of the doubt that something is wrong."""


def report_reason(value: str) -> str:
    """Raises Invalid."""
    return inputs.text(value, field="reason", longest=500, lines=True)


def case_score(verdict: float, reports: int) -> float:
    """How likely it is that something is wrong, from 0 to 1: the moderator and each member who reports are independent hints."""
    return round(1 - (1 - verdict) * _DOUBT**reports, 3)
