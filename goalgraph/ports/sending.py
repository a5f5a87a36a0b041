"""What may go wrong with a message that leaves the platform, on any channel. What an error says names no member and no address."""


class SendingError(Exception):
    """Base of what a channel raises. Vendors' own exceptions never leave an adapter."""


class Gone(SendingError):
    """The address is no more: forget it. Sending there again is pointless, and providers hold it against the sender."""


class Refused(SendingError):
    """This message to this address will never be taken; repeating it changes nothing."""


class Unavailable(SendingError):
    """Not now. Whether the provider took the message is unknown: send it again later, under the same key."""
