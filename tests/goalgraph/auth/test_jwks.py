import json
import threading
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, OKPAlgorithm, RSAAlgorithm

from goalgraph.auth import jwks
from goalgraph.auth.claims import ClaimMap
from goalgraph.auth.jwks import KeysUnavailableError, RemoteKeys, fetch_json, parse_keys
from goalgraph.auth.verifier import Verifier
from goalgraph.errors import Unauthenticated
from tests.goalgraph.auth.conftest import Seconds
from tests.goalgraph.auth.issuer import AUDIENCE, FakeIssuer, b64, rsa_key


def accepts(verifier: Verifier, token: str) -> bool:
    try:
        verifier.verify(token)
    except Unauthenticated:
        return False
    return True


def random_kids(issuer: FakeIssuer, count: int) -> list[str]:
    body, signature = issuer.token().split(".")[1:]
    return [f"{b64(json.dumps(issuer.header(kid=uuid.uuid4().hex)).encode())}.{body}.{signature}" for _ in range(count)]


@pytest.mark.parametrize("warm", [True, False])
def test_ten_thousand_random_kids_fetch_keys_at_most_twice(warm: bool, issuer: FakeIssuer, verifier: Verifier, seconds: Seconds) -> None:
    if warm:
        assert accepts(verifier, issuer.token())
        seconds.now += 60
    assert not any(accepts(verifier, token) for token in random_kids(issuer, 10_000))
    assert issuer.key_fetches == 1 + warm
    assert issuer.discoveries == 1
    assert accepts(verifier, issuer.token())


@pytest.mark.parametrize("warm", [True, False])
def test_so_they_do_from_many_threads(warm: bool, issuer: FakeIssuer, verifier: Verifier, seconds: Seconds) -> None:
    if warm:
        assert accepts(verifier, issuer.token())
        seconds.now += 60
    tokens = random_kids(issuer, 10_000)
    with ThreadPoolExecutor(32) as pool:
        assert not any(pool.map(lambda token: accepts(verifier, token), tokens))
    assert issuer.key_fetches == 1 + warm
    assert issuer.discoveries == 1


def test_random_kids_do_not_starve_a_rotation(issuer: FakeIssuer, verifier: Verifier, seconds: Seconds) -> None:
    accepts(verifier, issuer.token())
    issuer.rotate()
    for _ in range(30):
        seconds.now += 1
        for token in random_kids(issuer, 20):
            accepts(verifier, token)
    assert accepts(verifier, issuer.token())
    assert issuer.key_fetches <= 3


def test_random_kids_while_the_issuer_is_down_fetch_no_more(issuer: FakeIssuer, verifier: Verifier, seconds: Seconds) -> None:
    assert accepts(verifier, issuer.token())
    issuer.down = True
    seconds.now += 60
    assert not any(accepts(verifier, token) for token in random_kids(issuer, 1000))
    assert issuer.key_fetches == 2
    assert accepts(verifier, issuer.token())


@pytest.mark.parametrize("keep", [True, False])
def test_a_rotation_is_picked_up_within_30_seconds(keep: bool, issuer: FakeIssuer, verifier: Verifier, seconds: Seconds) -> None:
    old = issuer.token()
    assert accepts(verifier, old)
    issuer.rotate(keep=keep)
    new = issuer.token()
    assert not accepts(verifier, new), "the keys were fetched this very instant"
    seconds.now += 30
    assert accepts(verifier, new)
    assert accepts(verifier, old) is keep
    assert issuer.key_fetches == 2


def test_a_rotation_after_a_quiet_time_is_picked_up_at_once(issuer: FakeIssuer, verifier: Verifier, seconds: Seconds) -> None:
    assert accepts(verifier, issuer.token())
    for _ in range(5):
        seconds.now += 30
        issuer.rotate()
        assert accepts(verifier, issuer.token())


def test_every_thread_that_meets_a_new_key_waits_for_it(issuer: FakeIssuer, verifier: Verifier, seconds: Seconds) -> None:
    assert accepts(verifier, issuer.token())
    seconds.now += 30
    issuer.rotate()
    start = threading.Barrier(16)
    tokens = [issuer.token(jti=str(n)) for n in range(16)]

    def meet(token: str) -> bool:
        start.wait()
        return accepts(verifier, token)

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(meet, tokens))
    assert issuer.key_fetches == 2


