"""Reminders on their whole way, while processes are killed and messages come twice: none is missing, and none is delivered twice."""

import re
from pathlib import Path

import boto3
from django.conf import settings

from goalgraph import wiring
from goalgraph.adapters import queues
from goalgraph.adapters.local.embedded import ROOT
from goalgraph.auth.actor import SYSTEM
from goalgraph.table import table
from goalgraph.wheel import sweeping
from goals.items import DueEntry
from tests.e2e.reminder_stack import Reminders, storm
from tests.e2e.reminder_traps import POINTS


def test_killed_processes_lose_no_reminder_and_double_none(tmp_path: Path) -> None:
    with Reminders.running(tmp_path, workers=2) as reminders:
        storm(reminders, count=200, kills=len(POINTS))


def test_messages_that_come_twice_double_no_reminder(tmp_path: Path) -> None:
    with Reminders.running(tmp_path, workers=2, twice=True) as reminders:
        storm(reminders, count=60, kills=0)
        assert reminders.asked >= 60


def test_a_poisonous_entry_ends_among_the_dead_letters_and_holds_up_nobody(tmp_path: Path) -> None:
    """Its bucket has good entries too, before it and behind it."""
    with Reminders.running(tmp_path, workers=1) as reminders:
        for name in ("0", "z"):
            table(SYSTEM).put(poison(name))
        reminders.start()
        reminders.add(20, within=1)
        reminders.check()
        reminders.until(lambda: queues.dead_letters()["due"] == 2, "the dead letters")
        reminders.add(10, within=1)
        reminders.check()

        assert {sk for _, sk in sweeping.failed(SYSTEM)} == {poison(name).key().sk for name in ("0", "z")}
        assert queues.dead_letters() == dict.fromkeys(settings.QUEUE_NAMES, 0) | {"due": 2}


def poison(name: str) -> DueEntry:
    """A reminder of what is no task."""
    return DueEntry(task_ref="of nothing", task_id=name, reminder_id="due", at=wiring.clock().now(), shard=0)


def test_the_message_that_eventbridge_sends_turns_the_wheel(tmp_path: Path) -> None:
    """The one of docs/running.md, with what EventBridge Scheduler puts in for `<aws.scheduler.execution-id>`."""
    (text,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs/running.md").read_text(), re.DOTALL)
    with Reminders.running(tmp_path, workers=1) as reminders:
        for program in (*reminders.of("worker"), *reminders.of("feed")):
            program.start()
        reminders.add(10, within=0.5)
        client = boto3.client("sqs", region_name=settings.AWS_REGION)
        url = client.get_queue_url(QueueName=f"{settings.QUEUE_PREFIX}due-priority")["QueueUrl"]

        client.send_message(QueueUrl=url, MessageBody=text.replace("<aws.scheduler.execution-id>", "d32c5kddcf5bb8c3"))

        reminders.check()
