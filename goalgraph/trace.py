"""The trace id of the work at hand: one per request, message or command, in every log line, stamped on every written item."""

import re
import uuid
from contextvars import ContextVar

_trace_id: ContextVar[str] = ContextVar("trace_id", default="")
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{8,64}", re.ASCII)


def start(incoming: str | None = None) -> str:
    """Begin a trace and return its id: `incoming` where a caller sent a well-formed one, else a new one."""
    trace_id = incoming if incoming and _ACCEPTED.fullmatch(incoming) else uuid.uuid4().hex
    _trace_id.set(trace_id)
    return trace_id


def current() -> str:
    """The id of the trace at hand; begins one where none was begun."""
    return _trace_id.get() or start()
