"""AWS Lambda's way into the feed: an event source mapping from the table's stream, one function for each consumer.

The mapping needs `FunctionResponseTypes: [ReportBatchItemFailures]`, `StartingPosition: TRIM_HORIZON`, a batch of at most 1,000 and an
on-failure destination. `FEED_CONSUMER` names the consumer (`dispatch`).

https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

import logging
import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from goalgraph import trace

logger = logging.getLogger(__name__)

SHARD = "lambda"
"""Lambda does not tell from which shard records are. So a consumer that keeps something for each, as the audit log does, cannot be here."""


def handler(event: Mapping[str, Any], context: Any) -> dict[str, list[dict[str, str]]]:
    """Take the records of `event`, in order. Where that fails, the answer names the first that was not taken: Lambda goes on from there."""
    consumer = _consumer(os.environ.get("FEED_CONSUMER", "dispatch"))
    from goalgraph.feed.taking import portions, sequence_of, take

    trace.start(getattr(context, "aws_request_id", None))
    for records in portions(event["Records"]):
        try:
            take(consumer, SHARD, records)
        except Exception:
            first = sequence_of(records[0])
            logger.warning("the feed is held up", exc_info=True, extra={"data": {"consumer": consumer.name, "sequence": first}})
            return {"batchItemFailures": [{"itemIdentifier": first}]}
    return {"batchItemFailures": []}


@cache
def _consumer(name: str) -> Any:
    """Starts Django, once in the life of the execution environment. Raises KeyError for a name that no consumer has."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "goalgraph.settings.production")
    import django

    django.setup()
    from goalgraph.feed.consumers import consumers

    return consumers()[name]
