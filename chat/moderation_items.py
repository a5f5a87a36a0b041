"""The items of moderation."""

from pynamodb.attributes import BooleanAttribute, JSONAttribute, ListAttribute, NumberAttribute, UnicodeAttribute

from chat.domain import REDACTED, MessageRef
from chat.items import Message
from chat.moderation_domain import NEWCOMER, OPEN, REVIEW_SHARDS, report_weight
from goalgraph.table import keys
from goalgraph.table.attributes import InstantAttribute
from goalgraph.table.items import CoreItem
from goalgraph.table.port import IndexKey, Key


class ReviewMark(CoreItem, discriminator="ReviewMark"):
    """Up to which message a room is reviewed."""

    room_id = UnicodeAttribute()
    seq = NumberAttribute(default=0)

    def key(self) -> Key:
        return keys.review_mark(self.room_id)


class ReviewDue(CoreItem, discriminator="ReviewDue"):
    """Says that a room has messages, or that an edited message has a text, that may not have been reviewed. It is written with them, in one
    transaction, and taken away once all of it is reviewed."""

    room_id = UnicodeAttribute()
    seq = NumberAttribute(null=True)
    """The edited message; None: the room."""

    def key(self) -> Key:
        seq = None if self.seq is None else int(self.seq)
        return keys.review_due(self.room_id, seq, keys.shard_of(self.room_id, REVIEW_SHARDS))


class ModerationCase(CoreItem, discriminator="ModerationCase"):
    """A message that people should look at: what it said, why it is here, and how urgent it is. One for each message."""

    max_bytes = Message.max_bytes + 24 * 1024
    """The text at issue, and the beginnings of five others."""

    room_id = UnicodeAttribute()
    seq = NumberAttribute()
    sender_id = UnicodeAttribute()
    text = UnicodeAttribute()
    context = JSONAttribute(default=list)
    """The messages before it: `{"id", "senderId", "ts", "state", "text"}`, the oldest first."""
    state = UnicodeAttribute(default=OPEN)
    reasons: ListAttribute[str] = ListAttribute(of=UnicodeAttribute, default=list)  # type: ignore[arg-type]
    verdict_score = NumberAttribute(default=0)
    reports = NumberAttribute(default=0)
    score = NumberAttribute(default=0)
    urgent = BooleanAttribute(default=False)
    opened_at = InstantAttribute()
    report_weight = NumberAttribute(null=True)
    """What the reports weigh that no moderator has dismissed. None where an older release counted them: then each weighs 1."""
    openings = NumberAttribute(default=0)
    """How often it was opened again, so that whoever hears of it late knows which opening is meant."""
    outcome = UnicodeAttribute(null=True)
    """What came of it so far: `redacted`, `hidden` until moderators decide, `dismissed`, `warned` or `helped`."""
    rule = UnicodeAttribute(null=True)
    note = UnicodeAttribute(null=True)
    """Why a moderator did so."""
    reactions = JSONAttribute(null=True)
    """What stood under the message when its text was taken away."""
    cleared = UnicodeAttribute(null=True)
    """A digest of the text that moderators found nothing wrong with."""
    decision_id = UnicodeAttribute(null=True)
    decision_number = NumberAttribute(default=0)
    """The back office numbers its decisions in a case, so an older one that comes late changes nothing."""
    against_id = UnicodeAttribute(null=True)
    """The decision in force that the sender may appeal."""
    appealed_id = UnicodeAttribute(null=True)
    """The last one that they appealed."""
    appeal = UnicodeAttribute(null=True)
    appealed_at = InstantAttribute(null=True)
    appealed = BooleanAttribute(default=False)
    """Whether the appeal waits for its decision."""

    @property
    def id(self) -> str:
        return self.message_id

    @property
    def message_id(self) -> str:
        return str(MessageRef(int(self.seq), self.room_id))

    @property
    def weight(self) -> float:
        return float(self.reports) if self.report_weight is None else float(self.report_weight)

    @property
    def may_be_appealed(self) -> str | None:
        """The id of a decision against the sender; what an older release took away has none of its own."""
        return self.against_id or (REDACTED if self.outcome == REDACTED and self.decision_id is None else None)

    @property
    def awaits_appeal(self) -> bool:
        """Whether a decision against the sender was not appealed so far."""
        return self.may_be_appealed is not None and self.may_be_appealed != self.appealed_id

    def key(self) -> Key:
        return keys.case(self.room_id, int(self.seq))

    def index_keys(self) -> tuple[IndexKey, ...]:
        place = keys.case_in_queue(
            self.state, self.room_id, int(self.seq), urgent=bool(self.urgent), score=float(self.score), opened_at=self.opened_at
        )
        return (place,)


class MessageReport(CoreItem, discriminator="MessageReport"):
    """What one member says is wrong with a message."""

    room_id = UnicodeAttribute()
    seq = NumberAttribute()
    reporter_id = UnicodeAttribute()
    reason = UnicodeAttribute()
    weight = NumberAttribute(default=NEWCOMER)
    """What it weighed when it came in."""
    counted = UnicodeAttribute(null=True)
    """As what it stands in its reporter's record, `upheld` or `dismissed`; None: not yet. It is written together with the record."""

    def key(self) -> Key:
        return keys.report(self.room_id, int(self.seq), self.reporter_id)


class ReporterRecord(CoreItem, discriminator="ReporterRecord"):
    """How often moderators agreed with what a member reported."""

    user_id = UnicodeAttribute()
    upheld = NumberAttribute(default=0)
    dismissed = NumberAttribute(default=0)

    @property
    def weight(self) -> float:
        return report_weight(int(self.upheld), int(self.dismissed))

    def key(self) -> Key:
        return keys.reporter_record(self.user_id)


class CaseDecision(CoreItem, discriminator="CaseDecision"):
    """What was decided in a case, by moderators or by the platform itself. Of it follows what the member is told, once. An appeal leaves
    one as well, for the history, of which nobody is told."""

    room_id = UnicodeAttribute()
    seq = NumberAttribute()
    decision_id = UnicodeAttribute()
    sender_id = UnicodeAttribute()
    action = UnicodeAttribute()
    rule = UnicodeAttribute(default="other")
    until = InstantAttribute(null=True)
    effect = UnicodeAttribute(null=True)
    """What became of the message: `redacted`, `restored`, or nothing."""
    appealed = BooleanAttribute(default=False)
    """Whether it answers an appeal."""
    overturns = BooleanAttribute(default=False)
    """Whether it takes a decision back that was against the sender."""

    def key(self) -> Key:
        return keys.case_decision(self.room_id, int(self.seq), self.decision_id)


class ReportQuota(CoreItem, discriminator="ReportQuota"):
    """Counts what a member reports on one day (UTC)."""

    day = InstantAttribute()
    count = NumberAttribute(default=0)

    def key(self) -> Key:
        return keys.report_quota(self.owner_id, self.day.date())
