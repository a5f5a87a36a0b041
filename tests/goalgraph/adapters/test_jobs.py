"""Jobs: what a caller may rely on when there is a broker, and when there is none."""

import logging
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import boto3
import pytest
from celery.exceptions import QueueNotFound
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings
from kombu.exceptions import EncodeError

from chat import message_services as messages
from chat import services
from goalgraph import trace, wiring
from goalgraph.adapters import jobs, queues
from goalgraph.adapters.local.embedded import ROOT
from goalgraph.celery import app
from goalgraph.ports.jobs import JobsUnavailable
from tests.chat.world import members


@pytest.fixture
def sqs():
    client = boto3.client("sqs", region_name=settings.AWS_REGION)
    yield client
    client.close()


@pytest.fixture
def no_broker(monkeypatch):
    """An application of the same settings, at an address where nobody listens."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(app, "_pool", None)
    monkeypatch.setattr(app.amqp, "_producer_pool", None)


def finish(sender: jobs.CeleryJobs) -> None:
    sender._running()._pool.shutdown(wait=True)


def test_create_queues_makes_each_with_its_dead_letters_and_repeating_it_does_nothing(sqs, capsys):
    with override_settings(QUEUE_PREFIX="made-"):
        call_command("create_queues")
        first = capsys.readouterr().out
        call_command("create_queues")
        second = capsys.readouterr().out
        with override_settings(QUEUE_VISIBILITY_SECONDS=99, QUEUE_MAX_RECEIVES=5):
            call_command("create_queues")
            third = capsys.readouterr().out
        assert queues.dead_letters() == dict.fromkeys(settings.QUEUE_NAMES, 0)

    assert first.splitlines() == [f"  created made-{name}{end}" for name in settings.QUEUE_NAMES for end in ("-dead", "")]
    assert second == ""
    assert third.splitlines() == [f"  changed made-{name}: RedrivePolicy, VisibilityTimeout" for name in settings.QUEUE_NAMES]
    assert {"default", "default-priority", "due", "due-priority", "notify", "notify-priority"} <= set(settings.QUEUE_NAMES)


def test_create_queues_says_what_is_wrong(monkeypatch):
    with override_settings(CELERY_BROKER_URL="redis://127.0.0.1"), pytest.raises(CommandError, match="no SQS"):
        call_command("create_queues")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(CommandError, match="does not answer"):
        call_command("create_queues")


def test_a_message_waits_longer_for_its_turn_than_a_task_may_take():
    assert settings.CELERY_TASK_SOFT_TIME_LIMIT < settings.CELERY_TASK_TIME_LIMIT < settings.QUEUE_VISIBILITY_SECONDS


def test_a_task_goes_to_its_queue_with_the_trace(sqs):
    call_command("create_queues")
    url = settings.CELERY_BROKER_TRANSPORT_OPTIONS["predefined_queues"]["feed-moderation"]["url"]
    sqs.purge_queue(QueueUrl=url)
    sender = jobs.CeleryJobs()
    begun = trace.start()

    sender.enqueue("chat.tasks.review_room", room_id="r", seq=1, tenant_id=None)
    finish(sender)

    with app.connection_for_read() as connection, connection.SimpleQueue("feed-moderation") as queue:
        message = queue.get(timeout=10)
        message.ack()
    assert (message.headers["task"], message.headers["trace"]) == ("chat.tasks.review_room", begun)
    assert message.payload[1] == {"room_id": "r", "seq": 1, "tenant_id": None}


def test_what_is_sent_is_in_its_queue_when_send_returns(sqs):
    call_command("create_queues")
    url = settings.CELERY_BROKER_TRANSPORT_OPTIONS["predefined_queues"]["feed-bus-priority"]["url"]
    sqs.purge_queue(QueueUrl=url)
    sender = jobs.CeleryJobs()
    begun = trace.start()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: sender.send("a.task", "feed-bus-priority", number=n), range(40)))
    counted = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])["Attributes"]
    assert counted["ApproximateNumberOfMessages"] == "40"

    numbers, traces = [], set()
    with app.connection_for_read() as connection, connection.SimpleQueue("feed-bus-priority") as queue:
        for _ in range(40):
            message = queue.get(timeout=10)
            message.ack()
            numbers.append(message.payload[1]["number"])
            traces.add(message.headers["trace"])
    assert sorted(numbers) == list(range(40))
    assert begun not in traces  # a thread has a trace of its own, unless it is given one


@pytest.mark.usefixtures("no_broker")
def test_without_a_broker_send_says_so_after_some_tries(monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(jobs, "time", SimpleNamespace(sleep=pauses.append))
    with pytest.raises(JobsUnavailable):
        jobs.CeleryJobs().send("a.task", "default", number=1)
    assert len(pauses) == jobs.TRIES - 1
    assert max(pauses) <= 1


@pytest.mark.parametrize(("queue", "argument", "raised"), [("nowhere", 1, QueueNotFound), ("default", object(), EncodeError)])
def test_what_no_broker_could_take_is_not_tried_again(queue, argument, raised, monkeypatch):
    monkeypatch.setattr(jobs, "time", SimpleNamespace(sleep=lambda _: pytest.fail("tried again")))
    with pytest.raises(raised):
        jobs.CeleryJobs().send("a.task", queue, argument=argument)


@pytest.mark.usefixtures("memory_world", "no_broker")
def test_without_a_broker_messages_are_sent_all_the_same(caplog):
    with override_settings(PORTS=settings.PORTS | {"jobs": {"BACKEND": "goalgraph.adapters.jobs.CeleryJobs"}}):
        ana, bia = members(2)
        room = services.open_room(ana, [bia.user_id])
        with caplog.at_level(logging.WARNING, logger=jobs.__name__):
            for n in range(50):
                messages.send(ana, room.id, f"{n}")
                wiring.jobs().enqueue("chat.tasks.review_room", room_id=room.id, seq=n + 1, tenant_id=None)
            finish(wiring.jobs())
        assert [message.text for message in messages.history(ana, room.id, first=100)] == [f"{n}" for n in range(50)]
    assert "the broker takes none" in caplog.text


def test_the_express_worker_takes_from_every_premium_queue_and_from_no_other():
    (line,) = [line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("express: ")]
    words = line.split()

    assert set(words[words.index("--queues") + 1].split(",")) == {name for name in settings.QUEUE_NAMES if name.endswith(settings.PRIORITY)}
