"""The forms that ask for a code: allauth's, with a line in the log for whoever guesses too often."""

import logging

from allauth.mfa.base import forms
from django.core.exceptions import ValidationError

from goalgraph.backoffice.sign_in import TOO_MANY

log = logging.getLogger("goalgraph.audit")


class _Logged(forms.BaseAuthenticateForm):
    def clean_code(self) -> str:
        try:
            return str(super().clean_code())
        except ValidationError as error:
            if error.code == TOO_MANY:
                log.warning("staff.second_factor_locked", extra={"data": {"user": self.user.pk}})
            raise


class AuthenticateForm(_Logged, forms.AuthenticateForm):
    """At the sign-in."""


class ReauthenticateForm(_Logged, forms.ReauthenticateForm):
    """In a session that is signed in already."""
