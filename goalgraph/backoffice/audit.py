"""The record of what staff did: one `users.StaffAction` for each request that may change something or shows data of members.

What is recorded is decided by the address and the method alone, so no page can forget it: every request that is not safe (RFC 9110,
section 9.2.1), and each page of the apps whose rows are about members.
"""

import ipaddress
from collections.abc import Callable
from contextvars import ContextVar
from functools import update_wrapper
from http import HTTPStatus
from typing import Any, TypedDict, cast

from allauth.core.internal.httpkit import get_client_ip
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from goalgraph import trace, wiring
from users.models import StaffAction

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
ABOUT_MEMBERS = frozenset({"billing", "chat", "djstripe", "users"})
"""The labels of the apps whose pages show data of members, so that looking is recorded too."""
_STATUS: dict[type[Exception], HTTPStatus] = {
    PermissionDenied: HTTPStatus.FORBIDDEN,
    Http404: HTTPStatus.NOT_FOUND,
    SuspiciousOperation: HTTPStatus.BAD_REQUEST,
}

_notes: ContextVar[list[LogEntry] | None] = ContextVar("staff_notes", default=None)


class _End(TypedDict):
    subject: str
    what: str


def recorded(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """`view`, recorded: the record is there before the view runs, and gets its end from the answer and from what the admin's log says."""

    def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not is_recorded(request):
            return view(request, *args, **kwargs)
        action = write(request, method=request.method or "", path=request.path[:200], view=_name(request))
        token = _notes.set([])
        try:
            response = view(request, *args, **kwargs)
            action.close(status=response.status_code, **_told(request))
        except Exception as error:
            status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
            action.close(status=status, **_told(request))
            raise
        finally:
            _notes.reset(token)
        return response

    return update_wrapper(inner, view)


def is_recorded(request: HttpRequest) -> bool:
    """Whether the request may change something, or asks for a page of an app in `ABOUT_MEMBERS`."""
    app_label = request.path.removeprefix(reverse("admin:index")).partition("/")[0]
    return request.method not in SAFE or app_label in ABOUT_MEMBERS


def write(request: HttpRequest, *, user: AbstractBaseUser | None = None, **facts: Any) -> StaffAction:
    """A new record of `user`, or of the request's, with `facts` about what they do."""
    user = user or cast("AbstractBaseUser", request.user)
    return StaffAction.objects.create(
        at=wiring.clock().now(),
        staff_id=user.pk,
        staff_name=user.get_username(),
        trace_id=trace.current(),
        address=network_of(get_client_ip(request) or ""),
        **facts,
    )


def note(entry: LogEntry) -> None:
    """Add an entry of the admin's log to the record of the request at hand, if there is one."""
    if (notes := _notes.get()) is not None:
        notes.append(entry)


def network_of(address: str) -> str:
    """The network of an IP address: enough to tell places apart, not a person. Empty for what is no address."""
    try:
        version = ipaddress.ip_address(address).version
    except ValueError:
        return ""
    return str(ipaddress.ip_network(f"{address}/{24 if version == 4 else 48}", strict=False))


def _name(request: HttpRequest) -> str:
    return request.resolver_match.view_name[:100] if request.resolver_match else ""


def _told(request: HttpRequest) -> _End:
    """What the admin's log said; where it said nothing, what the address and the chosen action say."""
    entries = _notes.get() or []
    if entries:
        subjects = [f"{_model(entry)} {entry.object_id}" for entry in entries]
        words = [entry.get_change_message() for entry in entries]
        return {"subject": ", ".join(subjects)[:200], "what": "; ".join(dict.fromkeys(words))[:300]}
    match = request.resolver_match
    object_id = str(match.kwargs.get("object_id", "")) if match else ""
    action = request.POST.get("action", "")
    return {"subject": object_id[:200], "what": f"Action {action}"[:300] if action.isidentifier() else ""}


def _model(entry: LogEntry) -> str:
    return f"{entry.content_type.app_label}.{entry.content_type.model}" if entry.content_type else ""
