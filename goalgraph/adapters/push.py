"""Adapters of the `push` port: `PlatformPush` for phones and browsers, `RecordingPush` for tests."""

import hashlib
from collections.abc import Mapping

from goalgraph.adapters.sns import SnsClient, SnsPush
from goalgraph.adapters.web_push import WebPush
from goalgraph.ports.push import PLATFORMS, WEB, Endpoint, PushMessage
from goalgraph.ports.sending import Gone, Refused


class PlatformPush:
    """Phones through SNS, browsers through their push services. Each platform works where it is set up, and is refused where it is not.

    `applications` and `vapid_key` empty: no phones, no browsers.
    """

    def __init__(
        self,
        *,
        region: str,
        endpoint_url: str | None = None,
        applications: Mapping[str, str] | None = None,
        vapid_key: str = "",
        vapid_subject: str = "",
        public_only: bool = True,
    ) -> None:
        self._phones = SnsPush(SnsClient(region=region, endpoint_url=endpoint_url), applications or {})
        self._web = WebPush(private_key=vapid_key, subject=vapid_subject, public_only=public_only) if vapid_key else None

    def register(self, platform: str, token: str, secrets: Mapping[str, str]) -> Endpoint:
        if platform != WEB:
            return self._phones.register(platform, token)
        return self._browsers().register(token, secrets)

    def send(self, endpoint: Endpoint, message: PushMessage) -> str:
        return self._browsers().send(endpoint, message) if endpoint.platform == WEB else self._phones.send(endpoint, message)

    def web_key(self) -> str | None:
        return None if self._web is None else self._web.key()

    def _browsers(self) -> WebPush:
        if self._web is None:
            raise Refused("platform")
        return self._web


class RecordingPush:
    """A provider that tells repetitions by their key, as the proofs want one. `sent` is what it delivered, by key and endpoint."""

    def __init__(self) -> None:
        self.sent: dict[tuple[str, str], PushMessage] = {}
        self.gone: set[str] = set()

    def register(self, platform: str, token: str, secrets: Mapping[str, str]) -> Endpoint:
        if platform not in PLATFORMS or not token:
            raise Refused("token")
        self.gone.discard(address := f"{platform}:{hashlib.blake2b(token.encode(), digest_size=8).hexdigest()}")
        return Endpoint(platform, address, dict(secrets))

    def send(self, endpoint: Endpoint, message: PushMessage) -> str:
        if endpoint.address in self.gone:
            raise Gone("gone")
        self.sent.setdefault((message.key, endpoint.address), message)
        return f"push-{message.key}"

    def web_key(self) -> str | None:
        return "recording"
