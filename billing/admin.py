"""Billing accounts in the back office: what an account pays for and has paid, and, for support, to end it and give it back.

dj-stripe brings pages of its own for its ledger, on which staff could change and delete it; they are taken away.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_http_methods

from billing import account_services, ledger, staff_services
from billing.domain import Standing
from billing.models import Account
from goalgraph import wiring
from goalgraph.backoffice.admin import BackOfficeAdmin
from goalgraph.errors import GoalGraphError
from goalgraph.ports.payments import PaymentsRefused, PaymentsUnavailable

REFUND = "billing.refund_account"
_AWAY = "Stripe did not answer, or refused. Look again in a minute: what was begun is safe to repeat."

for _model in apps.get_app_config("djstripe").get_models():
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


class WaitingFilter(admin.SimpleListFilter):
    title = "published"
    parameter_name = "published"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [("no", "not yet")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Account]) -> QuerySet[Account]:  # noqa: ARG002
        return queryset.filter(published_rev__lt=F("rev")) if self.value() == "no" else queryset


@admin.register(Account)
class AccountAdmin(BackOfficeAdmin):
    """Read-only rows; two things can be done, each with a permission of its own, by the services."""

    list_display = ("__str__", "tenant_id", "customer_id", "rev", "published_rev", "revised_at")
    list_filter = (WaitingFilter,)
    search_fields = ("user_id", "tenant_id", "customer_id")
    search_help_text = "A member's id, a tenant's, or a customer's at Stripe"
    ordering = ("-revised_at",)
    actions = ("look_up_again",)
    change_form_template = "admin/billing/account/page.html"

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_repair_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.repair_account")

    def get_urls(self) -> list[URLPattern]:
        refund = self.admin_site.admin_view(self.refund)
        return [path("<uuid:object_id>/refund/", refund, name="billing_account_refund"), *super().get_urls()]

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """The row, what the table has of it, and what was paid."""
        account = self.get_object(request, object_id) if self.has_view_permission(request) else None
        context = {} if account is None else _shown(account)
        context["may_refund"] = request.user.has_perm(REFUND) and account is not None and account.customer_id
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    @method_decorator(require_http_methods(["GET", "HEAD", "POST"]))
    def refund(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Asks whether it is meant, and then does it."""
        if not request.user.has_perm(REFUND):
            raise PermissionDenied
        account = self.get_object(request, str(object_id))
        if account is None:
            raise Http404
        page = reverse("admin:billing_account_change", args=[account.pk])
        if request.method != "POST":
            context = {**self.admin_site.each_context(request), "opts": self.opts, "account": account, "page": page, "title": "Refund"}
            return TemplateResponse(request, "admin/billing/account/refund.html", context)
        try:
            amount = staff_services.refund_and_cancel(request.user, account.pk)
        except (PaymentsUnavailable, PaymentsRefused):
            self.log(request, account, "Began to cancel and give back; Stripe did not answer, or refused.")
            self.message_user(request, _AWAY, messages.ERROR)
        except GoalGraphError as error:
            self.message_user(request, error.message, messages.ERROR)
        else:
            said = f"{amount / 100:.2f} is given back" if amount else "there was no payment to give back"
            self.log(request, account, f"Canceled; {said}.")
            self.message_user(request, f"It is canceled, and {said}.", messages.SUCCESS)
        return HttpResponseRedirect(page)

    @admin.action(description="Look up at Stripe again", permissions=["repair"])
    def look_up_again(self, request: HttpRequest, queryset: QuerySet[Account]) -> None:
        for account in queryset.filter(customer_id__isnull=False):
            staff_services.look_up_again(request.user, account.pk)
            self.log(request, account, "Looked up at Stripe again.")
        self.message_user(request, "They are being looked up.", messages.SUCCESS)


def _shown(account: Account) -> dict[str, Any]:
    standing = account_services.stored_standing(account)
    return {
        "standing": standing,
        "holds_until": _holds_until(standing),
        "payments": ledger.payments_of(account.customer_id) if account.customer_id else [],
    }


def _holds_until(standing: Standing | None) -> datetime | None:
    """Until when something is granted by now; None: nothing is."""
    until = standing.grace_ends if standing is not None and standing.tier != "free" else None
    return until if until is not None and wiring.clock().now() < until else None
