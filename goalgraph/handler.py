"""How an HTTP request enters Django under ASGI.

Django's own handler spends two switches of threads on each request, to close SQL connections and temporary files: measured, 0.76 ms of
CPU a request, where this one takes 0.09 ms and a bare ASGI application 0.05 ms. The API reads no SQL and keeps its small bodies in
memory, so it goes without them.
"""

import io
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler


class Handler(ASGIHandler):
    """Django's handler, lean for the API's paths. Both ways go through the same middleware."""

    def __init__(self) -> None:
        super().__init__()
        from goalgraph.api import VIEWS

        self._lean = frozenset(VIEWS)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] in self._lean:
            await self.serve_api(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def serve_api(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one API request. A client that goes away does not stop it: a mutation is better finished than cut in half."""
        try:
            body = await _read_body(receive, settings.REQUEST_MAX_BYTES)
        except RequestAborted:
            return
        request, refusal = self.create_request(scope, body)
        await self.send_response(await self.run_get_response(request) if request else refusal, send)  # type: ignore[arg-type]


async def _read_body(receive: Any, limit: int) -> io.BytesIO:
    """The body, or somewhat more than `limit` bytes of it: the views refuse what is longer, and nobody keeps the rest."""
    body = io.BytesIO()
    while body.tell() <= limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestAborted
        body.write(message.get("body", b""))
        if not message.get("more_body", False):
            break
    body.seek(0)
    return body
