"""The embedded issuer's sign-in pages: a username becomes the member's id, so it must be one."""

from allauth.account.adapter import DefaultAccountAdapter
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from goalgraph.auth.actor import SYSTEM
from goalgraph.ids import is_id


class AccountAdapter(DefaultAccountAdapter):
    def clean_username(self, username: str, shallow: bool = False) -> str:
        """The username as given. Raises ValidationError when it can't be a user id or is taken."""
        if not is_id(username) or username == SYSTEM.user_id:
            raise ValidationError(_("Use letters, digits and . _ @ + - only, and start with a letter or a digit."))
        return str(super().clean_username(username, shallow=shallow))
