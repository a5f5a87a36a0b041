"""Leaderboards in GraphQL."""

from typing import TYPE_CHECKING, Any

import graphene

from gamification import board_services
from goalgraph.ports.leaderboards import Place
from users.schema import User

if TYPE_CHECKING:
    from users.items import Profile


class LeaderboardRow(graphene.ObjectType):
    """A member's place on a leaderboard."""

    rank = graphene.Int(description="1 is the best; who shares a score shares a rank. Null while it is not known.")
    user = graphene.Field(User, description="Who; null where they are not to be seen.")
    score = graphene.Int(required=True, description="Their points of the season.")

    @staticmethod
    def resolve_user(place: Place, info: graphene.ResolveInfo) -> "Profile | None":
        """All of the rows are looked up at once, when the first one is asked for."""
        cache = info.context.cache
        if place.user_id not in cache.get(_SEEN_FOR, ()):
            cache[_SEEN_FOR] = {other.user_id for other in cache[_PLACES]}
            cache[_SEEN] = board_services.people_on(info.context.actor, cache[_PLACES])
        found: Profile | None = cache[_SEEN].get(place.user_id)
        return found


_PLACES, _SEEN_FOR, _SEEN = "places", "places whose people were looked up", "people on places"


class Query:
    leaderboard = graphene.List(
        graphene.NonNull(LeaderboardRow),
        required=True,
        season=graphene.String(description="Which, such as 2027Q3, or all; without it the one that runs."),
        scope=graphene.String(
            description="global (as without it), connections (of the member at hand, with them), around (them), or tag:<tag>.",
        ),
        first=graphene.Int(description="How many rows, at most 100; 20 by default."),
        description="Who has the most points.",
    )

    @staticmethod
    def resolve_leaderboard(_: Any, info: graphene.ResolveInfo, **which: Any) -> list[Place]:
        given = {name: value for name, value in which.items() if value is not None}
        places = board_services.leaderboard(info.context.actor, **given)
        info.context.cache.setdefault(_PLACES, []).extend(places)
        return places


LIST_SIZES = {"Query.leaderboard": 20}
