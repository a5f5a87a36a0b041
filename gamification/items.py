"""What a member earned, in sums."""

from pynamodb.attributes import ListAttribute, NumberAttribute, UnicodeAttribute

from goalgraph.table import keys
from goalgraph.table.items import CoreItem
from goalgraph.table.port import Key

ALL_TIME = "all"
"""The season that never ends."""


class GameAggregate(CoreItem, discriminator="GameAggregate"):
    """A member's sums over a season. It stands where the home screen's one query finds it."""

    season = UnicodeAttribute(default=ALL_TIME)
    score = NumberAttribute(default=0)
    level = NumberAttribute(default=1)
    streak_current = NumberAttribute(default=0)
    streak_longest = NumberAttribute(default=0)
    streak_freezes = NumberAttribute(default=0)
    badges: ListAttribute[str] = ListAttribute(of=UnicodeAttribute, default=list)  # type: ignore[arg-type]

    def key(self) -> Key:
        return keys.game_aggregate(self.owner_id, self.season)