def test_known_keys_go_on_while_the_issuer_is_down(issuer: FakeIssuer, verifier: Verifier, seconds: Seconds) -> None:
    assert accepts(verifier, issuer.token())
    issuer.down = True
    for hour in range(23):
        seconds.now += 3600
        assert accepts(verifier, issuer.token(jti=str(hour)))
    seconds.now += 3600 + 1
    assert not accepts(verifier, issuer.token()), "a day without news of a key is too long to trust it"
    issuer.down = False
    seconds.now += 30
    assert accepts(verifier, issuer.token())


def test_known_keys_go_on_when_nothing_listens_any_more(issuer: FakeIssuer, verifier: Verifier, seconds: Seconds) -> None:
    assert accepts(verifier, issuer.token())
    issuer.close()
    seconds.now += 3600
    assert accepts(verifier, issuer.token(jti="later"))


def test_an_issuer_that_is_down_at_the_start_is_met_seconds_after_it_comes_up(
    issuer: FakeIssuer, verifier: Verifier, seconds: Seconds
) -> None:
    issuer.down = True
    assert not accepts(verifier, issuer.token())
    issuer.down = False
    seconds.now += 6
    assert accepts(verifier, issuer.token())


def test_a_key_the_issuer_withdrew_is_forgotten(issuer: FakeIssuer, verifier: Verifier, seconds: Seconds) -> None:
    old = issuer.token()
    assert accepts(verifier, old)
    issuer.rotate(keep=False)
    seconds.now += 301
    assert not accepts(verifier, old)


def test_keys_that_moved_are_found_again(issuer: FakeIssuer, verifier: Verifier, seconds: Seconds) -> None:
    assert accepts(verifier, issuer.token())
    issuer.rotate()
    issuer.discovery_override = {"jwks_uri": f"{issuer.url}/moved"}
    issuer.extra["/moved"] = (200, {}, json.dumps({"keys": [issuer.jwk(kid) for kid in issuer.keys]}).encode())
    issuer.answer = _without_keys(issuer)  # type: ignore[method-assign]
    seconds.now += 30
    assert not accepts(verifier, issuer.token())
    seconds.now += 30
    assert accepts(verifier, issuer.token())


def _without_keys(issuer: FakeIssuer) -> Any:
    answer = issuer.answer
    return lambda path: (404, {}, b"") if path == "/keys" else answer(path)


@pytest.mark.parametrize(
    "override",
    [
        {"issuer": "https://somebody.example"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": ["http://127.0.0.1/keys"]},
        {"jwks_uri": "ftp://127.0.0.1/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "/keys"},
    ],
    ids=repr,
)
def test_a_discovery_document_that_is_not_the_issuers_is_refused(override: dict[str, Any], issuer: FakeIssuer, verifier: Verifier) -> None:
    issuer.discovery_override = override
    assert not accepts(verifier, issuer.token())
    assert issuer.key_fetches == 0


def test_keys_of_an_https_issuer_are_not_read_over_http() -> None:
    asked: list[str] = []

    def fetch(url: str) -> Mapping[str, Any]:
        asked.append(url)
        return {"issuer": "https://id.example/pool", "jwks_uri": "http://id.example/keys"}

    assert RemoteKeys("https://id.example/pool", fetch=fetch).find("key-0") is None
    assert asked == ["https://id.example/pool/.well-known/openid-configuration"]


def rsa_jwk(key: rsa.RSAPrivateKey, **members: Any) -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "key-0", **members}


UNUSABLE = {
    "no kid": rsa_jwk(rsa_key(0), kid=None),
    "kid a number": rsa_jwk(rsa_key(0), kid=7),
    "for encryption": rsa_jwk(rsa_key(0), use="enc"),
    "for RS512": rsa_jwk(rsa_key(0), alg="RS512"),
    "for RSA-OAEP": rsa_jwk(rsa_key(0), alg="RSA-OAEP"),
    "of 1,024 bits": rsa_jwk(rsa.generate_private_key(65537, 1024)),
    "without modulus": {"kty": "RSA", "e": "AQAB", "kid": "key-0"},
    "kty a list": {"kty": ["RSA"], "kid": "key-0"},
    "crv an object": {"kty": "EC", "crv": {}, "kid": "key-0"},
    "on another curve": {**ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True), "kid": "key-0"},
    "off its curve": {"kty": "EC", "crv": "P-256", "x": b64(bytes(32)), "y": b64(bytes(32)), "kid": "key-0"},
    "an Edwards key": {**OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate().public_key(), as_dict=True), "kid": "key-0"},
    "a secret": {**HMACAlgorithm.to_jwk(b"x" * 32, as_dict=True), "kid": "key-0"},
    "no object": "key-0",
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_key_we_cannot_use_is_passed_over(name: str) -> None:
    with pytest.raises(KeysUnavailableError):
        parse_keys({"keys": [UNUSABLE[name]]})
    assert set(parse_keys({"keys": [UNUSABLE[name], rsa_jwk(rsa_key(1), kid="good")]})) == {"good"}


