"""An issuer's public keys, by key id.

`RemoteKeys` finds them by OpenID Connect Discovery and keeps them. It fetches over HTTP in the calling thread, rarely and within
a few seconds: never call it on the event loop. No Django here: the Lambda authorizer uses this module.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import urlsplit

import urllib3
from jwt import PyJWK
from jwt.exceptions import PyJWTError

logger = logging.getLogger(__name__)

ALGORITHMS = ("RS256", "ES256")
"""The only signatures we accept. The key decides which of them, never the token."""

FETCH_SECONDS = 5.0
WAIT_SECONDS = 2.0
"""How long others wait for a running fetch: unknown keys must not hold up every thread while the issuer is slow."""
MAX_DOCUMENT = 256 * 1024
MAX_KEYS = 64
MIN_RSA_BITS = 2048

_ALGORITHM_OF_KEY = {("RSA", None): "RS256", ("EC", "P-256"): "ES256"}
_PUBLIC_MEMBERS = ("kty", "crv", "n", "e", "x", "y")


class KeysUnavailableError(Exception):
    """The issuer's keys could not be fetched or read."""


class KeySet(Protocol):
    """What a verifier asks for keys. Safe to call from many threads."""

    def find(self, kid: str) -> PyJWK | None:
        """The public key with this id; None when the issuer has none. Another object may be another key."""


def parse_keys(document: Mapping[str, Any]) -> dict[str, PyJWK]:
    """The usable signature keys of a JWK Set (RFC 7517, section 5) by `kid`. Keys we can't use are passed over (section 5 says so).

    Raises KeysUnavailableError when none is usable.
    """
    found: dict[str, PyJWK] = {}
    keys = document.get("keys")
    for jwk in keys[:MAX_KEYS] if isinstance(keys, list) else ():
        key = _public_key(jwk) if isinstance(jwk, dict) else None
        if key is not None:
            found.setdefault(jwk["kid"], key)
    if not found:
        raise KeysUnavailableError("the key set holds no usable key")
    return found


def _public_key(jwk: Mapping[str, Any]) -> PyJWK | None:
    """The key bound to the one algorithm its type allows, private members dropped; None when it is not for us."""
    kid, kty, crv = jwk.get("kid"), jwk.get("kty"), jwk.get("crv")
    if not (isinstance(kid, str) and kid and isinstance(kty, str) and isinstance(crv, str | None)):
        return None
    algorithm = _ALGORITHM_OF_KEY.get((kty, crv))
    if algorithm is None or jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig":
        return None
    try:
        key = PyJWK({name: jwk[name] for name in _PUBLIC_MEMBERS if name in jwk}, algorithm)
    except (PyJWTError, ValueError, TypeError, KeyError):
        return None
    return key if kty == "EC" or key.key.key_size >= MIN_RSA_BITS else None


def fetch_json(url: str) -> dict[str, Any]:
    """The JSON object at `url`: status 200, no redirect, at most `MAX_DOCUMENT` bytes, within `FETCH_SECONDS`.

    Raises KeysUnavailableError.
    """
    deadline = time.monotonic() + FETCH_SECONDS
    try:
        response = _http.request("GET", url, preload_content=False, redirect=False, decode_content=False)
        try:
            body = _read(response, deadline)
        finally:
            # A body left unread must not reach the next request on this connection.
            response.close()
        document = json.loads(body)
    except (urllib3.exceptions.HTTPError, ValueError, RecursionError) as error:
        raise KeysUnavailableError(f"{type(error).__name__} while fetching {url}") from error
    if not isinstance(document, dict):
        raise KeysUnavailableError(f"no JSON object at {url}")
    return document


def _read(response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    if response.status != 200:
        raise ValueError(f"status {response.status}")
    body = b""
    while chunk := response.read1(16 * 1024):
        body += chunk
        if len(body) > MAX_DOCUMENT or time.monotonic() > deadline:
            raise ValueError("too large or too slow")
    return body


_http = urllib3.PoolManager(
    retries=False,
    timeout=urllib3.Timeout(connect=2.0, read=2.0),
    headers={"accept": "application/json", "accept-encoding": "identity", "user-agent": "goalgraph"},
)


class RemoteKeys:
    """The keys of any OIDC issuer: discovery document, then `jwks_uri` (OpenID Connect Discovery 1.0, sections 3 and 4).

    All times are in seconds of `clock`, which only ever goes forward:
    - an unknown key id makes at most one fetch per `cooldown`, whatever an attacker sends; a rotated key is known within that time,
    - keys older than `max_age` are fetched anew by one thread while the others go on with what is known,
    - when the issuer is down, known keys serve for `stale_for` (by then every token it signed has expired),
    - with no key known at all, a failed fetch is tried again after `retry`.
    """

    def __init__(
        self,
        issuer: str,
        *,
        fetch: Callable[[str], Mapping[str, Any]] = fetch_json,
        clock: Callable[[], float] = time.monotonic,
        cooldown: float = 25.0,
        max_age: float = 300.0,
        stale_for: float = 24 * 3600.0,
        retry: float = 5.0,
    ) -> None:
        self._issuer, self._fetch, self._clock = issuer, fetch, clock
        self._cooldown, self._max_age, self._stale_for, self._retry = cooldown, max_age, stale_for, retry
        self._lock = threading.Lock()
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._jwks_uri: str | None = None

    def find(self, kid: str) -> PyJWK | None:
        key = self._known(kid)
        if key is None:
            self._refresh(wait=True)
        elif self._clock() - self._fetched_at > self._max_age:
            self._refresh(wait=False)
        return self._known(kid)

    def _known(self, kid: str) -> PyJWK | None:
        return self._keys.get(kid) if self._clock() - self._fetched_at <= self._stale_for else None

    def _cooling(self) -> bool:
        return self._clock() - self._tried_at < (self._cooldown if self._keys else self._retry)

    def _refresh(self, *, wait: bool) -> None:
        """Fetch once for all threads. Those who `wait` for an unknown key see what the one that fetches brings back."""
        if self._cooling() or not self._lock.acquire(timeout=WAIT_SECONDS if wait else 0):
            return
        try:
            if self._cooling():
                return
            try:
                self._keys = parse_keys(self._fetch(self._key_address()))
                self._fetched_at = self._clock()
            except KeysUnavailableError as error:
                self._jwks_uri = None  # It may have moved: ask the discovery document again.
                logger.warning("issuer keys unavailable", extra={"data": {"reason": str(error), "known": len(self._keys)}})
            # Only now, so that whoever waits for the lock does not take a running fetch for a finished one.
            self._tried_at = self._clock()
        finally:
            self._lock.release()

    def _key_address(self) -> str:
        if self._jwks_uri is None:
            document = self._fetch(self._issuer.rstrip("/") + "/.well-known/openid-configuration")
            uri = document.get("jwks_uri")
            if document.get("issuer") != self._issuer or not isinstance(uri, str):
                raise KeysUnavailableError("the discovery document is not this issuer's")
            schemes = {"https", urlsplit(self._issuer).scheme}
            if urlsplit(uri).scheme not in schemes:
                raise KeysUnavailableError("the key address steps down from https")
            self._jwks_uri = uri
        return self._jwks_uri
