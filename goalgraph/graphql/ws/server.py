"""The WebSockets of one process: an ASGI application, mounted at `/graphql`."""

import asyncio
import logging
import time
from collections import deque
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from goalgraph.graphql.hub import Hub
from goalgraph.graphql.ws.protocol import CloseCode, chosen
from goalgraph.graphql.ws.socket import Socket
from goalgraph.ports.live import Event

logger = logging.getLogger(__name__)

PATH = "/graphql"
LINGER = 5.0
"""Seconds that a client may take to answer our goodbye. Then its connection is cut, so that nothing of it stays in memory."""
_PORTS = {"http": 80, "https": 443}
_SLICE = 2000
"""Sockets that are looked after before other work gets its turn."""


class Server:
    """One for each event loop that serves; `application` finds it."""

    def __init__(self) -> None:
        self.hub = Hub(self._dismiss)
        self._sockets: set[Socket] = set()
        self._lingering: deque[tuple[float, Any]] = deque()
        self._looking_after: asyncio.Task[None] | None = None

    def start(self) -> None:
        self.hub.start()
        self._looking_after = asyncio.create_task(self._look_after())

    async def stop(self) -> None:
        """For tests, and for servers that live on. One that ends with its process needs none of it."""
        if self._looking_after:
            self._looking_after.cancel()
            await asyncio.wait([self._looking_after])
        await self.hub.stop()

    async def serve(self, scope: Any, receive: Any, send: Any) -> None:
        dialect = chosen(scope["subprotocols"])
        await receive()  # websocket.connect
        await self.hub.ready()
        if dialect is None:
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": int(CloseCode.NO_SUBPROTOCOL), "reason": "Subprotocol not acceptable"})
            return
        await send({"type": "websocket.accept", "subprotocol": dialect.name})
        socket = Socket(send, dialect, self.hub)
        self._sockets.add(socket)
        try:
            while (message := await receive())["type"] == "websocket.receive":
                await socket.receive(message)
        finally:
            self._sockets.discard(socket)
            socket.stop_all()
            if socket.closing:
                self._lingering.append((asyncio.get_running_loop().time() + LINGER, socket.transport))

    async def _look_after(self) -> None:
        loop, keep_alive_at = asyncio.get_running_loop(), 0.0
        while True:
            await asyncio.sleep(1)
            keeps_alive = loop.time() >= keep_alive_at
            if keeps_alive:
                keep_alive_at = loop.time() + settings.WS_KEEP_ALIVE_SECONDS
            for count, socket in enumerate(list(self._sockets), start=1):
                try:
                    socket.tick(loop.time(), time.time())
                    if keeps_alive:
                        socket.keep_alive()
                except Exception:
                    logger.exception("a WebSocket was not looked after")
                if count % _SLICE == 0:
                    await asyncio.sleep(0)
            while self._lingering and self._lingering[0][0] < loop.time():
                _, transport = self._lingering.popleft()
                if transport is not None:
                    transport.abort()

    def _dismiss(self, event: Event) -> None:
        code = CloseCode.FORBIDDEN if event.kind == "suspended" else CloseCode.UNAUTHORIZED
        reason = "Suspended" if event.kind == "suspended" else "Signed out"
        for socket in list(self._sockets):
            actor = socket.actor
            if actor.user_id == event.payload["user"] and actor.tenant_id == event.payload["tenant"]:
                socket.close(code, reason)


_servers: dict[asyncio.AbstractEventLoop, Server] = {}


def server() -> Server:
    """The server of the running event loop, started on first use."""
    loop = asyncio.get_running_loop()
    if loop not in _servers:
        for old in [old for old in _servers if old.is_closed()]:
            del _servers[old]
        _servers[loop] = Server()
        _servers[loop].start()
    return _servers[loop]


async def application(scope: Any, receive: Any, send: Any) -> None:
    """The ASGI application. Elsewhere than at `/graphql`, and for pages of other origins, it refuses the handshake (403)."""
    if scope["path"] != PATH or not origin_allowed(scope):
        await receive()
        await send({"type": "websocket.close", "code": 1000})
        return
    await server().serve(scope, receive, send)


def origin_allowed(scope: Any) -> bool:
    """Whether the page that opens the connection may: its origin, with scheme and port, is one of `ALLOWED_ORIGINS` (RFC 6454, section 4).

    Browsers always tell it (RFC 6455, section 4.1); who tells none is no browser, and has no member's cookies to misuse.
    """
    origins = [value for name, value in scope["headers"] if name == b"origin"]
    if not origins:
        return True
    allowed = {_origin(origin) for origin in settings.ALLOWED_ORIGINS}
    return len(origins) == 1 and (origin := _origin(origins[0].decode("latin-1"))) is not None and origin in allowed


def _origin(text: str) -> tuple[str, str, int] | None:
    """Scheme, host and port; None for `null` and for what is no origin of a web page."""
    try:
        parts = urlsplit(text)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    bare = f"{parts.scheme}://{parts.netloc}"
    if not parts.hostname or port is None or "@" in parts.netloc or bare.lower() != text.lower().rstrip("/"):
        return None
    return parts.scheme, parts.hostname, port
