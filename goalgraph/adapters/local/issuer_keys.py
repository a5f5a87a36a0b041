"""The embedded issuer's signing keys: the newest signs, all are published, an old one goes when no token it signed can still be valid.

Where they lie is a setting: `ISSUER_PRIVATE_KEYS` (PEM from the environment), else files in `ISSUER_KEYS_DIR`, else the memory of one
process. Files are seen by all processes of the machine at once, so a rotation needs no restart.
"""

import json
import os
import re
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any

from allauth.core.internal.jwkkit import jwk_thumbprint
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from jwt import PyJWK
from jwt.algorithms import RSAAlgorithm

LONGEST_TOKEN = timedelta(hours=24)
"""No token of the embedded issuer lives longer."""

_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.+?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_KEY_FILE = re.compile(r"(\d{13})-[0-9a-f]{8}\.pem", re.ASCII)


@dataclass(frozen=True)
class SigningKey:
    """A private RSA key as PKCS#8 `pem`, with the instant since when it signs."""

    pem: str
    issued_at: datetime

    @cached_property
    def private(self) -> rsa.RSAPrivateKey:
        key = serialization.load_pem_private_key(self.pem.encode(), password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ImproperlyConfigured("the embedded issuer signs with RSA keys only")
        return key

    @cached_property
    def kid(self) -> str:
        """The key's thumbprint (RFC 7638), as allauth publishes it."""
        return str(jwk_thumbprint(self._jwk))

    @cached_property
    def public(self) -> PyJWK:
        return PyJWK(self._jwk, "RS256")

    @cached_property
    def _jwk(self) -> dict[str, Any]:
        members: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(self.private.public_key()))
        return members


class SigningKeys(ABC):
    @abstractmethod
    def all(self) -> tuple[SigningKey, ...]:
        """Every key that is published, newest first; never empty."""

    @abstractmethod
    def rotate(self) -> SigningKey:
        """Make a new key that signs from now on, and drop the ones that no valid token needs. Returns the new key."""

    def find(self, kid: str) -> PyJWK | None:
        """The public key with this id, for the verifier in the same process."""
        return next((key.public for key in self.all() if key.kid == kid), None)


class MemoryKeys(SigningKeys):
    def __init__(self) -> None:
        self._lock = Lock()
        self._keys: tuple[SigningKey, ...] = ()

    def all(self) -> tuple[SigningKey, ...]:
        with self._lock:
            if not self._keys:
                self._keys = (_generate(),)
            return self._keys

    def rotate(self) -> SigningKey:
        new = _generate()
        with self._lock:
            self._keys = needed((new, *self._keys))
        return new


class EnvKeys(SigningKeys):
    """Keys that ops gave as PEM, newest first."""

    def __init__(self, pems: str) -> None:
        found = _PEM.findall(pems.replace("\\n", "\n"))
        if not found:
            raise ImproperlyConfigured("ISSUER_PRIVATE_KEYS holds no private key in PEM")
        now = datetime.now(UTC)
        self._keys = tuple(SigningKey(pem, now - timedelta(seconds=age)) for age, pem in enumerate(found))

    def all(self) -> tuple[SigningKey, ...]:
        return self._keys

    def rotate(self) -> SigningKey:
        raise ImproperlyConfigured(
            "The keys come from ISSUER_PRIVATE_KEYS: put a new one first there, keep the old one a day, and restart."
        )


class FileKeys(SigningKeys):
    """One PEM file per key, named by its age; private to the user that runs GoalGraph."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, SigningKey] = {}

    def all(self) -> tuple[SigningKey, ...]:
        names = self._names()
        if not names:
            self._write(_generate())
            names = self._names()
        # A file's content never changes, so each is read once.
        self._read = {name: self._read.get(name) or self._load(name) for name in names}
        return tuple(self._read.values())

    def rotate(self) -> SigningKey:
        # The files say since when each key signs in whole milliseconds, and the new one must be the newest.
        new = _generate(after=self.all()[0].issued_at)
        self._write(new)
        kept = {key.kid for key in needed(self.all())}
        for name, key in self._read.items():
            if key.kid not in kept:
                (self._folder / name).unlink(missing_ok=True)
        return new

    def _names(self) -> list[str]:
        try:
            return sorted(filter(_KEY_FILE.fullmatch, os.listdir(self._folder)), reverse=True)
        except FileNotFoundError:
            return []

    def _load(self, name: str) -> SigningKey:
        millis = int(name.partition("-")[0])
        return SigningKey((self._folder / name).read_text(), datetime.fromtimestamp(millis / 1000, UTC))

    def _write(self, key: SigningKey) -> None:
        """Complete under its name or not there at all, whoever reads or writes at the same time."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{round(key.issued_at.timestamp() * 1000):013d}-{os.urandom(4).hex()}.pem"
        part = self._folder / f"{name}.part"
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key.pem)
        part.rename(self._folder / name)


def needed(keys: tuple[SigningKey, ...]) -> tuple[SigningKey, ...]:
    """`keys`, newest first, without those whose successor has signed for longer than any token lives."""
    horizon = datetime.now(UTC) - LONGEST_TOKEN
    return keys[:1] + tuple(key for newer, key in pairwise(keys) if newer.issued_at > horizon)


def _generate(after: datetime | None = None) -> SigningKey:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    issued_at = datetime.fromtimestamp(int(time.time() * 1000) / 1000, UTC)
    if after is not None:
        issued_at = max(issued_at, after + timedelta(milliseconds=1))
    return SigningKey(pem.decode(), issued_at)


@cache
def signing_keys() -> SigningKeys:
    """The process's view of the embedded issuer's keys, by settings. Raises ImproperlyConfigured when the given keys can't be read."""
    if settings.ISSUER_PRIVATE_KEYS:
        return EnvKeys(settings.ISSUER_PRIVATE_KEYS)
    return FileKeys(Path(settings.ISSUER_KEYS_DIR)) if settings.ISSUER_KEYS_DIR else MemoryKeys()


def _forget(*, setting: str, **_: Any) -> None:
    if setting.startswith("ISSUER_"):
        signing_keys.cache_clear()


setting_changed.connect(_forget)
