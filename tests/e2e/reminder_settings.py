"""Settings of the processes in `test_reminders.py`: those of the tests, with real queues, short patience, and the traps of
`reminder_traps.py` on their way."""

import os

# ruff: noqa: F403, F405
from goalgraph.settings.test import *
from tests.e2e import reminder_traps

# Tests look values up here in their own process, so nothing of the settings that these are made of is changed in place.
PATIENCE = int(os.environ.get("REMINDERS_PATIENCE", "3"))
"""Seconds after which a message comes again. All other waiting follows from it, in the order of the real settings."""
QUEUE_VISIBILITY_SECONDS = PATIENCE
CELERY_BROKER_TRANSPORT_OPTIONS = CELERY_BROKER_TRANSPORT_OPTIONS | {"wait_time_seconds": 1}
DUE_SHARDS, DUE_PRIORITY_SHARDS = 4, 2
WHEEL_LEASE_SECONDS, WHEEL_SWEEP_SECONDS = PATIENCE * 2 / 3, PATIENCE / 2
WHEEL_START_MINUTES = WHEEL_OVERLAP_MINUTES = 2
FEED_LEASE_SECONDS = PATIENCE * 2 / 3
NOTIFICATION_CAPS = dict.fromkeys(NOTIFICATION_CAPS, 10**6)
PORTS = PORTS | {
    "jobs": {"BACKEND": "goalgraph.adapters.jobs.CeleryJobs"},
    "table": PORTS["table"] | {"BACKEND": "tests.e2e.reminder_traps.TrappedTable"},
    "push": {"BACKEND": "tests.e2e.reminder_traps.RecordingPush"},
}
CELERY_IMPORTS = ("tests.e2e.reminder_tasks",)
CELERY_BEAT_SCHEDULE = {
    name: CELERY_BEAT_SCHEDULE[name] | {"schedule": seconds}
    for name, seconds in (("turn the due wheel", PATIENCE + 1.0), ("sweep deliveries", 5.0 * PATIENCE))
}

if os.environ["DJANGO_SETTINGS_MODULE"] == __name__:  # not in the test's own process, which only looks these values up
    reminder_traps.set_up(twice=os.environ["EVERY_MESSAGE_TWICE"] == "1")
