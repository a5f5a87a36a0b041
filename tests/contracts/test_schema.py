"""The served schema: it is the committed one, it keeps the core contract, and it explains itself."""

from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    find_breaking_changes,
    print_schema,
    specified_directives,
)

from goalgraph.graphql.schema import schema

SERVED = schema.graphql_schema
CORE = Path(__file__).with_name("core.graphql")
COMMITTED = Path(__file__).parents[2] / "schema.graphql"


def test_the_committed_schema_is_the_served_one():
    served = print_schema(SERVED)

    assert COMMITTED.read_text() == served, "run `make schema` and commit schema.graphql"


def test_the_core_contract_holds():
    broken = {change.description for change in find_breaking_changes(build_schema(CORE.read_text()), build_schema(print_schema(SERVED)))}

    assert broken == set()


def test_every_type_field_and_argument_has_a_description():
    missing = [place for place, description in described_places() if not (description or "").strip()]

    assert missing == []


def described_places():
    for name, kind in SERVED.type_map.items():
        if name.startswith("__") or name in {"String", "Int", "Float", "Boolean", "ID"}:
            continue
        yield name, kind.description
        if isinstance(kind, GraphQLEnumType):
            yield from ((f"{name}.{value}", enum.description) for value, enum in kind.values.items())
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field_name, field in kind.fields.items():
                yield f"{name}.{field_name}", field.description
                for argument_name, argument in getattr(field, "args", {}).items():
                    yield f"{name}.{field_name}({argument_name})", argument.description


def test_the_check_of_the_contract_can_fail():
    core = build_schema(CORE.read_text())
    cut = build_schema(
        CORE.read_text().replace("title: String!, description: String, tags: [String!], createdAt", "title: String, createdAt")
    )

    assert find_breaking_changes(core, cut)


@pytest.mark.parametrize("directive", specified_directives, ids=str)
def test_standard_directives_are_served(directive):
    assert directive in SERVED.directives
