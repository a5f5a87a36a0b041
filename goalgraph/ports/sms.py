"""Text messages to telephones."""

from typing import Protocol


class Sms(Protocol):
    def send(self, number: str, text: str, *, key: str) -> str:
        """Hand over one text to `number` (E.164), and return what the provider calls it.

        `key` tells repetitions apart, for providers that look at it. Raises Gone, Refused, Unavailable.
        """
