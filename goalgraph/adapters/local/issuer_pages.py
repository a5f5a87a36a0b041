"""The sign-in pages: where the issuer is the embedded one, a username becomes the member's id, so it must be one."""

from allauth.account.adapter import DefaultAccountAdapter
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from goalgraph.auth.access import issuer_is_embedded
from goalgraph.auth.actor import SYSTEM
from goalgraph.ids import is_id


class AccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "too_many_login_attempts": _("Too many failed attempts. Sign-in is locked for 15 minutes; then try again."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002 - allauth's signature
        """Members sign up at the embedded issuer; where the issuer is another, the only sign-ins are those of staff, made by staff."""
        return issuer_is_embedded()

    def clean_username(self, username: str, shallow: bool = False) -> str:
        """The username as given. Raises ValidationError when it can't be a user id or is taken."""
        if not is_id(username) or username == SYSTEM.user_id:
            raise ValidationError(gettext("Use letters, digits and . _ @ + - only, and start with a letter or a digit."))
        return str(super().clean_username(username, shallow=shallow))
