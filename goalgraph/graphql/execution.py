"""A GraphQL operation from text to answer, the same for every edge that takes one.

`Call.run` is synchronous, because the table is: an edge runs it on the shared threads of `in_thread`. Order: authenticate, find the
document, take its cost from the member's allowance, execute.
"""

import asyncio
import contextvars
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar

import orjson
from django.conf import settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string
from graphql import ExecutionResult, GraphQLError, GraphQLSchema, OperationType, execute_sync

from goalgraph import metrics
from goalgraph.auth.actor import Actor
from goalgraph.errors import Conflict, GoalGraphError, Invalid, RateLimited, Unauthenticated
from goalgraph.graphql import idempotency, ratelimit
from goalgraph.graphql.context import Context
from goalgraph.graphql.documents import Documents, Prepared, Refused
from goalgraph.graphql.errors import coded, rendered
from goalgraph.graphql.idempotency import Answer, InProgress
from goalgraph.graphql.lean import LeanExecution
from goalgraph.graphql.limits import Operation, cost_of, limits
from goalgraph.graphql.requests import GraphQLRequest
from goalgraph.graphql.subscriptions import Source, open_source
from goalgraph.table.metering import metered

T = TypeVar("T")

WAIT_FOR_ANSWER = 10.0
"""Seconds that a request waits for another one with the same idempotency key."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.4
_PARSING_COST = 10
_CHARACTERS_A_POINT = 256


@cache
def schema() -> GraphQLSchema:
    graphql_schema: GraphQLSchema = import_string(settings.GRAPHQL_SCHEMA).graphql_schema
    return graphql_schema


@cache
def documents() -> Documents:
    return Documents(schema(), limits(), size=settings.GRAPHQL_CACHED_DOCUMENTS, suggest=settings.DEBUG)


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings.GRAPHQL_THREADS, thread_name_prefix="graphql")


async def in_thread(work: Callable[[], T]) -> T:
    """Run `work` on one of the shared threads, in a copy of the caller's context (trace id, meters)."""
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_threads(), context.run, work)


