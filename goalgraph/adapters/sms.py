"""Adapters of the `sms` port beside `goalgraph.adapters.sns.SnsSms`: where there is none, and for tests."""

from goalgraph.ports.sending import Refused


class NoSms:
    """No text messages are sent from here."""

    def send(self, number: str, text: str, *, key: str) -> str:  # noqa: ARG002 - it sends none
        raise Refused("not set up")


class RecordingSms:
    """A provider that tells repetitions by their key. `sent` is what it delivered: key to number and text."""

    def __init__(self) -> None:
        self.sent: dict[str, tuple[str, str]] = {}

    def send(self, number: str, text: str, *, key: str) -> str:
        self.sent.setdefault(key, (number, text))
        return f"sms-{key}"
