"""Pure rules of moderation: the states of a case, which case comes first, what moderators may decide, and what a report is worth."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from chat.domain import LULL, REDACTED
from goalgraph import inputs
from goalgraph.errors import Invalid

OPEN, RESOLVED = "open", "resolved"
STATES = (OPEN, RESOLVED)
"""The states that the table knows. Who works at a case is for the back office alone, which has two more:"""
CLAIMED, ESCALATED = "claimed", "escalated"
WAITING = (OPEN, CLAIMED, ESCALATED)
"""The states of the back office in which a case is still to be decided."""

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
"""What one report of somebody without a record leaves of the doubt that something is wrong."""
NEWCOMER = 1.0
"""What such a report weighs."""


def report_reason(value: str) -> str:
    """Raises Invalid."""
    return inputs.text(value, field="reason", longest=500, lines=True)


def appeal_text(value: str) -> str:
    """Raises Invalid."""
    return inputs.text(value, field="text", longest=MAX_APPEAL, lines=True)


# What a report is worth ------------------------------------------------------------------------------------------------------------


def report_weight(upheld: int, dismissed: int) -> float:
    """From 0 to 2: how often moderators agreed with a reporter, beside one imagined report that they upheld and one that they dismissed.

    Laplace's rule of succession, doubled: who never reported weighs 1, who is always right goes to 2, who is never right to 0.
    """
    return round(2 * (upheld + 1) / (upheld + dismissed + 2), 3)


def case_score(verdict: float, weight: float) -> float:
    """How likely it is that something is wrong, from 0 to 1: the moderator and each member who reports are independent hints. `weight` is
    the sum of what the reports weigh."""
    return round(1 - (1 - verdict) * _DOUBT**weight, 3)


def hides(*, score: float, weight: float, urgent: bool, threshold: float) -> bool:
    """Whether a message is hidden until moderators decide. Reports have to weigh as much as one of a newcomer: neither the automatic
    moderator hides by this rule, nor somebody whose reports are mostly dismissed. A cry for help is never hidden."""
    return not urgent and weight >= NEWCOMER and score >= threshold


# What moderators decide ------------------------------------------------------------------------------------------------------------

DISMISS, REDACT, WARN, MUTE, SUSPEND, HELP, ESCALATE = "dismiss", "redact", "warn", "mute", "suspend", "help", "escalate"
HIDE = "hide"
"""What the platform itself does until they have decided."""
ACTIONS = (DISMISS, REDACT, WARN, MUTE, SUSPEND, HELP, ESCALATE)
APPEAL = "appeal"
"""What the sender does then, or somebody of the staff for them."""
AGAINST = (REDACT, WARN, MUTE, SUSPEND)
"""Decisions against the sender, who may appeal. On an urgent case they need to be confirmed."""
SANCTIONS = (MUTE, SUSPEND)
UPHOLDS = (*AGAINST, HELP)
"""Decisions that agree with those who reported."""

HIDDEN, DISMISSED, WARNED, HELPED = "hidden", "dismissed", "warned", "helped"
"""Outcomes of a case beside `redacted`."""

RULES: Mapping[str, str] = {
    "other": "the rules of GoalGraph",
    "harassment": "harassment or insults",
    "hate": "hate against people for what they are",
    "threat": "threats or violence",
    "sexual": "sexual content",
    "spam": "spam or fraud",
    "privacy": "personal data",
}
"""Which rule of the community a decision is about, and its name. The member is told of it in their language; what moderators write to
explain a decision to each other, the member is not told."""

MAX_MUTE = timedelta(days=30)
MAX_SUSPENSION = timedelta(days=365)
MAX_APPEAL = 1000


@dataclass(frozen=True, slots=True)
class Act:
    """What a moderator wants done. `minutes` is for a mute; `days` for a suspension, None meaning until further notice. `confirmed`: they
    have seen that the case is urgent, and want it all the same. Raises Invalid."""

    action: str
    reason: str
    rule: str = "other"
    minutes: int | None = None
    days: int | None = None
    confirmed: bool = False

    def __post_init__(self) -> None:
        inputs.one_of(self.action, ACTIONS, field="action")
        inputs.one_of(self.rule, tuple(RULES), field="rule")
        object.__setattr__(self, "reason", inputs.text(self.reason, field="reason", longest=500, lines=True))
        if self.action == MUTE and not (self.minutes and timedelta() < timedelta(minutes=self.minutes) <= MAX_MUTE):
            raise Invalid(f"A member is muted for 1 to {MAX_MUTE // timedelta(minutes=1)} minutes.", field="minutes")
        if self.action == SUSPEND and self.days is not None and not timedelta() < timedelta(days=self.days) <= MAX_SUSPENSION:
            raise Invalid(f"A member is suspended for 1 to {MAX_SUSPENSION.days} days, or until further notice.", field="days")

    def until(self, now: datetime, further_notice: datetime) -> datetime | None:
        """When the sanction ends (UTC); None where there is none."""
        if self.action == MUTE:
            return now + timedelta(minutes=self.minutes or 0)
        if self.action == SUSPEND:
            return further_notice if self.days is None else now + timedelta(days=self.days)
        return None


def outcome_of(action: str, before: str | None) -> str:
    """What a case comes to by a decision. What was hidden stays away unless the case is dismissed, and what was taken away as well."""
    if action == DISMISS:
        return DISMISSED
    if action == REDACT or before in (HIDDEN, REDACTED):
        return REDACTED
    return HELPED if action == HELP else WARNED
