"""Where processes of `test_reminders.py` die, and a provider that says what it was asked to deliver. Both tell and hear by Redis.

A test sets a trap at a point; the first process that comes there takes it, and is killed with all its children, without a word.
"""

import os
import signal
from collections.abc import Mapping
from functools import cache
from typing import Any

import redis
from kombu.transport import SQS

from goalgraph.ports.push import Endpoint, PushMessage
from goalgraph.table.dynamodb import DynamoTable
from goalgraph.table.port import Put

POINTS = ("lease", "leased", "note", "noted", "checkpoint", "claim", "claimed", "send", "sent", "ack")
"""A sweep takes its lease, a reminder becomes a notification, the feed is past it, its delivery is claimed, the provider is asked: just
before, and where that differs just after. And a message is done, and not acknowledged yet."""
TITLE = "remind-me-"
"""How the titles of tasks begin."""


def name(what: str) -> str:
    """A name in Redis that belongs to this run."""
    return f"reminders:{os.environ['REMINDERS_RUN']}:{what}"


@cache
def store() -> "redis.Redis[str]":
    return redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)


def reached(point: str) -> None:
    if store().getdel(name(f"trap:{point}")):
        os.killpg(0, signal.SIGKILL)


def set_up(*, twice: bool) -> None:
    """Traps in the broker's client; `twice` has it send every message twice."""
    acknowledge, put = SQS.Channel.basic_ack, SQS.Channel._put

    def trapped_ack(channel: Any, *arguments: Any, **options: Any) -> Any:
        reached("ack")
        return acknowledge(channel, *arguments, **options)

    def put_twice(channel: Any, queue: str, message: Any, **options: Any) -> Any:
        put(channel, queue, message, **options)
        if not message.get("redelivered"):
            put(channel, queue, message, **options)

    SQS.Channel.basic_ack = trapped_ack
    if twice:
        SQS.Channel._put = put_twice


class TrappedTable(DynamoTable):
    def put(self, raw: Any, condition: Any) -> None:
        before, after = {"SweepLease": ("lease", "leased"), "FeedShard": ("checkpoint", "")}.get(raw["type"]["S"], ("", ""))
        if raw["type"]["S"] == "Delivery" and "leaseUntil" in raw:
            before, after = "claim", "claimed"
        if before:
            reached(before)
        super().put(raw, condition)
        if after:
            reached(after)

    def transact(self, operations: Any, token: str) -> None:
        tells = any(isinstance(each, Put) and each.raw["type"]["S"] == "Notification" for each in operations)
        if tells:
            reached("note")
        super().transact(operations, token)
        if tells:
            reached("noted")


class RecordingPush:
    """Delivers each key once, as providers do that tell repetitions by it."""

    def register(self, platform: str, token: str, secrets: Mapping[str, str]) -> Endpoint:
        return Endpoint(platform, token, secrets)

    def send(self, endpoint: Endpoint, message: PushMessage) -> str:
        reached("send")
        if message.title.startswith(TITLE):  # a badge, say, is told as well
            store().hsetnx(name("delivered"), message.key, message.title)
            store().incr(name("asked"))
        reached("sent")
        return message.key

    def web_key(self) -> str | None:
        return None
