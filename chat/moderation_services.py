"""How messages are reviewed, reported and taken away, and the queue in which people find what to look at.

Reviews follow from the change feed, after the message was stored and announced: a moderator never holds up a chat.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from django.conf import settings

from chat import moderation_repository as cases
from chat import repository
from chat.domain import DELETED, REDACTED, MessageRef
from chat.items import Message, MessageEdit
from chat.message_services import found_message
from chat.moderation_domain import (
    CONTEXT,
    CONTEXT_CHARACTERS,
    GRACE,
    HIDDEN,
    HIDE,
    NEWCOMER,
    OPEN,
    QUIET,
    REDACT,
    RESOLVED,
    REVIEW_BATCH,
    REVIEW_SHARDS,
    STATES,
    UNJUDGED,
    UNJUDGED_SCORE,
    case_score,
    hides,
    report_reason,
)
from chat.moderation_items import MessageReport, ModerationCase, ReportQuota, ReviewDue
from chat.takedowns import Change, digest, given_back, given_back_at_once, taken_away_at_once, tell
from goalgraph import inputs, wiring
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.errors import Forbidden, Invalid, NotFound, QuotaExceeded
from goalgraph.ports.moderator import ModeratorUnavailable, Verdict
from goalgraph.table import settled
from goalgraph.table.attributes import instant_text
from goalgraph.table.items import CoreItem
from goalgraph.table.port import TransactionCanceled
from goalgraph.table.table import Page, seconds

logger = logging.getLogger(__name__)

DEFAULT_PAGE, MAX_PAGE = 20, 100


def platform(tenant_id: str | None) -> Actor:
    """The platform itself, in a tenant."""
    return Actor(user_id=SYSTEM.user_id, tenant_id=tenant_id, scopes=SYSTEM.scopes)


# Reviews ---------------------------------------------------------------------------------------------------------------------------


def review_room(actor: Actor, room_id: str, seq: int) -> None:
    """Review what was written in a room since it was last reviewed, up to `seq`. Repeating it changes nothing.

    A message whose own turn was lost is reviewed with the next one. Raises ModeratorUnavailable; what came
    before is done then.
    """
    begin = cases.reviewed_up_to(actor, room_id)
    found = repository.messages(actor, room_id, above=begin, below=seq + 1, limit=REVIEW_BATCH)
    reached = begin
    try:
        for message in found:
            _review(actor, message)
            reached = int(message.seq)
        if len(found) < REVIEW_BATCH:
            reached = max(begin, seq)
    finally:
        if reached > begin:
            cases.mark_reviewed(actor, room_id, reached)
    if reached < seq:
        _enqueue_room(actor, room_id, seq)


def review_message(actor: Actor, room_id: str, seq: int) -> None:
    """Review a message that was edited, as it is now. Repeating it changes nothing. Raises ModeratorUnavailable."""
    due = cases.review_due(actor, room_id, seq)
    message = repository.message(actor, room_id, seq)
    if message is not None:
        _review(actor, message)
    if due is not None:
        cases.take_off(actor, due)


def sweep(actor: Actor) -> int:
    """Enqueue anew what was not reviewed in time, and forget what is settled. Returns how many reviews it enqueued."""
    return sum(_sweep_shard(actor, shard) for shard in range(REVIEW_SHARDS))


def _sweep_shard(actor: Actor, shard: int) -> int:
    late = wiring.clock().now() - GRACE
    found = cases.reviews_due(actor, shard)
    edits = [due for due in found if due.seq is not None and due.updated_at < late]
    for due in edits:
        wiring.jobs().enqueue("chat.tasks.review_message", room_id=due.room_id, seq=int(due.seq), tenant_id=actor.tenant_id)
    rooms = [due for due in found if due.seq is None]
    return len(edits) + sum(_sweep_room(actor, due, *pair) for due, pair in zip(rooms, _rooms(actor, rooms), strict=True))


def _sweep_room(actor: Actor, due: ReviewDue, last: int, active_at: datetime | None, reviewed: int) -> int:
    now = wiring.clock().now()
    if active_at is not None and reviewed < last:
        if active_at < now - GRACE:
            _enqueue_room(actor, due.room_id, last)
            return 1
    elif active_at is None or active_at < now - QUIET:
        cases.take_off(actor, due)
    return 0


def _enqueue_room(actor: Actor, room_id: str, seq: int) -> None:
    wiring.jobs().enqueue("chat.tasks.review_room", room_id=room_id, seq=seq, tenant_id=actor.tenant_id)


def _rooms(actor: Actor, dues: list[ReviewDue]) -> list[tuple[int, datetime | None, int]]:
    """Of each room its last message, when it was written, and up to which it is reviewed."""
    found = cases.rooms_and_marks(actor, [due.room_id for due in dues])
    return [(int(room.seq) if room else 0, room.active_at if room else None, int(mark.seq) if mark else 0) for room, mark in found]


def _review(actor: Actor, message: Message) -> None:
    judged = message
    if message.state == REDACTED:
        back = _before_hidden(actor, message, cases.case(actor, message.room_id, int(message.seq)))
        judged = back.message if back else message
    if judged.gone:
        return
    verdict = _judged(judged)
    if verdict.action != "allow":
        settled(lambda: _act(actor, judged, verdict))


def _before_hidden(actor: Actor, message: Message, case: ModerationCase | None) -> Change | None:
    """A message as it was before reports hid it; None where they did not."""
    return given_back(actor, case, message) if case is not None and case.outcome == HIDDEN else None


def _judged(message: Message) -> Verdict:
    """A text on which the moderator fails is one for people: it must not hold up the rest of its room."""
    try:
        return wiring.moderator().review(message.text)
    except ModeratorUnavailable:
        raise
    except Exception:
        logger.exception("the moderator failed on a message", extra={"data": {"message": message.id}})
        return Verdict("flag", UNJUDGED_SCORE, (UNJUDGED,))


def _act(actor: Actor, judged: Message, verdict: Verdict) -> None:
    """Do what the verdict on `judged` says, unless the message says something else by now: then its edit brings a review of its own.

    A cry for help that reports hid before it was reviewed is given back.
    """
    message = repository.message(actor, judged.room_id, int(judged.seq))
    before = cases.case(actor, judged.room_id, int(judged.seq))
    back = _before_hidden(actor, message, before) if message else None
    said = back.message if back else message
    if message is None or said is None or said.state == REDACTED or said.text not in (judged.text, ""):
        return
    text = verdict.keepable or judged.text
    known = before is not None and (before.text, before.reasons) == (text, list(verdict.reasons))
    if known and (verdict.action == "flag" or message.gone):
        return
    case = _case_of(actor, before, judged, text)
    case.reasons, case.verdict_score = list(verdict.reasons), verdict.score
    case.urgent = verdict.urgent or bool(case.urgent)
    case.score = case_score(verdict.score, case.weight)
    change: Change | None
    if case.urgent and back:
        change = given_back_at_once(case, back, _automatic(message))
    elif verdict.action == "redact" and not case.urgent and not message.gone:
        change = taken_away_at_once(case, message, text, REDACT, _automatic(message))
    else:
        change = _hidden(case, message)
    _save(actor, case, change)


# Taking away -----------------------------------------------------------------------------------------------------------------------


def redact(actor: Actor, message_id: str, reason: str) -> Message:
    """Take a message's text away from everybody; it is kept for moderators. Repeating it changes nothing.

    Raises Forbidden unless the actor is staff or the platform; NotFound, Invalid, Conflict.
    """
    _check_staff(actor)
    note = inputs.text(reason, field="reason", longest=500, lines=True)
    ref = _ref(message_id)

    def attempt() -> Message:
        message = repository.message(actor, ref.room_id, ref.seq)
        if message is None:
            raise NotFound
        if message.gone:
            return message
        case = _case_of(actor, cases.case(actor, ref.room_id, ref.seq), message, message.text)
        case.state, case.note = RESOLVED, note
        taken = taken_away_at_once(case, message, message.text, REDACT, f"staff-{int(message.version)}")
        _save(actor, case, taken)
        return taken.message

    return settled(attempt)


def _hidden(case: ModerationCase, message: Message) -> Change | None:
    """The message without its text, where so many report it that people should look at it before others do; else None.

    Not what moderators found nothing wrong with, unless it says something else by now.
    """
    enough = hides(score=float(case.score), weight=case.weight, urgent=bool(case.urgent), threshold=settings.MODERATION_AUTO_HIDE)
    if message.gone or not enough or case.cleared == digest(message.text):
        return None
    return taken_away_at_once(case, message, message.text, HIDE, _automatic(message))


def _automatic(message: Message) -> str:
    """The id of the platform's own decision. One of two at once fails, for the message changes with it."""
    return f"auto-{int(message.version)}"


