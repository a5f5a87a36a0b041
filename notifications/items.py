"""The items of notifications. All but the entries of the due wheel stand in a partition of the member's own."""

from datetime import datetime

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute

from goalgraph.table import keys
from goalgraph.table.attributes import InstantAttribute, JSONText
from goalgraph.table.items import CoreItem
from goalgraph.table.port import IndexKey, Key

PENDING, HELD, SENT, FAILED, DROPPED = "pending", "held", "sent", "failed", "dropped"
"""States of a delivery."""


class Notification(CoreItem, discriminator="Notification"):
    """What a member was told, and why each channel was used, held or not."""

    user_id = UnicodeAttribute()
    note_id = UnicodeAttribute()
    kind = UnicodeAttribute()
    title = UnicodeAttribute()
    body = UnicodeAttribute()
    facts = JSONText(default=dict)
    subject = UnicodeAttribute(null=True)
    happened_at = InstantAttribute()
    read_at = InstantAttribute(null=True)
    snoozed_until = InstantAttribute(null=True)
    """Of a reminder: when the member last asked to be reminded again."""
    shown = BooleanAttribute(default=True)
    """Whether the member sees it in the application."""
    why = JSONText(default=list)
    """For each channel what was decided: `{"channel", "decision", "reason", "until"}`."""
    shard = NumberAttribute(default=0)

    @property
    def id(self) -> str:
        return self.note_id

    def key(self) -> Key:
        place = keys.notification if self.shown else keys.unshown_notification
        return place(self.user_id, self.note_id)

    def index_keys(self) -> tuple[IndexKey, ...]:
        return (keys.outbox(self.happened_at, int(self.shard), self.user_id, self.note_id, "in_app"),) if self.shown else ()


class NotificationPreferences(CoreItem, discriminator="NotificationPreferences"):
    """What a member wants to be told, how and when. One who never said has the defaults, which are not stored."""

    user_id = UnicodeAttribute()
    kinds = JSONText(default=dict)
    """What differs from the defaults: `{kind: {channel: "now" | "digest" | "off"}}`."""
    quiet_from = NumberAttribute(null=True)
    quiet_until = NumberAttribute(null=True)
    """Minutes after the member's local midnight. Both or none."""
    digest_at = NumberAttribute(default=8 * 60)
    """Minutes after the member's local midnight."""
    digest_due_at = InstantAttribute(null=True)
    """Where on the due wheel their next digest stands."""
    email = UnicodeAttribute(null=True)
    """Verified; mails go nowhere else."""
    phone = UnicodeAttribute(null=True)
    """Verified, E.164."""
    devices = NumberAttribute(default=0)
    """How many devices push messages go to; it moves with them."""

    def key(self) -> Key:
        return keys.notification_preferences(self.user_id)


class SendCount(CoreItem, discriminator="SendCount"):
    """How much was sent to a member over each channel on the last of their days on which anything was."""

    user_id = UnicodeAttribute()
    day = UnicodeAttribute()
    """`YYYY-MM-DD` of the member's own calendar."""
    counts = JSONText(default=dict)

    def key(self) -> Key:
        return keys.send_count(self.user_id)


class DigestNote(CoreItem, discriminator="DigestNote"):
    """A notification that waits for the member's next digest."""

    user_id = UnicodeAttribute()
    note_id = UnicodeAttribute()
    kind = UnicodeAttribute()
    title = UnicodeAttribute()
    member_id = UnicodeAttribute(null=True)
    """Of whom it tells, if of anybody."""

    def key(self) -> Key:
        return keys.digest_note(self.user_id, self.note_id)


class DigestEntry(CoreItem, discriminator="DigestEntry"):
    """A member's next digest on the due wheel."""

    user_id = UnicodeAttribute()
    at = InstantAttribute()
    shard = NumberAttribute()

    def key(self) -> Key:
        return keys.digest_entry(self.at, int(self.shard), self.user_id)