def test_of_two_keys_with_one_id_the_first_counts() -> None:
    found = parse_keys({"keys": [rsa_jwk(rsa_key(0)), rsa_jwk(rsa_key(1))]})
    assert found["key-0"].key == rsa_key(0).public_key()


def test_a_private_key_published_by_mistake_serves_as_its_public_half() -> None:
    private = {**RSAAlgorithm.to_jwk(rsa_key(0), as_dict=True), "key_ops": ["verify"], "kid": "key-0"}
    assert parse_keys({"keys": [private]})["key-0"].key == rsa_key(0).public_key()


@pytest.mark.parametrize("document", [{}, {"keys": None}, {"keys": {}}, {"keys": []}, {"keys": "keys"}], ids=repr)
def test_a_document_without_keys_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(KeysUnavailableError):
        parse_keys(document)


def test_an_empty_key_set_does_not_replace_a_good_one(issuer: FakeIssuer, verifier: Verifier, seconds: Seconds) -> None:
    assert accepts(verifier, issuer.token())
    token, issuer.keys = issuer.token(jti="2"), {}
    seconds.now += 600
    assert accepts(verifier, token)
    assert issuer.key_fetches == 2


ANSWERS = {
    "a redirect": (302, {"Location": "/good"}, b""),
    "a redirect to another host": (302, {"Location": "http://localhost/good"}, b""),
    "not found": (404, {}, b"{}"),
    "a failure": (500, {}, b"{}"),
    "no content": (204, {}, b""),
    "HTML": (200, {}, b"<html>"),
    "a list": (200, {}, b"[]"),
    "too large": (200, {}, b'{"a":"' + b"x" * jwks.MAX_DOCUMENT + b'"}'),
    "nested beyond all depth": (200, {}, b'{"a":' + b"[" * 200_000),
    "no UTF-8": (200, {}, b'{"\xff": 1}'),
    "cut short": (200, {"Content-Length": "100"}, b'{"keys": []}'),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_no_small_json_object_is_refused(name: str, issuer: FakeIssuer) -> None:
    issuer.extra = {"/bad": ANSWERS[name], "/good": (200, {}, b'{"keys": []}')}
    if name == "cut short":
        issuer.extra["/bad"] = (200, {"Content-Length": "100", "Connection": "close"}, b'{"keys": []}')
    with pytest.raises(KeysUnavailableError):
        fetch_json(f"{issuer.url}/bad")
    assert fetch_json(f"{issuer.url}/good") == {"keys": []}


class Drip(BaseHTTPRequestHandler):
    """Sends a byte at a time, for ever."""

    stop = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while not self.stop.wait(0.01):
                self.wfile.write(b" ")
        except OSError:
            pass

    def log_message(self, *_: object) -> None:
        pass


def test_an_answer_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Drip)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    monkeypatch.setattr(jwks, "FETCH_SECONDS", 0.1)
    began = time.monotonic()
    try:
        with pytest.raises(KeysUnavailableError):
            fetch_json(f"http://127.0.0.1:{server.server_address[1]}/")
    finally:
        Drip.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
    assert time.monotonic() - began < 30


def test_an_issuer_with_a_trailing_slash_is_discovered_and_matched_exactly() -> None:
    documents = {
        "https://id.example/.well-known/openid-configuration": {"issuer": "https://id.example/", "jwks_uri": "https://keys.example/all"},
        "https://keys.example/all": {"keys": [rsa_jwk(rsa_key(0))]},
    }
    keys = RemoteKeys("https://id.example/", fetch=documents.__getitem__)
    assert keys.find("key-0") is not None
    assert Verifier(issuer="https://id.example/", audience=[AUDIENCE], claims=ClaimMap(), keys=keys)
