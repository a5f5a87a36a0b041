"""Settings of the worker process in `test_worker.py`: those of the tests, with real queues, and patience that fits a test."""

from goalgraph.settings.test import *  # noqa: F403

QUEUE_VISIBILITY_SECONDS = 3
CELERY_BROKER_TRANSPORT_OPTIONS["wait_time_seconds"] = 1  # noqa: F405
PORTS["moderator"] = {"BACKEND": "tests.e2e.moderators.Scripted"}  # noqa: F405
