"""The one item of the edge: what was answered to a request that carried an idempotency key."""

from pynamodb.attributes import BinaryAttribute, NumberAttribute, UnicodeAttribute

from goalgraph.table import keys
from goalgraph.table.items import CoreItem
from goalgraph.table.port import Key


class IdempotencyRecord(CoreItem, discriminator="IdempotencyRecord"):
    """`fingerprint` says what was asked. `status` is there once it was answered, with the body in `answer`; until then the process that
    works on it has it until `leased_until` (seconds since the epoch)."""

    key_name = UnicodeAttribute()
    fingerprint = UnicodeAttribute()
    seed = UnicodeAttribute()
    """From which the request's new ids follow, in each of its attempts."""
    leased_until = NumberAttribute()
    status = NumberAttribute(null=True)
    answer = BinaryAttribute(legacy_encoding=False, null=True)
    """Compressed with zlib. None with a `status`: the answer was too large to keep."""

    def key(self) -> Key:
        return keys.idempotency(self.owner_id, self.key_name)
