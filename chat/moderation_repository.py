"""How reviews, cases and reports are read and written."""

from collections.abc import Sequence
from typing import cast

from chat.items import Message, MessageEdit, Room
from chat.moderation_items import MessageReport, ModerationCase, ReportQuota, ReviewDue, ReviewMark
from goalgraph.auth.actor import Actor
from goalgraph.table import keys, table, until_won
from goalgraph.table.port import ConditionFailed
from goalgraph.table.table import Operation, Page, Put, Update

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


def case_and_report(actor: Actor, room_id: str, seq: int, reporter_id: str) -> tuple[ModerationCase | None, MessageReport | None]:
    found = table(actor).get_many([keys.case(room_id, seq), keys.report(room_id, seq, reporter_id)], consistent=True)
    return cast("ModerationCase | None", found[0]), cast("MessageReport | None", found[1])


def case_and_reports(actor: Actor, room_id: str, seq: int) -> tuple[ModerationCase | None, list[MessageReport]]:
    items = table(actor).query(keys.case_and_reports(room_id, seq), consistent=True).items
    cases = [item for item in items if isinstance(item, ModerationCase)]
    return next(iter(cases), None), [item for item in items if isinstance(item, MessageReport)]


def cases_page(actor: Actor, state: str, *, limit: int, after: str | None) -> Page:
    """The cases in a state, the most urgent first."""
    return table(actor).query(keys.cases(state), limit=limit, after=after)


def save_case(actor: Actor, case: ModerationCase, redacted: tuple[Message, MessageEdit] | None = None) -> None:
    """A case, new or changed, with the message whose text it takes away. Each position fails when somebody else wrote it meanwhile."""
    table(actor).transact([Put(case), *(Put(item) for item in redacted or ())])


def save_report(actor: Actor, case: ModerationCase, report: MessageReport, counted: Operation) -> None:
    """Position 0 fails when the case was changed meanwhile, 1 when the member has reported it, 2 is the quota."""
    table(actor).transact([Put(case), Put(report), counted])


def one_more_report(quota: ReportQuota, most: int) -> Operation:
    return Update(quota.key(), [ReportQuota.count.add(1)], ReportQuota.count < most)


def first_report(quota: ReportQuota) -> Operation:
    return Put(quota)
