"""Two pages of the back office, both read-only: the look-up of a member, from the table, and what staff did."""

from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_safe

from gamification import services as gamification
from goalgraph.backoffice.admin import BackOfficeAdmin
from goalgraph.errors import NotFound
from goals import staff_services
from goals.staff_services import Overview
from users.models import Member, StaffAction
from users.staff_services import staff_actor

LOOKED_UP = 4
"""The action of our entries in Django's admin log, beside its own addition (1), change (2) and deletion (3)."""
SHOWN_AGENDA = 50


@admin.register(Member)
class MemberAdmin(BackOfficeAdmin):
    """Two pages: the form, and the member. For staff with `users.view_member`."""

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False

    def get_urls(self) -> list[URLPattern]:
        """The form and the page alone, under the names that the admin links to; no page that writes has an address."""
        wrap = self.admin_site.admin_view
        return [
            path("", wrap(self.look_up), name="users_member_changelist"),
            path("<path:object_id>/change/", wrap(self.member), name="users_member_change"),
        ]

    @method_decorator(require_safe)
    def look_up(self, request: HttpRequest) -> HttpResponse:
        """The form; with `?user=` (and `&tenant=`), the member."""
        user_id, tenant_id = (request.GET.get(name, "").strip() for name in ("user", "tenant"))
        return self._member_page(request, user_id, tenant_id) if user_id else self._form_page(request)

    @method_decorator(require_safe)
    def member(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The member behind a reference; with `?goal=`, the tasks of that archived goal too."""
        tenant_id, _separator, user_id = unquote(object_id).rpartition("/")
        return self._member_page(request, user_id, tenant_id)

    def _form_page(self, request: HttpRequest, status: int = 200, **context: Any) -> TemplateResponse:
        return self._page(request, "look_up", status, title="Look up a member", **context)

    def _member_page(self, request: HttpRequest, user_id: str, tenant_id: str) -> TemplateResponse:
        """The member, or the form again with 404: whether the id was malformed or nobody has it is not told."""
        self._check_permission(request)
        actor = staff_actor(request.user.get_username(), tenant_id or None)
        try:
            overview = staff_services.overview(actor, user_id, opened=request.GET.get("goal"))
        except NotFound:
            return self._form_page(request, 404, absent=True, user_id=user_id, tenant_id=tenant_id)
        member = Member(f"{tenant_id}/{user_id}" if tenant_id else user_id)
        self.log(request, member, "Looked up.", LOOKED_UP)
        return self._page(
            request, "member", title=f"Member {user_id}", member=member, user_id=user_id, tenant_id=tenant_id, **_shown(overview)
        )

    def _page(self, request: HttpRequest, name: str, status: int = 200, **context: Any) -> TemplateResponse:
        self._check_permission(request)
        context = {**self.admin_site.each_context(request), "opts": Member._meta, **context}
        return TemplateResponse(request, f"admin/users/member/{name}.html", context, status=status)

    def _check_permission(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied


def _shown(overview: Overview) -> dict[str, Any]:
    """What the page says of a member."""
    titles = {goal.id: goal.title for goal in overview.goals}
    return {
        "profile": overview.profile,
        "zone": _zone(overview),
        "goals": [(goal, int(goal.task_count - goal.done_count), overview.tasks.get(goal.goal_id)) for goal in overview.goals],
        "agenda": [(entry, titles.get(entry.goal_id)) for entry in overview.agenda[:SHOWN_AGENDA]],
        "agenda_count": len(overview.agenda),
        "blocks": f"{overview.blocks}{'+' if overview.more_blocks else ''}",
        "stats": gamification.stats_among(overview.others),
    }


def _zone(overview: Overview) -> tzinfo:
    """The member's own time zone; UTC where there is no profile, or no such zone on this machine."""
    try:
        return ZoneInfo(overview.profile.timezone if overview.profile else "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


@admin.register(StaffAction)
class StaffActionAdmin(BackOfficeAdmin):
    """What staff did, newest first, for staff with `users.view_staffaction`. Nobody writes here."""

    list_display = ("instant", "staff_name", "method", "view", "subject", "what", "status", "address")
    list_filter = ("method", "status", "view")
    search_fields = ("staff_name", "subject", "trace_id")
    search_help_text = "A name, a subject (offers.offer and an id) or a trace id"
    date_hierarchy = "at"
    list_per_page = 50
    show_full_result_count = False

    @admin.display(description="at (UTC)", ordering="at")
    def instant(self, action: StaffAction) -> str:
        return f"{action.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        return False
