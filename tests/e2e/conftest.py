"""The change feed as a process of its own, as `manage.py feed` starts it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from goalgraph.adapters.local.embedded import ROOT
from goalgraph.table.dynamodb import DynamoTable
from tests.e2e import worker_settings

StartFeed = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start_feed(dynamo_world: DynamoTable) -> Iterator[StartFeed]:
    started: list[subprocess.Popen[str]] = []
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": worker_settings.__name__, "GOALGRAPH_TABLE": dynamo_world.name}

    def start(*words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "manage.py", "feed", *words]
        started.append(subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        kill(process)
        assert process.stdout
        process.stdout.close()


def kill(process: "subprocess.Popen[str]") -> None:
    """The process and its children, without a word."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
