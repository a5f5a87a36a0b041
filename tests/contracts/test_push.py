"""What the adapters of the `push` port do at their providers: SNS in the emulator, and push services on loopback."""

import base64
import contextlib
import json
import socket
import ssl
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import http_ece
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID
from django.conf import settings

from goalgraph.adapters.public_http import is_public
from goalgraph.adapters.push import PlatformPush, RecordingPush
from goalgraph.adapters.web_push import WebPush
from goalgraph.ports.push import Endpoint, PushMessage
from goalgraph.ports.sending import Gone, Refused, Unavailable
from tests.faults import CUT, Loopback, Response, in_turn

MESSAGE = PushMessage(key="note.push", title="Run 5 km", body="It is time.", url="https://app.example.org/n/1", seconds=600, urgent=True)
VAPID = "q9JYbJ4eYH6L1ZbX2lHq8m3o0dW7cVtK5uR1sPzXyE4"


def fcm_token() -> str:
    return f"fcm-token-{uuid.uuid4().hex}"


# Phones ----------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sns() -> Any:
    return boto3.client("sns", region_name=settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL)


@pytest.fixture(scope="module")
def applications(sns) -> dict[str, str]:
    def made(platform: str) -> str:
        attributes = {"PlatformCredential": "none"}
        return sns.create_platform_application(Name=f"gg-{uuid.uuid4().hex}", Platform=platform, Attributes=attributes)[
            "PlatformApplicationArn"
        ]

    return {"apns": made("APNS"), "fcm": made("GCM")}


@pytest.fixture
def phones(applications) -> PlatformPush:
    return PlatformPush(region=settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL, applications=applications)


def test_a_token_that_is_registered_again_is_the_same_endpoint(phones: PlatformPush, sns):
    token = fcm_token()
    first, again = phones.register("fcm", token, {}), phones.register("fcm", token, {})
    assert first == again
    assert sns.get_endpoint_attributes(EndpointArn=first.address)["Attributes"]["Token"] == token
    assert phones.register("apns", "ab" * 32, {}).address != first.address


def test_an_endpoint_that_others_made_with_other_attributes_is_found_by_what_sns_says(phones: PlatformPush, sns, applications):
    token = fcm_token()
    made = sns.create_platform_endpoint(PlatformApplicationArn=applications["fcm"], Token=token, CustomUserData="somebody's")
    assert phones.register("fcm", token, {}).address == made["EndpointArn"]


def test_an_endpoint_that_was_disabled_works_again_when_it_is_registered_again(phones: PlatformPush, sns):
    token = fcm_token()
    endpoint = phones.register("fcm", token, {})
    sns.set_endpoint_attributes(EndpointArn=endpoint.address, Attributes={"Enabled": "false"})
    assert phones.register("fcm", token, {}) == endpoint
    assert sns.get_endpoint_attributes(EndpointArn=endpoint.address)["Attributes"]["Enabled"] == "true"


def test_a_message_is_taken_and_named(phones: PlatformPush):
    endpoint = phones.register("fcm", fcm_token(), {})
    assert phones.send(endpoint, MESSAGE)


def test_an_endpoint_that_was_deleted_is_gone_and_comes_back_by_registering(phones: PlatformPush, sns):
    token = fcm_token()
    endpoint = phones.register("fcm", token, {})
    sns.delete_endpoint(EndpointArn=endpoint.address)
    with pytest.raises(Gone):
        phones.send(endpoint, MESSAGE)
    assert phones.send(phones.register("fcm", token, {}), MESSAGE)


@pytest.mark.parametrize(("platform", "token"), [("apns", "no-hex"), ("apns", ""), ("fcm", "short"), ("fcm", "with blanks " * 5)])
def test_what_is_no_token_is_refused(phones: PlatformPush, platform: str, token: str):
    with pytest.raises(Refused):
        phones.register(platform, token, {})


def test_a_platform_that_is_not_set_up_is_refused():
    push = PlatformPush(region=settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL)
    for platform in ("apns", "fcm", "web"):
        with pytest.raises(Refused, match="platform"):
            push.register(platform, fcm_token(), {})
    assert push.web_key() is None


