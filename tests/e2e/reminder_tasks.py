"""What workers of `test_reminders.py` load beside their tasks: patience that fits a test."""

from datetime import timedelta

from notifications import delivery_services
from tests.e2e.reminder_settings import PATIENCE

# A claim must end before its message is visible again, and what nobody made must be missed in a test's time.
delivery_services.LEASE = timedelta(seconds=PATIENCE * 2 / 3)
delivery_services.LATE = timedelta(seconds=PATIENCE * 5)
delivery_services._MOST_PAUSE = timedelta(seconds=PATIENCE * 10)
