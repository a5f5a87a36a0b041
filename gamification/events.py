"""What follows when a member's sums change."""

from collections.abc import Iterator

from gamification.domain import ALL_TIME
from gamification.items import GameAggregate
from goalgraph.feed.changes import Change
from goalgraph.feed.events import Event, Translator, event


def _of_aggregate(change: Change) -> Iterator[Event]:
    """A level is reached once, however often a member falls back and comes to it again. A streak that comes back is extended again."""
    new = change.new
    if not isinstance(new, GameAggregate):
        return
    old = change.old if isinstance(change.old, GameAggregate) else GameAggregate()
    if new.score != old.score:
        yield event(change, "score.changed", season=new.season, score=int(new.score))
    if new.season != ALL_TIME:
        return
    for badge in new.badges:
        if badge not in old.badges:
            yield event(change, "badge.earned", tell=badge, badgeId=badge)
    if new.highest > old.highest:
        yield event(change, "level.reached", level=new.highest)
    if new.streak_current > old.streak_current or (new.streak_current and (new.streak_day or "") > (old.streak_day or "")):
        yield event(change, "streak.extended", days=int(new.streak_current))


TRANSLATORS: dict[str, Translator] = {"GameAggregate": _of_aggregate}
