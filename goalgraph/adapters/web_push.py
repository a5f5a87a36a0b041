"""Web Push: messages to browsers, encrypted so that their push services cannot read them (RFC 8030, 8188, 8291, 8292).

Members name the push service, so it is nobody to trust: only https, and what `public_http` allows.
"""

import base64
import binascii
import hashlib
import json
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02
from pywebpush import WebPusher

from goalgraph.adapters.public_http import SECONDS, NoAnswer, NotPublic, PublicHttp
from goalgraph.ports.push import WEB, Endpoint, PushMessage
from goalgraph.ports.sending import Gone, Refused, Unavailable

MAX_URL = 1024
MAX_BODY = 3800
"""Bytes of a message: a push service takes at least 4,096, encrypted (RFC 8030, section 7.2; RFC 8291, section 4)."""
_TOKEN_SECONDS = 12 * 3600
"""RFC 8292, section 2: at most 24 hours."""


class WebPush:
    """`private_key` is a VAPID key (RFC 8292): 32 bytes in base64url, or DER in base64. `subject` is a mailto: or https: address of ours.

    `seconds` is how long a message may take. `public_only` false also lets http and inner addresses through, for tests.
    """

    def __init__(self, *, private_key: str, subject: str, public_only: bool = True, seconds: float = SECONDS) -> None:
        self._vapid = Vapid02.from_string(private_key=private_key)
        self._subject = subject
        self._public_only = public_only
        self._tokens: dict[str, tuple[str, float]] = {}
        self._http = PublicHttp(public_only=public_only, seconds=seconds)
        self._lock = threading.Lock()

    def key(self) -> str:
        point = self._vapid.public_key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return base64.urlsafe_b64encode(point).decode().rstrip("=")

    def register(self, url: str, secrets: Mapping[str, str]) -> Endpoint:
        self._check_url(url)
        receiver, auth = _decoded(secrets.get("p256dh")), _decoded(secrets.get("auth"))
        try:
            EllipticCurvePublicKey.from_encoded_point(SECP256R1(), receiver)
        except ValueError as error:
            raise Refused("p256dh") from error
        if len(receiver) != 65 or len(auth) != 16:  # RFC 8291, section 2
            raise Refused("keys")
        return Endpoint(WEB, url, {"p256dh": secrets["p256dh"], "auth": secrets["auth"]})

    def send(self, endpoint: Endpoint, message: PushMessage) -> str:
        """Under one `Topic`, a push service keeps only the last message that it has not delivered yet (RFC 8030, section 5.4)."""
        self._check_url(endpoint.address)
        content = WebPusher({"endpoint": endpoint.address, "keys": dict(endpoint.secrets)}).encode(_content(message))["body"]
        headers = {
            "Authorization": self._authorization(endpoint.address),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(max(0, message.seconds)),
            "Topic": base64.urlsafe_b64encode(hashlib.blake2b(message.key.encode(), digest_size=24).digest()).decode(),
            "Urgency": "high" if message.urgent else "normal",
        }
        status, location = self._post(endpoint.address, content, headers)
        if status in (200, 201, 202, 204):
            return location or message.key
        if status in (404, 410):  # RFC 8030, section 7.3
            raise Gone(str(status))
        if status in (408, 429) or status >= 500:
            raise Unavailable(str(status))
        raise Refused(str(status))

    def _check_url(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            schemes = ("https",) if self._public_only else ("https", "http")
            named = bool(parts.hostname) and ":" not in str(parts.hostname)  # VAPID cannot name an IPv6 address, and nobody uses one
            usable = parts.scheme in schemes and named and parts.username is None and parts.port != 0
        except ValueError:
            usable = False
        if not usable or len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
            raise Refused("address")

    def _post(self, url: str, content: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        try:
            status, answered = self._http.post(url, content, headers)
        except NotPublic as error:
            raise Refused("address") from error
        except NoAnswer as error:
            raise Unavailable(str(error)) from error
        return status, answered.get("Location", "")[:MAX_URL]

    def _authorization(self, url: str) -> str:
        """A token for the push service, signed once in a while: push services ask to have it reused (RFC 8292, section 5)."""
        parts = urlsplit(url)
        origin, now = f"{parts.scheme}://{parts.netloc}", time.time()
        with self._lock:
            header, until = self._tokens.get(origin, ("", 0.0))
            if until < now:
                claims = {"aud": origin, "exp": int(now) + _TOKEN_SECONDS, "sub": self._subject}
                header, until = self._vapid.sign(claims)["Authorization"], now + _TOKEN_SECONDS / 2
                if len(self._tokens) > 1000:  # members name the services
                    self._tokens.clear()
                self._tokens[origin] = (header, until)
        return header


def _content(message: PushMessage) -> bytes:
    """What our service worker in the browser is told. The body is cut so that the whole fits."""
    facts: dict[str, Any] = {"title": message.title, "url": message.url, "tag": message.key}
    room = MAX_BODY - len(json.dumps({**facts, "body": ""}, ensure_ascii=False).encode())
    body = message.body.encode()[: max(0, room)].decode(errors="ignore")
    while len(content := json.dumps({**facts, "body": body}, ensure_ascii=False).encode()) > MAX_BODY and body:
        body = body[: len(body) * 9 // 10]  # quotes and line breaks take two bytes
    return content


def _decoded(text: object) -> bytes:
    if not isinstance(text, str) or len(text) > 200:
        raise Refused("keys")
    try:
        return base64.b64decode(text.encode("ascii").rstrip(b"=") + b"=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused("keys") from error
