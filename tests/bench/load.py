"""One client with a kept-alive connection, and CPU time per request of the servers it asks in turn."""

import json
import socket
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any

from tests.bench.servers import Server

WARM_UP = 100


class Client:
    """Sends the same request again and again. Each goes out in one piece, so that no server is woken twice for it."""

    def __init__(self, server: Server, body: Mapping[str, Any], token: str, path: str = "/graphql") -> None:
        content = json.dumps(body).encode()
        lines = (
            f"POST {path} HTTP/1.1",
            f"Host: 127.0.0.1:{server.port}",
            f"Authorization: Bearer {token}",
            "Content-Type: application/json",
            "Accept: application/json",
            f"Content-Length: {len(content)}",
        )
        self._request = "\r\n".join([*lines, "", ""]).encode() + content
        self._address = ("127.0.0.1", server.port)
        self._socket: socket.socket | None = None

    def ask(self) -> bytes:
        """The answer's body. Raises RuntimeError unless its status is 200."""
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=30)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(self._request)
        with HTTPResponse(self._socket, method="POST") as response:
            response.begin()
            content = response.read()
            if response.will_close:
                self.close()
        if response.status != 200:
            raise RuntimeError(f"status {response.status}: {content[:500]!r}")
        return content

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


@dataclass(slots=True)
class Measured:
    """What a server took. CPU is in ms a request, one figure a round; latencies are in ms."""

    name: str
    cpu: list[float] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)

    @property
    def cpu_ms(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.cpu)

    def percentile(self, percent: int) -> float:
        return statistics.quantiles(self.latencies, n=100)[percent - 1]


def measure(clients: Sequence[tuple[Server, Client]], *, rounds: int, requests: int) -> list[Measured]:
    """Ask each server `requests` times a round, the servers in turn, so that what disturbs the machine disturbs them all."""
    for _, client in clients:
        for _ in range(WARM_UP):
            client.ask()
        client.close()
    measured = [Measured(server.name) for server, _ in clients]
    for _ in range(rounds):
        for (server, client), result in zip(clients, measured, strict=True):
            before = server.cpu_seconds()
            result.latencies += [_timed(client) for _ in range(requests)]
            result.cpu.append((server.cpu_seconds() - before) * 1000 / requests)
            client.close()  # while others have their turn, a server would close it for being idle
    return measured


def _timed(client: Client) -> float:
    started = time.perf_counter()
    client.ask()
    return (time.perf_counter() - started) * 1000
