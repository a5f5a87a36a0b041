"""Staff themselves in the back office. Each context registers its own pages in its `admin.py`."""

from allauth.mfa.models import Authenticator
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest

from goalgraph.backoffice.admin import BackOfficeAdmin


class SignInAdmin(BackOfficeAdmin, UserAdmin):
    """Who signs in here: staff and, at the embedded issuer, members. Nobody is deleted; whoever leaves becomes inactive."""

    actions = ("remove_second_factor",)

    @admin.action(description="Remove the second factor (lost device)", permissions=["change"])
    def remove_second_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """They set up a new one at their next sign-in. Open sessions are closed to them at once: each page asks whether there is one."""
        for user in queryset:
            gone, _models = Authenticator.objects.filter(user=user).delete()
            if gone:
                self.log(request, user, "Removed the second factor.")
                self.message_user(request, f"{user} sets up a new second factor at the next sign-in.", messages.SUCCESS)


# Django and allauth have registered pages of their own by now. An authenticator's page would show what is secret of it.
admin.site.unregister([User, Authenticator])
admin.site.register(User, SignInAdmin)
