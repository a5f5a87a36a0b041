"""Settings of the processes in `test_worker.py` and `test_feed.py`: those of the tests, with real queues, and patience that fits a test."""

from goalgraph.settings.test import *  # noqa: F403

QUEUE_VISIBILITY_SECONDS = 3
CELERY_BROKER_TRANSPORT_OPTIONS["wait_time_seconds"] = 1  # noqa: F405
FEED_LEASE_SECONDS = 2.0
PORTS["jobs"] = {"BACKEND": "goalgraph.adapters.jobs.CeleryJobs"}  # noqa: F405
PORTS["moderator"] = {"BACKEND": "tests.e2e.moderators.Scripted"}  # noqa: F405
