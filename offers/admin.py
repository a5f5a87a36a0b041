"""The back office's pages of offers, companies and memberships. They show and ask; `authoring_services` and `company_services` decide.

Every page starts from what `access` says its user may see, so a foreign row and an absent one get the same answer everywhere.
"""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db.models import F, Q, QuerySet, Sum
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.views.decorators.http import require_POST, require_safe

from goalgraph.backoffice.admin import BackOfficeAdmin
from goalgraph.errors import GoalGraphError
from offers import access, admin_pages, authoring_services, company_services, states
from offers.forms import CompanyForm, MembershipForm, OfferForm, ReasonForm
from offers.models import Company, Membership, Offer

WRITERS = frozenset({states.OWNER, states.EDITOR})
WORDS = {
    "submit": "Submitted for approval.",
    "approve": "Approved.",
    "reject": "Sent back to its company.",
    "pause": "Paused. Members do not see it any more.",
    "resume": "It goes on.",
    "archive": "Archived.",
}


def staff_of(request: HttpRequest) -> User:
    return cast("User", request.user)


class CompanyFilter(admin.SimpleListFilter):
    """The companies that the user sees, where they are more than one. (Django's own filter would list all.)"""

    title = "company"
    parameter_name = "company"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002 - Django's signature
        found = access.visible_companies(request.user).values_list("pk", "name")[:100]
        return [(str(pk), str(name)) for pk, name in found] if len(found) > 1 else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        return queryset.filter(company_id=self.value()) if self.value() else queryset


class Authored(BackOfficeAdmin):
    """Pages of rows that services write. What a service refuses stands in the form, beside what was typed."""

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Without Django's transaction around all: services have their own, and none of them is to stay open over the network."""
        try:
            return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]
        except GoalGraphError as refusal:
            request.refusal = refusal  # type: ignore[attr-defined]
            return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[ModelForm]:
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"refusal": getattr(request, "refusal", None)})

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Django's log names who of the platform's staff did what, so it is for the platform's staff."""
        admin_pages.check(access.may_manage_companies(request.user))
        return super().history_view(request, object_id, extra_context)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Without the links that open another model's pages in a pop-up."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        for link in ("can_add_related", "can_change_related", "can_view_related", "can_delete_related"):
            if field is not None and hasattr(field.widget, link):
                setattr(field.widget, link, False)
        return field


