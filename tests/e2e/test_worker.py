"""The moderation hand-off with a real feed and a real worker on the emulator's SQS: reviews, a killed worker, a task that always fails."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

from chat import message_services as messages
from chat import moderation_services as moderation
from chat import services
from goalgraph.adapters import queues
from goalgraph.adapters.local.embedded import ROOT
from goalgraph.table.dynamodb import DynamoTable
from tests.chat.world import members
from tests.e2e import worker_settings
from tests.e2e.conftest import StartFeed
from tests.e2e.moderators import POISON, STALL
from tests.fixtures import new_user

PATIENCE = 60
"""Seconds after which something counts as not happening, on a machine that is busy with other tests."""
CARD = "4111 1111 1111 1111"


def until(condition: Callable[[], object], worker: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert worker.poll() is None, f"the worker ended with {worker.returncode}"
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def queued(dynamo_world: DynamoTable, start_feed: StartFeed) -> Iterator[None]:
    """Services that send to the real queues, and a feed that does."""
    ports = settings.PORTS | {"jobs": {"BACKEND": "goalgraph.adapters.jobs.CeleryJobs"}}
    with override_settings(PORTS=ports, QUEUE_VISIBILITY_SECONDS=worker_settings.QUEUE_VISIBILITY_SECONDS):
        call_command("create_queues")
        start_feed("--consumer", "dispatch")
        yield


@pytest.fixture
def room(queued: None):
    ana, bia = members(2)
    return ana, services.open_room(ana, [bia.user_id]).id


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The back office's database, with its tables: the worker tells the moderators' desk of cases."""
    url = f"sqlite:///{tmp_path_factory.mktemp('worker') / 'db.sqlite3'}"
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    settings_of = {"DJANGO_SETTINGS_MODULE": worker_settings.__name__, "DATABASE_URL": url}
    subprocess.run(command, cwd=ROOT, env=os.environ | settings_of, check=True)
    return url


@pytest.fixture
def start_worker(queued: None, dynamo_world: DynamoTable, database: str, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": worker_settings.__name__,
        "DATABASE_URL": database,
        "GOALGRAPH_TABLE": dynamo_world.name,
        "STALL_SIGN": str(tmp_path / "stalled"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    (line,) = [line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("worker: ")]

    def start() -> subprocess.Popen[bytes]:
        command = line.removeprefix("worker: ")
        started.append(subprocess.Popen(["sh", "-c", command], cwd=ROOT, env=environment, start_new_session=True))
        return started[-1]

    yield start
    for worker in started:
        kill(worker)


def kill(worker: subprocess.Popen[bytes]) -> None:
    """The worker and its child, without a word."""
    if worker.poll() is None:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def at_the_desk(database: str, room_id: str) -> list[tuple[str, int, str, int]]:
    """The moderators' cases, as the worker wrote them in SQL."""
    with closing(sqlite3.connect(database.removeprefix("sqlite:///"))) as connection:
        return connection.execute("SELECT room_id, seq, outcome, source_version FROM chat_case WHERE room_id = ?", [room_id]).fetchall()


def test_a_worker_takes_a_card_number_away_tells_the_desk_and_stops_when_asked(room, start_worker, database):
    ana, room_id = room
    worker = start_worker()

    sent = messages.send(ana, room_id, f"It is {CARD}")
    until(lambda: messages.history(ana, room_id)[-1].state == "redacted", worker)

    (found,) = messages.history(ana, room_id)
    assert (found.id, found.text) == (sent.id, "")
    until(lambda: at_the_desk(database, room_id) == [(room_id, 1, "redacted", 1)], worker)
    worker.terminate()
    assert worker.wait(PATIENCE) == 0


def test_a_worker_killed_in_the_middle_of_a_review_loses_nothing(room, start_worker, tmp_path):
    ana, room_id = room
    first = start_worker()
    messages.send(ana, room_id, f"{STALL} on {CARD}")
    until((tmp_path / "stalled").exists, first)

    kill(first)

    second = start_worker()
    until(lambda: messages.history(ana, room_id)[-1].state == "redacted", second)


def test_a_task_that_always_fails_ends_among_the_dead_letters_and_holds_up_nobody(room, start_worker):
    ana, room_id = room
    before = queues.dead_letters()["feed-moderation"]
    worker = start_worker()
    messages.send(ana, room_id, POISON)
    until(lambda: queues.dead_letters()["feed-moderation"] == before + 1, worker)

    carla, dora = members(2)
    other = services.open_room(carla, [dora.user_id]).id
    messages.send(carla, other, CARD)
    until(lambda: messages.history(carla, other)[-1].state == "redacted", worker)

    assert messages.history(ana, room_id)[-1].state == "sent"
    assert [case.room_id for case in moderation.queue_page(new_user(scopes=frozenset({"staff"}))).items] == [other]
