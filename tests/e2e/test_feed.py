"""`manage.py feed` as a process: killed again and again while members write, and asked to stop."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import boto3
import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings

from chat import message_services as messages
from chat import services
from goalgraph.adapters.audit_log import S3AuditLog
from goalgraph.adapters.jobs import CeleryJobs
from goalgraph.adapters.local.embedded import ROOT
from goalgraph.feed import leases
from goalgraph.feed.events import Event
from tests.chat.world import members
from tests.e2e import worker_settings
from tests.e2e.conftest import kill

PATIENCE = 60
KILLS = 5
ROOMS, MESSAGES = 4, 100
QUEUE = "feed-bus"


@pytest.fixture
def queues(dynamo_world) -> Iterator["Queues"]:
    found = Queues()
    yield found
    found.client.close()


class Queues:
    def __init__(self) -> None:
        call_command("create_queues")
        self.client = boto3.client("sqs", region_name=settings.AWS_REGION)
        for name in settings.QUEUE_NAMES:
            self.client.purge_queue(QueueUrl=self.url(name))
            self.client.purge_queue(QueueUrl=self.url(f"{name}-dead"))

    def url(self, name: str) -> str:
        return str(self.client.get_queue_url(QueueName=f"{settings.QUEUE_PREFIX}{name}")["QueueUrl"])

    def dead(self, name: str) -> list[list[str]]:
        """The ids of the events of each dead letter."""
        found = []
        while letters := self.client.receive_message(QueueUrl=self.url(f"{name}-dead"), MaxNumberOfMessages=10).get("Messages", []):
            found += [[event["id"] for event in events_in(letter)] for letter in letters]
        return found

    def count(self, name: str) -> int:
        found = self.client.get_queue_attributes(QueueUrl=self.url(name), AttributeNames=["ApproximateNumberOfMessages"])
        return int(found["Attributes"]["ApproximateNumberOfMessages"])

    def events(self, name: str) -> list[dict]:
        """All that wait in a queue, which is empty then."""
        told: list[dict] = []
        while found := self.client.receive_message(QueueUrl=self.url(name), MaxNumberOfMessages=10).get("Messages", []):
            for message in found:
                told += events_in(message)
                self.client.delete_message(QueueUrl=self.url(name), ReceiptHandle=message["ReceiptHandle"])
        return told


def events_in(message: dict) -> list[dict]:
    envelope = json.loads(base64.b64decode(message["Body"]))
    _, arguments, _ = json.loads(base64.b64decode(envelope["body"]))
    return arguments["events"]


def until(condition: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, f"the feed ended with {process.returncode}"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_killed_again_and_again_it_publishes_all_that_was_committed(queues, start_feed):
    list(S3AuditLog(settings.AUDIT_BUCKET, settings.AWS_REGION).ensure())
    ana, bia = members(2)
    rooms = [services.open_room(ana, [bia.user_id], title=f"Room {n}").id for n in range(ROOMS)]

    def talk(room_id: str) -> list[str]:
        return [messages.send(ana, room_id, f"{n}").id for n in range(MESSAGES)]

    with ThreadPoolExecutor(ROOMS) as pool:
        talking = [pool.submit(talk, room_id) for room_id in rooms]
        for turn in range(KILLS):
            published, holder = queues.count("feed-bus"), holders()
            process = start_feed()
            if turn % 2:  # in the midst of it, or where there is nothing left to do
                until(lambda before=published: queues.count("feed-bus") > before or all(each.done() for each in talking), process)
            else:  # as soon as it begins
                until(lambda before=holder: holders() != before, process)
            kill(process)
        committed = {message_id for each in talking for message_id in each.result()}

    last = start_feed("--until-end")
    assert last.wait(PATIENCE) == 0
    for queue in ("feed-bus", "feed-moderation"):
        told = [event for event in queues.events(queue) if event["type"] == "message.sent"]
        assert {event["data"]["messageId"] for event in told} == committed
        assert len({event["id"] for event in told}) == len(committed)


def holders() -> set[str | None]:
    return {lease.holder for lease in leases.stored("dispatch").values()}


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_stop_it_ends_at_once_and_gives_its_shards_back(sign, queues, start_feed):
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    messages.send(ana, room.id, "Hello")
    process = start_feed("--consumer", "dispatch")
    until(lambda: queues.count("feed-bus"), process)

    process.send_signal(sign)
    assert process.wait(PATIENCE) == 0
    assert process.stdout.read().splitlines() == ["feed: reading for dispatch", "feed: stopped"]
    (lease,) = leases.stored("dispatch").values()
    assert (lease.holder, bool(lease.sequence)) == (None, True)


def test_several_share_the_work_and_one_goes_on_where_another_was_killed(queues, start_feed):
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    first, second = start_feed("--consumer", "dispatch"), start_feed("--consumer", "dispatch")
    until(lambda: leases.stored("dispatch"), first)
    (lease,) = leases.stored("dispatch").values()
    holder, other = (first, second) if f"-{first.pid}-" in lease.holder else (second, first)
    kill(holder)

    sent = [messages.send(ana, room.id, f"{n}") for n in range(3)]
    until(lambda: leases.stored("dispatch")[lease.shard_id].holder != lease.holder, other)
    other.send_signal(signal.SIGTERM)
    assert other.wait(PATIENCE) == 0
    assert start_feed("--consumer", "dispatch", "--until-end").wait(PATIENCE) == 0

    seqs = [event["data"]["seq"] for event in queues.events("feed-bus") if event["type"] == "message.sent"]
    assert set(seqs) == {message.seq for message in sent}


@pytest.fixture
def start_worker(dynamo_world, tmp_path) -> Iterator[Callable[[], "subprocess.Popen[str]"]]:
    """A worker whose one subscriber is a probe (tests/e2e/feed_app.py)."""
    started = []
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": worker_settings.__name__,
        "GOALGRAPH_TABLE": dynamo_world.name,
        "FEED_PROBE": str(tmp_path / "handled"),
    }
    command = ["celery", "--quiet", "-A", "tests.e2e.feed_app", "worker", "--pool", "prefork", "--concurrency", "1", "--queues", "feed-bus"]

    def start() -> "subprocess.Popen[str]":
        started.append(subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env=environment, text=True, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        kill(process)


def test_of_a_batch_only_those_at_fault_end_among_the_dead_letters_each_alone(dynamo_world, start_worker, tmp_path):
    """One event raises, another kills the process that handles it. The others of their batch, and those of the next, are handled."""
    with override_settings(QUEUE_VISIBILITY_SECONDS=worker_settings.QUEUE_VISIBILITY_SECONDS):
        queues = Queues()
        sender = CeleryJobs()
        for batch in (["one", "bad", "two", "deadly", "three"], ["four", "five"]):
            told = [Event(name, "message.sent", datetime.now(UTC), "u", "u", "trace-of-test").to_json() for name in batch]
            sender.send("goalgraph.feed.tasks.handle", QUEUE, subscriber="probe", events=told)
        notes = tmp_path / "handled"
        worker = start_worker()
        dead = f"{QUEUE}-dead"
        until(lambda: queues.count(dead) == 2, worker)
        until(lambda: queues.count(QUEUE) == 0, worker)

        assert set(notes.read_text().split()) == {"one", "two", "three", "four", "five"}
        assert sorted(queues.dead(QUEUE)) == [["bad"], ["deadly"]]
        queues.client.close()
