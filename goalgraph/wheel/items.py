"""The items of the due wheel itself: how far it is swept, who sweeps, and what sweeps pass by. Its entries belong to other contexts."""

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from goalgraph.table import keys
from goalgraph.table.attributes import InstantAttribute
from goalgraph.table.items import CoreItem
from goalgraph.table.port import Key


class WheelShard(CoreItem, discriminator="WheelShard"):
    """The watermark of a shard: every bucket of a minute before `swept_until` was found empty, when no entry could come to it any more."""

    shard = NumberAttribute()
    swept_until = InstantAttribute()

    def key(self) -> Key:
        return keys.wheel_shard(int(self.shard))


class SweepLease(CoreItem, discriminator="SweepLease"):
    """Until when a worker may count on being the only one that sweeps a bucket."""

    minute = InstantAttribute()
    shard = NumberAttribute()
    holder = UnicodeAttribute()
    until = InstantAttribute()
    lost = NumberAttribute(default=0)
    """How many holders in a row came to an end without giving it back."""

    def key(self) -> Key:
        return keys.sweep_lease(self.minute, int(self.shard))


class FailedEntry(CoreItem, discriminator="FailedEntry"):
    """Says that an entry whose turn failed is left to a task of its own. It holds for the entry as it was, not for one written later."""

    minute = InstantAttribute()
    shard = NumberAttribute()
    entry_sk = UnicodeAttribute()
    entry_write_id = UnicodeAttribute()

    def key(self) -> Key:
        return keys.failed_entry(self.minute, int(self.shard), self.entry_sk)
