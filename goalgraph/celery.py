"""The Celery application, which the workers run (see the Procfile) and the `jobs` port sends through."""

import logging
import os
from typing import Any

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "goalgraph.settings.production")

from goalgraph import trace

app = Celery("goalgraph")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


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
