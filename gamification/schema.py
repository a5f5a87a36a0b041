"""Points and streaks in GraphQL."""

from datetime import datetime
from typing import Any

import graphene

from gamification import services
from gamification.services import SeasonStats, Stats
from goalgraph.graphql.scalars import DateTime
from goalgraph.ports.live import Stream


class Streak(graphene.ObjectType):
    """Days in a row, in the member's own time zone, on which something was done. Travel ends no streak."""

    current = graphene.Int(required=True, description="The streak that is running, as it stands now.")
    longest = graphene.Int(required=True, description="The longest one ever.")
    freezes = graphene.Int(
        required=True, description="Freezes that are left. A day that is missed takes one by itself, and the streak goes on."
    )
    done_today = graphene.Boolean(required=True, description="Whether something was done today.")
    frozen_today = graphene.Boolean(required=True, description="Whether a freeze is set aside for today.")


class Badge(graphene.ObjectType):
    """Something earned once."""

    id = graphene.ID(required=True, description="Which badge.")


class GameStats(graphene.ObjectType):
    """What a member earned so far."""

    score = graphene.Int(required=True, description="Points of all time.")
    level = graphene.Int(required=True, description="The level these points make.")
    streak = graphene.Field(graphene.NonNull(Streak), description="Days in a row.")
    badges = graphene.List(graphene.NonNull(Badge), required=True, description="What was earned once and stays.")
    rest_days = graphene.List(
        graphene.NonNull(graphene.String), required=True, description="Days of the week that need nothing done, as the member last chose."
    )

    @staticmethod
    def resolve_badges(stats: Stats, _: graphene.ResolveInfo) -> list[Badge]:
        return [Badge(id=badge) for badge in stats.badges]


class Season(graphene.ObjectType):
    """A stretch of time over which points are summed: a quarter of a year, by UTC, or all time."""

    id = graphene.ID(required=True, description="Such as 2027Q3, or all.")
    starts_at = DateTime(description="Its first instant; null: no begin.")
    ends_at = DateTime(description="The first instant after it; null: no end.")
    current = graphene.Boolean(required=True, description="Whether it runs now.")
    score = graphene.Int(required=True, description="Points in it of the member who asks.")

    @staticmethod
    def resolve_id(stats: SeasonStats, _: graphene.ResolveInfo) -> str:
        return stats.season.id

    @staticmethod
    def resolve_starts_at(stats: SeasonStats, _: graphene.ResolveInfo) -> datetime | None:
        return stats.season.starts_at

    @staticmethod
    def resolve_ends_at(stats: SeasonStats, _: graphene.ResolveInfo) -> datetime | None:
        return stats.season.ends_at


class Query:
    game_stats = graphene.Field(graphene.NonNull(GameStats), description="Points and streaks of the member who asks.")
    seasons = graphene.List(
        graphene.NonNull(Season),
        required=True,
        description="The season that runs, then those in which the member who asks had points, newest first, then all time.",
    )

    @staticmethod
    def resolve_game_stats(_: Any, info: graphene.ResolveInfo) -> Stats:
        return services.game_stats(info.context.actor)

    @staticmethod
    def resolve_seasons(_: Any, info: graphene.ResolveInfo) -> list[SeasonStats]:
        return services.seasons(info.context.actor)


class Mutation:
    use_streak_freeze = graphene.Field(
        graphene.NonNull(GameStats),
        date=graphene.String(description="Today or one of the next 7 days by one's own calendar, such as 2027-07-01; without it today."),
        description="Set a freeze aside for a day. Once is enough for a day.",
    )
    set_rest_days = graphene.Field(
        graphene.NonNull(GameStats),
        days=graphene.List(graphene.NonNull(graphene.String), required=True, description="At most 3 of monday to sunday; empty: none."),
        description="Choose the days of the week on which nothing needs to be done, from next Monday on.",
    )

    @staticmethod
    def resolve_use_streak_freeze(_: Any, info: graphene.ResolveInfo, date: str | None = None) -> Stats:
        return services.use_streak_freeze(info.context.actor, date)

    @staticmethod
    def resolve_set_rest_days(_: Any, info: graphene.ResolveInfo, days: list[str]) -> Stats:
        return services.set_rest_days(info.context.actor, days)


class Subscription:
    on_game_stats = graphene.Field(
        graphene.NonNull(GameStats), description="One's own points and streak, each time that they change. Read them again after an outage."
    )

    @staticmethod
    def subscribe_on_game_stats(_: Any, info: graphene.ResolveInfo) -> Stream:
        return services.follow(info.context.actor)

    @staticmethod
    def resolve_on_game_stats(stats: Stats, _: graphene.ResolveInfo) -> Stats:
        return stats
