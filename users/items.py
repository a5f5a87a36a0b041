"""The items of members."""

from pynamodb.attributes import ListAttribute, NumberAttribute, UnicodeAttribute

from goalgraph.table import keys
from goalgraph.table.attributes import InstantAttribute
from goalgraph.table.items import CoreItem
from goalgraph.table.port import Key


class Profile(CoreItem, discriminator="User"):
    """What a member tells of themselves. A member who never wrote a profile has an empty one that is not stored."""

    user_id = UnicodeAttribute()
    nickname = UnicodeAttribute(null=True)
    avatar_url = UnicodeAttribute(null=True)
    language = UnicodeAttribute(null=True)
    pronouns = UnicodeAttribute(null=True)
    bio = UnicodeAttribute(null=True)
    tags: ListAttribute[str] = ListAttribute(of=UnicodeAttribute, default=list)  # type: ignore[arg-type]
    timezone = UnicodeAttribute(default="UTC")
    visibility = UnicodeAttribute(default="public")
    tier = UnicodeAttribute(default="free")
    """As billing last projected it. For the member at hand the token's actor knows better."""

    @property
    def id(self) -> str:
        return self.user_id

    def key(self) -> Key:
        return keys.profile(self.user_id)


class Block(CoreItem, discriminator="Block"):
    """`owner_id` wants nothing to do with `other_id`."""

    other_id = UnicodeAttribute()

    def key(self) -> Key:
        return keys.block(self.owner_id, self.other_id)


class Connection(CoreItem, discriminator="Connection"):
    """How `owner_id` stands with `other_id`. Both of the two have one, and both change in the same transaction."""

    other_id = UnicodeAttribute()
    state = UnicodeAttribute()

    @property
    def user_id(self) -> str:
        return self.other_id

    def key(self) -> Key:
        return keys.connection(self.owner_id, self.other_id)


class RequestQuota(CoreItem, discriminator="RequestQuota"):
    """Counts the connections a member asked for on one day (UTC)."""

    day = InstantAttribute()
    count = NumberAttribute(default=0)

    def key(self) -> Key:
        return keys.request_quota(self.owner_id, self.day.date())


class Sanction(CoreItem, discriminator="Sanction"):
    """What moderators have forbidden a member. It stays when it is over, and expires by `ttl`."""

    user_id = UnicodeAttribute()
    muted_until = InstantAttribute(null=True)
    """Until when the member may read chats, but not write in them."""
    suspended_until = InstantAttribute(null=True)
    """Until when the member may do nothing at all."""
    reason = UnicodeAttribute(null=True)
    """In words for the member."""

    def key(self) -> Key:
        return keys.sanction(self.user_id)
