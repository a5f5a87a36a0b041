"""How reviews, cases and reports are read and written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from chat.items import Room
from chat.moderation_domain import RESOLVED
from chat.moderation_items import CaseDecision, MessageReport, ModerationCase, ReporterRecord, ReportQuota, ReviewDue, ReviewMark
from goalgraph.auth.actor import Actor
from goalgraph.table import keys, table, until_won
from goalgraph.table.items import CoreItem
from goalgraph.table.port import ConditionFailed
from goalgraph.table.table import Check, Operation, Page, Put, Update

# Reviews ---------------------------------------------------------------------------------------------------------------------------


def reviewed_up_to(actor: Actor, room_id: str) -> int:
    mark = cast("ReviewMark | None", table(actor).get(keys.review_mark(room_id), consistent=True))
    return int(mark.seq) if mark else 0


def mark_reviewed(actor: Actor, room_id: str, seq: int) -> None:
    """A room is reviewed up to `seq`. A mark never goes back."""

    def attempt() -> None:
        try:
            table(actor).update(keys.review_mark(room_id), [ReviewMark.seq.set(seq)], condition=ReviewMark.seq < seq)
        except ConditionFailed as error:
            if error.current is None:
                table(actor).put(ReviewMark(room_id=room_id, seq=seq))

    until_won(attempt)


def reviews_due(actor: Actor, shard: int) -> list[ReviewDue]:
    return cast("list[ReviewDue]", table(actor).query(keys.reviews_due(shard), consistent=True).items)


def rooms_and_marks(actor: Actor, room_ids: Sequence[str]) -> list[tuple[Room | None, ReviewMark | None]]:
    places = [key for room_id in room_ids for key in (keys.room(room_id), keys.review_mark(room_id))]
    found = table(actor).get_many(places, consistent=True)
    return cast("list[tuple[Room | None, ReviewMark | None]]", list(zip(found[::2], found[1::2], strict=True)))


def review_due(actor: Actor, room_id: str, seq: int) -> ReviewDue | None:
    """What says that a message is to be reviewed as it was edited."""
    return cast("ReviewDue | None", table(actor).get(ReviewDue(room_id=room_id, seq=seq).key(), consistent=True))


def take_off(actor: Actor, due: ReviewDue) -> None:
    """What it stood for is reviewed. It stays when it was written anew meanwhile."""
    try:
        table(actor).delete(due.key(), condition=ReviewDue.write_id == due.write_id)
    except ConditionFailed:
        return


# Cases -----------------------------------------------------------------------------------------------------------------------------


def case(actor: Actor, room_id: str, seq: int) -> ModerationCase | None:
    return cast("ModerationCase | None", table(actor).get(keys.case(room_id, seq), consistent=True))


def many_cases(actor: Actor, places: Sequence[tuple[str, int]]) -> list[ModerationCase | None]:
    """Those of messages, each named by its room and `seq`, in their order; one round trip for 100."""
    return cast("list[ModerationCase | None]", table(actor).get_many([keys.case(*place) for place in places], consistent=True))


def case_and_report(
    actor: Actor, room_id: str, seq: int, reporter_id: str
) -> tuple[ModerationCase | None, MessageReport | None, ReporterRecord | None]:
    """The case of a message, a member's report of it, and the member's record as a reporter; one round trip."""
    places = [keys.case(room_id, seq), keys.report(room_id, seq, reporter_id), keys.reporter_record(reporter_id)]
    found = table(actor).get_many(places, consistent=True)
    return cast("tuple[ModerationCase | None, MessageReport | None, ReporterRecord | None]", tuple(found))


@dataclass(frozen=True, slots=True)
class File:
    """All there is of a case."""

    case: ModerationCase | None
    reports: list[MessageReport]
    decisions: list[CaseDecision]


def file(actor: Actor, room_id: str, seq: int) -> File:
    items = table(actor).query(keys.case_and_reports(room_id, seq), consistent=True).items
    cases = [item for item in items if isinstance(item, ModerationCase)]
    reports = [item for item in items if isinstance(item, MessageReport)]
    return File(next(iter(cases), None), reports, [item for item in items if isinstance(item, CaseDecision)])


def decision(actor: Actor, room_id: str, seq: int, decision_id: str) -> CaseDecision | None:
    return cast("CaseDecision | None", table(actor).get(keys.case_decision(room_id, seq, decision_id), consistent=True))


def records(actor: Actor, user_ids: Sequence[str]) -> dict[str, ReporterRecord]:
    """By user id, as far as there are any."""
    found = table(actor).get_many([keys.reporter_record(user_id) for user_id in user_ids], consistent=True)
    return {user_id: cast("ReporterRecord", record) for user_id, record in zip(user_ids, found, strict=True) if record is not None}


def cases_page(actor: Actor, state: str, *, limit: int, after: str | None) -> Page:
    """The cases in a state, the most urgent first."""
    return table(actor).query(keys.cases(state), limit=limit, after=after)


def save_case(actor: Actor, case: ModerationCase, others: Sequence[CoreItem] = ()) -> None:
    """A case, new or changed, with what changes with it. Each position fails when somebody else wrote it meanwhile."""
    table(actor).transact([Put(case), *map(Put, others)])


def save_report(actor: Actor, case: ModerationCase, report: MessageReport, counted: Operation, others: Sequence[CoreItem] = ()) -> None:
    """Position 0 fails when the case was changed meanwhile, 1 when the member has reported it; 2 is the quota, and then comes what changes
    with it."""
    table(actor).transact([Put(case), Put(report), counted, *map(Put, others)])


def count_report(actor: Actor, case: ModerationCase, report: MessageReport, counted: Operation) -> None:
    """A report whose `counted` changed, with its reporter's record. Position 0 fails when the case was decided anew, 1 when the report was
    counted meanwhile, 2 is the record."""
    in_force = (ModerationCase.decision_id == case.decision_id) & (ModerationCase.state == RESOLVED)
    table(actor).transact([Check(case.key(), in_force), Put(report), counted])


def changed_record(report: MessageReport, change: Mapping[str, int]) -> Operation:
    """What `change` adds to `upheld` and `dismissed` of a record that is there."""
    actions = [attribute.add(change[name]) for name, attribute in _OF_A_RECORD.items() if change.get(name)]
    return Update(keys.reporter_record(report.reporter_id), actions)


def first_record(report: MessageReport, change: Mapping[str, int]) -> Operation:
    counts = {name: max(0, change.get(name, 0)) for name in _OF_A_RECORD}
    return Put(ReporterRecord(user_id=report.reporter_id, owner_id=report.reporter_id, **counts))


_OF_A_RECORD: dict[str, Any] = {"upheld": ReporterRecord.upheld, "dismissed": ReporterRecord.dismissed}


def one_more_report(quota: ReportQuota, most: int) -> Operation:
    return Update(quota.key(), [ReportQuota.count.add(1)], ReportQuota.count < most)


def first_report(quota: ReportQuota) -> Operation:
    return Put(quota)
