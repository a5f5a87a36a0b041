"""How much members are told, and for how long it is kept (docs/notifications.md).

Read by `settings/base.py`; needs nothing but the environment.
"""

import environ

_env = environ.Env()

NOTIFICATION_CAPS: dict[str, int] = {
    "email": _env.int("NOTIFICATION_CAP_EMAIL", 10),
    "push": _env.int("NOTIFICATION_CAP_PUSH", 30),
    "sms": _env.int("NOTIFICATION_CAP_SMS", 3),
}
"""The most that a member is sent over a channel on one of their days. What is critical is sent beyond it, and does not count."""
NOTIFICATION_RETENTION_DAYS = _env.int("NOTIFICATION_RETENTION_DAYS", 90)
"""How long a notification is kept, with the record of why and how it was sent."""
NOTIFICATION_SHARDS = _env.int("NOTIFICATION_SHARDS", 16)
"""Over how many partitions of an index the outbox of a day is spread, and what is still to be sent."""
