"""The moderators' desk: the queue, who works at what, and decisions, which are recorded in SQL first and applied to the table then.

Two moderators never act on the same state: each passes the version of the case that they saw, and the row moves on from that version only.
A decision that was recorded and not applied, because a process died or the table was away, is applied by the sweep. What is applied is
safe to repeat, and the decisions of a case are applied in their order.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from chat import decision_services
from chat import moderation_repository as cases
from chat.decision_services import Ruling
from chat.models import ACT, ACT_ON_ESCALATED, CLAIM, RELEASE, Case, CaseAction
from chat.moderation_domain import (
    AGAINST,
    CLAIMED,
    DISMISS,
    ESCALATE,
    ESCALATED,
    HIDDEN,
    MUTE,
    OPEN,
    RESOLVED,
    RULES,
    SUSPEND,
    WAITING,
    Act,
)
from chat.moderation_items import ModerationCase
from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.errors import Conflict, Forbidden, GoalGraphError, Invalid, NotFound
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
"""Cases in one bulk action, and cases looked at in one round trip of a sweep."""
EXPIRED = "expired"
"""The outcome of a case that the table does not keep any more."""

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
    """Say that one works at a case. Raises Forbidden, NotFound, Conflict where it changed since version `seen`, or somebody else has it."""
    _require(staff)
    case = _current(case_id, seen)
    if case.state == RESOLVED:
        raise Conflict("This case is decided already.")
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


def act(staff: User, case_id: int, seen: int, wanted: Act) -> CaseAction:
    """Decide a case as it was at version `seen`, and have done what follows from it.

    It is recorded when this returns, and applied unless the table was away: then the sweep does it. Raises Forbidden for who may not, is
    part of the case, or made the decision that is appealed; NotFound; Invalid where it has to be confirmed; Conflict where it changed.
    """
    _require(staff)
    _catch_up(_found(case_id))
    case = _current(case_id, seen)
    _check_allowed(staff, case, wanted)
    action = _move(staff, case, _after(wanted.action), wanted.action, wanted)
    _apply_or_leave(case_id)
    return action


@dataclass(frozen=True, slots=True)
class Done:
    """How a bulk action went with one case. `error` is a sentence for the moderator; None: it is decided."""

    case_id: int
    error: str | None = None


def act_on_many(staff: User, seen: Sequence[tuple[int, int]], wanted: Act) -> list[Done]:
    """Decide several cases alike, each an id with the version that was seen, and each by itself: one that is refused leaves the others be.

    Never against somebody who may need help: urgent cases are confirmed one by one. Raises Forbidden, Invalid.
    """
    _require(staff)
    if not 1 <= len(seen) <= MOST_AT_ONCE:
        raise Invalid(f"1 to {MOST_AT_ONCE} cases at once, please.", field="cases")
    return [_done(staff, case_id, version, replace(wanted, confirmed=False)) for case_id, version in seen]


def _done(staff: User, case_id: int, version: int, wanted: Act) -> Done:
    try:
        act(staff, case_id, version, wanted)
    except GoalGraphError as error:
        return Done(case_id, error.message)
    return Done(case_id)


def _check_allowed(staff: User, case: Case, wanted: Act) -> None:
    file = cases.file(_platform(case), case.room_id, case.seq)
    if file.case is None:
        raise NotFound("What this case is about is no longer kept.")
    if staff.get_username() in {case.sender_id, *(report.reporter_id for report in file.reports)}:
        raise Forbidden("You are part of this case. Somebody else decides it.")
    if case.state == ESCALATED and not _has(staff, ACT_ON_ESCALATED):
        raise Forbidden("This case is escalated. Those who run the platform decide it.")
    if case.state == ESCALATED and wanted.action == ESCALATE:
        raise Invalid("This case is escalated already.", field="action")
    if case.appealed and wanted.action != ESCALATE and _last_decision_by(case) == staff.pk:
        raise Forbidden("You made the decision that is appealed. Somebody else looks at it.")
    if case.urgent and wanted.action in AGAINST and not wanted.confirmed:
        raise Invalid(
            "Somebody may need help here. Offer help, or confirm that you want to act against them all the same.", field="confirmed"
        )
    _check_claim(staff, case)


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
    """Let the row move on from the version it was read at, with the action that made it. Raises Conflict where it has moved meanwhile.

    A decision is committed when this returns (`durable`), so what is applied after it is never undone.
    """
    now = wiring.clock().now()
    takes_effect = wanted is not None and action != ESCALATE
    with transaction.atomic(durable=True):
        moved = Case.objects.filter(pk=case.pk, version=case.version).update(**changes, version=F("version") + 1)
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
    last = case.actions.exclude(action__in=(CLAIM, RELEASE, ESCALATE)).last()
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
    actor = staff_actor(action.staff.get_username(), case.tenant_id or None)
    ruling = Ruling(action.pk, action.case_version, action.action, action.rule, action.reason, action.until)
    if action.action in (MUTE, SUSPEND, DISMISS):
        sanctions.stand(actor, case.sender_id, lambda _: _standing(case))
    decision_services.decide(actor, case.room_id, case.seq, ruling)
    project(_platform(case), case.room_id, case.seq)


def _standing(case: Case) -> Standing:
    """What the decisions in force, of all cases, forbid the sender of this one: those that no later one in their case dismissed."""
    now = wiring.clock().now()
    taken_back = CaseAction.objects.filter(case=OuterRef("case"), action=DISMISS, case_version__gt=OuterRef("case_version"))
    inforce = CaseAction.objects.filter(case__tenant_id=case.tenant_id, case__sender_id=case.sender_id, until__gt=now)
    found = list(inforce.exclude(Exists(taken_back)).order_by("at"))
    return Standing(_end(found, MUTE), _end(found, SUSPEND), RULES.get(found[-1].rule) if found else None)


def _end(found: Sequence[CaseAction], action: str) -> datetime | None:
    return max((each.until for each in found if each.action == action and each.until is not None), default=None)


def _apply_or_leave(case_id: int) -> None:
    """The decision stands whatever happens here: what is not done now, the sweep does."""
    try:
        apply(case_id)
    except Exception:
        logger.exception("a decision was not applied, the sweep will", extra={"data": {"case": case_id}})


# The rows follow the table -----------------------------------------------------------------------------------------------------------


def project(actor: Actor, room_id: str, seq: int) -> None:
    """Have the row say what the table says of a case now. Safe to repeat, late and out of order; `actor` is the platform."""
    item = cases.case(actor, room_id, seq)
    if item is not None:
        _project(actor, item)


def _project(actor: Actor, item: ModerationCase) -> None:
    """Three steps, each of which looks for itself whether it is still to be done: the facts, unless they are older than what the row has;
    that it opened again; that it was resolved past the desk."""
    place = {"tenant_id": actor.tenant_id or "", "room_id": item.room_id, "seq": int(item.seq)}
    opened = {"openings": int(item.openings), "opened_at": item.opened_at}
    row, created = Case.objects.get_or_create(**place, defaults=_facts(item) | opened | {"state": item.state})
    if created:
        return
    same = Case.objects.filter(pk=row.pk)
    same.filter(source_version__lt=int(item.version)).update(**_facts(item))
    moved = {"version": F("version") + 1, "claimed_by": None, "claimed_at": None}
    if item.state == OPEN:
        same.filter(openings__lt=int(item.openings)).update(state=OPEN, **opened, **moved)
    else:
        same.filter(openings__lte=int(item.openings), state__in=WAITING).update(state=RESOLVED, **opened, **moved)


def _facts(item: ModerationCase) -> dict[str, Any]:
    reasons = list(item.reasons)
    kinds = dict.fromkeys([*(reason.partition(":")[0] for reason in reasons), *(["reported"] if item.reports else [])])
    return {
        "sender_id": item.sender_id,
        "urgent": bool(item.urgent),
        "score": float(item.score),
        "reasons": reasons,
        "kinds": f"|{'|'.join(kinds)}|"[:200] if kinds else "",
        "reports": int(item.reports),
        "hidden": item.outcome == HIDDEN,
        "outcome": item.outcome or "",
        "appealed": bool(item.appealed),
        "source_version": int(item.version),
    }


def _catch_up(case: Case) -> None:
    """Before somebody acts, so that nobody decides past an appeal or a report that the feed has not told of yet."""
    project(_platform(case), case.room_id, case.seq)


def repair(actor: Actor) -> int:
    """Apply what was decided and not done, and have the rows say what the table says: what the feed lost, and what a process that died left
    behind. Returns how many cases it found waiting, in one tenant. Safe to repeat; `actor` is the platform.
    """
    own = Case.objects.filter(tenant_id=actor.tenant_id or "")
    late = CaseAction.objects.filter(case__in=own, applied_at=None, at__lt=wiring.clock().now() - LATE)
    for case_id in late.values_list("case_id", flat=True).distinct():
        _apply_or_leave(case_id)
    count, after, more = 0, None, True
    while more:
        page = cases.cases_page(actor, OPEN, limit=MOST_AT_ONCE, after=after)
        _project_stale(actor, page.items)
        count, after, more = count + len(page.items), page.cursors[-1] if page.cursors else None, page.has_more
    _project_waiting(actor, own)
    return count


def _project_stale(actor: Actor, items: Sequence[ModerationCase]) -> None:
    """Those of which the rows do not know; the index lags, so what it has is never newer than the item."""
    rows = Case.objects.filter(tenant_id=actor.tenant_id or "", room_id__in={item.room_id for item in items})
    known = {(room_id, seq): (version, openings) for room_id, seq, version, openings in rows.values_list("room_id", "seq", *_KNOWN)}
    for item in items:
        if known.get((item.room_id, int(item.seq)), (0, 0)) < (int(item.version), int(item.openings)):
            _project(actor, item)


_KNOWN = ("source_version", "openings")


def _project_waiting(actor: Actor, own: QuerySet[Case]) -> None:
    """The rows that wait, where the table says something else by now, or nothing."""
    waiting = list(own.filter(state__in=WAITING))
    for start in range(0, len(waiting), MOST_AT_ONCE):
        rows = waiting[start : start + MOST_AT_ONCE]
        for row, item in zip(rows, cases.many_cases(actor, [(row.room_id, row.seq) for row in rows]), strict=True):
            if item is None:
                own.filter(pk=row.pk, version=row.version).update(state=RESOLVED, outcome=EXPIRED, hidden=False, version=F("version") + 1)
            elif item.state != OPEN or int(item.version) > row.source_version:
                _project(actor, item)


def _platform(case: Case) -> Actor:
    return replace(SYSTEM, tenant_id=case.tenant_id or None)
