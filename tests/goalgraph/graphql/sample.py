"""A schema for tests of the edge: every shape that the limits know, and resolvers that fail in every way."""

import threading
import time
from collections import Counter
from decimal import Decimal
from typing import Any

import graphene
from graphene.types.generic import GenericScalar

from goalgraph import errors

effects: Counter[str] = Counter()
"""How often `count` took effect, by its name."""


class PageInfo(graphene.ObjectType):
    has_next_page = graphene.Boolean()


class Goal(graphene.ObjectType):
    id = graphene.ID(required=True)
    title = graphene.String()
    tasks = graphene.List(graphene.NonNull(lambda: Task), required=True)

    def resolve_tasks(self, info: graphene.ResolveInfo) -> list["Task"]:
        return []


class Task(graphene.ObjectType):
    id = graphene.ID(required=True)
    goal = graphene.Field(Goal)


class Edge(graphene.ObjectType):
    cursor = graphene.String()
    node = graphene.Field(Goal)


class Feed(graphene.ObjectType):
    edges = graphene.List(Edge)
    nodes = graphene.List(Goal)
    page_info = graphene.Field(PageInfo)


class Member(graphene.ObjectType):
    id = graphene.ID(required=True)
    nickname = graphene.String()
    tags = graphene.List(graphene.NonNull(graphene.String))
    friends = graphene.List(lambda: Member)
    goals = graphene.List(Goal, first=graphene.Int(), tags=graphene.List(graphene.String), input=graphene.Argument(lambda: GoalInput))
    feed = graphene.Field(Feed, first=graphene.Int(), last=graphene.Int())

    def resolve_friends(self, info: graphene.ResolveInfo) -> list[Any]:
        return []

    def resolve_goals(self, info: graphene.ResolveInfo, **_: Any) -> list[Any]:
        return []


class GoalInput(graphene.InputObjectType):
    title = graphene.String(required=True)
    tags = graphene.List(graphene.NonNull(graphene.String))
    due_at = graphene.DateTime()
    nested = graphene.Field(lambda: GoalInput)
    plan = GenericScalar()


class Strict(graphene.Enum):
    ONE = 1


class Query(graphene.ObjectType):
    me = graphene.Field(Member, required=True)
    user = graphene.Field(Member, id=graphene.ID(required=True))
    feed = graphene.Field(Feed, first=graphene.Int(), last=graphene.Int())
    ok = graphene.String()
    echo = graphene.Field(GenericScalar, value=GenericScalar())
    fail = graphene.String(code=graphene.String(required=True))
    bug = graphene.String()
    null = graphene.String(required=True)
    enum = graphene.Field(Strict)
    numbers = graphene.Field(GenericScalar)
    trace = graphene.String()
    thread = graphene.String()

    def resolve_me(self, info: graphene.ResolveInfo) -> Member:
        return Member(id=info.context.actor.user_id)

    def resolve_ok(self, info: graphene.ResolveInfo) -> str:
        return "ok"

    def resolve_echo(self, info: graphene.ResolveInfo, value: Any = None) -> Any:
        return value

    def resolve_fail(self, info: graphene.ResolveInfo, code: str) -> str:
        raise next(cls for cls in errors.GoalGraphError.__subclasses__() if cls.code == code)

    def resolve_bug(self, info: graphene.ResolveInfo) -> str:
        raise KeyError("a secret of ours")

    def resolve_enum(self, info: graphene.ResolveInfo) -> str:
        return "a secret of ours"

    def resolve_numbers(self, info: graphene.ResolveInfo) -> dict[str, Any]:
        return {"large": 2**70, "whole": Decimal("3"), "part": Decimal("1.5")}

    def resolve_trace(self, info: graphene.ResolveInfo) -> str:
        from goalgraph import trace

        return trace.current()

    def resolve_thread(self, info: graphene.ResolveInfo) -> str:
        return threading.current_thread().name


class Count(graphene.Mutation):
    class Arguments:
        name = graphene.String(required=True)
        size = graphene.Int()
        fail = graphene.String()

    times = graphene.Int()
    filler = graphene.String()

    def mutate(self, info: graphene.ResolveInfo, name: str, size: int = 0, fail: str | None = None) -> "Count":
        effects[name] += 1
        time.sleep(0.05)  # long enough for other requests to come in between
        if fail:
            raise next(cls for cls in errors.GoalGraphError.__subclasses__() if cls.code == fail)
        return Count(times=effects[name], filler=_noise(size))


class Save(graphene.Mutation):
    class Arguments:
        input = GoalInput(required=True)

    title = graphene.String()
    plan = GenericScalar()

    def mutate(self, info: graphene.ResolveInfo, input: GoalInput) -> "Save":
        return Save(title=input.title, plan=input.get("plan"))


def _noise(size: int) -> str:
    """Text that does not compress well."""
    return "".join(f"{(n * 2654435761) % 4294967291:08x}" for n in range(size // 8))


class Mutation(graphene.ObjectType):
    count = Count.Field()
    save = Save.Field()


class Subscription(graphene.ObjectType):
    ticks = graphene.Int()


schema = graphene.Schema(Query, Mutation, Subscription)
