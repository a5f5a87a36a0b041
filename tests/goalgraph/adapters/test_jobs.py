"""Jobs: what a caller may rely on when there is a broker, and when there is none."""

import logging

import boto3
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from chat import message_services as messages
from chat import services
from goalgraph import trace, wiring
from goalgraph.adapters import jobs, queues
from goalgraph.celery import app
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
        assert queues.dead_letters() == {"default": 0, "moderation": 0}

    assert first.splitlines() == [f"  created made-{name}" for name in ("default-dead", "default", "moderation-dead", "moderation")]
    assert second == ""
    assert third.splitlines() == [f"  changed made-{name}: RedrivePolicy, VisibilityTimeout" for name in ("default", "moderation")]


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
    url = settings.CELERY_BROKER_TRANSPORT_OPTIONS["predefined_queues"]["moderation"]["url"]
    sqs.purge_queue(QueueUrl=url)
    sender = jobs.CeleryJobs()
    begun = trace.start()

    sender.enqueue("chat.tasks.review_room", room_id="r", seq=1, tenant_id=None)
    finish(sender)

    with app.connection_for_read() as connection, connection.SimpleQueue("moderation") as queue:
        message = queue.get(timeout=10)
        message.ack()
    assert (message.headers["task"], message.headers["trace"]) == ("chat.tasks.review_room", begun)
    assert message.payload[1] == {"room_id": "r", "seq": 1, "tenant_id": None}


@pytest.mark.usefixtures("memory_world", "no_broker")
def test_without_a_broker_messages_are_sent_all_the_same(caplog):
    with override_settings(PORTS=settings.PORTS | {"jobs": {"BACKEND": "goalgraph.adapters.jobs.CeleryJobs"}}):
        ana, bia = members(2)
        room = services.open_room(ana, [bia.user_id])
        with caplog.at_level(logging.WARNING, logger=jobs.__name__):
            for n in range(50):
                messages.send(ana, room.id, f"{n}")
            finish(wiring.jobs())
        assert [message.text for message in messages.history(ana, room.id, first=100)] == [f"{n}" for n in range(50)]
    assert "the broker takes none" in caplog.text
