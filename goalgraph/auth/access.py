"""The web process's way in: an `Authorization` header becomes an `Actor`, by the verifier that Django's settings describe."""

from functools import cache
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

from goalgraph.auth.actor import Actor
from goalgraph.auth.claims import claim_map
from goalgraph.auth.jwks import KeySet, RemoteKeys
from goalgraph.auth.verifier import Verifier
from goalgraph.errors import Unauthenticated

_SCHEME = "bearer "


def actor_from_authorization(header: str | None) -> Actor:
    """The caller behind an `Authorization: Bearer <access token>` header (RFC 6750, section 2.1).

    Raises Unauthenticated when there is none or the token is not good. Call it in a thread: it may fetch the issuer's keys over HTTP,
    once in a while, and it checks a signature.
    """
    if not header or header[: len(_SCHEME)].lower() != _SCHEME:
        raise Unauthenticated
    return verifier().verify(header[len(_SCHEME) :].strip(" "))


@cache
def verifier() -> Verifier:
    """The process's verifier, built on first use from the `OIDC_` settings. Raises ValueError when they are missing or wrong."""
    return Verifier(
        issuer=settings.OIDC_ISSUER,
        audience=settings.OIDC_AUDIENCE,
        claims=claim_map(settings.OIDC_CLAIMS),
        keys=_keys(),
    )


def issuer_is_embedded() -> bool:
    """Whether the issuer is this very web service: `OIDC_ISSUER` is our own `PUBLIC_URL`."""
    return bool(settings.OIDC_ISSUER) and settings.OIDC_ISSUER == settings.PUBLIC_URL


def _keys() -> KeySet:
    """The embedded issuer's keys are read where they lie: a process that asked itself over HTTP could wait for itself for ever."""
    if issuer_is_embedded():
        from goalgraph.adapters.local.issuer_keys import signing_keys

        return signing_keys()
    return RemoteKeys(settings.OIDC_ISSUER)


def _forget(*, setting: str, **_: Any) -> None:
    if setting.startswith(("OIDC_", "ISSUER_", "PUBLIC_URL")):
        verifier.cache_clear()


setting_changed.connect(_forget)
