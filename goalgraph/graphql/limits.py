"""What a GraphQL document may ask for, decided before it costs us anything.

`scan` reads the text without parsing it: size, tokens, nesting, directives. `weigh` walks the parsed document once, before validation:
depth, aliases, root fields and cost. Fragments are memoised, so a document of doubling fragments takes linear time although its cost
is exponential, and one that refers to itself is refused. Both come from the advice of the GraphQL specification's security section and
of OWASP's GraphQL cheat sheet; graphene's own `depth_limit_validator` has neither property.

Cost counts what a resolver may have to produce: each object costs 1, a list 1 and its length times its element. The length of a list is its
`first` or `last` (or that of the connection it stands in), else the one that `declare_list_sizes` gave it, else `default_list_size`. A
mutation costs `mutation_cost` each. What a list may be beyond that is bounded where it is read: `max_round_trips` and `max_read_units`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from django.conf import settings
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_list_type,
    is_non_null_type,
)

from goalgraph.errors import Invalid, TooComplex


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one document. Raise them by `settings.GRAPHQL_LIMITS`."""

    characters: int = 32_768
    tokens: int = 1500
    nesting: int = 30
    """Braces, brackets and parentheses that are open at once: selections and input literals."""
    directives: int = 30
    operations: int = 10
    fragments: int = 50
    aliases: int = 50
    selections: int = 1000
    """Fields, each counted as often as fragments repeat it."""
    root_fields: int = 25
    depth: int = 16
    """Fields within fields, as executed; the introspection query of GraphiQL has 14."""
    cost: int = 5000
    default_list_size: int = 10
    mutation_cost: int = 10
    introspection_cost: int = 500
    max_round_trips: int = 250
    """Reads of the table that one operation may make."""
    max_read_units: float = 500.0
    """Read units (`goalgraph.table.metering`) that one operation may take."""


@cache
def limits() -> Limits:
    return Limits(**settings.GRAPHQL_LIMITS)


def declare_list_sizes(schema: GraphQLSchema, sizes: Mapping[str, int]) -> None:
    """Say how long lists without pages are, by `Type.field`. Raises KeyError for a field that is not there."""
    for place, size in sizes.items():
        type_name, _, field_name = place.partition(".")
        of: Any = schema.type_map[type_name]
        of.fields[field_name].extensions[_LIST_SIZE] = size


_LIST_SIZE = "listSize"


# The text --------------------------------------------------------------------------------------------------------------------------

# The lexical tokens of GraphQL (October 2021, section 2.1.6); a comment counts as one. What matches nothing is left to the parser.
_TOKEN = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?|"(?:[^"\\\n]|\\.)*+"?|#[^\n\r]*'
    r"|\.\.\.|[A-Za-z_][A-Za-z0-9_]*|-?[0-9][0-9A-Za-z.+-]*|[!$&()\[\]{}|:=@]",
    re.DOTALL,
)


def scan(query: str, bounds: Limits) -> None:
    """Refuse a text that is too long, has too many tokens or directives, or nests too deeply. Raises TooComplex. Stops early."""
    if len(query) > bounds.characters:
        raise TooComplex(f"The document is longer than {bounds.characters} characters.")
    directives = nesting = 0
    for tokens, match in enumerate(_TOKEN.finditer(query), start=1):
        if tokens > bounds.tokens:
            raise TooComplex(f"The document has more than {bounds.tokens} tokens.")
        first = query[match.start()]
        if first in "{[(":
            nesting += 1
            if nesting > bounds.nesting:
                raise TooComplex(f"The document nests deeper than {bounds.nesting} levels.")
        elif first in "}])":
            nesting -= 1
        elif first == "@":
            directives += 1
            if directives > bounds.directives:
                raise TooComplex(f"The document has more than {bounds.directives} directives.")


# The parsed document ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Weight:
    """Of a selection set: what it costs in any case (`fixed`), what its lists cost for each element of the connection around
    them (`each`), how deep it goes, how many fields it has itself (`fields`) and with all below (`selected`), and whether it asks for
    introspection alone."""

    fixed: int = 0
    each: int = 0
    depth: int = 0
    fields: int = 0
    selected: int = 0
    introspects: bool = True

    def __add__(self, other: "Weight") -> "Weight":
        return Weight(
            self.fixed + other.fixed,
            self.each + other.each,
            max(self.depth, other.depth),
            self.fields + other.fields,
            self.selected + other.selected,
            self.introspects and other.introspects,
        )


