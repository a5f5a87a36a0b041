"""Errors in Stripe's shape (docs.stripe.com/api/errors)."""

from typing import Any


class StripeError(Exception):
    """An answer that is not 2xx. `kind` is Stripe's `type`; `more` are further members of the error object."""

    def __init__(self, status: int, kind: str, message: str, *, code: str | None = None, param: str | None = None, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "message": message} | _given(code=code, param=param) | more}
        if code:
            self.body["error"]["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"

    @property
    def is_kept(self) -> bool:
        """Whether an idempotency key gets this very answer again. One that failed validation never began, so its key is free."""
        return self.status in (402, 500)


def _given(**members: str | None) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> StripeError:
    return StripeError(400, "invalid_request_error", message, param=param, code=code)


def missing_param(param: str) -> StripeError:
    return invalid(f"Missing required param: {param}.", param=param, code="parameter_missing")


def no_such(kind: str, object_id: str, *, param: str = "id") -> StripeError:
    """404 for the object in the URL, 400 for one that a parameter names."""
    message = f"No such {kind}: '{object_id}'"
    return StripeError(404 if param == "id" else 400, "invalid_request_error", message, code="resource_missing", param=param)


def declined(decline_code: str, **more: Any) -> StripeError:
    return StripeError(402, "card_error", DECLINED, code="card_declined", decline_code=decline_code, **more)


DECLINED = "Your card was declined."
