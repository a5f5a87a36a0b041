"""GraphQL over HTTP: `POST /graphql`, JSON only (graphql.github.io/graphql-over-http/draft). `GET` shows GraphiQL in local settings.

JSON only, because a browser sends forms and plain text across sites without asking, and JSON never (CSRF).
"""

import logging

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import render

from goalgraph.auth.access import actor_from_authorization
from goalgraph.auth.actor import Actor
from goalgraph.auth.standing import present
from goalgraph.bodies import read_body
from goalgraph.errors import GoalGraphError, Internal
from goalgraph.graphql.errors import rendered
from goalgraph.graphql.execution import Call
from goalgraph.graphql.idempotency import check_key
from goalgraph.graphql.requests import read_json, read_request
from goalgraph.rest import with_headers

logger = logging.getLogger(__name__)

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"

# GraphiQL's editor makes style elements and workers of its own, so its page has a policy of its own. Only local settings serve it.
_GRAPHIQL_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; frame-ancestors 'none'"
)


async def graphql(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return await _post(request)
    if request.method in ("GET", "HEAD") and settings.DEBUG:
        page = render(request, "graphiql.html")
        page.headers["Content-Security-Policy"] = _GRAPHIQL_POLICY
        return page
    return HttpResponseNotAllowed(["POST"])


async def _post(request: HttpRequest) -> HttpResponse:
    media_type = _response_type(request)
    try:
        call = Call(
            read_request(read_json(read_body(request, accepts=(JSON, GRAPHQL_JSON)))),
            sign_in=lambda: _sign_in(request.headers.get("Authorization")),
            idempotency_key=check_key(request.headers.get("Idempotency-Key")),
            strict_status=media_type == GRAPHQL_JSON,
        )
        answer = await call.answer()
    except GoalGraphError as error:
        return _refusal(error, media_type)
    except Exception:
        logger.exception("a GraphQL request failed")
        return _refusal(Internal(), media_type)
    return HttpResponse(answer.body, status=answer.status, content_type=media_type)


def _sign_in(authorization: str | None) -> Actor | None:
    """Local settings let anybody read the schema, so that tools can; everything else needs a token."""
    if not authorization and settings.DEBUG:
        return None
    return present(actor_from_authorization(authorization))


def _response_type(request: HttpRequest) -> str:
    """What the client prefers of the two media types, application/json where it says nothing (GraphQL over HTTP, section 6.1)."""
    if GRAPHQL_JSON not in request.headers.get("Accept", ""):
        return JSON
    return request.get_preferred_type([JSON, GRAPHQL_JSON]) or JSON


def _refusal(error: GoalGraphError, media_type: str) -> HttpResponse:
    """The whole request refused at the level of HTTP: something is wrong beside the GraphQL document."""
    body = orjson.dumps({"errors": [rendered(error)]})
    return with_headers(HttpResponse(body, status=error.http_status, content_type=media_type), error)
