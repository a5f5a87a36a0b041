"""The item of the change feed."""

from pynamodb.attributes import BooleanAttribute, UnicodeAttribute

from goalgraph.table import keys
from goalgraph.table.attributes import InstantAttribute
from goalgraph.table.items import CoreItem
from goalgraph.table.port import Key


class FeedShard(CoreItem, discriminator="FeedShard"):
    """Where a consumer is in a shard of the stream, and who reads it: checkpoint and lease are one item, so they move together."""

    consumer = UnicodeAttribute()
    shard_id = UnicodeAttribute()
    holder = UnicodeAttribute(null=True)
    """The process that reads it; None: nobody."""
    held_until = InstantAttribute(null=True)
    sequence = UnicodeAttribute(null=True)
    """Of the last record that was taken; None: none of those that are there."""
    taken_to = InstantAttribute(null=True)
    """What was written before then is taken, as far as can be told."""
    finished = BooleanAttribute(default=False)

    def key(self) -> Key:
        return keys.feed_shard(self.consumer, self.shard_id)
