"""Settings of the queues and of the workers: Celery on Amazon SQS (docs/adr/0009-moderation-hand-off.md).

Read by `settings/base.py`; needs nothing but the environment.
"""

from typing import Any

import environ
from kombu import Queue

_env = environ.Env()

CELERY_BROKER_URL = _env.str("CELERY_BROKER_URL", "sqs://")
QUEUE_PREFIX = _env.str("QUEUE_PREFIX", "gg-")
"""Before the names of the queues in SQS, so that several installations share an account."""
FEED_SUBSCRIBERS = ("gamification", "leaderboards", "notifications", "moderation", "offers", "search", "bus")
QUEUE_KINDS = ("due", "notify", *(f"feed-{subscriber}" for subscriber in FEED_SUBSCRIBERS), "default")
"""What waits where: sweeps of the due wheel, deliveries, batches of events for each subscriber of the change feed, and the rest."""
PRIORITY = "-priority"
QUEUE_NAMES = tuple(name for kind in QUEUE_KINDS for name in (f"{kind}{PRIORITY}", kind))
"""Each kind has a twin for what concerns premium members. Beside the workers that take from all there is one for these alone (`express` in
the Procfile), so nothing of a premium member's ever waits behind others."""
QUEUE_MAX_RECEIVES = 3
"""How often a task is tried before its message goes to the dead-letter queue."""

CELERY_TASK_SOFT_TIME_LIMIT, CELERY_TASK_TIME_LIMIT = 45, 60
QUEUE_VISIBILITY_SECONDS = 4 * CELERY_TASK_TIME_LIMIT
"""How long a message is hidden from others once a worker has it: longer than it may wait for its turn there, and run."""


def _queues_url() -> str:
    """Where the queues are: on AWS https://sqs.<region>.amazonaws.com/<account>, in the emulator below its own address."""
    emulator = _env.str("AWS_ENDPOINT_URL", "").rstrip("/")
    return _env.str("SQS_QUEUES_URL", "") or (f"{emulator}/{_env.str('AWS_ACCESS_KEY_ID', '000000000000')}" if emulator else "")


SQS_QUEUES_URL = _queues_url()

CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
    "region": _env.str("AWS_REGION", _env.str("AWS_DEFAULT_REGION", "us-east-1")),
    # Named one by one, so that nobody but `create_queues` makes queues: one made in passing would have no dead-letter queue.
    "predefined_queues": {name: {"url": f"{SQS_QUEUES_URL}/{QUEUE_PREFIX}{name}"} for name in QUEUE_NAMES},
    "wait_time_seconds": 20,  # an idle worker asks three times a minute, and is still told at once
    "polling_interval": 0.05,  # between two looks at whether the worker is free again
    "client-config": {"connect_timeout": 2, "read_timeout": 30, "retries": {"total_max_attempts": 2}},
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True

CELERY_TASK_QUEUES = [Queue(name) for name in QUEUE_NAMES]
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_TASK_ROUTES = {"chat.tasks.review_*": {"queue": "feed-moderation"}, "billing.tasks.project": {"queue": f"default{PRIORITY}"}}

# A message leaves its queue when its task is done, not when it begins. One that fails stays, and comes again when it is visible again.
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_ACKS_ON_FAILURE = False
CELERY_TASK_ACKS_ON_TIMEOUT = False
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True

CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_ENABLE_UTC = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_MAX_TASKS_PER_CHILD = 10_000
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 0.0
