import json
import threading
import time
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.auth.actor import Actor
from goalgraph.auth.claims import ClaimMap
from goalgraph.auth.jwks import RemoteKeys, parse_keys
from goalgraph.auth.verifier import MAX_TOKEN, Verifier
from goalgraph.errors import Unauthenticated
from tests.goalgraph.auth.conftest import Seconds
from tests.goalgraph.auth.hostile import HOSTILE
from tests.goalgraph.auth.issuer import AUDIENCE, FakeIssuer, b64, encode


def refused(verifier: Verifier, token: Any) -> bool:
    try:
        verifier.verify(token)
    except Unauthenticated as error:
        told = (error.message, error.field, error.__cause__)
    else:
        return False
    assert told == (Unauthenticated.default_message, None, None)
    return True


def test_a_valid_token_becomes_its_actor(issuer: FakeIssuer, verifier: Verifier) -> None:
    claims = issuer.claims(tenant="acme", entitlements=["coach", "boost"])
    assert verifier.verify(issuer.token(claims)) == Actor(
        user_id="ana",
        tenant_id="acme",
        tier="premium",
        entitlements=frozenset({"coach", "boost"}),
        scopes=frozenset({"openid", "goalgraph"}),
        email="ana@example.com",
        expires_at=claims["exp"],
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_token_is_refused_and_the_valid_one_still_accepted(name: str, issuer: FakeIssuer, verifier: Verifier) -> None:
    hostile = HOSTILE[name](issuer)
    assert refused(verifier, hostile)
    assert verifier.verify(issuer.token()).user_id == "ana"
    assert refused(verifier, hostile)
    assert issuer.key_fetches <= 2


def test_the_hostile_tokens_are_many_and_distinct(issuer: FakeIssuer) -> None:
    assert len(HOSTILE) >= 36
    assert len({repr(forge(issuer)) for forge in HOSTILE.values()}) >= len(HOSTILE) - 2


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["somebody-else", AUDIENCE]},
        {"aud": ..., "client_id": AUDIENCE},
        {"iat": 1_700_000_000.5},
        {"nbf": 1},
        {"sub": "a" * 128},
        {"sub": "auth0:5f7c8ec7-c33c@x.y+z"},
        {"tier": ...},
        {"email": ...},
        {"scope": ...},
    ],
    ids=repr,
)
def test_variants_of_a_valid_token_are_accepted(changes: dict[str, Any], issuer: FakeIssuer, verifier: Verifier) -> None:
    assert verifier.verify(issuer.token(**changes)).user_id == changes.get("sub", "ana")


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "AT+JWT"])
def test_the_type_of_rfc_9068_marks_an_access_token(typ: str, issuer: FakeIssuer, verifier: Verifier) -> None:
    assert verifier.verify(issuer.sign(issuer.header(typ=typ), issuer.claims(token_use=...))).user_id == "ana"


def test_an_es256_key_is_accepted(issuer: FakeIssuer, verifier: Verifier) -> None:
    issuer.keys["curve"] = ec.generate_private_key(ec.SECP256R1())
    assert verifier.verify(issuer.sign(issuer.header(alg="ES256"), issuer.claims())).user_id == "ana"
    assert refused(verifier, issuer.sign(issuer.header(alg="RS256"), issuer.claims(jti="2")))


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"tier": "platinum"}, "tier", "free"),
        ({"tier": ["premium"]}, "tier", "free"),
        ({"tier": True}, "tier", "free"),
        ({"entitlements": "coach"}, "entitlements", {"coach"}),
        ({"entitlements": [1, "coach", "a#b", None]}, "entitlements", {"coach"}),
        ({"entitlements": {"coach": True}}, "entitlements", set()),
        ({"scope": ["goalgraph", 1]}, "scopes", {"goalgraph"}),
        ({"scope": "goalgraph system"}, "scopes", {"goalgraph"}),
        ({"scope": 'a"b  c\\d e'}, "scopes", {"e"}),
        ({"email_verified": "true"}, "email", "ana@example.com"),
        ({"email_verified": False}, "email", None),
        ({"email_verified": "false"}, "email", None),
        ({"email_verified": "yes"}, "email", None),
        ({"email_verified": [True]}, "email", None),
        ({"email_verified": ...}, "email", None),
        ({"email": "no address"}, "email", None),
        ({"email": ["ana@example.com"]}, "email", None),
        ({"email": "a@b\r\nX: y"}, "email", None),
        ({"email": "a" * 300 + "@example.com"}, "email", None),
        ({"tenant": None}, "tenant_id", None),
    ],
)
def test_a_malformed_fact_grants_nothing(
    changes: dict[str, Any], field: str, value: object, issuer: FakeIssuer, verifier: Verifier
) -> None:
    assert getattr(verifier.verify(issuer.token(**changes)), field) == value


def test_a_token_that_is_as_large_as_allowed_is_accepted(issuer: FakeIssuer, verifier: Verifier) -> None:
    small = len(issuer.token(padding=""))
    padding = (MAX_TOKEN - small) * 3 // 4 - 4
    token = issuer.token(padding="x" * padding)
    assert MAX_TOKEN - 16 < len(token) <= MAX_TOKEN
    assert verifier.verify(token).user_id == "ana"


def test_a_remembered_token_ends_with_its_exp(issuer: FakeIssuer, keys: RemoteKeys) -> None:
    now = [time.time()]
    verifier = Verifier(issuer=issuer.url, audience=[AUDIENCE], claims=ClaimMap(), keys=keys, clock=lambda: now[0])
    token = issuer.token(exp=int(now[0]) + 10)
    assert verifier.verify(token) is verifier.verify(token)
    now[0] += 11
    assert refused(verifier, token)


