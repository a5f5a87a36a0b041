"""Many clients in a process of their own: `python -m tests.bench.fanout.crowd PORT COUNT SOURCE TOKEN`.

Connects, says `ready`, and for each line `N` on standard input waits until every client got `N` more frames; then it says how many seconds
after the line the last of them came, and how many after it half of them. It counts bytes and parses nothing, to be cheap.
"""

import asyncio
import base64
import json
import os
import statistics
import struct
import sys
import time

from tests.bench.fanout.frames import ACK_SIZE, SIZE, SUBSCRIPTION

_AT_ONCE = 100
_PATIENCE = 120


def _masked(message: dict[str, object]) -> bytes:
    """A text frame of a client (RFC 6455, section 5.2); the mask is zero."""
    body = json.dumps(message).encode()
    length = bytes([0x80 | len(body)]) if len(body) < 126 else bytes([0x80 | 126]) + struct.pack("!H", len(body))
    return b"\x81" + length + b"\0\0\0\0" + body


class _Client(asyncio.Protocol):
    __slots__ = ("crowd", "head", "missing")

    def __init__(self, crowd: "Crowd") -> None:
        self.crowd = crowd
        self.head = b""
        self.missing = ACK_SIZE

    def data_received(self, data: bytes) -> None:
        if self.head is not None:
            self.head += data
            before, end, data = self.head.partition(b"\r\n\r\n")
            if not end:
                return
            assert b" 101 " in before, before
            self.head = None  # type: ignore[assignment]
        self.missing -= len(data)
        if self.missing <= 0:
            self.crowd.has_all(self)

    def connection_lost(self, _: Exception | None) -> None:
        print("a connection was lost", file=sys.stderr)  # noqa: T201
        os._exit(1)


class Crowd:
    def __init__(self, port: int, source: str, token: str) -> None:
        self._port, self._source = port, source
        key = base64.b64encode(os.urandom(16)).decode()
        self._request = (
            f"GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
        ).encode()
        self._hello = _masked({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
        self._hello += _masked({"id": "1", "type": "subscribe", "payload": {"query": SUBSCRIPTION}})
        self._clients: list[_Client] = []
        self._times: list[float] = []
        self._done = asyncio.Event()
        self._transports: list[asyncio.Transport] = []

    def has_all(self, client: _Client) -> None:
        self._times.append(time.monotonic())
        if len(self._times) >= len(self._clients):
            self._done.set()

    async def connect(self, count: int) -> None:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one() -> None:
            async with gate:
                transport, client = await asyncio.get_running_loop().create_connection(
                    lambda: _Client(self), "127.0.0.1", self._port, local_addr=(self._source, 0)
                )
                self._transports.append(transport)
                transport.write(self._request)
                while client.head is not None:
                    await asyncio.sleep(0.001)
                transport.write(self._hello)
                while client.missing > 0:
                    await asyncio.sleep(0.001)
                self._clients.append(client)

        await asyncio.gather(*(one() for _ in range(count)))

    async def expect(self, frames: int) -> tuple[float, float]:
        started = time.monotonic()
        await asyncio.wait_for(self._done.wait(), _PATIENCE)
        self.prepare(frames)
        return max(self._last) - started, statistics.median(self._last) - started

    def prepare(self, frames: int) -> None:
        """What comes from now on counts for the next `expect`."""
        self._last, self._times = self._times, []
        self._done.clear()
        for client in self._clients:
            client.missing += frames * SIZE


async def main() -> None:
    port, count, source, token = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    crowd = Crowd(port, source, token)
    await crowd.connect(count)
    loop, lines = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    crowd.prepare(1)
    print("ready", flush=True)  # noqa: T201 - the protocol
    while await lines.readline():
        last, half = await crowd.expect(1)
        print(last, half, flush=True)  # noqa: T201
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