def aws_error(code: str, status: int = 400, message: str = "") -> Response:
    """As SNS spells it (the emulator delivers to disabled endpoints)."""
    body = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    return Response(status, body.encode())


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (aws_error("EndpointDisabled"), Gone),
        (aws_error("NotFound", 404), Gone),
        (
            aws_error("InvalidParameter", message="Invalid parameter: TargetArn Reason: No endpoint found for the target arn specified"),
            Gone,
        ),
        (aws_error("InvalidParameter", message="Invalid parameter: Message too long"), Refused),
        (aws_error("Throttling"), Unavailable),
        (aws_error("InternalError", 500), Unavailable),
        (aws_error("PlatformApplicationDisabled"), Unavailable),
        (aws_error("AuthorizationError", 403), Unavailable),
        (CUT, Unavailable),
    ],
)
def test_each_answer_of_sns_means_one_of_three_things_and_is_asked_for_once(answer, meaning):
    with Loopback(in_turn(answer)) as server:
        push = PlatformPush(region="us-east-1", endpoint_url=server.url, applications={"fcm": "arn:x"})
        with pytest.raises(meaning):
            push.send(Endpoint("fcm", "arn:aws:sns:us-east-1:000000000000:endpoint/GCM/gg/1"), MESSAGE)
    assert len(server.requests) == 1


def test_what_a_phone_is_told_is_in_its_platforms_own_words():
    from urllib.parse import parse_qs

    answer = b"<PublishResponse><PublishResult><MessageId>m-1</MessageId></PublishResult></PublishResponse>"
    with Loopback(in_turn(Response(200, answer))) as server:
        push = PlatformPush(region="us-east-1", endpoint_url=server.url, applications={"fcm": "arn:x"})
        assert push.send(Endpoint("fcm", "arn:aws:sns:us-east-1:000000000000:endpoint/GCM/gg/1"), MESSAGE) == "m-1"

    form = parse_qs(server.requests[0].body.decode())
    told = json.loads(form["Message"][0])
    assert form["MessageStructure"] == ["json"]
    assert set(told) == {"default", "APNS", "APNS_SANDBOX", "GCM"}
    assert json.loads(told["APNS"])["aps"]["alert"] == {"title": "Run 5 km", "body": "It is time."}
    google = json.loads(told["GCM"])["fcmV1Message"]["message"]
    assert google["notification"] == {"title": "Run 5 km", "body": "It is time."}
    assert google["android"] == {"priority": "high", "notification": {"tag": "note.push"}}
    names = {value[0] for name, value in form.items() if name.endswith(".Name")}
    assert "AWS.SNS.MOBILE.APNS.COLLAPSE_ID" in names
    assert len(names) <= 10


# Browsers --------------------------------------------------------------------------------------------------------------------------------


