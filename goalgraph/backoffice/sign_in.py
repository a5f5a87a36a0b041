"""The sign-in of staff at `/admin/login/`: allauth's flow, with its limits and its second factor, for staff alone."""

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.forms import LoginForm
from allauth.account.utils import filter_users_by_username
from allauth.account.views import LoginView
from django.contrib import admin
from django.contrib.auth import logout
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse, reverse_lazy

from goalgraph.backoffice import audit, sessions

log = logging.getLogger("goalgraph.audit")
TOO_MANY = "too_many_login_attempts"


class StaffLoginForm(LoginForm):
    """allauth's form, for staff. Its fields have the names of Django's own sign-in page, which password managers know."""

    def add_prefix(self, field_name: str) -> str:
        return "username" if field_name == "login" else str(super().add_prefix(field_name))

    def clean(self) -> dict[str, Any]:
        """Members are told what a wrong password is told, so nobody learns here whose password it is."""
        data: dict[str, Any] = super().clean()
        user = getattr(self, "user", None)
        if user is not None and not user.is_staff:
            raise get_adapter().validation_error("username_password_mismatch")
        return data


class StaffLoginView(LoginView):
    form_class = StaffLoginForm
    template_name = "admin/login.html"
    success_url = reverse_lazy("admin:index")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            if request.user.is_staff:
                return HttpResponseRedirect(self._way_on(request))
            self._for_somebody_else(request)
        return super().dispatch(request, *args, **kwargs)

    def get_form_class(self) -> type[LoginForm]:
        return self.form_class

    def form_invalid(self, form: LoginForm) -> HttpResponse:
        """The form again: with 429 for one who has failed too often (RFC 6585, section 4)."""
        locked = form.has_error("__all__", TOO_MANY)
        who = {"user": _known(form)} if locked else {}
        log.warning("staff.sign_in_refused", extra={"data": {"from": audit.network_of(_address(self.request)), "locked": locked, **who}})
        response: HttpResponse = super().form_invalid(form)
        if locked:
            response.status_code = HTTPStatus.TOO_MANY_REQUESTS
        return response

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(title="Sign in", **{**admin.site.each_context(self.request), **kwargs})

    def _way_on(self, request: HttpRequest) -> str:
        """Where staff who are signed in go from here: on, or to what their session lacks."""
        target = self.get_success_url()
        if admin.site.has_permission(request):
            return str(target)
        step = "mfa_reauthenticate" if sessions.has_second_factor(request) else "mfa_activate_totp"
        return f"{reverse(step)}?{urlencode({'next': target})}"

    @staticmethod
    def _for_somebody_else(request: HttpRequest) -> None:
        """A member who is signed in at the embedded issuer may sign in as staff here, which ends the member's session."""
        if request.method == "POST":
            logout(request)
        request.user = AnonymousUser()


def _address(request: HttpRequest) -> str:
    return str(get_adapter().get_client_ip(request))


def _known(form: LoginForm) -> int | None:
    """The id of the user who is meant, None where there is none: what was typed may be a password, so it is in no log."""
    user = filter_users_by_username(str(form.cleaned_data.get("login", ""))).first()
    return user.pk if user else None


sign_in = StaffLoginView.as_view()
