"""Log lines: JSON, with a trace, without what members wrote."""

import json
import logging
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph import trace
from goalgraph.logs import JsonFormatter


def line(message: str, *args: object, exception_text: bool = False, **more: Any) -> dict[str, Any]:
    record = logging.getLogger("goalgraph.test").makeRecord("goalgraph.test", logging.INFO, "f.py", 1, message, args, **more)
    text = JsonFormatter(exception_text=exception_text).format(record)
    assert "\n" not in text
    return json.loads(text)


def test_a_line_has_time_level_logger_message_trace_and_data() -> None:
    trace.start("0123456789abcdef")
    told = line("took %s", "long", exc_info=None, extra={"data": {"ms": 1.5, "trace": "forged", "odd": {1: object}}})
    assert told.pop("time").endswith("+00:00")
    assert told.pop("odd")
    assert told == {"level": "info", "logger": "goalgraph.test", "message": "took long", "trace": "0123456789abcdef", "ms": 1.5}


def failure() -> Any:
    """An exception with a cause, as `exc_info`."""
    try:
        {}["what a member wrote"]
    except KeyError as cause:
        try:
            raise ValueError("more of it") from cause  # noqa: TRY301
        except ValueError:
            return sys.exc_info()


def test_an_exception_is_told_by_type_and_frames_not_by_its_text() -> None:
    told = line("failed", exc_info=failure())
    assert [entry["type"] for entry in told["exception"]] == ["builtins.ValueError", "builtins.KeyError"]
    assert all("test_logs.py" in entry["frames"][-1] for entry in told["exception"])
    assert "wrote" not in json.dumps(told)
    assert "more of it" not in json.dumps(told)


def test_a_developer_may_see_the_text() -> None:
    told = line("failed", exc_info=failure(), exception_text=True)
    assert [entry["text"] for entry in told["exception"]] == ["more of it", "'what a member wrote'"]


def test_an_exception_that_causes_itself_ends() -> None:
    error = ValueError("circle")
    error.__cause__ = error
    assert len(line("failed", exc_info=(ValueError, error, None))["exception"]) == 1


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_any_message_is_one_line_of_json(message: str) -> None:
    assert line("%s", message, exc_info=None)["message"] == message[:4096]


@pytest.mark.parametrize("name", ["uvicorn.access", "django.server"])
def test_servers_write_no_access_lines_beside_ours(name: str) -> None:
    logger = logging.getLogger(name)
    assert not logger.propagate or not logger.isEnabledFor(logging.INFO)
