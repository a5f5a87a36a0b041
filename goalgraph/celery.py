"""The Celery application, which the workers run (see the Procfile) and the `jobs` port sends through."""

import logging
import os
from typing import Any

from celery import Celery, bootsteps, signals
from kombu.asynchronous.http import get_client

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "goalgraph.settings.production")

from goalgraph import trace

app = Celery("goalgraph")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.autodiscover_tasks(["goalgraph.feed", "goalgraph.wheel"])


class Connections(bootsteps.StartStopStep):
    """One connection for each queue. kombu waits at SQS for each of them at the same time, for up to 20 seconds, and has 10 connections by
    default: with more queues than that, some would have to wait for others to be done waiting."""

    requires = ("celery.worker.components:Hub",)
    SPARE = 10

    def create(self, worker: Any) -> None:
        get_client(worker.hub, max_clients=len(worker.app.amqp.queues.consume_from) + self.SPARE)


app.steps["worker"].add(Connections)


@signals.task_prerun.connect
def _begin_trace(task: Any, **_: Any) -> None:
    """A task goes on with the trace of who enqueued it."""
    trace.start(getattr(task.request, "trace", None))


@signals.setup_logging.connect
def _keep_logging(**_: Any) -> None:
    """Logging is Django's. Of Celery's lines, the two that each task would leave are left out."""
    for name in ("celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("celery.app.trace").addFilter(_without_texts)


def _without_texts(record: logging.LogRecord) -> bool:
    """Celery writes what an exception says, which may quote what a member wrote (see `goalgraph.logs`)."""
    facts = getattr(record, "data", None)
    if isinstance(facts, dict):
        record.msg, record.args = "task %s", (facts.get("description", "ended"),)
        record.data = {"task": facts.get("name"), "id": facts.get("id"), "arguments": facts.get("kwargs")}
    return True
