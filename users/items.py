"""The items of members."""

from pynamodb.attributes import ListAttribute, UnicodeAttribute

from goalgraph.table import keys
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
