"""The short way of execution answers what the long one answers."""

import enum
from typing import Any

import graphene
from graphql import ExecutionContext, ExecutionResult, GraphQLResolveInfo, execute_sync, parse
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.graphql.lean import LeanExecution
from goalgraph.graphql.scalars import JSON, DateTime


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Row(graphene.ObjectType):
    whole = graphene.Int()
    must = graphene.Int(required=True)
    share = graphene.Float()
    text = graphene.String()
    key = graphene.ID(required=True)
    flag = graphene.Boolean()
    at = DateTime()
    anything = JSON()
    copy = JSON(description="Also the name of a method of dict.")
    mood = graphene.Field(graphene.Enum.from_enum(Mood))
    fallback = graphene.String(default_value="by default")
    own = graphene.String()
    louder = graphene.String(by=graphene.Int(default_value=2))

    chosen = graphene.String(by=graphene.Int())

    @staticmethod
    def resolve_own(row: Any, info: graphene.ResolveInfo) -> str:
        return f"own {info.field_name}"

    @staticmethod
    def resolve_louder(row: Any, _: graphene.ResolveInfo, by: int) -> str:
        return "!" * by


class Query(graphene.ObjectType):
    row = graphene.Field(Row)
    rows = graphene.List(graphene.NonNull(Row))


SCHEMA = graphene.Schema(query=Query).graphql_schema
NAMES = ("whole", "must", "share", "text", "key", "flag", "at", "anything", "copy", "mood", "fallback")
DOCUMENT = parse(f"{{ row {{ {' '.join(NAMES)} again: text own louder(by: 3) chosen(by: 1) }} rows {{ must key }} }}")


class Thing:
    """A source whose missing attributes are missing, and whose values that are exceptions are raised when they are read."""

    def __init__(self, **values: Any) -> None:
        self.values = values

    def __getattr__(self, name: str) -> Any:
        if name not in self.values:
            raise AttributeError(name)
        if isinstance(self.values[name], Exception):
            raise self.values[name]
        return self.values[name]


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.datetimes(),
    st.datetimes(timezones=st.timezones()),
    st.sampled_from(Mood),
    st.lists(st.integers(), max_size=2),
    st.just(ValueError("a fault")),
)
FIELDS = st.dictionaries(st.sampled_from(NAMES), VALUES).map(lambda some: {"must": 1, "key": "k"} | some)


def told(result: ExecutionResult) -> str:
    """Data and errors as text, in which nan equals nan and True is not 1."""
    return repr((result.data, [error.formatted for error in result.errors or []]))


def execute(source: Any, way: type[ExecutionContext]) -> ExecutionResult:
    return execute_sync(SCHEMA, DOCUMENT, root_value={"row": source, "rows": [source, source]}, execution_context_class=way)


@given(FIELDS)
def test_objects_are_read_as_by_graphql_core(fields: dict[str, Any]) -> None:
    assert told(execute(Thing(**fields), LeanExecution)) == told(execute(Thing(**fields), ExecutionContext))


@given(FIELDS)
def test_dicts_are_read_as_by_graphql_core(fields: dict[str, Any]) -> None:
    assert told(execute(fields, LeanExecution)) == told(execute(fields, ExecutionContext))


def test_plain_fields_go_the_short_way() -> None:
    long: list[str] = []

    class Noted(LeanExecution):
        def build_resolve_info(self, *arguments: Any) -> GraphQLResolveInfo:
            info = super().build_resolve_info(*arguments)
            long.append(info.field_name)
            return info

    result = execute(Thing(whole=1, must=2, share=0.5, text="t", key="k", flag=True, anything={}, mood=Mood.GOOD, chosen="c"), Noted)
    assert result.errors is None
    assert set(long) == {"row", "rows", "at", "copy", "fallback", "own", "louder", "chosen"}
