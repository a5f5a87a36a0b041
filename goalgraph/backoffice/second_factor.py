"""What is stored of a second factor: its secret encrypted, so that a copy of the database makes nobody's codes."""

import base64
import logging

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from goalgraph import wiring
from users.models import StaffAction

log = logging.getLogger("goalgraph.audit")
_PURPOSE = b"goalgraph.backoffice.second_factor"
NOBODY = 0
"""No Django user has this id: a command is run by somebody with a shell, whom the database does not know."""


class SecondFactorAdapter(DefaultMFAAdapter):
    """Encrypts under a key made from `SECRET_KEY`; what was encrypted under one of `SECRET_KEY_FALLBACKS` is still read."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "unreadable": _("Your second factor cannot be read any more. Ask an administrator to remove it; then set up a new one."),
    }

    def encrypt(self, text: str) -> str:
        return _keys().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Raises ValidationError, which forms show, where no key of ours made `encrypted_text`."""
        try:
            return _keys().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            log.warning("staff.second_factor_unreadable: is the key that it was stored under in SECRET_KEY_FALLBACKS?")
            raise self.validation_error("unreadable") from None


@transaction.atomic
def remove(user: AbstractBaseUser) -> bool:
    """Remove `user`'s second factor and recovery codes for whoever runs our commands, and record it. False where there is none."""
    removed, _models = Authenticator.objects.filter(user_id=user.pk).delete()
    if removed:
        StaffAction.objects.create(
            at=wiring.clock().now(),
            staff_id=NOBODY,
            staff_name="manage.py remove_second_factor",
            subject=f"auth.user {user.pk}",
            what="Removed the second factor.",
            status=200,
        )
    return bool(removed)


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(_derived(secret)) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _derived(secret: str) -> bytes:
    """A key for this purpose alone (RFC 5869)."""
    return base64.urlsafe_b64encode(HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode()))
