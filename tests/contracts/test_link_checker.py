"""What the adapters of the `link_checker` port promise: nobody is sent, and we are never sent, anywhere but to public https pages."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.adapters.link_checker import MAX_REDIRECTS, PublicLinkChecker, ShapeLinkChecker
from goalgraph.adapters.public_http import PublicHttp
from goalgraph.ports.link_checker import LinkChecker, LinkRefused, LinkUnavailable

PUBLIC = "8.8.8.8"
"""Where the names of these tests lead, as far as the checker learns. The network is closed: the connection ends at our own server."""
NAMES = ("shop.example.com", "www.example.com", "sneaky.example.com")


class ToLoopback(PublicHttp):
    """Connects to our server instead of to a public address, and to nothing else at all. All the rest is as it is."""

    def __init__(self, port: int, **options: Any) -> None:
        super().__init__(**options)
        self._port = port
        self.connected: list[str] = []

    def _connection(self, scheme: str, address: str, port: int, host: str) -> Any:
        self.connected.append(f"{scheme}://{address}:{port}")
        assert (scheme, address, port) == ("https", PUBLIC, 443)
        return super()._connection(scheme, "127.0.0.1", self._port, host)


class Site:
    """An https server for `NAMES`. `pages` says for each address a status and where it leads on."""

    def __init__(self, certificate: Path) -> None:
        self.pages: dict[str, tuple[int, str | None]] = {}
        self.asked: list[tuple[str, str]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler) -> None:
                address = f"https://{handler.headers['Host']}{handler.path}"
                self.asked.append((address, handler.headers.get("Cookie", "")))
                status, location = self.pages.get(address, (404, None))
                handler.send_response(status)
                handler.send_header("Set-Cookie", "who=1")
                if location is not None:
                    handler.send_header("Location", location.encode().decode("latin-1"))
                handler.end_headers()
                with contextlib.suppress(OSError):
                    for _ in range(10_000):  # a body without end is of no use to anybody here
                        handler.wfile.write(b"x" * 65_536)

            def log_message(handler, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.server.daemon_threads = True
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> "Site":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAMES[0])])
    begins = datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), begins, begins + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in NAMES]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """Where names lead, in the order of the questions; the last answer stays."""
    known: dict[str, list[list[str]]] = {name: [[PUBLIC]] for name in NAMES}
    real = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *more: Any, **named: Any) -> list[Any]:
        if host == "127.0.0.1":  # where `ToLoopback` connects to
            return real(host, port, *more, **named)
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        answers = known[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.fixture
def site(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with Site(certificate) as site:
        yield site


def checker(site: Site, **options: Any) -> tuple[LinkChecker, ToLoopback]:
    http = ToLoopback(site.server.server_port, **options)
    return PublicLinkChecker(http), http


@pytest.mark.parametrize("status", [200, 204, 401, 403, 405, 429])
def test_a_page_that_is_there_is_good_and_its_body_is_not_read(site: Site, names: Any, status: int):
    site.pages["https://shop.example.com/a?b=c"] = (status, None)
    check, http = checker(site)

    check.check("https://shop.example.com/a?b=c")

    assert site.asked == [("https://shop.example.com/a?b=c", "")]
    assert http.connected == [f"https://{PUBLIC}:443"]


@pytest.mark.parametrize(("status", "meaning"), [(404, LinkRefused), (410, LinkRefused), (500, LinkUnavailable), (503, LinkUnavailable)])
def test_a_page_that_is_not_there_is_refused_and_one_with_a_fault_may_be_tried_again(
    site: Site, names: Any, status: int, meaning: type[Exception]
):
    site.pages["https://shop.example.com/"] = (status, None)
    with pytest.raises(meaning, match=str(status)):
        checker(site)[0].check("https://shop.example.com/")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["https://www.example.com/end", "/end", "//www.example.com/end"])
def test_redirects_are_followed_by_hand_without_cookies(site: Site, names: Any, status: int, location: str):
    site.pages["https://shop.example.com/"] = (status, location)
    site.pages["https://www.example.com/end"] = site.pages["https://shop.example.com/end"] = (200, None)

    checker(site)[0].check("https://shop.example.com/")

    assert len(site.asked) == 2
    assert {cookie for _, cookie in site.asked} == {""}


def test_a_chain_has_an_end(site: Site, names: Any):
    for step in range(MAX_REDIRECTS + 1):
        site.pages[f"https://shop.example.com/{step}"] = (302, f"/{step + 1}")
    site.pages[f"https://shop.example.com/{MAX_REDIRECTS + 1}"] = (200, None)

    checker(site)[0].check("https://shop.example.com/1")
    with pytest.raises(LinkRefused, match="more than 5 times"):
        checker(site)[0].check("https://shop.example.com/0")

    assert len(site.asked) == 2 * (MAX_REDIRECTS + 1)


INWARDS = [
    *("http://www.example.com/", "https://127.0.0.1/", "https://[::1]/", "https://2130706433/", "https://0x7f000001/", "https://127.1/"),
    *("https://169.254.169.254/latest/meta-data/", "https://localhost/", "https://db.internal/", "https://router/", "https://a.local./"),
    *("https://www.example.com:8443/", "https://user:pw@www.example.com/", "file:///etc/passwd", "gopher://x.example.com/"),
    *("javascript:alert(1)", "https://", "https://[::1", "https://www.example.com/ x", "https://ẃww.example.com/", "ftp://x.example.com/"),
    "https://www.example.com/" + "x" * 2048,
]


@pytest.mark.parametrize("url", [*INWARDS, "", "/end", "www.example.com"])
def test_what_is_no_public_https_address_is_refused_before_anybody_is_asked(site: Site, names: Any, url: str):
    check, http = checker(site)
    for one in (check, ShapeLinkChecker()):
        with pytest.raises(LinkRefused):
            one.check(url)
    assert (http.connected, site.asked) == ([], [])


@pytest.mark.parametrize(
    "location", [*(url for url in INWARDS if url != "https://"), "https://inner.example.com/", "https://nobody.example.com/", None]
)
def test_no_page_leads_us_inwards(site: Site, names: Any, location: str | None):
    names["inner.example.com"] = [["10.0.0.1"]]
    site.pages["https://shop.example.com/"] = (302, location)
    check, http = checker(site)

    with pytest.raises(LinkRefused):
        check.check("https://shop.example.com/")

    assert len(http.connected) == len(site.asked) == 1


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["127.0.0.1"], [PUBLIC, "192.168.0.1"], ["::ffff:10.0.0.1"], ["fd00::1"], []])
def test_a_name_that_leads_inwards_looks_like_one_that_does_not_exist(site: Site, names: Any, addresses: list[str]):
    names["shop.example.com"] = [addresses]
    said = []
    for host in ("shop.example.com", "nobody.example.com"):
        with pytest.raises(LinkRefused) as refused:
            checker(site)[0].check(f"https://{host}/")
        said.append(str(refused.value))
    assert said == ["This address leads to no public server."] * 2
    assert site.asked == []


def test_a_name_is_resolved_once_so_a_second_answer_that_leads_inwards_changes_nothing(site: Site, names: Any):
    names["sneaky.example.com"] = [[PUBLIC], ["127.0.0.1"]]
    site.pages["https://sneaky.example.com/"] = (200, None)
    check, http = checker(site)

    check.check("https://sneaky.example.com/")
    with pytest.raises(LinkRefused):  # by the next question it leads inwards, and that is seen
        check.check("https://sneaky.example.com/")

    assert http.connected == [f"https://{PUBLIC}:443"]


def test_a_redirect_has_its_own_question(site: Site, names: Any):
    names["sneaky.example.com"] = [[PUBLIC], ["127.0.0.1"]]
    site.pages["https://sneaky.example.com/"] = (302, "https://sneaky.example.com/inside")
    check, http = checker(site)
    with pytest.raises(LinkRefused):
        check.check("https://sneaky.example.com/")
    assert len(http.connected) == 1


def test_a_server_that_is_not_who_it_says_is_unavailable(site: Site, names: Any):
    names["other.example.com"] = [[PUBLIC]]
    with pytest.raises(LinkUnavailable):
        checker(site)[0].check("https://other.example.com/")
    assert site.asked == []


def test_a_server_that_never_answers_holds_nobody_up(names: Any):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        check = PublicLinkChecker(ToLoopback(silent.getsockname()[1], seconds=0.3))
        with pytest.raises(LinkUnavailable):
            check.check("https://shop.example.com/")


@given(url=st.text(max_size=60) | st.builds("https://{}".format, st.text(max_size=40)))
def test_whatever_is_typed_is_answered(url: str):
    with contextlib.suppress(LinkRefused):
        ShapeLinkChecker().check(url)


@pytest.mark.parametrize("url", ["https://shop.example.com/", "https://shop.example.com:443/a?b#c", "https://xn--bcher-kva.example/"])
def test_the_shape_of_a_good_address(url: str):
    ShapeLinkChecker().check(url)
