"""What lies in the dead-letter queues of SQS: tasks that failed `QUEUE_MAX_RECEIVES` times. They are looked at, and sent back."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

from goalgraph.adapters.queues import DEAD, QueuesUnavailable

MOST = 1000
"""Letters of one queue that are read in one go. SQS hides what is read, up to 120,000 messages of a queue."""
_HIDDEN_SECONDS = 60
"""How long a letter is hidden from others who look, and from the next look if this one ends early."""
_BATCH = 10
"""The most that SQS receives, or changes, at once."""
_SHOWN = ("subscriber", "consumer", "shard_id", "sequence", "minute", "shard", "reason", "tenant_id")
"""Arguments of tasks that say what a letter is about and nothing about a member."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """`task` is None for what is no message of Celery's. `facts` are some of its arguments, and no member's data; `events` their types and
    ids, where it holds events of the feed."""

    task: str | None
    facts: Mapping[str, Any]
    events: Sequence[tuple[str, str]]


def look(name: str) -> list[DeadLetter]:
    """What lies in the dead-letter queue of `name` (one of `settings.QUEUE_NAMES`), at most `MOST`, and stays there.

    Raises QueuesUnavailable.
    """
    try:
        client, dead_url = _client(), _url(name + DEAD)
        found: dict[str, Mapping[str, Any]] = {}
        for message in _received(client, dead_url):
            if message["MessageId"] in found:  # those at the front show again already
                break
            found[message["MessageId"]] = message
        _show_again(client, dead_url, list(found.values()))
    except (BotoCoreError, ClientError) as error:
        raise QueuesUnavailable(str(error)) from error
    return [_letter(message["Body"]) for message in found.values()]


def redrive(name: str) -> Iterator[DeadLetter]:
    """Send what lies in the dead-letter queue of `name` back to its queue, at most `MOST`, and yield each letter once it is there.

    A letter is deleted after it was sent. Who dies in between leaves both, and the task is done twice, for which tasks are made. What is no
    message of Celery's stays. (SQS's own StartMessageMoveTask moves all at once, and tells nothing of what it moved.)
    Raises QueuesUnavailable; it may be called again.
    """
    try:
        client, dead_url, url = _client(), _url(name + DEAD), _url(name)
        for message in _received(client, dead_url):
            letter = _letter(message["Body"])
            if letter.task is None:
                continue
            client.send_message(QueueUrl=url, MessageBody=message["Body"], MessageAttributes=message.get("MessageAttributes", {}))
            client.delete_message(QueueUrl=dead_url, ReceiptHandle=message["ReceiptHandle"])
            yield letter
    except (BotoCoreError, ClientError) as error:
        raise QueuesUnavailable(str(error)) from error


def _client() -> Any:
    return boto3.client("sqs", region_name=settings.AWS_REGION)


def _url(name: str) -> str:
    return str(_client().get_queue_url(QueueName=f"{settings.QUEUE_PREFIX}{name}")["QueueUrl"])


def _received(client: Any, url: str) -> Iterator[Mapping[str, Any]]:
    """Until there are no more. With a wait SQS asks all of its servers, and not some of them."""
    for _ in range(MOST // _BATCH):
        answer = client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=_BATCH,
            WaitTimeSeconds=1,
            VisibilityTimeout=_HIDDEN_SECONDS,
            MessageAttributeNames=["All"],
        )
        if not answer.get("Messages"):
            return
        yield from answer["Messages"]


def _show_again(client: Any, url: str, messages: Sequence[Mapping[str, Any]]) -> None:
    for start in range(0, len(messages), _BATCH):
        entries = [
            {"Id": str(place), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
            for place, message in enumerate(messages[start : start + _BATCH])
        ]
        client.change_message_visibility_batch(QueueUrl=url, Entries=entries)


def _letter(text: str) -> DeadLetter:
    """https://docs.celeryq.dev/en/stable/internals/protocol.html, in the envelope of kombu's virtual transports."""
    try:
        envelope = _json(text)
        task = str(envelope["headers"]["task"])
        arguments = dict(_json(envelope["body"])[1])
    except (ValueError, LookupError, TypeError):
        return DeadLetter(None, {}, ())
    facts = {name: arguments[name] for name in _SHOWN if arguments.get(name) is not None}
    told = arguments.get("events")
    events = [(str(each.get("type")), str(each.get("id"))) for each in told if isinstance(each, dict)] if isinstance(told, list) else []
    return DeadLetter(task, facts, events)


def _json(text: str) -> Any:
    """JSON, plain or in base64. Raises ValueError."""
    return json.loads(text if text.lstrip()[:1] in ("{", "[") else base64.b64decode(text, validate=True))
