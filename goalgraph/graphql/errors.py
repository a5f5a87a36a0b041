"""Errors as GraphQL shows them: a message, a place, and `extensions` with `code`, `traceId`, and `field` and `retryAfter` where they apply.

Only three kinds of text reach a member: the sentence of a coded error, graphql-core's own words about the document or a variable, and the
one sentence for a fault of ours. A fault is logged with its frames.
"""

import logging
import re
from typing import Any

from graphql import GraphQLError, GraphQLSyntaxError
from graphql.validation.validate import ValidationAbortedError

from goalgraph import trace
from goalgraph.errors import GoalGraphError, Internal, Invalid, RateLimited, TooComplex
from goalgraph.table.port import ItemTooLarge

logger = logging.getLogger(__name__)

MAX_MESSAGE = 300
_VARIABLE = re.compile(r"Variable '\$(\w+)' (?:got invalid value .* at '\w+\.(?P<path>[\w.\[\]]+)'\Z)?", re.DOTALL)


def coded(error: GraphQLError) -> GoalGraphError:
    """The coded error behind one of graphql-core's. What is nobody's doing but ours becomes Internal, and is logged."""
    cause = _root(error)
    field = _variable_at_fault(error)
    if isinstance(cause, GoalGraphError):
        if field and not cause.field:
            cause.field = field
        return cause
    if isinstance(cause, ItemTooLarge):
        return Invalid("This is too large to keep.", field=field)
    if field:
        return Invalid(_shortened(error.original_error or error), field=field)
    if isinstance(cause, ValidationAbortedError):
        return TooComplex("The document is too complex to validate.")
    if isinstance(cause, GraphQLError) and _is_about_the_document(error, cause):
        return Invalid(_shortened(cause))
    logger.error("a resolver failed", exc_info=cause, extra={"data": {"path": _response_path(error)}})
    return Internal()


def _root(error: GraphQLError) -> Exception:
    cause: Exception = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _is_about_the_document(error: GraphQLError, cause: GraphQLError) -> bool:
    """graphql-core speaks of the document when nothing ran yet (no path) or when it points to an argument. Without nodes it speaks of
    a value of ours that does not fit the schema."""
    return error.path is None or cause.nodes is not None


def _variable_at_fault(error: GraphQLError) -> str | None:
    """Which input a coercion error is about: the path inside the variable, else the variable's name. None for other errors."""
    text = error.message
    if error.path is not None or isinstance(error, GraphQLSyntaxError) or not text.startswith("Variable '$"):
        return None
    if isinstance(error.original_error, GraphQLError):
        text = text.removesuffix(f"; {error.original_error.message}")
    found = _VARIABLE.match(text)
    return (found["path"] or found[1]) if found else None


def _shortened(error: Exception) -> str:
    message = error.message if isinstance(error, GraphQLError) else str(error)
    return message if len(message) <= MAX_MESSAGE else f"{message[:MAX_MESSAGE]}…"


def _response_path(error: GraphQLError) -> str:
    """Names of the schema and aliases of the client, without list positions; for the log."""
    return ".".join(part for part in error.path or [] if isinstance(part, str))[:100]


def rendered(error: GoalGraphError, located: GraphQLError | None = None) -> dict[str, Any]:
    """One entry of `errors`. `located` adds where in the document and in the answer it happened."""
    extensions: dict[str, Any] = {"code": error.code, "traceId": trace.current()}
    if error.field:
        extensions["field"] = error.field
    if isinstance(error, RateLimited):
        extensions["retryAfter"] = error.retry_after
    entry: dict[str, Any] = {"message": error.message, "extensions": extensions}
    if located is not None and located.locations:
        entry["locations"] = [location.formatted for location in located.locations[:10]]
    if located is not None and located.path is not None:
        entry["path"] = located.path
    return entry
