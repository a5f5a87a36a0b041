"""The items of billing: what Stripe says now, as the rest of the platform reads it."""

from pynamodb.attributes import BooleanAttribute, NumberAttribute, UnicodeAttribute

from goalgraph.table import keys
from goalgraph.table.attributes import InstantAttribute
from goalgraph.table.items import CoreItem
from goalgraph.table.port import IndexKey, Key


class Subscription(CoreItem, discriminator="Subscription"):
    """A member's paid plan, or their tenant's, as revision `rev` of the account says. It stays when it ended, so that no older one comes
    after it; then its `tier` is `free`."""

    plan_id = UnicodeAttribute()
    rev = NumberAttribute()
    tier = UnicodeAttribute(default="free")
    """What it grants now."""
    state = UnicodeAttribute()
    """As `billing.domain` names it: trial, active, grace, paused, ended."""
    interval = UnicodeAttribute(null=True)
    """`month` or `year`."""
    period_ends = InstantAttribute(null=True)
    grace_ends = InstantAttribute(null=True)
    """Until when an unpaid one still grants its tier."""
    cancels = BooleanAttribute(default=False)
    """Whether it ends with its period."""
    tenant_wide = BooleanAttribute(default=False)

    def key(self) -> Key:
        return keys.tenant_subscription(self.plan_id) if self.tenant_wide else keys.subscription(self.owner_id, self.plan_id)

    def index_keys(self) -> tuple[IndexKey, ...]:
        if self.tier == "free" or self.state == "paused" or self.cancels or self.period_ends is None:
            return ()
        return (keys.renewal(self.period_ends.date(), self.owner_id, self.plan_id),)
