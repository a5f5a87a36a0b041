"""Hands the stream's records to a consumer, as changes. The poller and the Lambda handler share it."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings

from goalgraph import wiring
from goalgraph.feed.changes import Change, change_of, instant
from goalgraph.feed.consumers import Consumer
from goalgraph.table.keys import OF_THE_FEED

logger = logging.getLogger(__name__)

Record = Mapping[str, Any]

AT_ONCE = 100
"""Records that a consumer is given in one call. What it took of a page stays taken when it fails on the rest."""


def portions(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    for start in range(0, len(records), AT_ONCE):
        yield records[start : start + AT_ONCE]


def take(consumer: Consumer, shard_id: str, records: Sequence[Record]) -> bool:
    """Hand over what `records` tell, and return whether that was anything.

    A record that cannot be read goes to the dead letters alone. Raises what the consumer raises, and JobsUnavailable.
    """
    _know_all_items()
    foreign = [record for record in records if not _of_the_feed(record)]
    changes = [change for record in foreign if (change := _read(consumer, shard_id, record)) is not None]
    if changes:
        consumer.take(shard_id, changes)
    return bool(foreign)


def sequence_of(record: Record) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def written_at(record: Record) -> datetime:
    return instant(record["dynamodb"]["ApproximateCreationDateTime"])


def bury(consumer: str, shard_id: str, sequence: str, keys: Mapping[str, str] | None, error: Exception) -> None:
    """Put what can be told of a record among the dead letters of the queue `default`: where it is, and not what it holds.

    Raises JobsUnavailable.
    """
    facts = {"consumer": consumer, "shard_id": shard_id, "sequence": sequence, "keys": keys, "reason": type(error).__name__}
    logger.error("a change cannot be read, and is passed over", exc_info=error, extra={"data": facts})
    wiring.jobs().send("goalgraph.feed.tasks.unreadable", "default", **facts)


def _read(consumer: Consumer, shard_id: str, record: Record) -> Change | None:
    try:
        return change_of(record)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one record, the feed goes on
        bury(consumer.name, shard_id, str(_at(record, "dynamodb", "SequenceNumber")), _keys(record), error)
        return None


def _of_the_feed(record: Record) -> bool:
    """Whether a consumer itself wrote it. Told without reading the item, because an idle platform has no other records."""
    return str(_at(record, "dynamodb", "Keys", "PK", "S")).startswith(OF_THE_FEED)


def _keys(record: Record) -> dict[str, str]:
    return {name: str(_at(record, "dynamodb", "Keys", name, "S")) for name in ("PK", "SK")}


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


@cache
def _know_all_items() -> None:
    """An item's `type` finds its class once that is defined, so every module of items of ours is imported."""
    for app in apps.get_app_configs():
        root = Path(app.path)
        if root.is_relative_to(settings.BASE_DIR):
            for file in root.rglob("*items.py"):
                import_module(".".join(file.relative_to(settings.BASE_DIR).with_suffix("").parts))
