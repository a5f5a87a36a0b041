"""What follows in the table when moderators decided: the case is done, the message goes or comes back, reporters learn what they are worth.

The back office recorded the decision before (`chat.case_services`), and has it applied until that went through: each step may be repeated,
and changes nothing then. Decisions in a case are numbered, so an older one that comes late does nothing either.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.conf import settings

from chat import moderation_repository as cases
from chat import repository
from chat.domain import MessageRef
from chat.items import Message
from chat.moderation_domain import AGAINST, APPEAL, DISMISS, OPEN, REDACT, RESOLVED, UPHOLDS, appeal_text, outcome_of
from chat.moderation_items import CaseDecision, ModerationCase
from chat.takedowns import Change, decision_of, digest, effect_on, given_back, taken_away, tell
from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Conflict, Forbidden, NotFound
from goalgraph.table import settled
from goalgraph.table.port import TransactionCanceled
from goalgraph.table.table import seconds

UPHELD, DISMISSED = "upheld", "dismissed"


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision of moderators. `number` grows with each one in a case; `until` (UTC) is when a sanction ends."""

    id: str
    number: int
    action: str
    rule: str
    note: str
    until: datetime | None = None


def decide(actor: Actor, room_id: str, seq: int, ruling: Ruling) -> None:
    """Apply a decision to its case. Safe to repeat. A case that is no longer kept is left alone.

    Raises Forbidden unless the actor is staff or the platform; Conflict where others keep writing.
    """
    if not actor.scopes & {"staff", "system"}:
        raise Forbidden
    case = settled(lambda: _decide(actor, room_id, seq, ruling))
    if case is None or case.decision_id != ruling.id:
        return
    _announce(actor, case)
    if case.state == RESOLVED:  # else what came in since it opened again would count as decided
        _count_reports(actor, case, UPHELD if ruling.action in UPHOLDS else DISMISSED)


def _decide(actor: Actor, room_id: str, seq: int, ruling: Ruling) -> ModerationCase | None:
    """The case as it is then; None where there is none."""
    before = cases.case(actor, room_id, seq)
    if before is None or int(before.decision_number) >= ruling.number:
        return before
    message = repository.message(actor, room_id, seq)
    case = before.copy()
    case.state, case.outcome = RESOLVED, outcome_of(ruling.action, before.outcome)
    case.rule, case.note, case.appealed = ruling.rule, ruling.note, False
    case.decision_id, case.decision_number = ruling.id, ruling.number
    case.against_id = ruling.id if ruling.action in AGAINST else None
    case.ttl = seconds(wiring.clock().now() + timedelta(days=settings.MODERATION_RETENTION_DAYS))
    change = _change(actor, case, message, ruling.action)
    if ruling.action == DISMISS:
        now = change.message if change else message
        case.report_weight, case.cleared = 0, digest(now.text) if now else None
    decision = decision_of(case, ruling.id, ruling.action, effect=None if change is None else effect_on(change.message))
    decision.rule, decision.until, decision.appealed = ruling.rule, ruling.until, before.appealed
    decision.overturns = ruling.action == DISMISS and before.may_be_appealed is not None
    cases.save_case(actor, case, [*(change.items if change else ()), decision])
    return case


def _change(actor: Actor, case: ModerationCase, message: Message | None, action: str) -> Change | None:
    if message is None:
        return None
    if action == DISMISS:
        return given_back(actor, case, message)
    return taken_away(case, message, message.text) if action == REDACT and not message.gone else None


def _announce(actor: Actor, case: ModerationCase) -> None:
    """Each time anew: whoever died before the room was told leaves it to the next, and hearing it twice harms nobody."""
    decision = cases.decision(actor, case.room_id, int(case.seq), str(case.decision_id))
    message = repository.message(actor, case.room_id, int(case.seq)) if decision and decision.effect else None
    if decision and message and effect_on(message) == decision.effect:
        tell(actor, message)


# Reporters -------------------------------------------------------------------------------------------------------------------------


def _count_reports(actor: Actor, case: ModerationCase, outcome: str) -> None:
    """Each report counts once in its reporter's record, as what it came to by the last decision: the report is the marker."""
    for report in cases.file(actor, case.room_id, int(case.seq)).reports:
        if report.counted != outcome:
            settled(partial(_count, actor, case, report.reporter_id, outcome))


def _count(actor: Actor, case: ModerationCase, reporter_id: str, outcome: str) -> None:
    _, before, record = cases.case_and_report(actor, case.room_id, int(case.seq), reporter_id)
    if before is None or before.counted == outcome:
        return
    report = before.copy()
    report.counted = outcome
    change = {outcome: 1} | ({before.counted: -1} if before.counted else {})
    counted = cases.changed_record(report, change) if record else cases.first_record(report, change)
    try:
        cases.count_report(actor, case, report, counted)
    except TransactionCanceled as error:
        if error.failed(0):  # decided anew, or open again: the next decision counts
            return
        raise


# Appeals ---------------------------------------------------------------------------------------------------------------------------


def appeal(actor: Actor, message_id: str, text: str) -> bool:
    """Ask for another look at a decision against one's own message or oneself, once for each decision. Repeating it changes nothing.

    Raises Invalid; NotFound where there is no such decision; Conflict where that decision was appealed in other words.
    """
    ref = MessageRef.parse(message_id)
    if ref is None:
        raise NotFound
    settled(partial(_appeal, actor, ref.room_id, ref.seq, appeal_text(text), sender_id=actor.user_id))
    return True


def record_appeal(actor: Actor, room_id: str, seq: int, text: str) -> None:
    """The same for a sender who reached staff in another way, in their words. It bears the name of who recorded it.

    Raises Forbidden unless the actor is staff or the platform; Invalid; Conflict where there is nothing to appeal, or it was appealed.
    """
    if not actor.scopes & {"staff", "system"}:
        raise Forbidden
    try:
        settled(partial(_appeal, actor, room_id, seq, appeal_text(text)))
    except NotFound as error:
        raise Conflict("No decision against the sender is in force.") from error


def _appeal(actor: Actor, room_id: str, seq: int, text: str, sender_id: str | None = None) -> None:
    """Only where `sender_id` is the sender; None: whoever it is."""
    before = cases.case(actor, room_id, seq)
    against = before.may_be_appealed if before and sender_id in (None, before.sender_id) else None
    if before is None or against is None:
        raise NotFound
    if before.appealed_id != against:
        case = _appealed(before, against, text)
        cases.save_case(actor, case, [decision_of(case, f"appeal-{against}", APPEAL)])
    elif before.appeal != text:
        raise Conflict("This decision was appealed already. Somebody else of the moderators looks at it.")


def _appealed(before: ModerationCase, against: str, text: str) -> ModerationCase:
    now = wiring.clock().now()
    case = before.copy()
    case.appeal, case.appealed_at, case.appealed_id, case.appealed = text, now, against, True
    if before.state == RESOLVED:
        case.state, case.opened_at, case.openings = OPEN, now, int(before.openings) + 1
    case.ttl = seconds(now + timedelta(days=settings.MODERATION_RETENTION_DAYS))
    return case


def decisions(actor: Actor, room_id: str, seq: int) -> list[CaseDecision]:
    """All that was decided in a case, by moderators and by the platform, and what was appealed, oldest first."""
    return sorted(cases.file(actor, room_id, seq).decisions, key=lambda decision: decision.created_at)
