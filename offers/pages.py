"""What the links of offers answer. They need no sign-in and no cookie: what their address holds is signed.

A forged link, one that is too old, and one whose offer is gone are answered with the same bytes. What is no member's doing counts nothing:
HEAD, prefetching (https://wicg.github.io/nav-speculation/prefetch.html), programs that make previews of links, and, by the
`Sec-Fetch-*` headers of browsers (https://www.w3.org/TR/fetch-metadata/), a click that is no navigation.
"""

import base64
import re
from functools import cache
from typing import Any

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core.signals import setting_changed
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from goalgraph.auth.actor import Actor
from goalgraph.errors import RateLimited
from goalgraph.graphql.ratelimit import RateLimit
from goalgraph.table.port import TableUnavailable
from offers import link_services
from offers.domain import CLICK, VIEW
from offers.link_services import Link

_PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
_SHARED = 10
"""How many members may stand behind one address before they are in each other's way."""
_PREVIEWS = re.compile(
    r"(?<!cu)bot\b|crawl|spider|preview|facebookexternalhit|whatsapp/|embedly",  # Cubot makes phones
    re.IGNORECASE,
)
_GONE = b"<!doctype html><title>This link has ended</title><p>This link has ended. Offers are in the app.</p>"


@csrf_exempt  # the token is in the address, and an application that counts a view has no other
@require_http_methods(["GET", "HEAD", "POST"])
def link(request: HttpRequest, token: str) -> HttpResponse:
    """GET follows a click's link; POST counts a view by a view's link, for applications that show no image."""
    if request.method == "POST":
        return _seen(request, token, HttpResponse(status=204))
    found = link_services.read(token, CLICK)
    if found is None:
        return _gone()
    if not _allowed(request, found):
        return _too_many()
    try:
        address = link_services.follow(found, counts=_is_a_click(request))
    except TableUnavailable:
        return _away()
    return _gone() if address is None else _private(HttpResponseRedirect(address))


@require_http_methods(["GET", "HEAD"])
def view(request: HttpRequest, token: str) -> HttpResponse:
    """The image of one pixel that counts a view."""
    return _seen(request, token, HttpResponse(_PIXEL, content_type="image/gif"))


def _seen(request: HttpRequest, token: str, answer: HttpResponse) -> HttpResponse:
    found = link_services.read(token, VIEW)
    if found is None:
        return _gone()
    if not _allowed(request, found):
        return _too_many()
    try:
        seen = not _is_a_members(request) or link_services.see(found)
    except TableUnavailable:
        return _away()
    return _private(answer) if seen else _gone()


def _is_a_click(request: HttpRequest) -> bool:
    """Browsers say by `Sec-Fetch-Mode` that they go somewhere; what says nothing of it may be an application."""
    return _is_a_members(request) and request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"


def _is_a_members(request: HttpRequest) -> bool:
    ahead = request.headers.get("Sec-Purpose") or request.headers.get("Purpose") or request.headers.get("X-Moz") or ""
    machine = _PREVIEWS.search(request.headers.get("User-Agent", ""))
    return request.method != "HEAD" and "prefetch" not in ahead and "preview" not in ahead and machine is None


def _allowed(request: HttpRequest, found: Link) -> bool:
    """Whether neither the member nor the address follows more links than people do. (No member's id has a `#`.)

    The address is the one that failed sign-ins are counted by: behind `TRUSTED_PROXIES`.
    """
    try:
        _limit(1).spend(Actor(f"#offers:{found.user_id}", tenant_id=found.tenant_id), 1)
        _limit(_SHARED).spend(Actor(f"#offers from:{get_adapter().get_client_ip(request)}"), 1)
    except RateLimited:
        return False
    return True


@cache
def _limit(times: int) -> RateLimit:
    return RateLimit(settings.REDIS_URL, burst=times * settings.OFFER_LINK_BURST, per_second=times * settings.OFFER_LINKS_PER_SECOND)


def _forget(*, setting: str, **_: Any) -> None:
    if setting in {"REDIS_URL", "OFFER_LINK_BURST", "OFFER_LINKS_PER_SECOND"}:
        _limit.cache_clear()


setting_changed.connect(_forget)


def _gone() -> HttpResponse:
    return _private(HttpResponse(_GONE, status=404))


def _too_many() -> HttpResponse:
    return _private(HttpResponse(status=429, headers={"Retry-After": "10"}))


def _away() -> HttpResponse:
    return _private(HttpResponse(status=503, headers={"Retry-After": "5"}))


def _private(response: HttpResponse) -> HttpResponse:
    """Kept by nobody, found by no search engine, and the page that it leads to does not learn from where
    (https://www.w3.org/TR/referrer-policy/#referrer-policy-no-referrer)."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    return response
