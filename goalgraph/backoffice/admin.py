"""The base of every model's pages in the back office: nothing is deleted, and every action is logged."""

from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import Model
from django.http import HttpRequest

DELETE_SELECTED = "delete_selected"


class BackOfficeAdmin(admin.ModelAdmin):
    """Pages of a model that is never deleted here, by nobody: archiving is a change like any other.

    A subclass whose rows are written by services says so in its own `save_model`; this class writes nothing of its own but the log.
    """

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - Django's signature
        return False

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Django takes its own action away where deleting is not permitted; here it is away whatever a site adds."""
        return {name: action for name, action in super().get_actions(request).items() if name != DELETE_SELECTED}

    def log(self, request: HttpRequest, obj: Model, message: str, action: int = CHANGE) -> None:
        """Note in Django's admin log that the request's staff did `message` to `obj`. No member's words belong into `message`."""
        LogEntry.objects.log_actions(cast("int", request.user.pk), [obj], action, message, single_object=True)
