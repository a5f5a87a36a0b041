"""The home screen in graphene-django."""

from typing import Any

import graphene
from graphene_django import DjangoObjectType

from tests.bench.stock import models


class UserType(DjangoObjectType):
    tags = graphene.List(graphene.NonNull(graphene.String), required=True)

    class Meta:
        model = models.Profile
        name = "User"
        fields = ("id", "nickname", "avatar_url", "language", "tier", "timezone")


class GoalType(DjangoObjectType):
    tags = graphene.List(graphene.NonNull(graphene.String))
    progress = graphene.Float(required=True)

    class Meta:
        model = models.Goal
        name = "Goal"
        fields = ("id", "title", "description", "created_at", "status", "task_count", "done_count")

    @staticmethod
    def resolve_progress(goal: models.Goal, info: graphene.ResolveInfo) -> float:
        return goal.done_count / goal.task_count if goal.task_count else 0.0


class TaskType(DjangoObjectType):
    goal_id = graphene.ID(required=True)

    class Meta:
        model = models.Task
        name = "Task"
        fields = ("id", "title", "due_at", "status", "created_at")


class StreakType(graphene.ObjectType):
    current = graphene.Int(required=True)
    longest = graphene.Int(required=True)
    freezes = graphene.Int(required=True)


class BadgeType(graphene.ObjectType):
    id = graphene.ID(required=True)


class GameStatsType(DjangoObjectType):
    streak = graphene.Field(StreakType, required=True)
    badges = graphene.List(graphene.NonNull(BadgeType), required=True)

    class Meta:
        model = models.Aggregate
        name = "GameStats"
        fields = ("score", "level")

    @staticmethod
    def resolve_streak(stats: models.Aggregate, info: graphene.ResolveInfo) -> StreakType:
        return StreakType(current=stats.streak_current, longest=stats.streak_longest, freezes=stats.streak_freezes)

    @staticmethod
    def resolve_badges(stats: models.Aggregate, info: graphene.ResolveInfo) -> list[BadgeType]:
        return [BadgeType(id=badge) for badge in stats.badges]


class HomeType(graphene.ObjectType):
    user = graphene.Field(UserType, required=True)
    goals = graphene.List(graphene.NonNull(GoalType), required=True)
    agenda = graphene.List(graphene.NonNull(TaskType), required=True)
    game_stats = graphene.Field(GameStatsType, required=True)

    @staticmethod
    def resolve_user(profile: models.Profile, info: graphene.ResolveInfo) -> models.Profile:
        return profile

    @staticmethod
    def resolve_goals(profile: models.Profile, info: graphene.ResolveInfo) -> Any:
        return profile.goals.filter(status="active").order_by("created_at")

    @staticmethod
    def resolve_agenda(profile: models.Profile, info: graphene.ResolveInfo) -> Any:
        return profile.tasks.filter(status="open").order_by("due_at")

    @staticmethod
    def resolve_game_stats(profile: models.Profile, info: graphene.ResolveInfo) -> models.Aggregate:
        return profile.aggregate


class Query(graphene.ObjectType):
    home = graphene.Field(HomeType, required=True)

    @staticmethod
    def resolve_home(root: None, info: graphene.ResolveInfo) -> models.Profile:
        return models.Profile.objects.select_related("aggregate").get(pk=info.context.user_id)


schema = graphene.Schema(query=Query)
