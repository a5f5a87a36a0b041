"""The one place where an access token is believed: any OIDC issuer, by its published keys.

Follows RFC 8725 (JWT best current practices) and RFC 9068 (JWT access tokens). PyJWT checks the signature; the claims are checked here,
because PyJWT accepts numbers written as strings and duplicate members. No Django here: the Lambda authorizer uses this module.
"""

import hashlib
import json
import logging
import re
import threading
import time
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from jwt import PyJWK, PyJWS
from jwt.exceptions import PyJWTError
from jwt.utils import base64url_decode

from goalgraph.auth.actor import Actor
from goalgraph.auth.claims import ClaimMap, claims_an_id_token_has
from goalgraph.auth.jwks import ALGORITHMS, KeySet
from goalgraph.errors import Unauthenticated

logger = logging.getLogger(__name__)

MAX_TOKEN = 8 * 1024
"""Characters. Larger tokens are refused before anything looks at them."""
LEEWAY = 10.0
"""Seconds by which the issuer's clock may be ahead of ours (`iat`, `nbf`). An expired token has no leeway."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_HEADER_MEMBERS = frozenset({"alg", "kid", "typ", "x5t", "x5t#S256"})
"""All others are refused: `jwk`, `jku`, `x5u` and `x5c` bring their own key, `crit`, `b64`, `cty`, `zip` and `enc` change the meaning."""
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_MAX_KID = 256
_MAX_TIME = 253_402_300_800
"""The year 10,000: a time in milliseconds is beyond it."""


class _Refused(Exception):
    """Why a token is refused, for the log. Never holds a part of the token."""


class _Seen(NamedTuple):
    actor: Actor
    kid: str
    key: PyJWK
    until: float


class Verifier:
    """Turns the access tokens of one issuer into actors.

    `issuer` is the exact `iss`; `audience` the accepted `aud` values. A token without `aud` (Cognito's) needs a `client_id` among them.
    `clock` gives seconds since the epoch. A verified token is remembered by its digest for `remember_for` seconds, never beyond its
    `exp` or the life of the key that signed it, and at most `remember` tokens at a time. Safe to call from many threads.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: Collection[str],
        claims: ClaimMap,
        keys: KeySet,
        clock: Callable[[], float] = time.time,
        remember: int = 4096,
        remember_for: float = 30.0,
    ) -> None:
        if not issuer or not audience or isinstance(audience, str):
            raise ValueError("a verifier needs an issuer and a collection of audiences")
        self._issuer, self._audience = issuer, frozenset(audience)
        self._claims, self._keys, self._clock = claims, keys, clock
        self._jws = PyJWS(algorithms=ALGORITHMS)
        self._remember, self._remember_for = remember, remember_for
        self._seen: dict[bytes, _Seen] = {}
        self._lock = threading.Lock()

    def verify(self, token: str) -> Actor:
        """The caller behind `token`. Raises Unauthenticated, with the same message whatever is wrong.

        It may fetch the issuer's keys over HTTP: call it in a thread, never on the event loop.
        """
        try:
            digest = _digest(token)
            return self._recall(digest) or self._check(token, digest)
        except _Refused as refusal:
            logger.info("access token refused", extra={"data": {"reason": str(refusal)}})
            raise Unauthenticated from None

    def _check(self, token: str, digest: bytes) -> Actor:
        header = self._header(token)
        kid: str = header["kid"]
        key = self._keys.find(kid)
        if key is None:
            raise _Refused("unknown key")
        try:
            payload = self._jws.decode_complete(token, key, ALGORITHMS)["payload"]
        except PyJWTError as error:
            raise _Refused(f"signature: {type(error).__name__}") from None
        actor = self._actor(header, _object(payload))
        self._store(digest, actor, kid, key)
        return actor

    def _header(self, token: str) -> dict[str, Any]:
        segment = token.partition(".")[0]
        try:
            header = _object(base64url_decode(segment))
        except ValueError:
            raise _Refused("header: not base64url") from None
        kid, typ = header.get("kid"), header.get("typ", "JWT")
        if header.keys() - _HEADER_MEMBERS:
            raise _Refused("header: a member we do not accept")
        if header.get("alg") not in ALGORITHMS:
            raise _Refused("header: algorithm")
        if not isinstance(kid, str) or not 0 < len(kid) <= _MAX_KID:
            raise _Refused("header: kid")
        if not isinstance(typ, str) or typ.lower() not in _TYPES:
            raise _Refused("header: typ")
        return header

    def _actor(self, header: dict[str, Any], claims: dict[str, Any]) -> Actor:
        self._check_times(claims)
        if claims.get("iss") != self._issuer:
            raise _Refused("iss")
        if not self._is_for_us(claims):
            raise _Refused("aud")
        if not isinstance(claims.get("sub"), str) or not claims["sub"]:
            raise _Refused("sub")
        if claims_an_id_token_has(claims) or not self._claims.is_access_token(header, claims):
            raise _Refused("not an access token")
        try:
            return self._claims.actor(claims)
        except ValueError as error:
            raise _Refused(str(error)) from None

    def _check_times(self, claims: dict[str, Any]) -> None:
        """RFC 7519, sections 4.1.4 to 4.1.6: `exp` and `iat` are required, `nbf` is not."""
        now = self._clock()
        expires, issued, begins = (_time(claims, name) for name in ("exp", "iat", "nbf"))
        if expires is None or issued is None:
            raise _Refused("exp and iat are required")
        if expires <= now:
            raise _Refused("expired")
        if issued > now + LEEWAY or (begins is not None and begins > now + LEEWAY):
            raise _Refused("not valid yet")

    def _is_for_us(self, claims: dict[str, Any]) -> bool:
        """`aud` decides where there is one; `client_id` must not widen it."""
        audience = claims.get("aud", claims.get("client_id"))
        named = audience if isinstance(audience, list) else [audience]
        return all(isinstance(name, str) for name in named) and not self._audience.isdisjoint(named)

    def _recall(self, digest: bytes) -> Actor | None:
        seen = self._seen.get(digest)
        if seen is None or seen.until <= self._clock() or self._keys.find(seen.kid) is not seen.key:
            return None
        return seen.actor

    def _store(self, digest: bytes, actor: Actor, kid: str, key: PyJWK) -> None:
        until = min(self._clock() + self._remember_for, actor.expires_at or 0)
        with self._lock:
            self._seen.pop(digest, None)
            while len(self._seen) >= self._remember:
                del self._seen[next(iter(self._seen))]
            self._seen[digest] = _Seen(actor, kid, key, until)


def _digest(token: str) -> bytes:
    """Where a token is remembered. Refuses what can't be a compact JWS (RFC 7515, section 7.1), before anything is decoded."""
    if not isinstance(token, str) or len(token) > MAX_TOKEN or not _COMPACT.fullmatch(token):
        raise _Refused("not a compact JWS of a sensible size")
    return hashlib.sha256(token.encode()).digest()


def _object(data: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8 in which no name comes twice (RFC 7519, sections 3 and 4). Given bytes, `json` would take UTF-16 as well."""
    try:
        value = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise _Refused("not a JSON object") from None
    if not isinstance(value, dict):
        raise _Refused("not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name comes twice")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _time(claims: dict[str, Any], name: str) -> float | None:
    """A NumericDate (RFC 7519, section 2): a JSON number, neither a string nor a boolean."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _MAX_TIME:
        raise _Refused(f"{name} is not a time")
    return value
