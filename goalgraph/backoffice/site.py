"""The admin site: who may come in, how long they may stay, and that what they do is recorded."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any, TypeVar, cast

from django.contrib.admin import AdminSite, ModelAdmin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from goalgraph.backoffice import audit, sessions
from goalgraph.backoffice.admin import BackOfficeAdmin

View = TypeVar("View", bound=Callable[..., HttpResponseBase])
FIRST = ("offers", "chat", "users", "billing", "auth")
"""Our own apps come first on the index; what libraries bring follows."""


class BackOfficeSite(AdminSite):
    site_header = "GoalGraph back office"
    site_title = "GoalGraph"
    index_title = "Back office"
    site_url = None  # there is no page of ours to view: members use applications of their own

    def register(self, model_or_iterable: Any, admin_class: type[ModelAdmin] | None = None, **options: Any) -> None:
        """A library's pages delete as little as ours: what is no `BackOfficeAdmin` becomes one."""
        pages = admin_class or ModelAdmin
        if not issubclass(pages, BackOfficeAdmin):
            pages = type(pages.__name__, (BackOfficeAdmin, pages), {})
        super().register(model_or_iterable, pages, **options)

    def has_permission(self, request: HttpRequest) -> bool:
        """Active staff, with a second factor where `STAFF_MFA_REQUIRED`."""
        return super().has_permission(request) and sessions.has_passed(request)

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Every page of the back office goes through here, a library's too: the session is still good, the page permitted and recorded."""
        permitted = super().admin_view(audit.recorded(view), cacheable)

        def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            sessions.keep(request)
            return permitted(request, *args, **kwargs)

        return cast("View", update_wrapper(page, permitted))

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """The sign-in of staff is allauth's, with its limits and its second factor."""
        from goalgraph.backoffice.sign_in import sign_in

        return sign_in(request)

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """What the request's staff may see, in the order of `FIRST`."""
        apps = super().get_app_list(request, app_label)
        return sorted(apps, key=lambda app: FIRST.index(app["app_label"]) if app["app_label"] in FIRST else len(FIRST))

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """What every page's header says: who is signed in, and for which companies."""
        return {**super().each_context(request), "staff_roles": sessions.roles(request)}
