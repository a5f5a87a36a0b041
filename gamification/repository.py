"""How sums are read."""

from gamification.items import GameAggregate
from goalgraph.auth.actor import Actor
from goalgraph.table import keys, table


def aggregate(actor: Actor, season: str) -> GameAggregate | None:
    found = table(actor).get(keys.game_aggregate(actor.user_id, season))
    return found if isinstance(found, GameAggregate) else None
