"""Presence on the whole stack: several web processes, one of which dies, and a Redis that forgets."""

import contextlib
import uuid
from collections.abc import Callable, Iterator

import pytest
import redis

from goalgraph.adapters.local.issuer import mint_access_token
from tests.e2e.chat_stack import OPEN, PROFILE, Stack
from tests.goalgraph.graphql.ws.client import Client, until

SECONDS = 6
"""How long an entry lives. So short that a test can see one expire, so long that a busy machine renews it in time."""
WATCH = "subscription ($room: ID!) { onRoomEvent(roomId: $room) { kind userId online } }"
FOLLOW = "subscription ($room: ID!) { onMessage(roomId: $room) { text } }"
ONLINE = "query ($room: ID!) { room(id: $room) { members { userId online } } }"
LEAVE = "mutation ($room: ID!) { leaveRoom(roomId: $room) }"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack"), LIVE_PRESENCE_SECONDS=str(SECONDS)) as running:
        yield running
        running.check_logs()


class People:
    """Ana at the first process, who watches the room, and Bruno, who comes and goes."""

    def __init__(self, stack: Stack, closing: contextlib.ExitStack) -> None:
        self._stack, self._closing = stack, closing
        self.ana, self.bruno = (f"u-{uuid.uuid4().hex[:12]}" for _ in range(2))
        self.asking = self.client(self.ana, 0)
        for member in (self.asking, self.client(self.bruno, 0)):
            member.ask(PROFILE, {"name": "A member"})
        self.room: str = self.asking.ask(OPEN, {"with": [self.bruno], "title": "Run"})["data"]["openRoom"]["id"]
        self.watching = self.client(self.ana, 0)
        self.watching.start(WATCH, {"room": self.room})
        assert self.heard() == (self.ana, True)

    def client(self, user_id: str, web: int) -> Client:
        client = self._closing.enter_context(Client(self._stack.url(web)))
        return client.sign_in(mint_access_token(user_id))

    def bruno_comes(self, web: int) -> Client:
        client = self.client(self.bruno, web)
        client.start(FOLLOW, {"room": self.room})
        return client

    def heard(self) -> tuple[str, bool]:
        """What Ana is told next of who came and went."""
        while True:
            event = self.watching.hear(60)["payload"]["data"]["onRoomEvent"]
            if event["kind"] == "presence":
                return event["userId"], event["online"]

    def online(self) -> set[str]:
        members = self.asking.ask(ONLINE, {"room": self.room})["data"]["room"]["members"]
        return {member["userId"] for member in members if member["online"]}


@pytest.fixture
def people(stack: Stack) -> Iterator[People]:
    with contextlib.ExitStack() as closing:
        yield People(stack, closing)


def test_who_comes_and_goes_at_another_process_is_told(people: People) -> None:
    assert people.online() == {people.ana}
    bruno = people.bruno_comes(1)
    assert people.heard() == (people.bruno, True)
    assert people.online() == {people.ana, people.bruno}
    bruno.close()
    assert people.heard() == (people.bruno, False)
    assert people.online() == {people.ana}


def processes_of(stack: Stack, user_id: str) -> int:
    """At how many processes Redis knows somebody."""
    with redis.Redis(port=stack.redis.service.port, protocol=2, decode_responses=True) as client:
        entries = [entry for key in client.scan_iter("gg:presence:*") for entry in client.zrange(key, 0, -1)]
    return sum(entry.startswith(f"{user_id}|") for entry in entries)


def test_one_stays_online_until_the_last_of_their_connections_is_gone(stack: Stack, people: People) -> None:
    phone = people.bruno_comes(0)
    assert people.heard() == (people.bruno, True)
    laptop = people.bruno_comes(1)
    until(lambda: processes_of(stack, people.bruno) == 2, "they are at both processes")
    phone.close()
    until(lambda: processes_of(stack, people.bruno) == 1, "they are at one process")
    assert people.online() == {people.ana, people.bruno}
    laptop.close()
    assert people.heard() == (people.bruno, False)
    people.bruno_comes(0)
    assert people.heard() == (people.bruno, True)


def test_who_leaves_the_room_is_gone(people: People) -> None:
    people.bruno_comes(1)
    assert people.heard() == (people.bruno, True)
    people.client(people.bruno, 0).ask(LEAVE, {"room": people.room})
    assert people.heard() == (people.bruno, False)
    assert people.online() == {people.ana}


def test_whom_a_killed_process_leaves_behind_is_gone_soon(stack: Stack, people: People) -> None:
    people.bruno_comes(1)
    assert people.heard() == (people.bruno, True)
    stack.webs[1].kill()
    try:
        assert people.heard() == (people.bruno, False)
        assert people.online() == {people.ana}
    finally:
        stack.webs[1].start()


def flush(stack: Stack) -> None:
    with redis.Redis(port=stack.redis.service.port, protocol=2) as client:
        client.flushall()


def restart(stack: Stack) -> None:
    stack.redis.kill()
    stack.redis.start()


@pytest.mark.parametrize("outage", [flush, restart])
def test_a_redis_that_forgot_learns_again_who_is_there(stack: Stack, people: People, outage: Callable[[Stack], None]) -> None:
    people.bruno_comes(1)
    assert people.heard() == (people.bruno, True)
    outage(stack)
    until(lambda: people.online() == {people.ana, people.bruno}, "both are online again")


def test_while_redis_is_away_chat_answers_and_nobody_is_online(stack: Stack, people: People) -> None:
    people.bruno_comes(1)
    assert people.heard() == (people.bruno, True)
    stack.redis.kill()
    try:
        assert people.online() == set()
    finally:
        stack.redis.start()
    until(lambda: people.online() == {people.ana, people.bruno}, "both are online again")
