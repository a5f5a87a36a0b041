"""What members see of their points and streaks."""

from collections.abc import Iterable

from gamification import repository
from gamification.items import ALL_TIME, GameAggregate
from goalgraph.auth.actor import Actor
from goalgraph.table.items import CoreItem


def game_stats(actor: Actor) -> GameAggregate:
    """The actor's sums of all time; zeros before the first point."""
    return repository.aggregate(actor, ALL_TIME) or GameAggregate()


def stats_among(items: Iterable[CoreItem]) -> GameAggregate:
    """The sums of all time out of what a query of a member's partition found."""
    aggregates = (item for item in items if isinstance(item, GameAggregate) and item.season == ALL_TIME)
    return next(aggregates, GameAggregate())
