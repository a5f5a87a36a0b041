"""Adapters of the `link_checker` port: `PublicLinkChecker` follows the address, `ShapeLinkChecker` only reads it."""

import ipaddress
from urllib.parse import urljoin, urlsplit

from goalgraph.adapters.public_http import NoAnswer, NotPublic, PublicHttp
from goalgraph.errors import Invalid
from goalgraph.inputs import https_url
from goalgraph.ports.link_checker import LinkRefused, LinkUnavailable

MAX_REDIRECTS = 5
SECONDS = 5.0
"""For each address on the way, so at most half a minute in all."""

_REDIRECTS = (301, 302, 303, 307, 308)
_GONE = (404, 410)
_INNER_NAMES = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "test", "invalid", "onion", "arpa")
"""Top-level names that never lead to a public server (RFC 6761, RFC 6762, RFC 7686, RFC 8375 and ICANN's reserved `internal`)."""
_HEADERS = {"User-Agent": "GoalGraph-link-check", "Accept": "text/html,*/*;q=0.5", "Accept-Encoding": "identity"}


class PublicLinkChecker:
    """Asks for the page and follows it where it leads, each address checked as the first one was. No body is read, no cookie kept.

    `http` is how; tests give one of their own.
    """

    def __init__(self, http: PublicHttp | None = None) -> None:
        self._http = http or PublicHttp(seconds=SECONDS)

    def check(self, url: str) -> None:
        for _ in range(MAX_REDIRECTS + 1):
            _check_shape(url)
            try:
                status, headers = self._http.get(url, _HEADERS)
            except NotPublic as error:
                raise LinkRefused("This address leads to no public server.") from error
            except NoAnswer as error:
                raise LinkUnavailable("The page did not answer in time. Try again in a moment.") from error
            if status not in _REDIRECTS:
                return _judge(status)
            url = _joined(url, headers.get("Location", ""))
        raise LinkRefused(f"This address leads on more than {MAX_REDIRECTS} times. Give the one where it ends.")


class ShapeLinkChecker:
    """Says what can be said without asking anybody: for machines whose network is closed."""

    def check(self, url: str) -> None:
        _check_shape(url)


def _check_shape(url: str) -> None:
    """An https address with a public-looking name on the usual port. Raises LinkRefused."""
    try:
        parts = urlsplit(https_url(url, field="url"))
    except Invalid as error:
        raise LinkRefused(error.message) from error
    host = str(parts.hostname).rstrip(".")
    if parts.port not in (None, 443):
        raise LinkRefused("Give an address without a port of its own.")
    if _is_ip(host) or "." not in host or host.rpartition(".")[2] in _INNER_NAMES:
        raise LinkRefused("Give an address with a public name, as in https://www.example.com/.")


def _is_ip(host: str) -> bool:
    """Whether the host is an IP address, in any notation that resolvers take: the last part of a name is never a number (RFC 3696)."""
    last = host.rpartition(".")[2]
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return last.isdigit() or last.startswith("0x")
    return True


def _joined(url: str, location: str) -> str:
    if not location:
        raise LinkRefused("The page leads on, but does not say where to.")
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise LinkRefused("The page leads on to what is no address.") from error


def _judge(status: int) -> None:
    """Pages that want a sign-in, or no robots, are there; so is one with a fault of its own, later."""
    if status in _GONE:
        raise LinkRefused(f"There is no page at this address (the server says {status}).")
    if status >= 500:
        raise LinkUnavailable(f"The page has a fault at the moment (the server says {status}). Try again in a moment.")
