"""The moderators' desk: the queue, who works at what, and decisions, which are recorded in SQL first and applied to the table then.

Two moderators never act on the same state: each passes the version of the case that they saw, and the row moves on from that version only.
A decision that was recorded and not applied, because a process died or the table was away, is applied by the sweep. What is applied is
safe to repeat, and the decisions of a case are applied in their order.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from chat import case_rows, decision_services
from chat import moderation_repository as cases
from chat.decision_services import Ruling
from chat.models import ACT, ACT_ON_ESCALATED, CLAIM, RELEASE, Case, CaseAction
from chat.moderation_domain import (
    AGAINST,
    CLAIMED,
    ESCALATE,
    ESCALATED,
    MUTE,
    OPEN,
    RESOLVED,
    RULES,
    SUSPEND,
    Act,
)
from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.errors import Conflict, Forbidden, GoalGraphError, Invalid, NotFound
from goalgraph.table.port import TableError
from users import sanction_services as sanctions
from users.domain import FURTHER_NOTICE
from users.sanction_services import Standing
from users.staff_services import staff_actor

logger = logging.getLogger(__name__)

CLAIM_LASTS = timedelta(minutes=30)
"""After which somebody else may claim a case: whoever had it went home."""
LATE = timedelta(seconds=15)
"""After which a decision that is not applied has probably lost its process."""
MOST_AT_ONCE = 100
"""Cases in one bulk action."""
NO_DECISIONS = (CLAIM, RELEASE, ESCALATE)
"""Actions that leave what was decided before in force."""

AnyUser = User | AbstractBaseUser | AnonymousUser


# The queue -------------------------------------------------------------------------------------------------------------------------


def queue(
    staff: AnyUser,
    *,
    states: Sequence[str] = (),
    urgent: bool | None = None,
    reason: str | None = None,
    mine: bool = False,
    appealed: bool | None = None,
    least: float = 0,
    most: float = 1,
) -> QuerySet[Case]:
    """The cases that `staff` may see, the most urgent first: then by score, then who waits longest. `least` and `most` bound the score.

    Raises Forbidden unless they may view cases.
    """
    if not _has(staff, "view_case") and not _has(staff, "view_urgentcase"):
        raise Forbidden("Only moderators see the cases.")
    found = Case.objects.filter(score__gte=least, score__lte=most).select_related("claimed_by")
    wanted: dict[str, Any] = {"urgent": urgent, "appealed": appealed, "state__in": list(states) or None}
    wanted |= {"kinds__contains": f"|{reason}|" if reason else None, "claimed_by": staff if mine else None}
    return found.filter(**{name: value for name, value in wanted.items() if value is not None})


def claim(staff: User, case_id: int, seen: int) -> Case:
    """Say that one works at a case. Raises Forbidden for who may not decide it, NotFound, Conflict where it changed since version `seen`,
    or somebody else has it."""
    _require(staff)
    case = _current(case_id, seen)
    if case.state == RESOLVED:
        raise Conflict("This case is decided already.")
    _check_person(staff, case)
    _check_impartial(staff, case)
    _check_claim(staff, case)
    changes = {"claimed_by": staff, "claimed_at": wiring.clock().now(), "state": case.state if case.state == ESCALATED else CLAIMED}
    _move(staff, case, changes, CLAIM)
    return _found(case_id)


def release(staff: User, case_id: int, seen: int) -> Case:
    """Give a case back that one has claimed. Raises as `claim` does."""
    _require(staff)
    case = _current(case_id, seen)
    if case.claimed_by_id != staff.pk:
        raise Conflict("You have not claimed this case.")
    _move(staff, case, {"claimed_by": None, "claimed_at": None, "state": OPEN if case.state == CLAIMED else case.state}, RELEASE)
    return _found(case_id)


# Decisions -------------------------------------------------------------------------------------------------------------------------


def act(staff: User, case_id: int, seen: int, wanted: Act, *, alone: bool = True) -> CaseAction:
    """Decide a case as it was at version `seen`, and have done what follows from it. `alone`: not together with others.

    It is recorded when this returns, and applied unless the table was away: then the sweep does it. Raises Forbidden for who may not, is
    part of the case, or made the decision that is appealed; NotFound; Invalid where it has to be confirmed, or decided alone; Conflict
    where it changed; TableError, and nothing is recorded then.
    """
    _require(staff)
    _catch_up(_found(case_id))
    case = _current(case_id, seen)
    if case.urgent and not alone:
        raise Invalid("Somebody may need help here. Decide this case by itself.")
    _check_allowed(staff, case, wanted)
    action = _move(staff, case, _after(wanted.action), wanted.action, wanted)
    _apply_or_leave(case_id)
    return action


@dataclass(frozen=True, slots=True)
class Done:
    """How a bulk action went with one case. `error` is a sentence for the moderator; None: it is decided."""

    case_id: int
    error: str | None = None


def act_on_many(staff: User, seen: Sequence[tuple[int, int]], wanted: Act) -> Iterator[Done]:
    """Decide several cases alike, each an id with the version that was seen, and each by itself: one that is refused leaves the others be.

    Each is decided when the caller asks how it went, so that they can note it before the next. Urgent cases are refused: they are decided
    one by one. Raises Forbidden, Invalid.
    """
    _require(staff)
    if not 1 <= len(seen) <= MOST_AT_ONCE:
        raise Invalid(f"1 to {MOST_AT_ONCE} cases at once, please.", field="cases")
    return (_done(staff, case_id, version, wanted) for case_id, version in seen)


def _done(staff: User, case_id: int, version: int, wanted: Act) -> Done:
    try:
        act(staff, case_id, version, wanted, alone=False)
    except GoalGraphError as error:
        return Done(case_id, error.message)
    except TableError:
        logger.exception("a case was not decided", extra={"data": {"case": case_id}})
        return Done(case_id, "It was not decided, because the table did not answer. Try again.")
    return Done(case_id)


def record_appeal(staff: User, case_id: int, seen: int, text: str) -> Case:
    """Appeal for the sender, who wrote to us by mail: who is suspended cannot reach the API. Somebody else than who decided looks at it
    then, and the history names `staff`. Raises Forbidden, NotFound, Invalid, and Conflict where the case changed, or nothing is to appeal.
    """
    _require(staff)
    _catch_up(_found(case_id))
    case = _current(case_id, seen)
    _check_person(staff, case)
    decision_services.record_appeal(_staff_actor(staff, case), case.room_id, case.seq, text)
    _catch_up(case)
    return _found(case_id)


def _check_allowed(staff: User, case: Case, wanted: Act) -> None:
    _check_person(staff, case)
    if wanted.action == ESCALATE and case.state not in (OPEN, CLAIMED):
        raise Invalid(f"This case is {'decided' if case.state == RESOLVED else 'escalated'} already.", field="action")
    if wanted.action != ESCALATE:
        _check_impartial(staff, case)
    if case.urgent and wanted.action in AGAINST and not wanted.confirmed:
        raise Invalid(
            "Somebody may need help here. Offer help, or confirm that you want to act against them all the same.", field="confirmed"
        )
    _check_claim(staff, case)


def _check_person(staff: User, case: Case) -> None:
    file = cases.file(_platform(case), case.room_id, case.seq)
    if file.case is None:
        raise NotFound("What this case is about is no longer kept.")
    if staff.get_username() in {case.sender_id, *(report.reporter_id for report in file.reports)}:
        raise Forbidden("You are part of this case. Somebody else decides it.")
    if case.state == ESCALATED and not _has(staff, ACT_ON_ESCALATED):
        raise Forbidden("This case is escalated. Those who run the platform decide it.")


def _check_impartial(staff: User, case: Case) -> None:
    if case.appealed and _last_decision_by(case) == staff.pk:
        raise Forbidden("You made the decision that is appealed. Somebody else looks at it.")


def _check_claim(staff: User, case: Case) -> None:
    if case.claimed_by is None or case.claimed_by_id == staff.pk or case.claimed_at is None:
        return
    if wiring.clock().now() - case.claimed_at < CLAIM_LASTS:
        raise Conflict(f"{case.claimed_by.get_username()} works at this case since {case.claimed_at:%H:%M} UTC.")


def _after(action: str) -> dict[str, Any]:
    """What a decision makes of the case at once. What else follows comes from the table."""
    free = {"claimed_by": None, "claimed_at": None}
    return free | ({"state": ESCALATED} if action == ESCALATE else {"state": RESOLVED, "appealed": False, "hidden": False})


def _move(staff: User, case: Case, changes: dict[str, Any], action: str, wanted: Act | None = None) -> CaseAction:
    """Let the row move on from the version it was read at, with the action that made it. Raises Conflict where it has moved meanwhile, or
    turned out to be urgent, which is a fact and moves no version.

    A decision is committed when this returns (`durable`), so what is applied after it is never undone.
    """
    now = wiring.clock().now()
    takes_effect = wanted is not None and action != ESCALATE
    with transaction.atomic(durable=True):
        moved = Case.objects.filter(pk=case.pk, version=case.version, urgent=case.urgent).update(**changes, version=F("version") + 1)
        if not moved:
            raise _conflict(case.pk, case.version)
        return CaseAction.objects.create(
            case=case,
            staff=staff,
            at=now,
            action=action,
            rule=wanted.rule if wanted and takes_effect else "",
            reason=wanted.reason if wanted else "",
            until=wanted.until(now, FURTHER_NOTICE) if wanted else None,
            case_version=case.version + 1,
            applied_at=None if takes_effect else now,
        )


def _current(case_id: int, seen: int) -> Case:
    """Raises NotFound, and Conflict where the case is not at version `seen`."""
    case = _found(case_id)
    if case.version != seen:
        raise _conflict(case_id, seen)
    return case


def _conflict(case_id: int, seen: int) -> Conflict:
    last = CaseAction.objects.filter(case_id=case_id, case_version__gt=seen).select_related("staff").last()
    if last is None:
        return Conflict("This case changed since you looked at it. Look again.")
    return Conflict(f"{last.staff.get_username()} was here first ({last.action}, {last.at:%H:%M} UTC). Look at the case again.")


def _found(case_id: int) -> Case:
    found = Case.objects.select_related("claimed_by").filter(pk=case_id).first()
    if found is None:
        raise NotFound
    return found


def _last_decision_by(case: Case) -> int | None:
    """The id of who made the decision in force; None where it was the platform."""
    last = case.actions.exclude(action__in=NO_DECISIONS).last()
    return last.staff_id if last else None


def _require(staff: AnyUser) -> None:
    if not _has(staff, ACT):
        raise Forbidden("Only moderators decide cases.")


def _has(staff: AnyUser, permission: str) -> bool:
    return isinstance(staff, User) and staff.is_staff and staff.has_perm(f"chat.{permission}")


# What follows ----------------------------------------------------------------------------------------------------------------------


def apply(case_id: int) -> int:
    """Do what follows from the decisions in a case that is not done yet, in their order. Returns how many there were. Safe to repeat.

    Raises Conflict and TableError; what came before is done then.
    """
    waiting = CaseAction.objects.filter(case_id=case_id, applied_at=None).select_related("case", "staff")
    for action in (found := list(waiting)):
        _apply(action)
        CaseAction.objects.filter(pk=action.pk, applied_at=None).update(applied_at=wiring.clock().now())
    return len(found)


def _apply(action: CaseAction) -> None:
    case = action.case
    actor = _staff_actor(action.staff, case)
    ruling = Ruling(action.pk, action.case_version, action.action, action.rule, action.reason, action.until)
    sanctions.stand(actor, case.sender_id, lambda _: _standing(case))
    decision_services.decide(actor, case.room_id, case.seq, ruling)
    _catch_up(case)


def _standing(case: Case) -> Standing:
    """What the decisions in force, of all cases, forbid the sender of this one: in each case only the last decision is in force."""
    now = wiring.clock().now()
    later = CaseAction.objects.filter(case=OuterRef("case"), case_version__gt=OuterRef("case_version")).exclude(action__in=NO_DECISIONS)
    inforce = CaseAction.objects.filter(case__tenant_id=case.tenant_id, case__sender_id=case.sender_id, until__gt=now)
    found = list(inforce.exclude(Exists(later)).order_by("at"))
    return Standing(_end(found, MUTE), _end(found, SUSPEND), RULES.get(found[-1].rule) if found else None)


def _end(found: Sequence[CaseAction], action: str) -> datetime | None:
    return max((each.until for each in found if each.action == action and each.until is not None), default=None)


def _apply_or_leave(case_id: int) -> None:
    """The decision stands whatever happens here: what is not done now, the sweep does."""
    try:
        apply(case_id)
    except Exception:
        logger.exception("a decision was not applied, the sweep will", extra={"data": {"case": case_id}})


def apply_late(actor: Actor) -> None:
    """Apply what was decided in a tenant and not done: what a process that died left behind. Safe to repeat; `actor` is the platform."""
    own = Case.objects.filter(tenant_id=actor.tenant_id or "")
    late = CaseAction.objects.filter(case__in=own, applied_at=None, at__lt=wiring.clock().now() - LATE)
    for case_id in late.values_list("case_id", flat=True).distinct():
        _apply_or_leave(case_id)


def repair(actor: Actor) -> int:
    """The same, and have the rows say what the table says, whatever the feed lost. Returns how many cases it found waiting, in one tenant.
    Safe to repeat; `actor` is the platform."""
    apply_late(actor)
    return case_rows.compare(actor)


def _catch_up(case: Case) -> None:
    """So that nobody decides past an appeal or a report that the feed has not told of yet, and everybody sees what they decided."""
    case_rows.project(_platform(case), case.room_id, case.seq)


def _platform(case: Case) -> Actor:
    return replace(SYSTEM, tenant_id=case.tenant_id or None)


def _staff_actor(staff: AnyUser, case: Case) -> Actor:
    return staff_actor(staff.get_username(), case.tenant_id or None)
