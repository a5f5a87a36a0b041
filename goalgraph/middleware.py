"""Middleware of ours, all of it native async: in ASGI, each synchronous middleware costs a request a switch of threads.

`trace` and `metrics` see every request. `api` answers the API's paths by itself, with the few headers an API needs, and lets all others
through to Django's own middleware, which serves the HTML pages. So the pages keep Django's whole, checked stack, and the API does not
pay for sessions and cookies that it never reads.
"""

import logging
import re
import time
from collections.abc import Awaitable, Callable

from corsheaders.middleware import CorsMiddleware
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.security import SecurityMiddleware
from django.utils.decorators import async_only_middleware

from goalgraph import metrics as measures
from goalgraph import trace as traces
from goalgraph.errors import Invalid

GetResponse = Callable[[HttpRequest], Awaitable[HttpResponseBase]]

access_log = logging.getLogger("goalgraph.access")

_ASKED_FROM_INSIDE = frozenset({"/healthz", "/readyz", "/metrics"})
"""Load balancers and scrapers ask these by an address, not by a name of ours."""
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?", re.ASCII)


@async_only_middleware
def trace(get_response: GetResponse) -> GetResponse:
    """Begin the request's trace, name it in `X-Trace-Id`, and log one line: never a query string, a body or a header.

    A caller may send its own id as `X-Trace-Id` or `traceparent` (W3C Trace Context, section 3.2).
    """

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        trace_id = traces.start(_incoming_trace(request))
        response = await get_response(request)
        response.headers["X-Trace-Id"] = trace_id
        data = {
            "method": request.method if request.method in measures.METHODS else "OTHER",
            "path": _without_token(request.path)[:200],
            "status": response.status_code,
            "ms": round((time.perf_counter() - started) * 1000, 1),
        }
        access_log.info("request", extra={"data": data})
        return response

    return middleware


def _without_token(path: str) -> str:
    """Links in mails, and those of offers, carry a signed token that says who may do what, or who was served what."""
    return re.sub(r"^(/notifications/\w+/|/o/).+", r"\1...", path, flags=re.DOTALL)


def _incoming_trace(request: HttpRequest) -> str | None:
    if own := request.headers.get("X-Trace-Id"):
        return own
    parent = _TRACEPARENT.fullmatch(request.headers.get("traceparent", ""))
    return parent[1] if parent else None


@async_only_middleware
def metrics(get_response: GetResponse) -> GetResponse:
    """Count the request and time it, by method, route and status. A route is one of ours, never what the client wrote."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        response = await get_response(request)
        measures.request(request, response.status_code, time.perf_counter() - started)
        return response

    return middleware


@async_only_middleware
def api(get_response: GetResponse) -> GetResponse:
    """Answer the paths of `goalgraph.api.VIEWS`, with CORS and with headers that forbid a browser to render or keep the answer."""
    from goalgraph.api import VIEWS
    from goalgraph.rest import problem

    async def call_view(request: HttpRequest) -> HttpResponse:
        if request.path not in _ASKED_FROM_INSIDE:
            try:
                request.get_host()
            except DisallowedHost:
                return problem(Invalid("This host is not ours."))
        return await VIEWS[request.path](request)

    answer: GetResponse = CorsMiddleware(call_view)  # type: ignore[assignment]
    # Its two halves are called directly: they wait for nothing, so they need no thread.
    security = SecurityMiddleware(call_view)

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.path not in VIEWS:
            return await get_response(request)
        response = security.process_request(request) or await answer(request)
        response.headers.setdefault("Content-Security-Policy", API_POLICY)
        response.headers.setdefault("Cache-Control", "no-store")
        if isinstance(response, HttpResponse):
            response.headers.setdefault("Content-Length", str(len(response.content)))
        security.process_response(request, response)  # type: ignore[arg-type]
        return response

    return middleware
