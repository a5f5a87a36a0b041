"""Makes the queues in SQS what the settings say, each with a dead-letter queue beside it."""

import json
from collections.abc import Generator, Iterator
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings

DEAD = "-dead"
DEAD_LETTERS_SECONDS = 14 * 24 * 3600
"""How long a dead letter is kept for somebody to look: SQS's most."""


class QueuesUnavailable(Exception):
    """SQS refuses, or does not answer."""


def ensure() -> Iterator[str]:
    """Create what is missing and set right what differs; yields a sentence for each thing done. Safe to repeat.

    Raises QueuesUnavailable.
    """
    try:
        yield from _ensure_all()
    except (BotoCoreError, ClientError) as error:
        raise QueuesUnavailable(str(error)) from error


def _ensure_all() -> Iterator[str]:
    client = boto3.client("sqs", region_name=settings.AWS_REGION)
    for name in settings.QUEUE_NAMES:
        sqs_name = f"{settings.QUEUE_PREFIX}{name}"
        dead_arn = yield from _ensure(client, sqs_name + DEAD, {"MessageRetentionPeriod": str(DEAD_LETTERS_SECONDS)})
        redrive = {"deadLetterTargetArn": dead_arn, "maxReceiveCount": settings.QUEUE_MAX_RECEIVES}
        wanted = {"VisibilityTimeout": str(settings.QUEUE_VISIBILITY_SECONDS), "RedrivePolicy": json.dumps(redrive)}
        yield from _ensure(client, sqs_name, wanted)


def dead_letters() -> dict[str, int]:
    """About how many dead letters lie in each queue."""
    client = boto3.client("sqs", region_name=settings.AWS_REGION)
    return {name: _dead_letters(client, f"{settings.QUEUE_PREFIX}{name}{DEAD}") for name in settings.QUEUE_NAMES}


def _dead_letters(client: Any, sqs_name: str) -> int:
    url = client.get_queue_url(QueueName=sqs_name)["QueueUrl"]
    counted = client.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(counted["Attributes"]["ApproximateNumberOfMessages"])


def _ensure(client: Any, sqs_name: str, wanted: dict[str, str]) -> Generator[str, None, str]:
    """Returns the queue's ARN."""
    url = _find(client, sqs_name)
    if url is None:
        url = client.create_queue(QueueName=sqs_name, Attributes=wanted)["QueueUrl"]
        yield f"created {sqs_name}"
    found = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    differing = {name: value for name, value in wanted.items() if not _same(found.get(name), value)}
    if differing:
        client.set_queue_attributes(QueueUrl=url, Attributes=differing)
        yield f"changed {sqs_name}: {', '.join(sorted(differing))}"
    return str(found["QueueArn"])


def _find(client: Any, sqs_name: str) -> str | None:
    try:
        return str(client.get_queue_url(QueueName=sqs_name)["QueueUrl"])
    except ClientError as error:
        if error.response["Error"]["Code"].endswith(("NonExistentQueue", "QueueDoesNotExist")):
            return None
        raise


def _same(found: str | None, wanted: str) -> bool:
    """A redrive policy is JSON, which SQS writes its own way, with the number as a number or as text."""
    if found is None or not wanted.startswith("{"):
        return found == wanted
    return {name: str(value) for name, value in json.loads(found).items()} == {
        name: str(value) for name, value in json.loads(wanted).items()
    }
