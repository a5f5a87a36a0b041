"""The moderators' desk: the list of cases, the urgent ones apart, and the page of a case. `case_services` decides who may do what."""

from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST, require_safe

from chat import case_services, evidence_services
from chat.case_filters import AppealedFilter, MineFilter, ReasonFilter, ScoreFilter, StateFilter, UrgentFilter
from chat.evidence_services import words_of
from chat.forms import ActForm, AppealForm
from chat.models import ACT, RELEASE, Case, UrgentCase
from chat.moderation_domain import RESOLVED, Act
from goalgraph.backoffice.admin import BackOfficeAdmin
from goalgraph.errors import Conflict, Forbidden, GoalGraphError, NotFound

_STATE_CHIPS = {"open": "warn", "claimed": "", "escalated": "bad", "resolved": "good"}


def staff_of(request: HttpRequest) -> User:
    return cast("User", request.user)


class CaseList(ChangeList):
    """Has the beginnings of the messages read from the table, for all rows of the page at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        found = evidence_services.excerpts(rows)
        for row in rows:
            row.excerpt = found.get(row.pk, "")
        self.result_list = rows


class DeskAdmin(BackOfficeAdmin):
    """What both lists share. Rows are neither added nor edited here: a case moves on by what moderators do with it."""

    list_per_page = 50
    list_display = ("message", "why", "score_of", "state_of", "opened")
    ordering = ("-urgent", "-score", "opened_at", "id")
    change_list_template = "admin/chat/case/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:  # noqa: ARG002
        return self.model._default_manager.select_related("claimed_by").order_by(*self.ordering)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002 - Django's signature
        return CaseList

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().changelist_view(request, {"title": str(self.opts.verbose_name_plural).capitalize(), **(extra_context or {})})

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"chat.{ACT}")

    @admin.display(description="message", ordering="pk")
    def message(self, case: Case) -> SafeString:
        marks = [("bad", "urgent", case.urgent), ("warn", "hidden", case.hidden), ("warn", "appealed", case.appealed)]
        chips = format_html_join("", ' <span class="chip {}">{}</span>', [mark[:2] for mark in marks if mark[2]])
        return format_html("{}{}", getattr(case, "excerpt", "") or "(no longer kept)", chips)

    @admin.display(description="why")
    def why(self, case: Case) -> str:
        reports = [f"{case.reports} report{'' if case.reports == 1 else 's'}"] if case.reports else []
        return ", ".join([*map(words_of, case.reasons), *reports])

    @admin.display(description="score", ordering="score")
    def score_of(self, case: Case) -> str:
        return f"{case.score:.2f}"

    @admin.display(description="state", ordering="state")
    def state_of(self, case: Case) -> SafeString:
        words = case.outcome if case.state == RESOLVED and case.outcome else case.state
        chip = format_html('<span class="chip {}">{}</span>', _STATE_CHIPS[case.state], words)
        return format_html("{} {}", chip, case.claimed_by.get_username()) if case.claimed_by else chip

    @admin.display(description="opened (UTC)", ordering="opened_at")
    def opened(self, case: Case) -> str:
        return f"{case.opened_at:%Y-%m-%d %H:%M}"

    # The page of a case ------------------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """The list, the page, and what is done on it; no page that adds or edits rows has an address."""
        wrap, name = self.admin_site.admin_view, f"chat_{self.opts.model_name}"
        return [
            path("", wrap(self.changelist_view), name=f"{name}_changelist"),
            path("<path:object_id>/claim/", wrap(self.claim_view), name=f"{name}_claim"),
            path("<path:object_id>/act/", wrap(self.act_view), name=f"{name}_act"),
            path("<path:object_id>/appeal/", wrap(self.appeal_view), name=f"{name}_appeal"),
            path("<path:object_id>/change/", wrap(self.case_view), name=f"{name}_change"),
        ]

    @method_decorator(require_safe)
    def case_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._case_page(request, self._id(request, object_id))

    @method_decorator(require_POST)
    def claim_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Claim a case, or give it back."""
        case_id = self._id(request, object_id)
        gives_back = request.POST.get("do") == RELEASE
        step = case_services.release if gives_back else case_services.claim
        return self._done(
            request, case_id, lambda: step(staff_of(request), case_id, _version(request)), "Given back." if gives_back else "Claimed."
        )

    @method_decorator(require_POST)
    def act_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        case_id = self._id(request, object_id)
        form = ActForm(request.POST, urgent=self.get_queryset(request).filter(pk=case_id, urgent=True).exists())
        if not form.is_valid():
            return self._case_page(request, case_id, form=form, status=400)
        return self._done(
            request, case_id, lambda: case_services.act(staff_of(request), case_id, _version(request), form.act()), "Decided.", form=form
        )

    @method_decorator(require_POST)
    def appeal_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Record what the sender wrote to us against the decision."""
        case_id = self._id(request, object_id)
        form = AppealForm(request.POST)
        if not form.is_valid():
            return self._case_page(request, case_id, appeal_form=form, status=400)
        text = form.cleaned_data["text"]
        return self._done(
            request,
            case_id,
            lambda: case_services.record_appeal(staff_of(request), case_id, _version(request), text),
            "The appeal is recorded.",
            appeal_form=form,
        )

    def _done(self, request: HttpRequest, case_id: int, step: Callable[[], Any], said: str, **forms: Any) -> HttpResponse:
        """Do it and go back to the case; or show the case again as it is by now, with what was refused."""
        try:
            done = step()
        except Forbidden as error:
            messages.error(request, error.message)
            return self._case_page(request, case_id, status=403, **forms)
        except NotFound as error:
            raise Http404 from error
        except GoalGraphError as error:
            messages.error(request, error.message)
            return self._case_page(request, case_id, status=409 if isinstance(error, Conflict) else 400, **forms)
        case = Case.objects.get(pk=case_id)
        self.log(request, case, said if not hasattr(done, "action") else f"{said} {done.action}.")
        messages.success(request, said)
        return HttpResponseRedirect(reverse(f"admin:chat_{self.opts.model_name}_change", args=[case_id]))

    def _case_page(
        self,
        request: HttpRequest,
        case_id: int,
        *,
        form: ActForm | None = None,
        appeal_form: AppealForm | None = None,
        status: int = 200,
    ) -> TemplateResponse:
        try:
            found = evidence_services.evidence(staff_of(request), case_id)
        except NotFound as error:
            raise Http404 from error
        except Forbidden as error:
            raise PermissionDenied from error
        context = {
            "evidence": found,
            "case": found.case,
            "reasons": list(map(words_of, found.case.reasons)),
            "form": form or ActForm(urgent=found.case.urgent),
            "appeal_form": appeal_form or AppealForm(),
            "may_act": self.has_act_permission(request),
            "is_mine": found.case.claimed_by_id == request.user.pk,
            "title": f"Case {found.case.pk}",
        }
        return self._page(request, "admin/chat/case/case.html", context, status)

    def _page(self, request: HttpRequest, template: str, context: dict[str, Any], status: int) -> TemplateResponse:
        request.current_app = self.admin_site.name
        return TemplateResponse(request, template, {**self.admin_site.each_context(request), "opts": self.opts, **context}, status=status)

    def _id(self, request: HttpRequest, object_id: str) -> int:
        """Of a case in this list. Raises Http404, PermissionDenied."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        text = unquote(object_id)
        if not _is_number(text) or not self.get_queryset(request).filter(pk=int(text)).exists():
            raise Http404
        return int(text)


