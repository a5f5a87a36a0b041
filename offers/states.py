"""Pure rules of an offer's life: its states, who may move it from which to which, and when it has to be approved again.

draft -> submitted -> approved -> live -> paused, expired
  ^          |            |         |
  +----------+--- reject -+---------+          archive: from everywhere, for good
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from goalgraph.errors import Conflict, Forbidden, Invalid

DRAFT, SUBMITTED, APPROVED, LIVE = "draft", "submitted", "approved", "live"
PAUSED, EXPIRED, ARCHIVED = "paused", "expired", "archived"
STATES = (DRAFT, SUBMITTED, APPROVED, LIVE, PAUSED, EXPIRED, ARCHIVED)

OWNER, EDITOR, ANALYST = "owner", "editor", "analyst"
ROLES = (OWNER, EDITOR, ANALYST)
"""Of staff in a company. An analyst reads; an editor writes and submits too; an owner also archives, and looks after the company."""
REVIEWER, PLATFORM = "reviewer", "platform"
"""Who else moves offers: the platform's staff who approve, and the clock and the budget."""

RUNNING = "running"
"""Stands in the table for what approval leads to: live from `valid_from` on, approved before it."""

_WRITERS = frozenset({OWNER, EDITOR})


@dataclass(frozen=True, slots=True)
class Transition:
    """Whose it is, from which states, to which. `reason`: it has to be given."""

    by: Collection[str]
    before: Collection[str]
    after: str
    reason: bool = False


TRANSITIONS = MappingProxyType(
    {
        "submit": Transition(_WRITERS, {DRAFT}, SUBMITTED),
        "approve": Transition({REVIEWER}, {SUBMITTED}, RUNNING),
        "reject": Transition({REVIEWER}, {SUBMITTED, APPROVED, LIVE, PAUSED}, DRAFT, reason=True),
        "pause": Transition(_WRITERS | {PLATFORM}, {APPROVED, LIVE}, PAUSED),
        "resume": Transition(_WRITERS, {PAUSED}, RUNNING),
        "start": Transition({PLATFORM}, {APPROVED}, LIVE),
        "expire": Transition({PLATFORM}, {SUBMITTED, APPROVED, LIVE, PAUSED}, EXPIRED),
        "archive": Transition({OWNER}, set(STATES) - {ARCHIVED}, ARCHIVED),
    }
)

EDITED = MappingProxyType({DRAFT: DRAFT, SUBMITTED: SUBMITTED, APPROVED: SUBMITTED, LIVE: SUBMITTED, PAUSED: DRAFT, EXPIRED: DRAFT})
"""Where an edit of what members see leads. A paused or expired offer does not come back by being edited: somebody submits it."""

REVIEWED = (
    *("title", "body", "url", "image", "tags", "goal_kinds"),
    *("tier", "early_access_days", "language", "valid_from", "valid_to"),
)
"""What staff approve: everything that members see, whom it is for, and when."""
UNREVIEWED = ("budget_cents", "cost_per_click_cents", "daily_clicks", "total_views")
"""What a company may change at any time."""
AUTHORED = REVIEWED + UNREVIEWED


def moved(action: str, state: str, roles: Collection[str], *, valid_from: datetime | None, now: datetime, reason: str = "") -> str:
    """The state after `action`, taken by somebody with `roles`.

    Raises Forbidden where none of the roles may, Conflict where it does not start from `state`, Invalid where a reason is wanted.
    """
    transition = TRANSITIONS[action]
    if not set(roles) & set(transition.by):
        raise Forbidden(f"You may see this offer, but not {action} it.")
    if state not in transition.before:
        raise Conflict(f"An offer that is {state} cannot be changed by “{action}”. Look at it again: somebody may have changed it.")
    if transition.reason and not reason:
        raise Invalid("Give a reason: the company reads it.", field="reason")
    if transition.after == RUNNING:
        return running(valid_from, now)
    return transition.after


def running(valid_from: datetime | None, now: datetime) -> str:
    """What an approved offer is as of `now`."""
    return LIVE if valid_from is None or valid_from <= now else APPROVED


def possible(state: str, roles: Collection[str]) -> list[str]:
    """The actions that somebody with `roles` may take on an offer in `state`."""
    return [name for name, each in TRANSITIONS.items() if state in each.before and set(roles) & set(each.by)]


def edited(state: str, roles: Collection[str], changed: Collection[str]) -> str:
    """The state after fields named `changed` were edited. Raises Forbidden, and Conflict for an archived offer."""
    if not set(roles) & _WRITERS:
        raise Forbidden("You may see this offer, but not change it.")
    if state == ARCHIVED:
        raise Conflict("An archived offer cannot be changed. Make a new one.")
    return EDITED[state] if set(changed) & set(REVIEWED) else state