@dataclass(slots=True)
class Call:
    """One request in the hands of an edge.

    `sign_in` gives the caller, or None for somebody without a token, and raises Unauthenticated for a bad one. `strict_status` answers
    refusals with 4xx (media type application/graphql-response+json), else with 200 (GraphQL over HTTP, section 6.4). An edge that
    `serves_streams` finds a subscription in `source`, and then the answer says nothing.
    """

    request: GraphQLRequest
    sign_in: Callable[[], Actor | None]
    idempotency_key: str | None = None
    strict_status: bool = False
    serves_streams: bool = False
    source: Source | None = field(default=None, init=False)
    attempt: Callable[[], Answer] | None = field(default=None, init=False)

    async def answer(self) -> Answer:
        """The answer, waiting on the event loop for another request with the same idempotency key, if there is one.

        Raises Unauthenticated and RateLimited, which an edge shows in its own way; all else is told in the answer.
        """
        started, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            try:
                return await in_thread(self.run)
            except InProgress:
                if time.monotonic() - started > WAIT_FOR_ANSWER:
                    busy = Conflict("Another request with this idempotency key is still being worked on. Retry in a moment.")
                    return self._refused(busy)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def run(self) -> Answer:
        """Answer, blocking. Raises InProgress, Unauthenticated and RateLimited."""
        try:
            if self.attempt is None:
                self.attempt = self._prepared()
            return self.attempt()
        except (Unauthenticated, RateLimited) as error:
            metrics.refused(error.code)
            raise
        except Refused as refused:
            return self._refused(*map(coded, refused.errors), located=refused.errors)
        except GoalGraphError as error:
            return self._refused(error)

    def _prepared(self) -> Callable[[], Answer]:
        """All that is done once for a request, however often it has to wait for another one."""
        actor = self.sign_in()
        prepared = documents().find(self.request.query) or self._prepare(actor)
        operation = prepared.operation(self.request.operation_name)
        if operation.kind is OperationType.SUBSCRIPTION and not self.serves_streams:
            raise Invalid("Subscriptions run over the WebSocket at this same address, not over HTTP.", field="query")
        if actor is None:
            if not operation.introspects:
                raise Unauthenticated
            return lambda: self._execute(prepared, operation, None, {})
        cost = cost_of(schema(), prepared.document, operation, self.request.variables, limits())
        allowance = ratelimit.rate_limit().spend(actor, cost)
        told: dict[str, Any] = {"requested": cost, "limit": limits().cost, "remaining": allowance.remaining}
        if allowance.burst:
            told |= {"burst": allowance.burst, "perSecond": allowance.per_second}

        if operation.kind is OperationType.SUBSCRIPTION:
            return lambda: self._open(prepared, operation, actor)

        def execute(seed: str | None = None) -> Answer:
            return self._execute(prepared, operation, Context(actor, seed), {"cost": told})

        if self.idempotency_key is None or operation.kind is not OperationType.MUTATION:
            return execute
        key = self.idempotency_key
        return lambda: idempotency.once(actor, key, self.request.fingerprint(), execute)

    def _prepare(self, actor: Actor | None) -> Prepared:
        """A document that we do not know pays for its parsing before it is parsed, so that hostile ones run out of points."""
        if actor is not None:
            ratelimit.rate_limit().spend(actor, _PARSING_COST + len(self.request.query) // _CHARACTERS_A_POINT)
        return documents().prepare(self.request.query)

    def _execute(self, prepared: Prepared, operation: Operation, context: Context | None, extensions: Mapping[str, Any]) -> Answer:
        started = time.perf_counter()
        bounds = limits()
        with metered(max_round_trips=bounds.max_round_trips, max_read_units=bounds.max_read_units) as meter:
            result = execute_sync(
                schema(),
                prepared.document,
                context_value=context,
                variable_values=self.request.variables,
                operation_name=self.request.operation_name,
                max_coercion_errors=10,
                hide_suggestions=not settings.DEBUG,
                execution_context_class=LeanExecution,
            )
        answer, outcome = self._told(result, operation, extensions)
        metrics.operation(operation.name, outcome, time.perf_counter() - started, meter)
        return answer

    def _open(self, prepared: Prepared, operation: Operation, actor: Actor) -> Answer:
        """Start a subscription: find out what it follows. Each event is then executed, and counted, by itself."""
        started = time.perf_counter()

        def body_of(result: ExecutionResult) -> str:
            return _json(_body(result)[0]).decode()

        with metered() as meter:
            request = self.request
            self.source = open_source(schema(), prepared.document, request.variables, request.operation_name, actor=actor, body_of=body_of)
        metrics.operation(operation.name, "ok", time.perf_counter() - started, meter)
        return Answer(200, b"")

    def _told(self, result: ExecutionResult, operation: Operation, extensions: Mapping[str, Any]) -> tuple[Answer, str]:
        body, causes = _body(result)
        if extensions:
            body["extensions"] = extensions
        status = 200 if "data" in body or not self.strict_status else 400
        transient = any(cause.code in idempotency.TRANSIENT for cause in causes)
        final = not transient or operation.root_fields > 1
        return Answer(status, _json(body), final), causes[0].code if causes else "ok"

    def _refused(self, *errors: GoalGraphError, located: Sequence[GraphQLError | None] = ()) -> Answer:
        metrics.refused(errors[0].code)
        places = located or [None] * len(errors)
        body = {"errors": [rendered(error, place) for error, place in zip(errors, places, strict=True)]}
        return Answer(errors[0].http_status if self.strict_status else 200, _json(body), final=False)


def _body(result: ExecutionResult) -> tuple[dict[str, Any], list[GoalGraphError]]:
    """The response to an execution, and the coded errors in it."""
    errors = result.errors or []
    causes = [coded(error) for error in errors]
    body: dict[str, Any] = {}
    if errors:
        body["errors"] = [rendered(cause, error) for cause, error in zip(causes, errors, strict=True)]
    # Errors without a path come from before the execution (variables): then there is no `data` at all.
    if not errors or errors[0].path is not None:
        body["data"] = result.data
    return body, causes


def _json(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # A JSON scalar may hold whole numbers beyond 64 bits, which orjson does not write.
        return json.dumps(body, default=_plain, separators=(",", ":")).encode()


def _plain(value: object) -> int | float:
    """For JSON scalars, whose numbers the table gives back as decimals."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _forget(*, setting: str, **_: Any) -> None:
    """Tests change settings; what was built from them is built again."""
    if setting in {"GRAPHQL_SCHEMA", "GRAPHQL_LIMITS", "GRAPHQL_CACHED_DOCUMENTS", "DEBUG"}:
        for built in (schema, documents, limits):
            built.cache_clear()
    if setting in {"REDIS_URL", "RATE_LIMIT_BURST", "RATE_LIMIT_PER_SECOND"}:
        ratelimit.rate_limit.cache_clear()


setting_changed.connect(_forget)