@admin.register(Case)
class CaseAdmin(DeskAdmin):
    list_filter = (StateFilter, UrgentFilter, ReasonFilter, MineFilter, AppealedFilter, ScoreFilter)
    search_fields = ("=sender_id", "=room_id")
    search_help_text = "By the whole id of a sender or a room."
    actions = ("decide_selected",)

    def get_urls(self) -> list[URLPattern]:
        return [path("decide/", self.admin_site.admin_view(self.decide_view), name="chat_case_decide"), *super().get_urls()]

    # Several at once ---------------------------------------------------------------------------------------------------------------

    @admin.action(description="Decide the selected cases alike", permissions=["act"])
    def decide_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
        """The form, with the cases as they are now."""
        return self._decide_page(request, list(queryset[: case_services.MOST_AT_ONCE]), ActForm(bulk=True))

    @method_decorator(require_POST)
    def decide_view(self, request: HttpRequest) -> HttpResponse:
        """What was said in that form. Each case is decided by itself, and the answer tells which were not."""
        if not self.has_act_permission(request) or not self.has_view_permission(request):
            raise PermissionDenied
        seen = [pair for each in request.POST.getlist("case") if (pair := _pair(each))]
        form = ActForm(request.POST, bulk=True)
        if not form.is_valid():
            rows = self.get_queryset(request).filter(pk__in=[case_id for case_id, _ in seen])
            return self._decide_page(request, list(rows), form, status=400)
        try:
            self._decide_each(request, seen, form.act())
        except GoalGraphError as error:
            messages.error(request, error.message)
        return HttpResponseRedirect(reverse("admin:chat_case_changelist"))

    def _decide_each(self, request: HttpRequest, seen: list[tuple[int, int]], wanted: Act) -> None:
        """Each is noted before the next: whatever ends this, it is known which were decided."""
        decided = 0
        for done in case_services.act_on_many(staff_of(request), seen, wanted):
            if done.error is None:
                decided += 1
                self.log(request, Case.objects.get(pk=done.case_id), f"Decided with others. {wanted.action}.")
            else:
                messages.error(request, f"Case {done.case_id}: {done.error}")
        if decided:
            messages.success(request, f"{decided} decided.")

    def _decide_page(self, request: HttpRequest, rows: list[Any], form: ActForm, status: int = 200) -> TemplateResponse:
        found = evidence_services.excerpts(rows)
        context = {"rows": [(row, found.get(row.pk, "")) for row in rows], "form": form, "title": f"Decide {len(rows)} cases alike"}
        return self._page(request, "admin/chat/case/decide.html", context, status)


@admin.register(UrgentCase)
class UrgentCaseAdmin(DeskAdmin):
    """One by one: nobody who may need help is decided about together with others."""

    list_filter = (StateFilter, MineFilter, AppealedFilter)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(urgent=True)


def _is_number(text: str) -> bool:
    """Whether it is one that SQL has: of less than 19 digits."""
    return text.isascii() and text.isdigit() and len(text) < 19


def _version(request: HttpRequest) -> int:
    """The version of the case that the page showed; 0, which none has, where it says none."""
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _pair(text: str) -> tuple[int, int] | None:
    case_id, _, version = text[:40].partition(":")
    return (int(case_id), int(version)) if _is_number(case_id) and _is_number(version) else None
