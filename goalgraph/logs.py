"""Logs: one JSON object per line on standard error, each with the trace id it belongs to.

A line holds what ops needs and nothing of a member's: no tokens, bodies, query strings or variables. Code logs facts by
`logger.info("event", extra={"data": {...}})`. An exception is written as its type and its frames; its text is left out, because the
text of an exception often quotes the input that caused it. `LOG_EXCEPTION_TEXT=1` adds the text, for a developer's own machine.

No Django here: the settings import this module.
"""

import json
import logging
import os
import re
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import orjson

from goalgraph import trace

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

_TOKENS = re.compile(r"(/notifications/\w+/|/o/)\S+")
"""Links in mails, and those of offers, carry a signed token; Django names the path of a request that failed."""
_MAX_FRAMES = 40
_MAX_MESSAGE = 4096


class JsonFormatter(logging.Formatter):
    """Renders a record as one line of JSON. `exception_text` adds what exceptions say to the frames they came from."""

    def __init__(self, *, exception_text: bool = False) -> None:
        super().__init__()
        self.exception_text = exception_text

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _TOKENS.sub(r"\1...", record.getMessage())[:_MAX_MESSAGE],
            "trace": trace.current(),
        }
        data = getattr(record, "data", None)
        if isinstance(data, dict):
            line |= {name: value for name, value in data.items() if name not in line}
        if record.exc_info and record.exc_info[0]:
            line["exception"] = self._exceptions(record.exc_info)
        try:
            return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        except TypeError:  # half a surrogate pair, or a number beyond 64 bits: nothing that should cost us the line
            return json.dumps(line, default=str)

    def _exceptions(self, exc_info: ExcInfo) -> list[dict[str, Any]]:
        """The exception and what caused it, the newest first; a chain that refers to itself ends where it began."""
        told: list[dict[str, Any]] = []
        seen: set[int] = set()
        error: BaseException | None = exc_info[1]
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            told.append(self._exception(error))
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return told

    def _exception(self, error: BaseException) -> dict[str, Any]:
        frames = traceback.extract_tb(error.__traceback__, limit=-_MAX_FRAMES)
        told: dict[str, Any] = {
            "type": f"{type(error).__module__}.{type(error).__qualname__}",
            "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
        }
        if self.exception_text:
            told["text"] = str(error)[:_MAX_MESSAGE]
        return told


LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": JsonFormatter, "exception_text": os.environ.get("LOG_EXCEPTION_TEXT") == "1"},
    },
    "handlers": {
        "stderr": {"class": "logging.StreamHandler", "formatter": "json"},
        "null": {"class": "logging.NullHandler"},
    },
    "root": {"handlers": ["stderr"], "level": os.environ.get("LOG_LEVEL", "INFO")},
    "loggers": {
        # Django's own defaults would mail admins and colour the console; ours is the only line per request.
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
        "django.request": {"handlers": [], "level": "ERROR", "propagate": True},
        "uvicorn": {"handlers": [], "level": "INFO", "propagate": True},
        "uvicorn.error": {"handlers": [], "level": "WARNING", "propagate": True},  # at INFO it writes two lines a socket
        # It writes the query string; goalgraph.middleware.trace writes the access line.
        "uvicorn.access": {"handlers": ["null"], "propagate": False},
        # They write whole addresses.
        "httpx": {"level": "WARNING"},
        "botocore": {"level": "WARNING"},
        "opensearch": {"level": "WARNING"},
        "pynamodb": {"level": "WARNING"},
    },
}
"""For Django's `LOGGING`."""