def _save(actor: Actor, case: ModerationCase, change: Change | None) -> None:
    cases.save_case(actor, case, change.items if change else ())
    if change:
        tell(actor, change.message)


# Reports ---------------------------------------------------------------------------------------------------------------------------


def report(actor: Actor, message_id: str, reason: str) -> bool:
    """Tell the moderators what is wrong with somebody else's message. A second report of the same member changes nothing.

    Raises Invalid, NotFound for a message the actor may not see, QuotaExceeded, Conflict.
    """
    checked = report_reason(reason)

    def attempt() -> None:
        message = found_message(actor, message_id)
        if message.sender_id == actor.user_id:
            raise Invalid("That is your own message. You can delete it.", field="messageId")
        before, earlier, record = cases.case_and_report(actor, message.room_id, int(message.seq), actor.user_id)
        if earlier is not None or message.state == REDACTED:
            return
        case = _case_of(actor, before, message, before.text if before else _last_words(actor, message))
        weight = record.weight if record else NEWCOMER
        case.report_weight = round(case.weight + weight, 3)
        case.reports = int(case.reports) + 1
        case.score = case_score(float(case.verdict_score), case.weight)
        place = {"room_id": message.room_id, "seq": message.seq, "reporter_id": actor.user_id}
        taken = _hidden(case, message)
        _file(actor, case, MessageReport(**place, reason=checked, weight=weight, ttl=case.ttl), taken.items if taken else ())
        if taken:
            tell(actor, taken.message)

    settled(attempt)
    return True


