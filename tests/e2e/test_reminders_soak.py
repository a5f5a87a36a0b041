"""The long forms of `test_reminders.py`. `make soak` runs them and shows the figures."""

import time
from pathlib import Path

import pytest

from tests.e2e.reminder_stack import Reminders, storm
from tests.e2e.reminder_traps import POINTS

pytestmark = pytest.mark.soak


@pytest.mark.parametrize(
    ("count", "kills", "twice"),
    [(10_000, 3 * len(POINTS), False), (10_000, 2 * len(POINTS), True), (50_000, 0, False)],
    ids=["killed", "killed and twice", "fifty thousand"],
)
def test_reminders(count: int, kills: int, twice: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begun = time.monotonic()
    with Reminders.running(tmp_path, workers=4, twice=twice, patience=15) as reminders:
        storm(reminders, count=count, kills=kills)
        asked, killed = reminders.asked, dict(reminders.kills)
    took = time.monotonic() - begun
    with capsys.disabled():
        print(f"\n{count} reminders in {took:.0f} s ({count / took:.0f}/s), the provider was asked {asked} times; killed: {killed}")  # noqa: T201