@admin.register(Offer)
class OfferAdmin(Authored):
    form = OfferForm
    change_form_template = "admin/offers/offer/change_form.html"
    change_list_template = "admin/offers/offer/change_list.html"
    list_display = ("title", "company", "state_badge", "validity", "views", "clicks", "rate")
    list_filter = ("state", CompanyFilter, "tier")
    search_fields = ("title", "company__name")
    search_help_text = "By title or company."
    list_per_page = 50
    actions = ("pause_selected",)
    fieldsets = (
        ("The offer", {"fields": ("company", "title", "body", "url", "image")}),
        ("For whom", {"fields": ("tags", "goal_kinds", "language", "tier", "early_access_days")}),
        ("When (UTC)", {"fields": ("valid_from", "valid_to")}),
        (
            "Budget and caps",
            {
                "fields": ("budget_cents", "cost_per_click_cents", "daily_clicks", "total_views"),
                "description": "You may change these at any time; they need no approval.",
            },
        ),
    )

    # Who may --------------------------------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Offer]:
        """With the sums of the days that its company may see."""
        shown = Q(days__reach__gte=admin_pages.cohort())
        return (
            access.visible_offers(request.user)
            .annotate(shown_views=Sum("days__views", filter=shown), shown_clicks=Sum("days__clicks", filter=shown))
            .order_by("-created_at", "pk")
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and access.works_for(request.user, WRITERS).exists()

    def has_change_permission(self, request: HttpRequest, obj: Offer | None = None) -> bool:
        if not super().has_change_permission(request, obj):
            return False
        if obj is None:
            return access.works_for(request.user, WRITERS).exists()
        writes = bool(access.roles_in(request.user, obj.company_id) & WRITERS)
        return writes and obj.state != states.ARCHIVED and not obj.company.archived

    def has_pause_permission(self, request: HttpRequest) -> bool:
        return self.has_change_permission(request)

    # The form -------------------------------------------------------------------------------------------------------------------------

    def get_fieldsets(self, request: HttpRequest, obj: Offer | None = None) -> Any:
        """Who may not change it reads it above the form, and gets no form."""
        return self.fieldsets if obj is None or self.has_change_permission(request, obj) else ()

    def get_readonly_fields(self, request: HttpRequest, obj: Offer | None = None) -> Any:  # noqa: ARG002
        return () if obj is None else ("company",)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "company":
            own = access.works_for(request.user, WRITERS)
            kwargs["queryset"] = own
            if len(first := own[:2]) == 1:
                kwargs["initial"] = first[0].pk
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        offer = context["original"]
        staff = staff_of(request)
        if offer is not None:
            offer.refresh_from_db()
            context |= admin_pages.shown(staff, offer)
        context["can_submit"] = offer is None or offer.state == states.DRAFT
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Offer, form: Any, change: bool) -> None:
        staff, fields = staff_of(request), form.authored()
        if change:
            before = obj.state
            saved = authoring_services.edit_offer(staff, obj.pk, rev=form.cleaned_data["rev"], **fields)
            if before != saved.state and "_submit" not in request.POST:
                self.message_user(request, f"It is {saved.state} now: members see it when it is approved again.", messages.WARNING)
        else:
            saved = authoring_services.create_offer(staff, form.cleaned_data["company"].pk, **fields)
        obj.__dict__.update({field.attname: getattr(saved, field.attname) for field in Offer._meta.concrete_fields})
        obj._state.adding = False

    def response_add(self, request: HttpRequest, obj: Offer, post_url_continue: str | None = None) -> HttpResponse:
        if "_submit" in request.POST:
            return self._take(request, obj, "submit", rev=obj.rev)
        return super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Offer) -> HttpResponse:
        if "_submit" in request.POST:
            return self._take(request, obj, "submit", rev=obj.rev)
        return super().response_change(request, obj)

    # Other pages ----------------------------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("review/", wrap(self.review_view), name="offers_offer_review"),
            path("<path:object_id>/act/<slug:action>/", wrap(self.act_view), name="offers_offer_act"),
            path("<path:object_id>/statistics/", wrap(self.statistics_view), name="offers_offer_statistics"),
            path("<path:object_id>/statistics.csv", wrap(self.csv_view), name="offers_offer_csv"),
            *super().get_urls(),
        ]

    @method_decorator(require_safe)
    def review_view(self, request: HttpRequest) -> HttpResponse:
        """What waits for approval, the longest wait first."""
        admin_pages.check(self.has_view_permission(request) and staff_of(request).has_perm(access.REVIEW))
        waiting = access.visible_offers(request.user).filter(state=states.SUBMITTED, company__archived=False)
        first = waiting.order_by(F("submitted_at").asc(nulls_first=True), "pk")[: self.list_per_page]
        cards = [admin_pages.card(staff_of(request), offer) for offer in first]
        return self._page(request, "review", title="Offers to review", cards=cards, waiting=waiting.count())

    @method_decorator(require_POST)
    def act_view(self, request: HttpRequest, object_id: str, action: str) -> HttpResponse:
        """One step in an offer's life, taken from a form with the revision that was on the screen, and a reason."""
        offer = self._offer(request, object_id)
        if offer is None or action not in authoring_services.ACTIONS:
            return self._absent(request, object_id)
        form = ReasonForm(request.POST)
        if not form.is_valid():
            self.message_user(request, "Nothing was changed: open the offer again.", messages.ERROR)
            return HttpResponseRedirect(self._address("change", offer))
        return self._take(request, offer, action, **form.cleaned_data)

    @method_decorator(require_safe)
    def statistics_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        offer = self._offer(request, object_id)
        if offer is None:
            return self._absent(request, object_id)
        facts = admin_pages.statistics(offer, request.GET.get("days", ""))
        return self._page(request, "statistics", title="Statistics", subtitle=str(offer), offer=offer, **facts)

    @method_decorator(require_safe)
    def csv_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        offer = self._offer(request, object_id)
        return self._absent(request, object_id) if offer is None else admin_pages.csv_file(offer, request.GET.get("days", ""))

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # noqa: ARG002
        """The decisions, which say more than Django's log of pages."""
        offer = self._offer(request, object_id)
        if offer is None:
            return self._absent(request, object_id)
        history = admin_pages.history(staff_of(request), offer)
        return self._page(request, "history", title="History", subtitle=str(offer), offer=offer, history=history)

    @admin.action(description="Pause selected offers", permissions=["pause"])
    def pause_selected(self, request: HttpRequest, queryset: QuerySet[Offer]) -> None:
        for offer in queryset:
            self._take(request, offer, "pause", rev=offer.rev)

    # The list -------------------------------------------------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        reviews = staff_of(request).has_perm(access.REVIEW)
        waiting = access.visible_offers(request.user).filter(state=states.SUBMITTED).count() if reviews else 0
        return super().changelist_view(request, {**(extra_context or {}), "reviews": reviews, "waiting": waiting})

    @admin.display(description="state", ordering="state")
    def state_badge(self, offer: Offer) -> str:
        return format_html('<span class="badge state-{}">{}</span>', offer.state, offer.state)

    @admin.display(description="valid (UTC)", ordering="valid_from")
    def validity(self, offer: Offer) -> str:
        return admin_pages.validity(offer)

    @admin.display(description="views", ordering="shown_views")
    def views(self, offer: Any) -> int:
        return offer.shown_views or 0

    @admin.display(description="clicks", ordering="shown_clicks")
    def clicks(self, offer: Any) -> int:
        return offer.shown_clicks or 0

    @admin.display(description="rate")
    def rate(self, offer: Any) -> str:
        return format_html(
            '<a href="{}">{}</a>', self._address("statistics", offer), admin_pages.percent(offer.shown_clicks, offer.shown_views)
        )

    # How ------------------------------------------------------------------------------------------------------------------------------

    def _offer(self, request: HttpRequest, object_id: str) -> Offer | None:
        admin_pages.check(self.has_view_permission(request))
        return cast("Offer | None", self.get_object(request, unquote(object_id)))

    def _absent(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]

    def _take(self, request: HttpRequest, offer: Offer, action: str, *, rev: int, reason: str = "") -> HttpResponse:
        """Take a step, tell how it went, and go back to where the form was."""
        try:
            authoring_services.act(staff_of(request), offer.pk, action, rev=rev, reason=reason)
        except GoalGraphError as refusal:
            self.message_user(request, f"“{offer}”: {refusal.message}", messages.ERROR)
        else:
            self.log(request, offer, WORDS[action])
            self.message_user(request, f"“{offer}”: {WORDS[action]}", messages.SUCCESS)
        to_queue = action in ("approve", "reject") and "queue" in request.POST
        return HttpResponseRedirect(reverse("admin:offers_offer_review") if to_queue else self._address("change", offer))

    def _address(self, page: str, offer: Offer) -> str:
        return reverse(f"admin:offers_offer_{page}", args=[offer.pk])

    def _page(self, request: HttpRequest, name: str, **context: Any) -> HttpResponse:
        return admin_pages.page(request, self.admin_site, self.opts, f"admin/offers/offer/{name}.html", context)


