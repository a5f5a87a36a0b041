"""HTTP requests to servers that members or companies name: to public addresses only, without redirects, and in time.

A name is resolved once, every address that it leads to is looked at, and the connection goes to one of these: a name that leads elsewhere a
moment later changes nothing. Nothing is connected to before, so nobody learns from us what is open in our network, or named there.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from queue import Empty, SimpleQueue
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

SECONDS = 15.0
"""For all of a request: resolving, connecting, asking and the head of the answer."""
_PORTS = {"http": 80, "https": 443}
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""RFC 4291, section 2.4. What lies outside leads inwards or somewhere else: NAT64 (64:ff9b::/96, 64:ff9b:1::/48), IPv4-mapped, local."""
_TUNNELS = [ipaddress.ip_network(network) for network in ("2001::/32", "2002::/16", "192.88.99.0/24")]
"""Teredo (RFC 4380) and 6to4 (RFC 3056, RFC 3068): another address is within."""
_NO_NAME = {getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA", "EAI_FAIL") if hasattr(socket, name)}


class NotPublic(Exception):
    """The name leads nowhere, or to an address of an inner network. Which of the two is not told."""


class NoAnswer(Exception):
    """The server did not answer, or not in time."""


class PublicHttp:
    """`public_only` false lets every address through, for tests."""

    def __init__(self, *, public_only: bool = True, seconds: float = SECONDS) -> None:
        self._public_only = public_only
        self._seconds = seconds
        self._tls = ssl.create_default_context()

    def get(self, url: str, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str]]:
        """As `post`, without content."""
        return self._ask("GET", url, None, headers)

    def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str]]:
        """Status and headers of the answer; its body is not read. `url` is a checked one. Raises NotPublic, NoAnswer."""
        return self._ask("POST", url, content, headers)

    def _ask(self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str]]:
        deadline = time.monotonic() + self._seconds
        parts = urlsplit(url)
        host, port = str(parts.hostname), parts.port or _PORTS[parts.scheme]
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        address = self._address(host, port)
        try:
            with closing(self._connection(parts.scheme, address, port, host)) as connection:
                connection.timeout = _left(deadline) / 2  # one half for TCP, one for TLS
                connection.connect()
                connection.timeout = _left(deadline)
                with _cut_at(deadline, connection.sock):
                    connection.request(method, target, body=content, headers={"Host": parts.netloc, **headers}, preload_content=False)
                    answer = connection.getresponse()
                    answer.close()
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            raise NoAnswer(type(error).__name__) from error
        return answer.status, answer.headers

    def _connection(self, scheme: str, address: str, port: int, host: str) -> HTTPConnection:
        """To `address`, which has to prove that it is `host`."""
        if scheme == "http":
            return HTTPConnection(address, port)
        return HTTPSConnection(address, port, server_hostname=host, ssl_context=self._tls)

    def _address(self, host: str, port: int) -> str:
        found = _resolved(host, port, self._seconds / 3)
        if self._public_only and not all(map(is_public, found)):
            raise NotPublic
        return found[0]


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet, and no way into another network."""
    ip = ipaddress.ip_address(address)
    if not ip.is_global or ip.is_multicast or any(ip in network for network in _TUNNELS):
        return False
    return ip.version == 4 or ip in _GLOBAL_UNICAST


def _resolved(host: str, port: int, seconds: float) -> list[str]:
    """All addresses of a name, at least one. The system's resolver knows no deadline of ours: a thread asks it, and ends when that does."""
    answers: SimpleQueue[list[str] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put([str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)])
        except (OSError, UnicodeError) as error:  # UnicodeError: what cannot be a name
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        found = answers.get(timeout=seconds)
    except Empty as error:
        raise NoAnswer("the name was not resolved in time") from error
    if isinstance(found, UnicodeError) or (isinstance(found, socket.gaierror) and found.errno in _NO_NAME) or found == []:
        raise NotPublic
    if isinstance(found, Exception):
        raise NoAnswer(type(found).__name__) from found
    return found


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@contextmanager
def _cut_at(deadline: float, sock: socket.socket) -> Iterator[None]:
    """Raises TimeoutError where it takes until `deadline`. The timeout of a socket holds for each byte, so one that drips needs this."""
    late = threading.Event()

    def cut() -> None:
        late.set()
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not that of an SSLSocket, which another thread reads from

    timer = threading.Timer(_left(deadline), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if late.is_set():
        raise TimeoutError
