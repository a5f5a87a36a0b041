"""Each kind of issuer: its access token is understood, and the other tokens it signs are refused."""

from typing import Any

import pytest

from goalgraph.auth.actor import Actor
from goalgraph.auth.claims import CLAIM_MAPS, claim_map
from goalgraph.auth.jwks import RemoteKeys
from goalgraph.auth.verifier import Verifier
from goalgraph.errors import Unauthenticated
from tests.goalgraph.auth.issuer import FakeIssuer

SUB = "0b1f7c5e-7f7b-4f52-8d8b-4a55f0f2f9b1"
PLAIN: dict[str, Any] = {"client_id": ..., "token_use": ..., "scope": ..., "tier": ..., "email": ..., "sub": SUB}

ACCESS: dict[str, dict[str, Any]] = {
    "embedded": {"token_use": "access", "aud": "web", "scope": "openid", "tier": "premium", "entitlements": ["coach"], "tenant": "acme"},
    "cognito": {
        "token_use": "access",
        "aud": ...,
        "client_id": "web",
        "scope": "openid",
        "username": SUB,
        "tier": "premium",
        "cognito:groups": ["coach"],
        "tenant": "acme",
    },
    "firebase": {
        "aud": "web",
        "user_id": SUB,
        "auth_time": 1,
        "firebase": {"identities": {}, "sign_in_provider": "password", "tenant": "acme"},
        "tier": "premium",
        "entitlements": ["coach"],
    },
    "entra": {
        "aud": "web",
        "ver": "2.0",
        "oid": SUB,
        "sub": "_pairwise",
        "tid": "acme",
        "scp": "openid",
        "roles": ["coach"],
        "tier": "premium",
    },
}
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "embedded: id token": ("embedded", {"aud": "web", "auth_time": 1}),
    "cognito: id token": ("cognito", {"token_use": "id", "aud": "web", "cognito:username": "ana"}),
    "cognito: without token_use": ("cognito", {"aud": "web", "scope": "openid"}),
    "cognito: access token of another app": ("cognito", ACCESS["cognito"] | {"client_id": "other"}),
    "cognito: id token for us, access token for another": ("cognito", ACCESS["cognito"] | {"client_id": "web", "aud": "other"}),
    "firebase: custom token": ("firebase", {"aud": "web", "uid": SUB}),
    "firebase: claim of the wrong kind": ("firebase", ACCESS["firebase"] | {"firebase": "yes"}),
    "firebase: another project": ("firebase", ACCESS["firebase"] | {"aud": "other"}),
    "entra: id token": ("entra", {"aud": "web", "ver": "2.0", "oid": SUB, "tid": "acme", "preferred_username": "ana"}),
    "entra: id token with nonce": ("entra", ACCESS["entra"] | {"nonce": "n"}),
    "entra: an application's own token": ("entra", {"aud": "web", "ver": "2.0", "oid": SUB, "tid": "acme", "idtyp": "app", "roles": ["x"]}),
    "entra: empty scp": ("entra", ACCESS["entra"] | {"scp": " "}),
    "entra: version 1": ("entra", ACCESS["entra"] | {"ver": "1.0"}),
    "entra: without oid": ("entra", ACCESS["entra"] | {"oid": ...}),
}


def verifier_for(kind: str, issuer: FakeIssuer) -> Verifier:
    return Verifier(issuer=issuer.url, audience=["web"], claims=claim_map(kind), keys=RemoteKeys(issuer.url))


@pytest.mark.parametrize("kind", CLAIM_MAPS)
def test_the_access_token_of_each_issuer_is_understood(kind: str, issuer: FakeIssuer) -> None:
    claims = issuer.claims(**PLAIN | ACCESS[kind])
    actor = verifier_for(kind, issuer).verify(issuer.token(claims))
    assert actor == Actor(
        user_id=SUB,
        tenant_id="acme",
        tier="premium",
        entitlements=frozenset({"coach"}),
        scopes=frozenset() if kind == "firebase" else frozenset({"openid"}),
        expires_at=claims["exp"],
    )


@pytest.mark.parametrize("name", OTHERS)
def test_other_tokens_of_the_issuer_are_refused(name: str, issuer: FakeIssuer) -> None:
    kind, claims = OTHERS[name]
    verifier = verifier_for(kind, issuer)
    with pytest.raises(Unauthenticated):
        verifier.verify(issuer.token(**PLAIN | claims))
    assert verifier.verify(issuer.token(**PLAIN | ACCESS[kind])).user_id == SUB


def test_what_a_cognito_member_can_write_grants_nothing(issuer: FakeIssuer) -> None:
    claims = ACCESS["cognito"] | {"tier": ..., "tenant": ..., "custom:tier": "premium", "custom:tenant": "acme", "cognito:groups": ...}
    actor = verifier_for("cognito", issuer).verify(issuer.token(**PLAIN | claims))
    assert (actor.tier, actor.tenant_id, actor.entitlements) == ("free", None, frozenset())


def test_an_unknown_kind_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="'okta'; it can be embedded, cognito, firebase, entra"):
        claim_map("okta")