@dataclass(frozen=True, slots=True)
class Operation:
    """What we know of an operation before it runs. `cost` is None where it depends on variables."""

    node: OperationDefinitionNode
    kind: OperationType
    name: str
    """The first root field that the schema knows: for logs and metrics."""
    root_fields: int
    introspects: bool
    cost: int | None


def weigh(schema: GraphQLSchema, document: DocumentNode, bounds: Limits) -> dict[str | None, Operation]:
    """Each operation of `document` by its name (None: it has none). Raises TooComplex, and Invalid for fragments in a circle."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    if len(operations) > bounds.operations:
        raise TooComplex(f"The document has more than {bounds.operations} operations.")
    if len(fragments) > bounds.fragments:
        raise TooComplex(f"The document has more than {bounds.fragments} fragments.")
    weighed = {}
    for node in operations:
        scales = _Scales(schema, fragments, bounds, _list_sizes(node, {}))
        weighed[node.name.value if node.name else None] = scales.operation(node)
    return weighed


def cost_of(schema: GraphQLSchema, document: DocumentNode, operation: Operation, variables: Mapping[str, Any], bounds: Limits) -> int:
    """What `operation` costs with `variables`. Raises TooComplex over the limit."""
    cost = operation.cost
    if cost is None:
        fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        cost = _Scales(schema, fragments, bounds, _list_sizes(operation.node, variables)).cost(operation.node)
    return _within(cost, bounds)


def _within(cost: int, bounds: Limits) -> int:
    if cost > bounds.cost:
        raise TooComplex(f"The request costs more than {bounds.cost} points. Ask for fewer fields or shorter lists.")
    return cost


def _list_sizes(node: OperationDefinitionNode, variables: Mapping[str, Any]) -> dict[str, int]:
    """The whole numbers among the variables and their defaults: only these can be the length of a list."""
    sizes = {
        definition.variable.name.value: _whole(definition.default_value)
        for definition in node.variable_definitions
        if isinstance(definition.default_value, IntValueNode)
    }
    sizes |= {name: value for name, value in variables.items() if isinstance(value, int) and not isinstance(value, bool)}
    return sizes


_Composite = GraphQLObjectType | GraphQLInterfaceType
_LENGTHS = ("first", "last")
_MAX_LEVEL = 80
"""Fields, inline fragments and spreads within each other, to stay far from Python's own limit of recursion."""