@admin.register(Company)
class CompanyAdmin(Authored):
    form = CompanyForm
    change_form_template = "admin/offers/authored_form.html"
    list_display = ("name", "url", "archived")
    list_filter = ("archived",)
    search_fields = ("name",)
    fields = ("name", "url", "archived")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Company]:
        return access.visible_companies(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Company | None = None) -> bool:  # noqa: ARG002
        return access.may_manage_companies(request.user)

    def save_model(self, request: HttpRequest, obj: Company, form: Any, change: bool) -> None:
        staff, found = staff_of(request), form.cleaned_data
        if change:
            fields = {name: found[name] for name in self.fields}
            saved = company_services.edit_company(staff, obj.pk, rev=found["rev"], **fields)
        else:
            saved = company_services.create_company(staff, name=found["name"], url=found["url"])
        obj.__dict__.update({field.attname: getattr(saved, field.attname) for field in Company._meta.concrete_fields})
        obj._state.adding = False


@admin.register(Membership)
class MembershipAdmin(Authored):
    form = MembershipForm
    change_form_template = "admin/offers/authored_form.html"
    list_display = ("user", "company", "role", "active")
    list_filter = ("role", "active", CompanyFilter)
    search_fields = ("user__username", "company__name")
    fields = ("company", "user", "role", "active")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return access.visible_memberships(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Membership | None = None) -> bool:
        """The platform's staff; and owners in their own company."""
        if super().has_change_permission(request, obj):
            return True
        owned = access.works_for(request.user, frozenset({states.OWNER}))
        return owned.exists() if obj is None else owned.filter(pk=obj.company_id).exists()

    def get_readonly_fields(self, request: HttpRequest, obj: Membership | None = None) -> Any:  # noqa: ARG002
        return () if obj is None else ("company", "user")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "company":
            kwargs["queryset"] = access.visible_companies(request.user).filter(archived=False)
        if db_field.name == "user":
            kwargs["queryset"] = get_user_model().objects.filter(is_staff=True, is_active=True).order_by("username")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Membership, form: Any, change: bool) -> None:
        found = form.cleaned_data
        user = obj.user if change else found["user"]
        company_id = obj.company_id if change else found["company"].pk
        fields = {name: found[name] for name in ("role", "active", "rev")}
        saved = company_services.set_membership(staff_of(request), company_id, user, **fields)
        obj.__dict__.update({field.attname: getattr(saved, field.attname) for field in Membership._meta.concrete_fields})
        obj._state.adding = False