def test_a_remembered_token_ends_with_its_key(issuer: FakeIssuer, verifier: Verifier, seconds: Seconds) -> None:
    token = issuer.token()
    assert verifier.verify(token) is verifier.verify(token)
    issuer.rotate(keep=False)
    seconds.now += 301
    assert refused(verifier, token)


def test_a_remembered_token_does_not_vouch_for_another_key_of_the_same_id(issuer: FakeIssuer, verifier: Verifier, seconds: Seconds) -> None:
    token = issuer.token()
    verifier.verify(token)
    issuer.rotate(keep=False)
    issuer.keys = {"key-0": issuer.keys.popitem()[1]}
    seconds.now += 301
    assert refused(verifier, token)


def test_what_is_remembered_is_bounded(issuer: FakeIssuer, keys: RemoteKeys) -> None:
    verifier = Verifier(issuer=issuer.url, audience=[AUDIENCE], claims=ClaimMap(), keys=keys, remember=3)
    tokens = [issuer.token(jti=str(n)) for n in range(5)]
    first = [verifier.verify(token) for token in tokens]
    again = [verifier.verify(token) for token in reversed(tokens)][::-1]
    assert again == first
    assert [a is b for a, b in zip(first, again, strict=True)] == [False, False, True, True, True]


def test_many_threads_agree(issuer: FakeIssuer, verifier: Verifier) -> None:
    tokens = [issuer.token(sub=f"user-{n}") for n in range(20)]
    wrong: list[object] = []

    def work() -> None:
        for _ in range(10):
            for n, token in enumerate(tokens):
                if verifier.verify(token).user_id != f"user-{n}":
                    wrong.append(n)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert (issuer.discoveries, issuer.key_fetches) == (1, 1)


def test_the_reason_is_logged_and_the_token_is_not(issuer: FakeIssuer, verifier: Verifier, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "goalgraph.auth")
    token = issuer.token(aud="secret-audience", sub="secret-sub")
    assert refused(verifier, token)
    (record,) = [record for record in caplog.records if record.name == "goalgraph.auth.verifier"]
    assert record.data == {"reason": "aud"}  # type: ignore[attr-defined]
    assert "secret" not in repr(vars(record))
    assert token[:20] not in repr(vars(record))


def test_an_actor_cannot_be_changed(issuer: FakeIssuer, verifier: Verifier) -> None:
    actor = verifier.verify(issuer.token())
    with pytest.raises(FrozenInstanceError):
        actor.tier = "premium"  # type: ignore[misc]


@pytest.mark.parametrize(("issuer_name", "audience"), [("", ["a"]), ("https://id.example", []), ("https://id.example", "goalgraph")])
def test_a_verifier_without_issuer_or_audience_is_not_built(issuer_name: str, audience: Any, keys: RemoteKeys) -> None:
    with pytest.raises(ValueError, match="needs an issuer"):
        Verifier(issuer=issuer_name, audience=audience, claims=ClaimMap(), keys=keys)


class Published:
    """A key set that needs no network, for property tests."""

    def __init__(self, issuer: FakeIssuer) -> None:
        self._keys = parse_keys({"keys": [issuer.jwk(kid) for kid in issuer.keys]})

    def find(self, kid: str) -> Any:
        return self._keys.get(kid)


@pytest.fixture(scope="module")
def signer() -> Any:
    issuer = FakeIssuer()
    yield issuer
    issuer.close()


@pytest.fixture(scope="module")
def offline(signer: FakeIssuer) -> Verifier:
    return Verifier(issuer=signer.url, audience=[AUDIENCE], claims=ClaimMap(), keys=Published(signer))


segments = st.one_of(
    st.binary(max_size=60).map(b64),
    st.text(max_size=60),
    st.recursive(st.none() | st.text() | st.integers() | st.floats(), st.lists).map(encode),
)


@given(token=st.one_of(st.text(), st.lists(segments, min_size=1, max_size=6).map(".".join)))
def test_no_text_makes_it_fail_otherwise_than_unauthenticated(token: str, offline: Verifier) -> None:
    assert refused(offline, token)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=5
)


@given(name=st.sampled_from(["alg", "kid", "typ", "jwk", "crit", "b64", "x5c"]), value=json_values)
def test_no_header_makes_it_fail_otherwise_than_unauthenticated(name: str, value: object, signer: FakeIssuer, offline: Verifier) -> None:
    header = signer.header(**{name: value})
    good = json.dumps(header) == json.dumps(signer.header()) or str(value).lower() in {"jwt", "at+jwt", "application/at+jwt"}
    assert refused(offline, signer.sign(header, signer.claims())) is not good


@given(
    name=st.sampled_from(["exp", "iat", "nbf", "iss", "aud", "sub", "scope", "tier", "tenant", "entitlements", "email", "token_use"]),
    value=json_values,
)
def test_no_claim_makes_it_fail_otherwise_than_unauthenticated(name: str, value: object, signer: FakeIssuer, offline: Verifier) -> None:
    try:
        actor = offline.verify(signer.token(**{name: value}))
    except Unauthenticated:
        return
    assert actor.tier in {"free", "premium"}
    assert actor.user_id.isascii()
    assert "#" not in actor.user_id + (actor.tenant_id or "")
    assert "system" not in actor.scopes


@given(data=st.data())
def test_one_changed_character_anywhere_is_refused(data: st.DataObject, signer: FakeIssuer, offline: Verifier) -> None:
    token = signer.token()
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(max_codepoint=0x17F).filter(lambda c: c != token[at]))
    assert refused(offline, token[:at] + other + token[at + 1 :])