@dataclass(slots=True)
class _Scales:
    """Weighs one operation with one set of list sizes."""

    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    bounds: Limits
    sizes: Mapping[str, int]
    known: dict[tuple[str, bool], Weight] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)
    level: int = 0
    aliases: int = 0
    uses_variables: bool = False

    def operation(self, node: OperationDefinitionNode) -> Operation:
        root = self.schema.get_root_type(node.operation)
        weight = self.selections(node.selection_set, root)
        if weight.fields > self.bounds.root_fields:
            raise TooComplex(f"The operation has more than {self.bounds.root_fields} root fields.")
        if self.aliases > self.bounds.aliases:
            raise TooComplex(f"The operation has more than {self.bounds.aliases} aliases.")
        if weight.selected > self.bounds.selections:
            raise TooComplex(f"The operation has more than {self.bounds.selections} fields, fragments spread out.")
        if weight.depth > self.bounds.depth:
            raise TooComplex(f"The operation is deeper than {self.bounds.depth} levels.")
        cost = self._total(node, weight)
        return Operation(
            node=node,
            kind=node.operation,
            name=self._first_field(node.selection_set, root) or "unknown",
            root_fields=weight.fields,
            introspects=weight.introspects,
            cost=None if self.uses_variables else _within(cost, self.bounds),
        )

    def cost(self, node: OperationDefinitionNode) -> int:
        return self._total(node, self.selections(node.selection_set, self.schema.get_root_type(node.operation)))

    def _total(self, node: OperationDefinitionNode, weight: Weight) -> int:
        mutations = weight.fields * self.bounds.mutation_cost if node.operation is OperationType.MUTATION else 0
        return 1 + mutations + weight.fixed + weight.each * self.bounds.default_list_size

    def selections(self, node: SelectionSetNode, parent: Any, *, introspecting: bool = False) -> Weight:
        self.level += 1
        if self.level > _MAX_LEVEL:
            raise TooComplex("The document nests too deeply.")
        weight = Weight()
        for selection in node.selections:
            match selection:
                case FieldNode():
                    weight += self.field(selection, parent, introspecting=introspecting)
                case InlineFragmentNode():
                    on = selection.type_condition
                    inner = self.schema.get_type(on.name.value) if on else parent
                    weight += self.selections(selection.selection_set, inner, introspecting=introspecting)
                case FragmentSpreadNode():
                    weight += self.fragment(selection.name.value, introspecting=introspecting)
        self.level -= 1
        return weight

    def fragment(self, name: str, *, introspecting: bool) -> Weight:
        if name in self.open:
            raise Invalid("A fragment of the document refers to itself.")
        if (name, introspecting) not in self.known:
            definition = self.fragments.get(name)
            if definition is None:
                return Weight()  # validation says it better
            self.open.append(name)
            on = self.schema.get_type(definition.type_condition.name.value)
            self.known[name, introspecting] = self.selections(definition.selection_set, on, introspecting=introspecting)
            self.open.pop()
        return self.known[name, introspecting]

    def field(self, node: FieldNode, parent: Any, *, introspecting: bool) -> Weight:
        if node.alias:
            self.aliases += 1
        name = node.name.value
        if introspecting or name in ("__schema", "__type"):
            return self._introspection(node, opens=not introspecting)
        definition = parent.fields.get(name) if isinstance(parent, _Composite) else None
        if node.selection_set is None:
            return Weight(depth=1, fields=1, selected=1, introspects=name == "__typename")
        inner = self.selections(node.selection_set, get_named_type(definition.type) if definition else None)
        return self._object(node, definition, inner)

    def _object(self, node: FieldNode, definition: GraphQLField | None, inner: Weight) -> Weight:
        length = self._length(node, definition)
        default = self.bounds.default_list_size
        fixed, each = 1, 0
        if not _is_list(definition):
            fixed += inner.fixed + inner.each * (default if length is None else length)
        elif length is None:
            each = 1 + inner.fixed + inner.each * default
        else:
            fixed += (1 + inner.fixed + inner.each * default) * length
        return Weight(fixed, each, inner.depth + 1, 1, inner.selected + 1, introspects=False)

    def _introspection(self, node: FieldNode, *, opens: bool) -> Weight:
        """Introspection lists have the length of the schema, not of a page: each field counts 10, each opening a flat sum."""
        inner = self.selections(node.selection_set, None, introspecting=True) if node.selection_set else Weight()
        fixed = inner.fixed + (self.bounds.introspection_cost if opens else 10)
        return Weight(fixed, 0, inner.depth + 1, 1, inner.selected + 1, introspects=True)

    def _length(self, node: FieldNode, definition: GraphQLField | None) -> int | None:
        """The length that the arguments ask for, or that was declared; None for neither. A senseless one counts as the default."""
        if definition is None:
            return None
        if not any(name in definition.args for name in _LENGTHS):
            return definition.extensions.get(_LIST_SIZE)
        asked = [self._number(argument.value) for argument in node.arguments if argument.name.value in _LENGTHS]
        return max((size for size in asked if size is not None and size >= 0), default=self.bounds.default_list_size)

    def _number(self, value: Any) -> int | None:
        if isinstance(value, VariableNode):
            self.uses_variables = True
            return self.sizes.get(value.name.value)
        return _whole(value) if isinstance(value, IntValueNode) else None

    def _first_field(self, node: SelectionSetNode, root: Any) -> str | None:
        for selection in node.selections:
            if isinstance(selection, FieldNode) and isinstance(root, _Composite) and selection.name.value in root.fields:
                return selection.name.value
        return None


def _whole(node: IntValueNode) -> int:
    """Its number. One of absurd length counts as absurdly large, for Python refuses to read more than 4300 digits."""
    return int(node.value) if len(node.value) <= 18 else 10**18


def _is_list(definition: GraphQLField | None) -> bool:
    returned: Any = definition.type if definition else None
    return is_list_type(returned.of_type if is_non_null_type(returned) else returned)
