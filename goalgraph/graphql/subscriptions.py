"""A GraphQL subscription, from an admitted operation to what the hub follows and executes."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import DocumentNode, ExecutionContext, GraphQLError, GraphQLSchema, Node, VariableNode, execute_sync
from graphql.execution.collect_fields import collect_fields
from graphql.execution.subscribe import execute_subscription

from goalgraph.auth.actor import Actor
from goalgraph.errors import GoalGraphError, Invalid
from goalgraph.graphql.context import Context
from goalgraph.graphql.documents import Refused
from goalgraph.graphql.lean import LeanExecution
from goalgraph.ports.live import Event, Stream

Execute = Callable[[Event], str]


class Reset(GoalGraphError):
    """What the client missed is no longer kept, or it lags too far behind: it reads anew and subscribes again."""

    code, http_status = "RESET", 410
    default_message = "What you missed is no longer kept. Read the list again, then subscribe."


@dataclass(frozen=True, slots=True)
class Source:
    """A subscription that may start. `execute` gives the JSON of an event's result; sources with the same `key` share it."""

    stream: Stream
    key: Hashable
    execute: Execute


def open_source(
    schema: GraphQLSchema,
    document: DocumentNode,
    variables: Mapping[str, Any],
    operation_name: str | None,
    *,
    actor: Actor,
    body_of: Callable[[Any], str],
) -> Source:
    """Call the root field's `subscribe` function (GraphQL, section 6.2.3.1, CreateSourceEventStream), blocking.

    `body_of` turns a result into JSON. Raises what the function raised as Refused, or as it is where it is a coded error.
    """
    context = ExecutionContext.build(
        schema, document, None, Context(actor), dict(variables), operation_name, max_coercion_errors=10, hide_suggestions=True
    )
    if isinstance(context, list):
        raise Refused(context)
    assert schema.subscription_type
    selections = context.operation.selection_set
    fields = collect_fields(schema, context.fragments, context.variable_values, schema.subscription_type, selections)
    if not fields:
        raise Invalid("The subscription selects nothing.", field="query")
    stream = _stream(context)
    viewer = stream.viewer or Actor("", tenant_id=actor.tenant_id)

    def execute(event: Event) -> str:
        result = execute_sync(
            schema,
            document,
            root_value=stream.root(event),
            context_value=Context(viewer),
            variable_values=dict(variables),
            operation_name=operation_name,
            hide_suggestions=True,
            execution_context_class=LeanExecution,
        )
        return body_of(result)

    (root_nodes,) = fields.values()
    seen = set(_variables(document, skip={id(argument) for node in root_nodes for argument in node.arguments}))
    used = {name: value for name, value in variables.items() if name in seen}
    key = (
        document,
        operation_name,
        orjson.dumps(used, option=orjson.OPT_SORT_KEYS),
        stream.view,
        viewer,
        frozenset(stream.kinds),
        stream.log is not None,
    )
    return Source(stream, key, execute)


def _stream(context: ExecutionContext) -> Stream:
    """graphql-core's own way to the `subscribe` function. It is a coroutine that waits only where the function is async; ours are not."""
    steps = execute_subscription(context)
    try:
        steps.send(None)
    except StopIteration as done:
        if isinstance(done.value, Stream):
            return done.value
        raise TypeError(f"a subscribe function returned {type(done.value).__name__}, not a Stream") from None
    except GraphQLError as error:
        raise Refused([error]) from error
    steps.close()
    raise TypeError("a subscribe function is async")


def _variables(node: Node, skip: set[int]) -> Iterator[str]:
    """The names of variables in use below `node`, but not within the nodes of `skip`, by their `id()`."""
    if isinstance(node, VariableNode):
        yield node.name.value
    for key in node.keys:
        if key in ("loc", "variable_definitions"):
            continue
        value = getattr(node, key, None)
        for child in value if isinstance(value, list | tuple) else (value,):
            if isinstance(child, Node) and id(child) not in skip:
                yield from _variables(child, skip)
