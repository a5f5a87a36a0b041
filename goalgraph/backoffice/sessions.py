"""The session of somebody of the staff: whether the second factor was shown in it, and when it ends."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest

from goalgraph import wiring

SINCE, SEEN = "staff.since", "staff.seen"
"""Seconds since the epoch: when the session was signed in, and when it last asked for a page."""
SEEN_STEP = 60
"""How exactly the last page is known, in seconds: each time it is noted the session is written."""


def begin(request: HttpRequest) -> None:
    """Note that the request's session was signed in now."""
    request.session[SINCE] = request.session[SEEN] = _now()


def keep(request: HttpRequest) -> None:
    """Sign the request's staff out where the session is too old, or was left alone for too long; else note that it is in use."""
    if not (request.user.is_authenticated and request.user.is_staff):
        return
    now = _now()
    since, seen = (request.session.get(name, now) for name in (SINCE, SEEN))
    if now - since >= settings.STAFF_SESSION_SECONDS or now - seen >= settings.STAFF_IDLE_SECONDS:
        logout(request)
        messages.info(request, "Your session has ended. Please sign in again.")
    elif SINCE not in request.session:
        begin(request)
    elif now - seen >= SEEN_STEP:
        request.session[SEEN] = now


def has_passed(request: HttpRequest) -> bool:
    """Whether the session may go on as far as the second factor is concerned: it was shown, or none is required."""
    return not settings.STAFF_MFA_REQUIRED or (shown_second_factor(request) and has_second_factor(request))


def shown_second_factor(request: HttpRequest) -> bool:
    """Whether a code or a key was shown in this session, at the sign-in or later."""
    from allauth.account.internal.flows.login import get_authentication_records

    return any(record.get("method") == "mfa" for record in get_authentication_records(request, request.user))


def has_second_factor(request: HttpRequest) -> bool:
    """Whether the request's user has an authenticator app or a security key. Recovery codes alone are none."""
    from allauth.mfa.models import Authenticator
    from allauth.mfa.utils import is_mfa_enabled

    return is_mfa_enabled(request.user, [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN])


def roles(request: HttpRequest) -> list[str]:
    """The groups of the request's staff and, for partners, their companies with the role there; in words, for the header."""
    user = request.user
    if not user.is_authenticated:
        return []
    if user.is_superuser:
        return ["superuser"]
    memberships = user.offer_memberships.filter(active=True).select_related("company")
    return [*user.groups.values_list("name", flat=True), *(f"{one.company.name} ({one.role})" for one in memberships)]


def _now() -> int:
    return int(wiring.clock().now().timestamp())