def _file(actor: Actor, case: ModerationCase, filed: MessageReport, others: Sequence[CoreItem]) -> None:
    day = datetime.combine(wiring.clock().now().date(), time(), UTC)
    quota = ReportQuota(owner_id=actor.user_id, day=day, count=1, ttl=seconds(day + timedelta(days=2)))
    try:
        cases.save_report(actor, case, filed, cases.one_more_report(quota, settings.REPORTS_PER_DAY), others)
    except TransactionCanceled as error:
        if not error.failed(2):
            raise
        if error.current(2) is not None:
            raise QuotaExceeded(f"You have reported {settings.REPORTS_PER_DAY} messages today. Tomorrow you can report more.") from error
        cases.save_report(actor, case, filed, cases.first_report(quota), others)


def _last_words(actor: Actor, message: Message) -> str:
    """What a message says, or said before its sender took it back."""
    if message.state != DELETED:
        return message.text
    kept: list[MessageEdit] = repository.edits(actor, message.room_id, int(message.seq))
    return kept[-1].text if kept else ""


# The queue -------------------------------------------------------------------------------------------------------------------------


def queue_page(actor: Actor, *, state: str = OPEN, limit: int = DEFAULT_PAGE, after: str | None = None) -> Page:
    """Cases in a state, the most urgent first: those of self-harm, then by score, then who waits longest.

    Raises Forbidden unless the actor is staff, Invalid, InvalidCursor.
    """
    _check_staff(actor)
    if not 1 <= limit <= MAX_PAGE:
        raise Invalid(f"A page has 1 to {MAX_PAGE} cases.", field="first")
    return cases.cases_page(actor, inputs.one_of(state, STATES, field="state"), limit=limit, after=after)


def case_file(actor: Actor, case_id: str) -> tuple[ModerationCase, list[MessageReport]]:
    """A case with all reports. Raises Forbidden unless the actor is staff, NotFound."""
    _check_staff(actor)
    ref = _ref(case_id)
    found = cases.file(actor, ref.room_id, ref.seq)
    if found.case is None:
        raise NotFound
    return found.case, found.reports


def _check_staff(actor: Actor) -> None:
    if not actor.scopes & {"staff", "system"}:
        raise Forbidden


def _ref(message_id: str) -> MessageRef:
    ref = MessageRef.parse(message_id)
    if ref is None:
        raise NotFound
    return ref


def _case_of(actor: Actor, before: ModerationCase | None, message: Message, text: str) -> ModerationCase:
    """The case of a message, to be changed: a new one with its evidence, or the one there is, open again."""
    now = wiring.clock().now()
    case = before.copy() if before else ModerationCase(room_id=message.room_id, seq=message.seq, owner_id=message.sender_id)
    if before is None:
        case.sender_id, case.opened_at = message.sender_id, now
        case.context = _context(actor, message)
    if before is None or before.state == RESOLVED:
        case.state, case.opened_at = OPEN, now
    if before is not None and before.state == RESOLVED:
        case.openings = int(before.openings) + 1
    case.text = text
    case.ttl = seconds(now + timedelta(days=settings.MODERATION_RETENTION_DAYS))
    return case


def _context(actor: Actor, message: Message) -> list[dict[str, str]]:
    earlier = repository.messages(actor, message.room_id, above=0, below=int(message.seq), limit=CONTEXT, newest=True)
    return [
        {
            "id": before.id,
            "senderId": before.sender_id,
            "ts": instant_text(before.ts),
            "state": before.state,
            "text": before.text[:CONTEXT_CHARACTERS],
        }
        for before in earlier
    ]
