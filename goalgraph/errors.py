"""Coded errors: the only way a service says no.

Services raise them, each edge renders them once: GraphQL as `extensions.code` (and `extensions.field`), REST as problem+json
(RFC 9457), a WebSocket as a close code. The message is for the member who reads it; it never names another member's data, and what a
member may not see is the same `NotFound` as what does not exist.
"""

from typing import ClassVar


class GoalGraphError(Exception):
    """Base of every refusal. `message` is shown to the member, `field` names the one input at fault, if one is."""

    code: ClassVar[str] = "INTERNAL"
    http_status: ClassVar[int] = 500
    default_message: ClassVar[str] = "Something went wrong on our side."

    def __init__(self, message: str | None = None, *, field: str | None = None) -> None:
        self.message = message or self.default_message
        self.field = field
        super().__init__(self.message)


class Unauthenticated(GoalGraphError):
    code, http_status = "UNAUTHENTICATED", 401
    default_message = "Sign in first: this needs a valid access token."


class NotFound(GoalGraphError):
    code, http_status = "NOT_FOUND", 404
    default_message = "There is nothing here by that id."


class Forbidden(GoalGraphError):
    code, http_status = "FORBIDDEN", 403
    default_message = "You may see this, but not change it."


class Invalid(GoalGraphError):
    code, http_status = "INVALID", 400
    default_message = "That input is not valid."


class Conflict(GoalGraphError):
    code, http_status = "CONFLICT", 409
    default_message = "Somebody changed this at the same time. Read it again and retry."


class QuotaExceeded(GoalGraphError):
    code, http_status = "QUOTA_EXCEEDED", 403
    default_message = "That is more than your plan allows."


class PremiumRequired(GoalGraphError):
    code, http_status = "PREMIUM_REQUIRED", 403
    default_message = "That is part of the premium plan."


class RateLimited(GoalGraphError):
    """`retry_after` is in whole seconds."""

    code, http_status = "RATE_LIMITED", 429
    default_message = "Too many requests. Wait a moment."

    def __init__(self, message: str | None = None, *, retry_after: int = 1) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class TooComplex(GoalGraphError):
    code, http_status = "TOO_COMPLEX", 400
    default_message = "That request asks for more than one request may."


class Internal(GoalGraphError):
    """A fault of ours, told without detail; the trace id leads ops to the log."""
