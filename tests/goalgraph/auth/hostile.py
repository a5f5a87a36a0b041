"""Tokens that must be refused, by name. Each starts from what the issuer would sign and is wrong in one respect only."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm, RSAAlgorithm, RSAPSSAlgorithm

from tests.goalgraph.auth.issuer import FakeIssuer, b64, encode, rsa_key

Forge = Callable[[FakeIssuer], Any]
HOSTILE: dict[str, Forge] = {}


def hostile(name: str) -> Callable[[Forge], Forge]:
    def keep(forge: Forge) -> Forge:
        assert name not in HOSTILE
        HOSTILE[name] = forge
        return forge

    return keep


def _segments(token: str) -> list[str]:
    return token.split(".")


def _hmac(issuer: FakeIssuer, secret: bytes, alg: str = "HS256") -> str:
    signed = f"{encode(issuer.header(alg=alg))}.{encode(issuer.claims())}"
    return f"{signed}.{b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def _public(issuer: FakeIssuer, encoding: serialization.Encoding, form: serialization.PublicFormat) -> bytes:
    return list(issuer.keys.values())[-1].public_key().public_bytes(encoding, form)


# The algorithm.
for _alg in ("none", "None", "NONE", "nOnE", "", "none "):
    HOSTILE[f"alg {_alg!r}, no signature"] = lambda i, alg=_alg: f"{encode(i.header(alg=alg))}.{encode(i.claims())}."
    HOSTILE[f"alg {_alg!r}, signed"] = lambda i, alg=_alg: i.sign(i.header(alg=alg), i.claims())
for _alg in ("RS512", "RS384", "PS256", "HS256", "ES256", "EdDSA", "rs256", "RS256 ", None, 256, ["RS256"], {"RS256": 1}, ...):
    HOSTILE[f"alg {'missing' if _alg is ... else repr(_alg)} over an RS256 signature"] = lambda i, alg=_alg: i.sign(
        i.header(alg=alg), i.claims()
    )

HOSTILE |= {
    "RS512, truly signed": lambda i: i.sign(i.header(alg="RS512"), i.claims(), by=RSAAlgorithm(RSAAlgorithm.SHA512)),
    "RS384, truly signed": lambda i: i.sign(i.header(alg="RS384"), i.claims(), by=RSAAlgorithm(RSAAlgorithm.SHA384)),
    "PS256, truly signed": lambda i: i.sign(i.header(alg="PS256"), i.claims(), by=RSAPSSAlgorithm(RSAPSSAlgorithm.SHA256)),
    "RS256 in the header, PS256 signature": lambda i: i.sign(i.header(), i.claims(), by=RSAPSSAlgorithm(RSAPSSAlgorithm.SHA256)),
    "RS256 in the header, SHA-512 signature": lambda i: i.sign(i.header(), i.claims(), by=RSAAlgorithm(RSAAlgorithm.SHA512)),
    "HS256 with the public key as PEM": lambda i: _hmac(
        i, _public(i, serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    ),
    "HS256 with the public key as PKCS#1 PEM": lambda i: _hmac(i, _public(i, serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)),
    "HS256 with the public key as DER": lambda i: _hmac(
        i, _public(i, serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ),
    "HS256 with the public key as JWK": lambda i: _hmac(i, json.dumps(i.jwk("key-0")).encode()),
    "HS256 with the modulus": lambda i: _hmac(i, i.jwk("key-0")["n"].encode()),
    "HS256 with an empty secret": lambda i: _hmac(i, b""),
    "RS256 in the header, HMAC signature": lambda i: _hmac(
        i, _public(i, serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo), "RS256"
    ),
    "ES256 by a key of the caller's": lambda i: i.sign(
        i.header(alg="ES256"), i.claims(), by=ECAlgorithm(ECAlgorithm.SHA256), key=ec.generate_private_key(ec.SECP256R1())
    ),
    "ES256 with a signature of zeros": lambda i: f"{encode(i.header(alg='ES256'))}.{encode(i.claims())}.{b64(bytes(64))}",
}

# The key id.
for _kid in (..., None, 0, 1, -1, 1.5, True, "", [], ["key-0"], {}, "KEY-0", "key-0 ", "key-0\x00", "key-0\n", "../../../../dev/null"):
    HOSTILE[f"kid {'missing' if _kid is ... else repr(_kid)}"] = lambda i, kid=_kid: i.sign(i.header(kid=kid), i.claims())
HOSTILE |= {
    "kid a path on disk": lambda i: i.sign(i.header(kid="/dev/null"), i.claims()),
    "kid an SQL injection": lambda i: i.sign(i.header(kid="x' UNION SELECT 'key-0"), i.claims()),
    "kid an address": lambda i: i.sign(i.header(kid=f"{i.url}/keys"), i.claims()),
    "kid of 7,000 characters": lambda i: i.sign(i.header(kid="k" * 7000), i.claims()),
    "unknown kid": lambda i: i.sign(i.header(kid="somebody-else"), i.claims()),
    "wrong key under a known kid": lambda i: i.sign(i.header(), i.claims(), key=rsa_key(9)),
}


# Keys brought along, and members that change the meaning of the rest.
def _own_jwk(issuer: FakeIssuer) -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(rsa_key(9).public_key(), as_dict=True), "kid": "key-0", "use": "sig"}


for _name, _value in {
    "jwk": _own_jwk,
    "jku": lambda i: f"{i.url}/keys",
    "x5u": lambda i: f"{i.url}/certificate",
    "x5c": lambda i: [b64(b"certificate")],
    "crit": lambda i: ["exp"],
    "cty": lambda i: "JWT",
    "zip": lambda i: "DEF",
    "enc": lambda i: "A256GCM",
    "b64": lambda i: True,
    "kid2": lambda i: "key-0",
}.items():
    HOSTILE[f"{_name} in the header, by the caller's key"] = lambda i, n=_name, v=_value: i.sign(
        i.header(**{n: v(i)}), i.claims(), key=rsa_key(9)
    )
    HOSTILE[f"{_name} in the header, by the issuer's key"] = lambda i, n=_name, v=_value: i.sign(i.header(**{n: v(i)}), i.claims())
HOSTILE |= {
    "crit empty": lambda i: i.sign(i.header(crit=[]), i.claims()),
    "crit unknown": lambda i: i.sign(i.header(crit=["hello"], hello=True), i.claims()),
    "b64=false, payload not encoded": lambda i: i.sign(i.header(b64=False, crit=["b64"]), i.claims()),
    "b64=false, payload detached": lambda i: "..".join(_segments(i.sign(i.header(b64=False, crit=["b64"]), i.claims()))[::2]),
    "typ of another kind": lambda i: i.sign(i.header(typ="dpop+jwt"), i.claims()),
    "typ no string": lambda i: i.sign(i.header(typ=["JWT"]), i.claims()),
}

# The claims.
for _name in ("exp", "iat", "iss", "sub"):
    HOSTILE[f"no {_name}"] = lambda i, n=_name: i.token(**{n: ...})
HOSTILE["no aud and no client_id"] = lambda i: i.token(aud=..., client_id=...)
for _name in ("exp", "iat", "nbf"):
    for _label, _bad in {
        "a string": "9999999999",
        "null": None,
        "true": True,
        "a list": [9999999999],
        "negative": -1,
        "zero": 0,
        "beyond all time": 10**30,
    }.items():
        HOSTILE[f"{_name} {_label}"] = lambda i, n=_name, b=_bad: i.token(**{n: b})
for _label, _literal in {"NaN": "NaN", "Infinity": "Infinity", "1e999": "1e999", "of 5,000 digits": "9" * 5000}.items():
    HOSTILE[f"exp {_label}"] = lambda i, x=_literal: i.sign(i.header(), json.dumps(i.claims(exp=12345)).replace("12345", x))
for _label, _aud in {
    "another": "somebody-else",
    "a list without ours": ["a", "b"],
    "an empty list": [],
    "empty": "",
    "null": None,
    "a prefix of ours": "goal",
    "ours with a suffix": "goalgraph.evil",
    "in capitals": "GOALGRAPH",
    "a number": 1,
    "an object": {"goalgraph": 1},
    "a list with ours and a number": ["goalgraph", 1],
    "a list of lists": [["goalgraph"]],
}.items():
    HOSTILE[f"aud {_label}"] = lambda i, aud=_aud: i.token(aud=aud)
HOSTILE |= {
    "aud another, client_id ours": lambda i: i.token(aud="somebody-else", client_id="goalgraph"),
    "client_id another, no aud": lambda i: i.token(aud=...),
    "iss with a trailing slash": lambda i: i.token(iss=i.url + "/"),
    "iss a prefix": lambda i: i.token(iss=i.url[:-1]),
    "iss with a suffix": lambda i: i.token(iss=i.url + ".evil.example"),
    "iss https instead of http": lambda i: i.token(iss=i.url.replace("http:", "https:")),
    "iss a list": lambda i: i.token(iss=[i.url]),
    "iss null": lambda i: i.token(iss=None),
    "expired a minute ago": lambda i: i.token(exp=int(time.time()) - 60),
    "expired a second ago": lambda i: i.token(exp=int(time.time()) - 1),
    "iat in a minute": lambda i: i.token(iat=int(time.time()) + 60),
    "iat tomorrow": lambda i: i.token(iat=int(time.time()) + 86_400, exp=int(time.time()) + 90_000),
    "nbf in a minute": lambda i: i.token(nbf=int(time.time()) + 60),
    "exp in milliseconds": lambda i: i.token(exp=int(time.time()) * 1000),
    "sub twice": lambda i: i.sign(i.header(), json.dumps(i.claims())[:-1] + ', "sub": "bruno"}'),
    "exp twice": lambda i: i.sign(i.header(), json.dumps(i.claims())[:-1] + ', "exp": 9999999999}'),
    "alg twice": lambda i: i.sign(json.dumps(i.header())[:-1] + ', "alg": "RS256"}', i.claims()),
    "kid twice": lambda i: i.sign(json.dumps(i.header())[:-1] + ', "kid": "key-0"}', i.claims()),
    "tenant with a separator": lambda i: i.token(tenant="acme#USER"),
    "tenant empty": lambda i: i.token(tenant=""),
    "tenant a number": lambda i: i.token(tenant=7),
}
for _label, _sub in {
    "with #": "ana#PROFILE",
    "with NUL": "ana\x00",
    "with a newline at its end": "ana\n",
    "with a space": "ana bruno",
    "with a slash": "ana/bruno",
    "of Cyrillic look-alikes": "\u0430n\u0430",
    "full width": "\uff41na",
    "with a surrogate": "ana\ud800",
    "empty": "",
    "of dots": "..",
    "of 129 characters": "a" * 129,
    "a number": 7,
    "null": None,
    "a list": ["ana"],
    "an object": {"sub": "ana"},
    "true": True,
    "the platform itself": "system",
}.items():
    HOSTILE[f"sub {_label}"] = lambda i, sub=_sub: i.token(sub=sub)

# ID tokens and other tokens of the same issuer.
HOSTILE |= {
    "id token": lambda i: i.token(token_use=..., scope=..., client_id=..., nonce="n", at_hash="h", aud="goalgraph"),
    "id token that says so": lambda i: i.token(token_use="id"),
    "id token without nonce": lambda i: i.token(token_use=..., scope=..., client_id=...),
    "id token with the typ of an access token": lambda i: i.sign(i.header(typ="at+jwt"), i.claims(token_use=..., nonce="n")),
    "id token whose typ and token_use differ": lambda i: i.sign(i.header(typ="at+jwt"), i.claims(token_use="id")),
    "access token with nonce": lambda i: i.token(nonce="n"),
    "access token with at_hash": lambda i: i.token(at_hash="h"),
    "refresh token": lambda i: i.token(token_use="refresh"),
    "token_use a list": lambda i: i.token(token_use=["access"]),
}


# The form.
def _swapped(issuer: FakeIssuer) -> str:
    head, _, signature = _segments(issuer.token())
    return f"{head}.{encode(issuer.claims(sub='bruno'))}.{signature}"


def _flipped(issuer: FakeIssuer) -> str:
    """Only the unused bits of the last character differ, so a careless decoder sees the same bytes."""
    token = issuer.token()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


def _json_form(issuer: FakeIssuer) -> str:
    head, body, signature = _segments(issuer.token())
    return json.dumps({"protected": head, "payload": body, "signature": signature})


HOSTILE |= {
    "payload swapped": _swapped,
    "last bits of the signature flipped": _flipped,
    "signature stripped": lambda i: i.token().rpartition(".")[0] + ".",
    "signature and its dot stripped": lambda i: i.token().rpartition(".")[0],
    "signature of another token": lambda i: ".".join([*_segments(i.token())[:2], _segments(i.token(jti="2"))[2]]),
    "signature padded": lambda i: i.token() + "==",
    "signature with junk": lambda i: i.token() + "!!",
    "signature with a newline": lambda i: i.token() + "\n",
    "signature in the middle wrapped": lambda i: i.token()[:-20] + "\n" + i.token()[-20:],
    "standard base64": lambda i: i.token().replace("-", "+").replace("_", "/") + "+/",
    "no dots": lambda i: i.token().replace(".", ""),
    "one dot": lambda i: i.token().replace(".", "", 1),
    "four segments": lambda i: i.token() + ".e30",
    "empty fourth segment": lambda i: i.token() + ".",
    "leading dot": lambda i: "." + i.token(),
    "two dots only": lambda i: "..",
    "five segments as a JWE": lambda i: ".".join([encode({"alg": "dir", "enc": "A256GCM"}), "", b64(b"iv"), b64(b"text"), b64(b"tag")]),
    "five segments over a true token": lambda i: i.token() + ".e30.e30",
    "nested token": lambda i: i.sign(i.header(cty="JWT"), i.token()),
    "nested token without cty": lambda i: i.sign(i.header(), i.token()),
    "JSON serialisation": _json_form,
    "1 MB of payload": lambda i: i.token(padding="x" * 1_000_000),
    "9 KB of payload": lambda i: i.token(padding="x" * 9_000),
    "1 MB of dots": lambda i: "." * 1_000_000,
    "1 MB of one segment": lambda i: "e" * 1_000_000,
    "empty": lambda i: "",
    "a space before": lambda i: " " + i.token(),
    "unicode digits": lambda i: i.token().replace("1", "\u0661"),
    "a zero-width space": lambda i: i.token() + "\u200b",
    "a lone surrogate": lambda i: i.token() + "\ud800",
    "NUL at the end": lambda i: i.token() + "\x00",
    "two tokens": lambda i: f"{i.token()} {i.token()}",
    "with the scheme": lambda i: "Bearer " + i.token(),
    "bytes": lambda i: i.token().encode(),
    "None": lambda i: None,
    "a number": lambda i: 7,
    "header no JSON": lambda i: i.sign("alg=RS256", i.claims()),
    "header a list": lambda i: i.sign([i.header()], i.claims()),
    "header nested beyond all depth": lambda i: i.sign("[" * 3000, i.claims()),
    "header not UTF-8": lambda i: i.sign(b"\xff\xfe", i.claims()),
    "payload no JSON": lambda i: i.sign(i.header(), "sub=ana"),
    "payload a list": lambda i: i.sign(i.header(), [i.claims()]),
    "payload a string": lambda i: i.sign(i.header(), '"ana"'),
    "payload null": lambda i: i.sign(i.header(), "null"),
    "payload empty": lambda i: i.sign(i.header(), b" "),
    "payload nested beyond all depth": lambda i: i.sign(i.header(), '{"a":' + "[" * 3000),
    "payload not UTF-8": lambda i: i.sign(i.header(), b'{"sub":"\xff"}'),
    "payload in UTF-16": lambda i: i.sign(i.header(), json.dumps(i.claims()).encode("utf-16")),
    "payload with a second object": lambda i: i.sign(i.header(), json.dumps(i.claims()) + "{}"),
}
