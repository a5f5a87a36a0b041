"""Clients that do not read, talk nonsense, or come and go."""

import json
import logging
import random
import socket as sockets
import string
import struct
import threading
import time
from collections.abc import Callable

import pytest
from django.test import override_settings
from websockets.exceptions import ConnectionClosed

from goalgraph.adapters.local.issuer import mint_access_token
from goalgraph.graphql.ws.server import _servers
from tests.goalgraph.graphql.ws import sample
from tests.goalgraph.graphql.ws.client import ON_MESSAGE, Client, until

OpenClient = Callable[..., Client]


def raw_client(address: str, token: str) -> sockets.socket:
    """A connection, signed in, on a plain socket with a small buffer, that reads only when told to."""
    host, port = address.removeprefix("ws://").removesuffix("/graphql").split(":")
    raw = sockets.socket()
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    raw.settimeout(20)
    raw.connect((host, int(port)))
    raw.sendall(
        b"GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
    )
    assert b" 101 " in raw.recv(4096)
    send_raw(raw, {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
    assert b"connection_ack" in raw.recv(4096)
    return raw


def send_raw(raw: sockets.socket, message: dict[str, object]) -> None:
    """A masked text frame; the mask is zero."""
    body = json.dumps(message).encode()
    length = bytes([0x80 | len(body)]) if len(body) < 126 else bytes([0x80 | 126]) + struct.pack("!H", len(body))
    raw.sendall(b"\x81" + length + b"\0\0\0\0" + body)


def test_a_reader_that_does_not_read_is_cut_off_and_the_others_are_served(address: str, open_client: OpenClient, room: str) -> None:
    lazy = raw_client(address, mint_access_token("lazy"))
    send_raw(lazy, {"id": "1", "type": "subscribe", "payload": {"query": ON_MESSAGE, "variables": {"room": room, "after": 0}}})
    client = open_client()
    client.follow(room, 0)
    started, count = time.monotonic(), 0
    while lazy_is_connected(address) and time.monotonic() - started < 20:
        for _ in range(20):
            sample.say(room, "x" * 10_000)
        count += 20
        assert [message["seq"] for message in client.messages(20)] == list(range(count - 19, count + 1))
    assert time.monotonic() - started < 10
    lazy.close()


def lazy_is_connected(address: str) -> bool:
    """Whether the server still has the connection of the member `lazy`."""

    return any(socket.actor.user_id == "lazy" for server in list(_servers.values()) for socket in list(server._sockets))


def test_a_replay_waits_for_its_reader(address: str, room: str) -> None:
    """20 MB of missed messages for a client that reads only later: none is lost, and it is not cut off for being behind."""
    for number in range(2000):
        sample.say(room, f"{number} " + "x" * 10_000, announced=False)
    with Client(address, max_queue=(4, 2)) as client:
        client.sign_in(mint_access_token("ana"))
        client.follow(room, 0)
        time.sleep(2)
        assert [message["seq"] for message in client.messages(2000)] == list(range(1, 2001))


def test_ten_thousand_random_frames_leave_the_server_as_it_was(address: str, room: str, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(random.randrange(2**32))  # pytest-randomly seeds it, and prints the seed
    token = mint_access_token("ana")
    with caplog.at_level(logging.ERROR), override_settings(WS_MESSAGES_PER_SECOND=10**6):
        sent = 0
        while sent < 10_000:
            legacy = chance.random() < 0.5
            with Client(address, subprotocol="graphql-ws" if legacy else "graphql-transport-ws") as client:
                if chance.random() < 0.9:
                    client.sign_in(token)
                try:
                    for _ in range(chance.choice([1, 5, 50, 200])):
                        client.socket.send(random_frame(chance, room))
                        sent += 1
                except ConnectionClosed:
                    pass
    assert not [record for record in caplog.records if record.name.startswith(("goalgraph", "asyncio")) and record.levelno >= logging.ERROR]
    with Client(address) as client:
        client.sign_in(token)
        assert client.ask("{me}")["data"] == {"me": "ana"}


def random_frame(chance: random.Random, room: str) -> str | bytes:
    """Mostly well-formed, often sensible, so that the connection lives for a while."""
    kind = chance.random()
    if kind < 0.005:
        return chance.randbytes(chance.randrange(300))
    if kind < 0.01:
        return "".join(chance.choice(string.printable) for _ in range(chance.randrange(100)))
    query = chance.choice(
        [
            "{me}", "{", "{nothing}", "subscription {onMessage}", ON_MESSAGE,
            "subscription ($room: ID!) {onRoomEvent(roomId: $room)}", "mutation ($room: ID!) {say(roomId: $room, text: \"x\") {seq}}",
            "query ($room: ID!) {head(roomId: $room)}", "{__schema {types {name}}}", "{me @skip(if: 1)}", "\0", "{me}" * 500,
        ]
    )  # fmt: skip
    variables = chance.choice([{"room": room}, {"room": room, "after": chance.randrange(-5, 50)}, {}, {"room": None}, {"room": [1]}, None])
    payload = chance.choice([{"query": query, "variables": variables}] * 20 + [{}, None, 1])
    types = ["subscribe", "start"] * 10 + ["complete", "stop"] * 8 + ["ping", "pong"] * 2 + ["connection_init", "next", None]
    message = {"type": chance.choice(types), "id": str(chance.randrange(400)), "payload": payload}
    if message["type"] in ("ping", "pong", "complete", "stop"):
        message.pop("payload")
    return json.dumps(message)


def test_many_connections_that_come_and_go_leave_nothing_behind(address: str, room: str) -> None:
    token = mint_access_token("ana")

    def come_and_go() -> None:
        for _ in range(20):
            with Client(address) as client:
                client.sign_in(token).follow(room, 0)

    threads = [threading.Thread(target=come_and_go) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    until(lambda: not any(server._sockets for server in _servers.values()), "all connections are forgotten")
