"""Who knows what to do with an entry of the wheel whose minute has come."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from goalgraph.auth.actor import Actor

Turn = Callable[[Actor, Sequence[Any], datetime], None]
"""`turn(actor, entries, now)` does what `entries`, at most `AT_ONCE` and all of one type, are there for, and takes each of them out of its
bucket, or moves it to a later one, in the same transaction. It may be called twice and by several at once. Where it raises, nothing says
which of the entries were done: each is tried again alone."""

AT_ONCE = 25


@cache
def turns() -> Mapping[str, Turn]:
    """By the `type` of entry."""
    import notifications.delivery_services
    import notifications.digest_services
    import notifications.reminder_services

    return {
        "DueEntry": notifications.reminder_services.turn,
        "HeldDelivery": notifications.delivery_services.release,
        "DigestEntry": notifications.digest_services.turn,
    }
