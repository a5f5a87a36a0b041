"""The items of moderation."""

from pynamodb.attributes import BooleanAttribute, JSONAttribute, ListAttribute, NumberAttribute, UnicodeAttribute

from chat.domain import MessageRef
from chat.items import Message
from chat.moderation_domain import OPEN, REVIEW_SHARDS
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
    outcome = UnicodeAttribute(null=True)
    """`redacted` where the text was taken away."""
    note = UnicodeAttribute(null=True)
    """Why a moderator did so."""

    @property
    def id(self) -> str:
        return self.message_id

    @property
    def message_id(self) -> str:
        return str(MessageRef(int(self.seq), self.room_id))

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

    def key(self) -> Key:
        return keys.report(self.room_id, int(self.seq), self.reporter_id)


class ReportQuota(CoreItem, discriminator="ReportQuota"):
    """Counts what a member reports on one day (UTC)."""

    day = InstantAttribute()
    count = NumberAttribute(default=0)

    def key(self) -> Key:
        return keys.report_quota(self.owner_id, self.day.date())
