"""The few addresses beside GraphQL: the member's profile as plain JSON, and what operations asks. Errors are problem+json (RFC 9457)."""

import asyncio
import hmac
import logging
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from goalgraph import health, trace
from goalgraph import metrics as measures
from goalgraph.auth.access import actor_from_authorization
from goalgraph.auth.actor import Actor
from goalgraph.auth.standing import present
from goalgraph.bodies import read_body
from goalgraph.errors import GoalGraphError, Internal, Invalid, RateLimited, Unauthenticated
from goalgraph.graphql.execution import in_thread
from goalgraph.graphql.ratelimit import rate_limit
from goalgraph.graphql.requests import read_json
from users import services
from users.items import Profile

logger = logging.getLogger(__name__)

View = Callable[[HttpRequest], Coroutine[Any, Any, HttpResponse]]

_READ_COST, _WRITE_COST = 2, 12
"""Points of the member's allowance; the same as for the matching GraphQL operation."""


def endpoint(*methods: str) -> Callable[[View], View]:
    """Let only `methods` through, and answer what is raised as problem+json. A fault of ours is logged and told without detail."""

    def decorate(view: View) -> View:
        @wraps(view)
        async def wrapped(request: HttpRequest) -> HttpResponse:
            if request.method not in methods:
                return HttpResponseNotAllowed(methods)
            try:
                return await view(request)
            except GoalGraphError as error:
                return problem(error)
            except Exception:
                logger.exception("a request failed")
                return problem(Internal())

        return wrapped

    return decorate


def problem(error: GoalGraphError) -> HttpResponse:
    """`error` as problem+json: `title` is for the member, `code`, `field` and `traceId` as in GraphQL."""
    body: dict[str, Any] = {"title": error.message, "status": error.http_status, "code": error.code, "traceId": trace.current()}
    if error.field:
        body["field"] = error.field
    response = HttpResponse(orjson.dumps(body), status=error.http_status, content_type="application/problem+json")
    return with_headers(response, error)


def with_headers(response: HttpResponse, error: GoalGraphError) -> HttpResponse:
    """`response` with the headers that HTTP wants beside its status (RFC 9110, sections 10.2.3, 11.6.1 and 15.5.14)."""
    if isinstance(error, Unauthenticated):
        response.headers["WWW-Authenticate"] = "Bearer"
    elif isinstance(error, RateLimited):
        response.headers["Retry-After"] = str(error.retry_after)
    elif error.http_status == 413:
        # The rest of the body was not read, so the connection cannot serve another request.
        response.headers["Connection"] = "close"
    return response


def _json(value: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(orjson.dumps(value), status=status, content_type="application/json")


# The member ------------------------------------------------------------------------------------------------------------------------


@endpoint("GET", "HEAD")
async def me(request: HttpRequest) -> HttpResponse:
    """The caller's profile: the flat fields of GraphQL's `User`."""
    return _json(await in_thread(lambda: _read_profile(_actor(request, _READ_COST))))


@endpoint("PUT")
async def profile(request: HttpRequest) -> HttpResponse:
    """Change the caller's profile. Takes fields of `ProfileInput`; one that is left out stays, null clears. Answers as `me`."""
    changes = read_json(read_body(request, accepts=("application/json",)))
    if not isinstance(changes, dict):
        raise Invalid("The body is not a JSON object.")
    return _json(await in_thread(lambda: _write_profile(_actor(request, _WRITE_COST), changes)))


_TEXTS = {
    "nickname": "nickname",
    "avatarUrl": "avatar_url",
    "language": "language",
    "pronouns": "pronouns",
    "bio": "bio",
    "timezone": "timezone",
    "visibility": "visibility",
}
"""The fields of `ProfileInput` that are texts, by the name services know them; `tags` is the one list."""


def _read_profile(actor: Actor) -> dict[str, Any]:
    return _flat(services.me(actor))


def _write_profile(actor: Actor, changes: dict[str, Any]) -> dict[str, Any]:
    return _flat(services.upsert_profile(actor, dict(_change(name, value) for name, value in changes.items())))


def _change(name: str, value: Any) -> tuple[str, Any]:
    """One field, of the type that GraphQL would have insisted on. Raises Invalid."""
    if name == "tags":
        if value is not None and not (isinstance(value, list) and all(isinstance(tag, str) for tag in value)):
            raise Invalid("`tags` is a list of texts.", field="tags")
        return name, value
    if name not in _TEXTS:
        raise Invalid("A profile has no such field.", field=name[:64])
    if not isinstance(value, str | None):
        raise Invalid(f"`{name}` is a text.", field=name)
    return _TEXTS[name], value


def _flat(profile: Profile) -> dict[str, Any]:
    texts = {name: getattr(profile, attribute) for name, attribute in _TEXTS.items()}
    return {"id": profile.id, **texts, "tags": list(profile.tags or []), "tier": profile.tier}


def _actor(request: HttpRequest, cost: int) -> Actor:
    actor = present(actor_from_authorization(request.headers.get("Authorization")))
    rate_limit().spend(actor, cost)
    return actor


# Operations ------------------------------------------------------------------------------------------------------------------------


@endpoint("GET", "HEAD")
async def healthz(_: HttpRequest) -> HttpResponse:
    """Alive: the process answers. Asks no other service, so that an outage of one does not restart all."""
    return _json({"status": "ok"})


@endpoint("GET", "HEAD")
async def readyz(_: HttpRequest) -> HttpResponse:
    """Able to serve. 503 names each service that is not, and says why."""
    checks = await asyncio.to_thread(health.check)
    failing = sorted(name for name, reason in checks.items() if reason is not None)
    if failing:
        logger.warning("not ready", extra={"data": {"failing": failing}})
    told = {"status": "failing" if failing else "ok", "services": {name: reason or "ok" for name, reason in checks.items()}}
    return _json(told, 503 if failing else 200)


@endpoint("GET", "HEAD")
async def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format. Where `METRICS_TOKEN` is set, it is wanted as a bearer token."""
    sent = request.headers.get("Authorization", "")
    if settings.METRICS_TOKEN and not hmac.compare_digest(sent.encode(), f"Bearer {settings.METRICS_TOKEN}".encode()):
        raise Unauthenticated
    body, content_type = measures.exposition()
    return HttpResponse(body, content_type=content_type)
