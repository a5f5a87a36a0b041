"""The filters beside the lists of cases. Each says in a parameter of the address what is asked for, and passes over what is no choice."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from chat.evidence_services import REASONS
from chat.models import STATES, Case
from chat.moderation_domain import WAITING

EVERYTHING = "all"


class _Filter(admin.SimpleListFilter):
    choices_of: tuple[tuple[str, str], ...] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> tuple[tuple[str, str], ...]:  # noqa: ARG002 - Django's signature
        return self.choices_of


class StateFilter(_Filter):
    """What waits for a decision, unless something else is asked for."""

    title, parameter_name = "state", "state"
    choices_of = (*((state, state) for state in STATES), (EVERYTHING, "all, also decided"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:  # noqa: ARG002
        if self.value() == EVERYTHING:
            return queryset
        return queryset.filter(state=self.value()) if self.value() in STATES else queryset.filter(state__in=WAITING)

    def choices(self, changelist: Any) -> Any:
        """Django's first choice is "All"; here it is what waits."""
        first, *others = super().choices(changelist)
        return [{**first, "display": "waiting"}, *others]


class UrgentFilter(_Filter):
    title, parameter_name = "urgent", "urgent"
    choices_of = (("yes", "urgent"), ("no", "not urgent"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:  # noqa: ARG002
        return queryset.filter(urgent=self.value() == "yes") if self.value() in ("yes", "no") else queryset


class ReasonFilter(_Filter):
    title, parameter_name = "reason", "reason"
    choices_of = tuple(REASONS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:  # noqa: ARG002
        return queryset.filter(kinds__contains=f"|{self.value()}|") if self.value() in REASONS else queryset


class MineFilter(_Filter):
    title, parameter_name = "claimed by", "claimed"
    choices_of = (("me", "me"), ("nobody", "nobody"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:
        if self.value() == "me":
            return queryset.filter(claimed_by=request.user.pk)
        return queryset.filter(claimed_by=None) if self.value() == "nobody" else queryset


class AppealedFilter(_Filter):
    title, parameter_name = "appeal", "appealed"
    choices_of = (("yes", "appealed"),)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:  # noqa: ARG002
        return queryset.filter(appealed=True) if self.value() == "yes" else queryset


class ScoreFilter(_Filter):
    title, parameter_name = "score", "score"
    choices_of = (("high", "0.8 and more"), ("middle", "0.4 to 0.8"), ("low", "below 0.4"))
    _bounds = {"high": (0.8, 1.01), "middle": (0.4, 0.8), "low": (0.0, 0.4)}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Case]) -> QuerySet[Case]:  # noqa: ARG002
        bounds = self._bounds.get(self.value() or "")
        return queryset.filter(score__gte=bounds[0], score__lt=bounds[1]) if bounds else queryset
