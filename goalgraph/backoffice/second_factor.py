"""What is stored of a second factor: its secret encrypted, so that a copy of the database makes nobody's codes."""

import base64

from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_PURPOSE = b"goalgraph.backoffice.second_factor"


class SecondFactorAdapter(DefaultMFAAdapter):
    """Encrypts under a key made from `SECRET_KEY`; what was encrypted under one of `SECRET_KEY_FALLBACKS` is still read."""

    def encrypt(self, text: str) -> str:
        return _keys().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Raises cryptography's InvalidToken where no key of ours made `encrypted_text`."""
        return _keys().decrypt(encrypted_text.encode()).decode()


def _keys() -> MultiFernet:
    return MultiFernet([Fernet(_derived(secret)) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _derived(secret: str) -> bytes:
    """A key for this purpose alone (RFC 5869)."""
    return base64.urlsafe_b64encode(HKDF(SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode()))
