"""How issuers spell what we need to know: one `ClaimMap` per kind of issuer, chosen by `OIDC_CLAIMS`.

Only claims that a member cannot write grant anything. That is why Cognito's `custom:*` attributes are not read: a user pool may let members
change their own.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.ids import is_id

Claims = Mapping[str, Any]
Header = Mapping[str, Any]
Path = tuple[str, ...]
"""Where a claim is: one name, or several for a claim within a claim. Empty: the issuer has no such claim."""

TIERS = ("free", "premium")
_ID_TOKEN_ONLY = frozenset({"nonce", "at_hash", "c_hash", "s_hash"})
_ACCESS_TOKEN_TYPES = frozenset({"at+jwt", "application/at+jwt"})
_SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,128}", re.ASCII)
_MAX_NAMES = 64
_MAX_EMAIL = 254
_VERIFIED = (True, "true")
"""Some issuers, such as Cognito, write booleans as strings."""


def is_marked_access_token(header: Header, claims: Claims) -> bool:
    """By the header `typ` of RFC 9068, section 2.1, or by `token_use`, which django-allauth and Cognito set."""
    use = claims.get("token_use")
    if use is not None:
        return bool(use == "access")
    return str(header.get("typ", "")).lower() in _ACCESS_TOKEN_TYPES


def is_cognito_access_token(_: Header, claims: Claims) -> bool:
    """https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html"""
    return bool(claims.get("token_use") == "access")


def is_firebase_token(_: Header, claims: Claims) -> bool:
    """Firebase has no access tokens: its ID token is what backends are sent, and the `firebase` claim tells it.

    https://firebase.google.com/docs/auth/admin/verify-id-tokens
    """
    return isinstance(claims.get("firebase"), dict)


def is_entra_access_token(_: Header, claims: Claims) -> bool:
    """`scp` is in delegated access tokens only: neither in ID tokens nor in an application's own tokens.

    https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference
    """
    return claims.get("ver") == "2.0" and isinstance(claims.get("scp"), str) and bool(claims["scp"].strip())


@dataclass(frozen=True, slots=True)
class ClaimMap:
    """Where an issuer puts each fact about the member, and how its access tokens differ from its ID tokens."""

    user_id: Path = ("sub",)
    tenant: Path = ("tenant",)
    tier: Path = ("tier",)
    entitlements: Path = ("entitlements",)
    scope: Path = ("scope",)
    email: Path = ("email",)
    email_verified: Path = ("email_verified",)
    """Whether the issuer saw that the address is the member's (OpenID Connect Core, section 5.1)."""
    is_access_token: Callable[[Header, Claims], bool] = is_marked_access_token

    def actor(self, claims: Claims) -> Actor:
        """The `Actor` of verified `claims`. Raises ValueError when the user or tenant id is not an allowed id.

        A tier, scope or entitlement that is malformed grants nothing; it is no reason to turn the member away. An e-mail address that the
        issuer does not say is verified is left out: anybody may have written it.
        """
        user_id, tenant = _at(claims, self.user_id), _at(claims, self.tenant)
        if not is_id(user_id) or user_id == SYSTEM.user_id:
            raise ValueError("the user id is not allowed")
        if tenant is not None and not is_id(tenant):
            raise ValueError("the tenant id is not allowed")
        tier = _at(claims, self.tier)
        return Actor(
            user_id=user_id,
            tenant_id=tenant,
            tier=tier if tier in TIERS else "free",
            entitlements=frozenset(filter(is_id, _names(_at(claims, self.entitlements)))),
            scopes=frozenset(filter(_SCOPE.fullmatch, _names(_at(claims, self.scope)))) - SYSTEM.scopes - {"staff"},
            email=_email(_at(claims, self.email)) if _at(claims, self.email_verified) in _VERIFIED else None,
            expires_at=int(claims["exp"]),
        )


def claims_an_id_token_has(claims: Claims) -> frozenset[str]:
    """The claims in `claims` that OpenID Connect Core (sections 2 and 3.3.2.11) gives to ID tokens alone."""
    return _ID_TOKEN_ONLY & claims.keys()


def _at(claims: Claims, path: Path) -> Any:
    value: Any = claims if path else None
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _email(value: object) -> str | None:
    return value if isinstance(value, str) and "@" in value and len(value) <= _MAX_EMAIL and value.isprintable() else None


def _names(value: object) -> list[str]:
    """A space-separated string (RFC 6749, section 3.3) or a list of strings, whichever the issuer uses."""
    names = value.split(" ") if isinstance(value, str) else value if isinstance(value, list) else []
    return [name for name in names[:_MAX_NAMES] if isinstance(name, str)]


CLAIM_MAPS = {
    "embedded": ClaimMap(),
    # Tier and tenant come from a pre-token-generation trigger (V2), which alone can write them.
    "cognito": ClaimMap(entitlements=("cognito:groups",), is_access_token=is_cognito_access_token),
    "firebase": ClaimMap(tenant=("firebase", "tenant"), scope=(), is_access_token=is_firebase_token),
    # `sub` differs per application in Entra; `oid` is the person.
    "entra": ClaimMap(user_id=("oid",), tenant=("tid",), entitlements=("roles",), scope=("scp",), is_access_token=is_entra_access_token),
}


def claim_map(name: str) -> ClaimMap:
    """The map called `name` in `OIDC_CLAIMS`. Raises ValueError, naming those there are."""
    try:
        return CLAIM_MAPS[name]
    except KeyError:
        raise ValueError(f"OIDC_CLAIMS is {name!r}; it can be {', '.join(CLAIM_MAPS)}") from None
