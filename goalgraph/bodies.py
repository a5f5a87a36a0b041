"""Request bodies: of the right type, and not too large."""

from collections.abc import Collection

from django.conf import settings
from django.http import HttpRequest

from goalgraph.errors import Invalid


class TooLarge(Invalid):
    http_status = 413
    default_message = "The request is too large."


class UnsupportedMediaType(Invalid):
    http_status = 415
    default_message = "The body must be JSON in UTF-8: send `Content-Type: application/json`."


def read_body(request: HttpRequest, accepts: Collection[str]) -> bytes:
    """The body of a request whose media type is one of `accepts`, in UTF-8. Raises UnsupportedMediaType or TooLarge."""
    if request.content_type not in accepts or _charset(request) not in ("utf-8", "utf8"):
        raise UnsupportedMediaType
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if not announced.isascii() or not announced.isdigit() or int(announced[:12]) > settings.REQUEST_MAX_BYTES:
        raise TooLarge
    if len(request.body) > settings.REQUEST_MAX_BYTES:
        raise TooLarge
    return request.body


def _charset(request: HttpRequest) -> str:
    return (request.content_params or {}).get("charset", "utf-8").lower()
