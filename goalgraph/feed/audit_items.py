"""Items of the audit log: how far each of its chains goes (docs/audit.md)."""

from pynamodb.attributes import NumberAttribute, UnicodeAttribute

from goalgraph.table import keys
from goalgraph.table.attributes import InstantAttribute
from goalgraph.table.items import CoreItem
from goalgraph.table.port import Key


class AuditHead(CoreItem, discriminator="AuditHead"):
    """The end of a chain. It moves when an object is in the log, never before, so an object behind it does not count."""

    chain_id = UnicodeAttribute()
    began_at = InstantAttribute()
    """The instant of its first change. It says in which folder the chain lies, for good."""
    objects = NumberAttribute(default=0)
    lines = NumberAttribute(default=0)
    last_hash = UnicodeAttribute()
    """Of the last line; of a chain without lines, its genesis value."""
    last_sequence = UnicodeAttribute(default="0")
    """Of the last line's change. Up to 40 digits, which is more than DynamoDB's numbers hold."""

    def key(self) -> Key:
        return keys.audit_head(self.chain_id)


class AuditChain(CoreItem, discriminator="AuditChain"):
    """That there is a chain, so that one whose every object was deleted is missed."""

    chain_id = UnicodeAttribute()
    month = UnicodeAttribute()

    def key(self) -> Key:
        return keys.audit_chain(self.month, self.chain_id)