class Browser:
    """A browser's side of a subscription (RFC 8291)."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.auth = b"0123456789abcdef"

    @property
    def keys(self) -> dict[str, str]:
        point = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"p256dh": _text(point), "auth": _text(self.auth)}

    def read(self, body: bytes) -> dict[str, str]:
        return json.loads(http_ece.decrypt(body, private_key=self.private, auth_secret=self.auth, version="aes128gcm"))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@pytest.fixture
def browser() -> Browser:
    return Browser()


@pytest.fixture
def service() -> Iterator[Loopback]:
    with Loopback(in_turn(Response(201, b""))) as server:
        yield server


def web(*, public_only: bool = False) -> WebPush:
    return WebPush(private_key=VAPID, subject="mailto:ops@example.org", public_only=public_only)


def test_a_browser_reads_what_was_sent_and_its_service_learns_who_sent_it(browser: Browser, service: Loopback):
    push = PlatformPush(region="us-east-1", vapid_key=VAPID, vapid_subject="mailto:ops@example.org", public_only=False)
    endpoint = push.register("web", f"{service.url}/push/1", browser.keys)
    assert push.send(endpoint, MESSAGE)

    (request,) = service.requests
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert browser.read(request.body) == {
        "title": "Run 5 km",
        "body": "It is time.",
        "url": "https://app.example.org/n/1",
        "tag": "note.push",
    }
    assert b"Run 5 km" not in request.body
    assert (headers["ttl"], headers["urgency"], headers["content-encoding"]) == ("600", "high", "aes128gcm")
    scheme, _, rest = headers["authorization"].partition(" ")
    token, key = (part.partition("=")[2] for part in rest.split(","))
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)))
    claims = jwt.decode(token, public, algorithms=["ES256"], audience=service.url)
    assert (scheme, claims["sub"], key) == ("vapid", "mailto:ops@example.org", push.web_key())


def test_a_repetition_has_the_same_topic_so_that_its_service_replaces_the_first(browser: Browser, service: Loopback):
    push = web()
    endpoint = push.register(f"{service.url}/push/1", browser.keys)
    for key in ("one", "one", "two"):
        push.send(endpoint, PushMessage(key, "T", "B", "https://app.example.org", 60))
    topics = [request.headers["Topic"] for request in service.requests]
    assert topics[0] == topics[1] != topics[2]
    assert all(
        len(topic) <= 32 and set(topic) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") for topic in topics
    )
    authorizations = {request.headers["Authorization"] for request in service.requests}
    assert len(authorizations) == 1


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (404, Gone),
        (410, Gone),
        (400, Refused),
        (403, Refused),
        (413, Refused),
        (301, Refused),
        (307, Refused),
        (429, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
def test_each_answer_means_one_of_three_things_and_no_redirect_is_followed(browser: Browser, status: int, meaning):
    with Loopback(in_turn(Response(status, b"no"))) as server:
        push = web()
        with pytest.raises(meaning):
            push.send(push.register(f"{server.url}/push/1", browser.keys), MESSAGE)
    assert len(server.requests) == 1


def test_a_service_that_cuts_or_is_not_there_is_unavailable(browser: Browser):
    push = web()
    with Loopback(in_turn(CUT)) as server, pytest.raises(Unavailable):
        push.send(push.register(f"{server.url}/push/1", browser.keys), MESSAGE)
    with pytest.raises(Unavailable):
        push.send(push.register(f"{server.url}/push/1", browser.keys), MESSAGE)


@pytest.mark.parametrize(
    "url",
    [
        "http://push.example.org/1",
        "ftp://push.example.org/1",
        "https://",
        "https://user:pw@push.example.org/",
        "https://push.example.org/ x",
        "https://push.example.org/" + "x" * 2000,
        "https://[::1",
        "https://[::ffff:127.0.0.1]/1",
        "https://push.example.org:99999/",
        "https://pùsh.example.org/",
    ],
)
def test_an_address_that_is_no_push_service_is_refused(browser: Browser, url: str):
    with pytest.raises(Refused):
        web(public_only=True).register(url, browser.keys)
    with pytest.raises(Refused):
        web(public_only=True).send(Endpoint("web", url, browser.keys), MESSAGE)


@pytest.mark.parametrize(
    "change",
    [{"p256dh": "x"}, {"p256dh": _text(b"\x04" + b"\x01" * 64)}, {"auth": "AAAA"}, {"auth": "é"}, {"auth": "x" * 5000}, {"p256dh": None}],
)
def test_keys_that_are_none_are_refused(browser: Browser, change):
    with pytest.raises(Refused):
        web().register("https://push.example.org/1", browser.keys | change)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "push..example.org", "0"])
def test_whether_an_inner_port_is_open_cannot_be_told_and_nothing_connects_to_it(browser: Browser, host: str):
    said = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        with socket.create_server(("127.0.0.1", 0)) as other:
            closed = other.getsockname()[1]
        for port in (listener.getsockname()[1], closed):
            push = web(public_only=True)
            with pytest.raises(Refused) as refused:
                push.send(push.register(f"https://{host}:{port}/push", browser.keys), MESSAGE)
            said.append(str(refused.value))
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert said == ["address"] * 2


@pytest.fixture
def names(monkeypatch) -> dict[str, list[str]]:
    """Where names lead. Each is to be asked for once: a second answer would lead elsewhere."""
    known: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *more, **named):
        if host == "no.example.org":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        addresses = known.pop(host) if host in known else [host]
        return [found for address in addresses for found in real(address, port, *more, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.mark.parametrize(
    "addresses", [["10.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["2606:4700::1111", "fd00::1"], ["8.8.8.8", "64:ff9b::a00:1"], ["169.254.169.254"]]
)
def test_a_name_that_leads_inwards_by_any_of_its_addresses_looks_like_one_that_does_not_exist(browser: Browser, names, addresses):
    names["push.example.org"] = addresses
    for host in ("push.example.org", "no.example.org"):
        with pytest.raises(Refused, match=r"^address$"):
            web(public_only=True).send(Endpoint("web", f"https://{host}/1", browser.keys), MESSAGE)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("10.0.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("192.88.99.1", False),
        ("224.0.0.1", False),
        ("239.1.1.1", False),
        ("0.0.0.0", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::8.8.8.8", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b:1::a00:1", False),
        ("2002:a00:1::1", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("fd00::1", False),
        ("ff0e::1", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool):
    assert is_public(address) is public


@pytest.mark.parametrize("named", ["push.example.org", "other.example.org"])
def test_the_connection_goes_to_the_address_that_was_looked_at_and_has_to_prove_the_name(browser, names, monkeypatch, tmp_path, named):
    """`names` forgets a name once it was asked for, so a second look would go astray."""
    certificate = _certificate(tmp_path, named)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with Loopback(in_turn(Response(201, b""))) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server._server.socket = context.wrap_socket(server._server.socket, server_side=True)
        names["push.example.org"] = ["127.0.0.1"]
        address = f"https://push.example.org:{server._server.server_port}/1?x=y"
        if named == "push.example.org":
            assert web().send(Endpoint("web", address, browser.keys), MESSAGE)
            assert server.requests[0].headers["Host"] == f"push.example.org:{server._server.server_port}"
        else:
            with pytest.raises(Unavailable):
                web().send(Endpoint("web", address, browser.keys), MESSAGE)
            assert server.requests == []


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 201 Created\r\n"])
def test_a_service_that_drips_holds_nobody_up(browser: Browser, begin: bytes):
    """A byte now and then, for ever: each is in time, all of them never are."""
    over = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.sendall(begin)
            while not over.wait(0.02):
                connection.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=[listener])
        thread.start()
        push = WebPush(private_key=VAPID, subject="mailto:ops@example.org", public_only=False, seconds=0.3)
        try:
            with pytest.raises(Unavailable):
                push.send(Endpoint("web", f"http://127.0.0.1:{listener.getsockname()[1]}/1", browser.keys), MESSAGE)
        finally:
            over.set()
            thread.join()


def _certificate(folder: Path, name: str) -> Path:
    """A certificate that vouches for itself, with its key."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begins = datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), begins, begins + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path


def test_a_long_body_is_cut_to_what_every_service_takes(browser: Browser, service: Loopback):
    push = web()
    endpoint = push.register(f"{service.url}/push/1", browser.keys)
    for character in ("x", '"', "漢", "\n", "🎯"):
        push.send(endpoint, PushMessage("k" * 60, "T" * 100, character * 5000, "https://app.example.org", 60))
    for request in service.requests:
        assert len(request.body) <= 4096
        assert len(browser.read(request.body)["body"]) > 500


def test_the_recording_one_tells_repetitions_by_their_key():
    push = RecordingPush()
    endpoint = push.register("fcm", "token", {})
    assert push.register("fcm", "token", {}) == endpoint
    assert push.send(endpoint, MESSAGE) == push.send(endpoint, MESSAGE)
    assert len(push.sent) == 1
    push.gone.add(endpoint.address)
    with pytest.raises(Gone):
        push.send(endpoint, MESSAGE)
