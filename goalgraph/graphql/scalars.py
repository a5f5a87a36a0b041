"""The scalars of the API that GraphQL does not define."""

from datetime import UTC, datetime
from typing import Any

import graphene
from graphql import GraphQLError
from graphql.language import ast

_LONGEST = 40


class DateTime(graphene.Scalar):
    """An instant with its offset, as in `2027-07-01T12:00:00Z` (RFC 3339). Answers are in UTC."""

    @staticmethod
    def serialize(value: datetime) -> str:
        utc = value if value.tzinfo is UTC else value.astimezone(UTC)
        return utc.isoformat(timespec="milliseconds" if utc.microsecond else "seconds").removesuffix("+00:00") + "Z"

    @staticmethod
    def parse_value(value: Any) -> datetime:
        if isinstance(value, str) and len(value) <= _LONGEST:
            try:
                parsed = datetime.fromisoformat(value)
            except ValueError:
                pass
            else:
                if parsed.tzinfo is not None and "T" in value.upper():
                    return parsed
        raise GraphQLError("A date and time with its offset is needed, such as 2027-07-01T12:00:00Z.")

    @classmethod
    def parse_literal(cls, node: ast.ValueNode, _variables: Any = None) -> datetime:
        return cls.parse_value(node.value if isinstance(node, ast.StringValueNode) else None)


class JSON(graphene.Scalar):
    """Any JSON value: object, list, text, number, true, false or null."""

    @staticmethod
    def serialize(value: Any) -> Any:
        return value

    @staticmethod
    def parse_value(value: Any) -> Any:
        return value

    @classmethod
    def parse_literal(cls, node: ast.ValueNode, variables: dict[str, Any] | None = None) -> Any:
        match node:
            case ast.ObjectValueNode():
                return {field.name.value: cls.parse_literal(field.value, variables) for field in node.fields}
            case ast.ListValueNode():
                return [cls.parse_literal(entry, variables) for entry in node.values]
            case ast.IntValueNode() if len(node.value) <= _LONGEST:
                return int(node.value)
            case ast.FloatValueNode():
                return float(node.value)
            case ast.StringValueNode() | ast.BooleanValueNode() | ast.EnumValueNode():
                return node.value
            case ast.NullValueNode():
                return None
            case ast.VariableNode():
                return (variables or {}).get(node.name.value)
        raise GraphQLError("This is not JSON.")
