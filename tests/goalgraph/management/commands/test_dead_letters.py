"""`manage.py dead_letters`: what failed for good is named without any member's data, stays where it is, and is sent back when asked."""

import io
import uuid

import boto3
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from goalgraph.adapters import dead_letters, jobs, queues

QUEUE = "feed-leaderboards"
HANDLE = "goalgraph.feed.tasks.handle"


@pytest.fixture
def sqs():
    """SQS, with queues of ours that nobody else uses."""
    client = boto3.client("sqs", region_name=settings.AWS_REGION)
    with override_settings(QUEUE_PREFIX=f"dead-{uuid.uuid4().hex[:8]}-", QUEUE_NAMES=(QUEUE, "due")):
        call_command("create_queues", stdout=io.StringIO())
        yield client
    client.close()


def url(sqs, name: str) -> str:
    return sqs.get_queue_url(QueueName=f"{settings.QUEUE_PREFIX}{name}")["QueueUrl"]


def sent_by_celery(sqs, name: str, queue: str, **arguments) -> str:
    """The text of a message as our own sender makes it."""
    with override_settings(QUEUE_PREFIX="gg-"):
        call_command("create_queues", stdout=io.StringIO())
        real = url(sqs, queue)
        sqs.purge_queue(QueueUrl=real)
        jobs.CeleryJobs().send(name, queue, **arguments)
        (message,) = sqs.receive_message(QueueUrl=real)["Messages"]
        sqs.delete_message(QueueUrl=real, ReceiptHandle=message["ReceiptHandle"])
    return message["Body"]


def a_failed_task(sqs, number: int = 1) -> str:
    """A batch of events that was received too often; returns its message's text."""
    event = {"id": f"event-{number}", "type": "score.changed", "userId": "ana-secret", "data": {"score": 5}}
    body = sent_by_celery(sqs, HANDLE, QUEUE, subscriber="leaderboards", events=[event])
    queue = url(sqs, QUEUE)
    sqs.send_message(QueueUrl=queue, MessageBody=body)
    for _ in range(settings.QUEUE_MAX_RECEIVES + 1):
        sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0)
    assert queues.dead_letters()[QUEUE] == number
    return body


def said(**options) -> str:
    out = io.StringIO()
    call_command("dead_letters", stdout=out, **options)
    return out.getvalue()


def test_they_are_listed_without_members_data_and_stay(sqs):
    for number in (1, 2):
        a_failed_task(sqs, number)

    for _ in range(2):
        told = said()
        for number in (1, 2):
            assert f"{QUEUE}: {HANDLE} subscriber=leaderboards score.changed event-{number}\n" in told
        assert f"{QUEUE}: 2 dead letters\n" in told
        assert "due: 0 dead letters\n" in told
        assert "secret" not in told
    assert queues.dead_letters()[QUEUE] == 2


def test_they_are_sent_back_as_they_were_and_once(sqs):
    body = a_failed_task(sqs)

    assert f"{QUEUE}: 1 dead letters sent back" in said(queue=QUEUE, redrive=True)
    assert queues.dead_letters()[QUEUE] == 0
    (message,) = sqs.receive_message(QueueUrl=url(sqs, QUEUE), MaxNumberOfMessages=10)["Messages"]
    assert message["Body"] == body
    assert f"{QUEUE}: 0 dead letters sent back" in said(queue=QUEUE, redrive=True)


def test_who_dies_before_a_letter_is_deleted_leaves_it_and_what_was_sent(sqs, monkeypatch):
    body = a_failed_task(sqs)

    class Dying:
        """SQS, for a process that dies when it wants to delete."""

        def __getattr__(self, name):
            if name == "delete_message":
                raise KeyboardInterrupt
            return getattr(sqs, name)

    with monkeypatch.context() as dying:
        dying.setattr(dead_letters, "_client", Dying)
        dying.setattr(dead_letters, "_HIDDEN_SECONDS", 0)
        with pytest.raises(KeyboardInterrupt):
            said(queue=QUEUE, redrive=True)

    assert queues.dead_letters()[QUEUE] == 1
    (message,) = sqs.receive_message(QueueUrl=url(sqs, QUEUE), MaxNumberOfMessages=10)["Messages"]
    assert message["Body"] == body


@pytest.mark.parametrize("text", ["no JSON", "{}", '{"headers": {"task": "x"}, "body": "%"}', "bm90IEpTT04="])
def test_what_is_no_task_of_ours_is_told_and_left(sqs, text):
    sqs.send_message(QueueUrl=url(sqs, "due-dead"), MessageBody=text)

    assert "due: no task of ours, left where it is\n" in said(queue="due")
    assert "due: 0 dead letters sent back" in said(queue="due", redrive=True)
    assert sqs.receive_message(QueueUrl=url(sqs, "due")).get("Messages", []) == []
    sqs.purge_queue(QueueUrl=url(sqs, "due-dead"))


def test_a_task_whose_message_somebody_wrote_by_hand_is_one_too(sqs):
    text = (
        '{"headers": {"task": "goalgraph.wheel.tasks.sweep"}, "body": "[[], {\\"minute\\": \\"2027-07-01T12:00\\", \\"shard\\": 3}, {}]"}'
    )
    sqs.send_message(QueueUrl=url(sqs, "due-dead"), MessageBody=text)

    assert "due: goalgraph.wheel.tasks.sweep minute=2027-07-01T12:00 shard=3\n" in said(queue="due")


def test_it_says_what_is_wrong(sqs):
    with pytest.raises(CommandError, match="There is no queue nonsense"):
        said(queue="nonsense")
    with override_settings(QUEUE_PREFIX="never-made-"), pytest.raises(CommandError, match="SQS refuses"):
        said(queue=QUEUE)
