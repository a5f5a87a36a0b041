"""The embedded issuer: django-allauth's OpenID provider, taught what GoalGraph's access tokens hold, and its demo identities.

A member's subject (`sub`) is their username.
"""

import time
import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import jwt
from allauth.account.models import EmailAddress
from allauth.idp.oidc.adapter import DefaultOIDCAdapter
from allauth.idp.oidc.internal.private_keys import filter_keys
from allauth.idp.oidc.models import Client, PrivateKey
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser, AbstractUser, Group
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from goalgraph.adapters.local.issuer_keys import LONGEST_TOKEN, SigningKey, signing_keys
from goalgraph.auth.access import issuer_is_embedded
from goalgraph.auth.actor import SYSTEM
from goalgraph.auth.claims import TIERS
from goalgraph.ids import is_id

CLIENT_ID = "goalgraph-web"
SCOPES = ("openid", "profile", "email", "goalgraph")
DEMO_PASSWORD = "goalgraph-demo"  # noqa: S105 - known to everybody, for local settings only
PREMIUM_GROUP = "premium"
LONGEST_MINUTES = int(LONGEST_TOKEN.total_seconds() // 60)


class IssuerAdapter(DefaultOIDCAdapter):
    """What differs from allauth's own provider: a fixed issuer name, usernames as subjects, our keys, and our claims."""

    scope_display = DefaultOIDCAdapter.scope_display | {"goalgraph": _("Use GoalGraph in your name")}

    def get_issuer(self) -> str:
        """Never from the `Host` header, which the caller chooses."""
        return str(settings.OIDC_ISSUER)

    def get_user_sub(self, client: Client, user: AbstractBaseUser) -> str:  # noqa: ARG002
        return user.get_username()

    def get_user_by_sub(self, client: Client, sub: str) -> AbstractBaseUser | None:  # noqa: ARG002
        return get_user_model().objects.filter(username=sub, is_active=True).first()

    def populate_access_token(self, access_token: dict[str, Any], *, scopes: Iterable[str], user: AbstractBaseUser, **_kwargs: Any) -> None:
        access_token.setdefault("aud", settings.OIDC_AUDIENCE[0])
        if isinstance(user, AbstractUser):
            access_token["tier"] = "premium" if user.groups.filter(name=PREMIUM_GROUP).exists() else "free"
            if "email" in scopes and user.email:
                access_token["email"] = user.email
                access_token["email_verified"] = EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=True).exists()

    def populate_server_metadata(self, data: dict[str, Any]) -> None:
        data["scopes_supported"] = list(SCOPES)
        data["response_types_supported"] = ["code"]
        data["grant_types_supported"] = ["authorization_code", "refresh_token"]
        del data["device_authorization_endpoint"]

    def list_private_keys(self, *, did_activate: Literal[True] | None = None, is_active: Literal[True] | None = None) -> list[PrivateKey]:
        keys = [_private_key(key) for key in signing_keys().all()]
        return filter_keys(keys, did_activate=did_activate, is_active=is_active)

    def get_signing_key(self) -> PrivateKey:
        return _private_key(signing_keys().all()[0])


def _private_key(key: SigningKey) -> PrivateKey:
    return PrivateKey(pem=key.pem, issued_at=key.issued_at)


def is_local() -> bool:
    """Whether this is the embedded issuer of local or test settings: our own, over plain http. A production issuer is https."""
    return issuer_is_embedded() and urlsplit(settings.OIDC_ISSUER).scheme == "http"


def _require_local() -> None:
    if not is_local():
        raise ImproperlyConfigured(
            "tokens and users are made by command in local and test settings only, where OIDC_ISSUER is this service's own http address."
        )


def mint_access_token(
    user_id: str,
    *,
    tier: str = "free",
    tenant_id: str | None = None,
    entitlements: Collection[str] = (),
    scopes: Collection[str] = ("goalgraph",),
    minutes: int = 60,
) -> str:
    """An access token as the embedded issuer gives out, for any user id, without a sign-in. `minutes` is its life, 1 to 1440.

    Raises ValueError for arguments no token may have, ImproperlyConfigured outside local and test settings.
    """
    _require_local()
    if not is_id(user_id) or user_id == SYSTEM.user_id:
        raise ValueError("that user id is not allowed: 1 to 128 letters, digits and . _ : @ + -, starting with a letter or digit")
    if tier not in TIERS:
        raise ValueError(f"tier is one of {', '.join(TIERS)}")
    if not 1 <= minutes <= LONGEST_MINUTES:
        raise ValueError(f"minutes is 1 to {LONGEST_MINUTES}")
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": settings.OIDC_ISSUER,
        "sub": user_id,
        "aud": settings.OIDC_AUDIENCE[0],
        "client_id": CLIENT_ID,
        "iat": now,
        "exp": now + minutes * 60,
        "jti": uuid.uuid4().hex,
        "token_use": "access",
        "scope": " ".join(scopes),
        "tier": tier,
        "entitlements": sorted(entitlements),
    }
    if tenant_id is not None:
        claims["tenant"] = tenant_id
    key = signing_keys().all()[0]
    return jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": key.kid})


@dataclass(frozen=True, slots=True)
class DemoUser:
    """Somebody who can sign in at the embedded issuer and, as `staff`, at the back office; `superuser` may do everything there."""

    username: str
    email: str = ""
    tier: str = "free"
    staff: bool = False
    superuser: bool = False


@transaction.atomic
def ensure_demo_identity(users: Iterable[DemoUser], client_redirect_uris: Sequence[str]) -> None:
    """Make sure that `users` exist with the demo password, and the public client `goalgraph-web` with these redirect addresses.

    Run it as often as you like. Raises ImproperlyConfigured outside local and test settings.
    """
    _require_local()
    premium, _created = Group.objects.get_or_create(name=PREMIUM_GROUP)
    for user in users:
        _ensure_user(user, premium)
    _ensure_client(client_redirect_uris)


def _ensure_user(demo: DemoUser, premium: Group) -> None:
    facts = {"email": demo.email, "is_active": True, "is_staff": demo.staff or demo.superuser, "is_superuser": demo.superuser}
    user, _created = get_user_model().objects.update_or_create(username=demo.username, defaults=facts)
    if not user.check_password(DEMO_PASSWORD):
        user.set_password(DEMO_PASSWORD)
        user.save(update_fields=["password"])
    (user.groups.add if demo.tier == "premium" else user.groups.remove)(premium)
    if demo.email:
        EmailAddress.objects.update_or_create(user=user, email=demo.email, defaults={"verified": True, "primary": True})


def _ensure_client(redirect_uris: Sequence[str]) -> None:
    """A public client has no secret, so allauth asks it for PKCE (RFC 7636). Its origins may call the token endpoint from a browser."""
    client = Client.objects.filter(id=CLIENT_ID).first() or Client(id=CLIENT_ID)
    client.name, client.type = "GoalGraph", Client.Type.PUBLIC
    client.set_scopes(list(SCOPES))
    client.set_default_scopes(list(SCOPES))
    client.set_grant_types([Client.GrantType.AUTHORIZATION_CODE, Client.GrantType.REFRESH_TOKEN])
    client.set_response_types([Client.ResponseType.CODE])
    client.set_redirect_uris(list(redirect_uris))
    client.set_cors_origins(sorted({_origin(uri) for uri in redirect_uris if uri.startswith("http")}))
    client.full_clean()
    client.save()


def _origin(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}"
