"""Push messages to phones and browsers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

APNS, FCM, WEB = "apns", "fcm", "web"
PLATFORMS = (APNS, FCM, WEB)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a device is reached. `address` is the provider's name for it; `secrets` are a browser's `p256dh` and `auth`."""

    platform: str
    address: str
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PushMessage:
    """`key` tells repetitions apart, for providers that look at it. `seconds` is how long the message is worth delivering."""

    key: str
    title: str
    body: str
    url: str
    seconds: int
    urgent: bool = False


class Push(Protocol):
    def register(self, platform: str, token: str, secrets: Mapping[str, str]) -> Endpoint:
        """The endpoint for what a device's system gave out: a token, or the address and keys of a browser's subscription.

        The same token gives the same endpoint, ready to be used, however often and by however many at once it is registered.
        Raises Refused for what is no such token, or for a platform that is not set up; Unavailable.
        """

    def send(self, endpoint: Endpoint, message: PushMessage) -> str:
        """Hand over one message, and return what the provider calls it. Raises Gone, Refused, Unavailable."""

    def web_key(self) -> str | None:
        """The public key that a browser subscribes with (`applicationServerKey`); None where Web Push is not set up."""
