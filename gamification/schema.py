"""Points and streaks in GraphQL."""

from typing import Any

import graphene

from gamification import services
from gamification.items import GameAggregate


class Streak(graphene.ObjectType):
    """Days in a row, in the member's own time zone, on which something was done."""

    current = graphene.Int(required=True, description="The streak that is running.")
    longest = graphene.Int(required=True, description="The longest one ever.")
    freezes = graphene.Int(required=True, description="Days off that may still be taken without breaking it.")


class Badge(graphene.ObjectType):
    """Something earned once."""

    id = graphene.ID(required=True, description="Which badge.")


class GameStats(graphene.ObjectType):
    """What a member earned so far."""

    score = graphene.Int(required=True, description="Points of all time.")
    level = graphene.Int(required=True, description="The level these points make.")
    streak = graphene.Field(graphene.NonNull(Streak), description="Days in a row.")
    badges = graphene.List(graphene.NonNull(Badge), required=True, description="What was earned once and stays.")

    @staticmethod
    def resolve_streak(stats: GameAggregate, _: graphene.ResolveInfo) -> Streak:
        return Streak(current=stats.streak_current, longest=stats.streak_longest, freezes=stats.streak_freezes)

    @staticmethod
    def resolve_badges(stats: GameAggregate, _: graphene.ResolveInfo) -> list[Badge]:
        return [Badge(id=badge) for badge in stats.badges]


class Query:
    game_stats = graphene.Field(graphene.NonNull(GameStats), description="Points and streaks of the member who asks.")

    @staticmethod
    def resolve_game_stats(_: Any, info: graphene.ResolveInfo) -> GameAggregate:
        return services.game_stats(info.context.actor)
