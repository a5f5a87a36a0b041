"""The long forms of `test_chat_live.py`. `make soak` runs them and shows the figures."""

from pathlib import Path

import pytest

from tests.e2e.chat_proofs import comings_and_goings, storm
from tests.e2e.chat_stack import Stack, play

pytestmark = pytest.mark.soak

LONGEST = 1800.0
"""Seconds after which something is stuck: the first takes four minutes on two cores."""


def test_twenty_thousand_messages_and_ten_killed_processes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Stack(tmp_path) as stack:
        figures = play(storm(stack, clients=50, rooms=20, size=10, messages=20_000, kills=10, together=False, seed=3), LONGEST)
    with capsys.disabled():
        print(f"\n{figures}")  # noqa: T201 - the figures are what one runs this for


def test_a_thousand_cut_connections(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Stack(tmp_path) as stack:
        figures = play(comings_and_goings(stack, readers=20, drops=1000, seed=4), LONGEST)
    with capsys.disabled():
        print(f"\n{figures}")  # noqa: T201 - the figures are what one runs this for
