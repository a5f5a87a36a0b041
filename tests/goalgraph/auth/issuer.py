"""An OIDC issuer on loopback for tests: it counts what is fetched, rotates its keys, goes down, and signs whatever it is asked to."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import Algorithm, ECAlgorithm, RSAAlgorithm

AUDIENCE = "goalgraph"
_RSA_POOL: list[rsa.RSAPrivateKey] = []


def rsa_key(number: int) -> rsa.RSAPrivateKey:
    """The `number`th RSA key of this test process; making one takes long, so they are made once."""
    while len(_RSA_POOL) <= number:
        _RSA_POOL.append(rsa.generate_private_key(65537, 2048))
    return _RSA_POOL[number]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encode(part: object) -> str:
    """A segment: bytes and text as they are, anything else as JSON."""
    data = part if isinstance(part, bytes) else part.encode() if isinstance(part, str) else json.dumps(part).encode()
    return b64(data)


class FakeIssuer:
    def __init__(self) -> None:
        self.keys: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {"key-0": rsa_key(0)}
        self.down = False
        self.discoveries = self.key_fetches = 0
        self.discovery_override: dict[str, Any] = {}
        self.extra: dict[str, tuple[int, dict[str, str], bytes]] = {}
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = issuer.answer(self.path)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        if path == "/.well-known/openid-configuration":
            self.discoveries += 1
            document = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"} | self.discovery_override
            return self._say(document)
        if path == "/keys":
            self.key_fetches += 1
            return self._say({"keys": [self.jwk(kid) for kid in self.keys]})
        return self.extra.get(path, (404, {}, b""))

    def _say(self, document: object) -> tuple[int, dict[str, str], bytes]:
        return (503, {}, b"down") if self.down else (200, {}, json.dumps(document).encode())

    def jwk(self, kid: str) -> dict[str, Any]:
        key = self.keys[kid].public_key()
        kind = RSAAlgorithm if isinstance(key, rsa.RSAPublicKey) else ECAlgorithm
        return {**kind.to_jwk(key, as_dict=True), "kid": kid, "use": "sig"}

    def rotate(self, *, keep: bool = True) -> str:
        """Sign with a new key from now on; the old ones stay published if `keep`."""
        number = len(self.keys)
        while f"key-{number}" in self.keys:
            number += 1
        new = f"key-{number}"
        self.keys = (self.keys if keep else {}) | {new: rsa_key(number)}
        return new

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Good claims with `changes`; a change to `...` leaves the claim out."""
        now = int(time.time())
        good = {
            "iss": self.url,
            "sub": "ana",
            "aud": AUDIENCE,
            "client_id": "goalgraph-web",
            "iat": now,
            "exp": now + 600,
            "jti": "1",
            "token_use": "access",
            "scope": "openid goalgraph",
            "tier": "premium",
            "email": "ana@example.com",
            "email_verified": True,
        }
        return {name: value for name, value in (good | changes).items() if value is not ...}

    def header(self, **changes: Any) -> dict[str, Any]:
        good = {"alg": "RS256", "typ": "JWT", "kid": list(self.keys)[-1]}
        return {name: value for name, value in (good | changes).items() if value is not ...}

    def token(self, claims: dict[str, Any] | None = None, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """A token signed by the newest key."""
        return self.sign(header or self.header(), claims or self.claims(**changes))

    def sign(self, header: object, claims: object, *, by: Algorithm | None = None, key: Any = None) -> str:
        """Whatever header and claims, signed with whatever key: by default the newest one, as its type does."""
        signer = key or list(self.keys.values())[-1]
        default = ECAlgorithm(ECAlgorithm.SHA256) if isinstance(signer, ec.EllipticCurvePrivateKey) else RSAAlgorithm(RSAAlgorithm.SHA256)
        signed = f"{encode(header)}.{encode(claims)}"
        return f"{signed}.{b64((by or default).sign(signed.encode(), signer))}"
