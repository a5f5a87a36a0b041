"""Whether an address that a company wants members to follow is one that we may send them to."""

from typing import Protocol


class LinkRefused(Exception):
    """The address is no good. The message says why, for the person who typed it; it tells nothing of our network."""


class LinkUnavailable(Exception):
    """Nothing can be said at the moment: the server did not answer, or not in time. Trying again may help."""


class LinkChecker(Protocol):
    def check(self, url: str) -> None:
        """Returns where `url`, and each address that it leads on to, is a public https address. Raises LinkRefused, LinkUnavailable."""