class Delivery(CoreItem, discriminator="Delivery"):
    """One notification on one channel: a line of the delivery log."""

    user_id = UnicodeAttribute()
    note_id = UnicodeAttribute()
    channel = UnicodeAttribute()
    kind = UnicodeAttribute()
    shown = BooleanAttribute(default=True)
    """Of the notification, whose key depends on it."""
    state = UnicodeAttribute(default=PENDING)
    reason = UnicodeAttribute(null=True)
    """A code: why it was held, dropped or failed."""
    priority = BooleanAttribute(default=False)
    """Of a premium member; it goes first."""
    not_after = InstantAttribute(null=True)
    attempts = NumberAttribute(default=0)
    resent = NumberAttribute(default=0)
    """How often the sweep sent a task for it, because nobody seemed to be at it."""
    lease_until = InstantAttribute(null=True)
    """Until when the one who tries now may count on being the only one."""
    released_at = InstantAttribute(null=True)
    """When the wheel let it go, where it was held."""
    reached = JSONText(default=list)
    """The ids of devices that have it already, while others are still to get it."""
    sent_at = InstantAttribute(null=True)
    provider_id = UnicodeAttribute(null=True)
    shard = NumberAttribute(default=0)

    @property
    def pending_since(self) -> datetime:
        return self.released_at or self.created_at

    @property
    def dedupe_key(self) -> str:
        """What a provider tells repetitions by."""
        return f"{self.note_id}.{self.channel}"

    def key(self) -> Key:
        return keys.delivery(self.user_id, self.note_id, self.channel)

    def index_keys(self) -> tuple[IndexKey, ...]:
        shard, place = int(self.shard), (self.user_id, self.note_id, self.channel)
        if self.state == PENDING and self.created_at is not None:
            return (keys.unsent(shard, self.pending_since, *place),)
        if self.state == SENT and self.sent_at is not None:
            return (keys.outbox(self.sent_at, shard, *place),)
        return ()


class HeldDelivery(CoreItem, discriminator="HeldDelivery"):
    """A delivery on the due wheel, to be made when the member's quiet hours are over."""

    user_id = UnicodeAttribute()
    note_id = UnicodeAttribute()
    channel = UnicodeAttribute()
    at = InstantAttribute()
    shard = NumberAttribute()

    def key(self) -> Key:
        return keys.held_delivery(self.at, int(self.shard), self.user_id, self.note_id, self.channel)


class Device(CoreItem, discriminator="Device"):
    """Where push messages go: an endpoint of SNS for a phone's token, or a browser's Web Push subscription."""

    user_id = UnicodeAttribute()
    device_id = UnicodeAttribute()
    platform = UnicodeAttribute()
    """apns, fcm or web."""
    endpoint = UnicodeAttribute()
    """An ARN of SNS, or the push service's https address."""
    secrets = JSONText(default=dict)
    """Of a browser: `{"p256dh", "auth"}`."""

    def key(self) -> Key:
        return keys.device(self.user_id, self.device_id)


class DeviceOwner(CoreItem, discriminator="DeviceOwner"):
    """Whose a device is: of the one who registered it last. So nobody's messages go to a phone that somebody else uses by now."""

    device_id = UnicodeAttribute()
    user_id = UnicodeAttribute()

    def key(self) -> Key:
        return keys.device_owner(self.device_id)


class AddressClaim(CoreItem, discriminator="AddressClaim"):
    """An e-mail address or telephone number that a member says is theirs, until they prove it. `nonce` is what its proof is made from."""

    user_id = UnicodeAttribute()
    channel = UnicodeAttribute()
    address = UnicodeAttribute()
    nonce = UnicodeAttribute()
    tries = NumberAttribute(default=0)

    def key(self) -> Key:
        return keys.address_claim(self.user_id, self.channel)


class AddressQuota(CoreItem, discriminator="AddressQuota"):
    """How many proofs were asked for on a day (UTC): by a member, or for an address, of which a digest is stored."""

    who = UnicodeAttribute()
    day = InstantAttribute()
    count = NumberAttribute(default=0)

    def key(self) -> Key:
        return keys.address_quota(self.who, self.day.date())
