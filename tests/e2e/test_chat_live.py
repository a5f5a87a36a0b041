"""Live chat on the whole stack: what it loses when a process dies, and who stops hearing. The long forms are in `test_chat_soak.py`."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import redis

from tests.e2e.chat_proofs import Book, comings_and_goings, rooms_of, storm
from tests.e2e.chat_stack import HISTORY, Member, Refused, Stack, online, play, short_lived

SOON = 5.0
"""Seconds within which who may not hear any more does not, and all is live again after an outage."""
LEAVE = "mutation ($room: ID!) { leaveRoom(roomId: $room) }"
BLOCK = "mutation ($user: ID!) { block(userId: $user) }"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack")) as running:
        yield running
        running.check_logs()


# Nothing is lost -----------------------------------------------------------------------------------------------------------------------


def test_killed_web_processes_cost_no_message_and_double_none(stack: Stack) -> None:
    play(storm(stack, clients=8, rooms=4, size=4, messages=300, kills=2, together=True, seed=1))


def test_cut_connections_cost_no_message_and_double_none(stack: Stack) -> None:
    play(comings_and_goings(stack, readers=10, drops=100, seed=2))


def test_two_processes_deliver_each_others_messages_in_the_same_order(stack: Stack) -> None:
    """Both members talk at once, each at a process of its own."""

    async def scenario() -> None:
        members = [Member(stack.urls(number)) for number in range(2)]
        async with online(*members):
            book = await rooms_of(members, rooms=1, size=2)
            (room,) = book.rooms
            await asyncio.gather(*(say_numbers(book, member, room, 50) for member in members))
            await book.close()
            assert [member.lost for member in members] == [0, 0]
            for speaker in members:
                said = [message.text for message in members[0].heard[room] if message.sender == speaker.user_id]
                assert said[:50] == [f"{number} of {speaker.user_id}" for number in range(50)]

    play(scenario())


async def say_numbers(book: Book, member: Member, room: str, count: int) -> None:
    for number in range(count):
        await book.say(member, room, f"{number} of {member.user_id}")


def kill_and_restart(stack: Stack) -> None:
    stack.redis.kill()
    stack.redis.start()


def flush(stack: Stack) -> None:
    with redis.Redis(port=stack.redis.service.port, protocol=2) as client:
        client.flushall()


def drop_subscriptions(stack: Stack) -> None:
    """As a failover or a proxy does it: Redis lives, its subscribers are gone."""
    with redis.Redis(port=stack.redis.service.port, protocol=2) as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")


@pytest.mark.parametrize("outage", [kill_and_restart, flush, drop_subscriptions])
def test_an_outage_of_redis_costs_no_message_and_all_is_live_soon_after(stack: Stack, outage: Callable[[Stack], None]) -> None:
    async def scenario() -> None:
        members = [Member(stack.urls(number)) for number in range(4)]
        async with online(*members):
            book, over = await rooms_of(members, rooms=2, size=4), asyncio.Event()
            async with asyncio.TaskGroup() as talking:
                for member in members:
                    talking.create_task(talk_until(over, book, member))
                await book.reach(20)
                await asyncio.to_thread(outage, stack)
                back = time.monotonic()
                over.set()
            await book.close()
            assert time.monotonic() - back < SOON
            assert [member.lost for member in members] == [0] * 4

    play(scenario())


async def talk_until(over: asyncio.Event, book: Book, member: Member) -> None:
    for number in itertools.count():
        if over.is_set():
            return
        await book.say(member, list(book.rooms)[number % len(book.rooms)], f"{number} of {member.user_id}")


# Who may not hear any more -------------------------------------------------------------------------------------------------------------

CROWD = 20
"""Streams of others at each process. The hub asks one of a few streams each second whether it may go on; in a crowd that is no help."""


@contextlib.asynccontextmanager
async def crowd(stack: Stack) -> AsyncIterator[None]:
    members = [Member(stack.urls(number)) for number in range(len(stack.webs))]
    async with online(*members):
        book = await rooms_of(members, rooms=1, size=len(members))
        (room,) = book.rooms
        for member in members:
            await member.follow_more(room, CROWD)
        await book.say(members[0], room, "we are many")
        await asyncio.gather(*(heard_by_all_streams(member, room) for member in members))
        yield


async def heard_by_all_streams(member: Member, room: str) -> None:
    await member.until(lambda: len(member.heard[room]) > CROWD)


@pytest.mark.parametrize("outage", [None, drop_subscriptions, kill_and_restart])
def test_who_leaves_hears_no_more(stack: Stack, outage: Callable[[Stack], None] | None) -> None:
    """They leave through one process and listen at the other, also where the line between the two breaks at that very moment."""

    async def scenario() -> None:
        stays, leaver = [Member(stack.urls(number)) for number in range(2)]
        hand = Member(stack.urls(0), user_id=leaver.user_id)
        async with crowd(stack), online(stays, leaver, hand):
            book = await rooms_of([stays, leaver], rooms=1, size=2)
            (room,) = book.rooms
            await book.say(stays, room, "welcome")
            await asyncio.gather(*(member.hear(room, "welcome") for member in (stays, leaver)))
            if outage:
                await asyncio.to_thread(outage, stack)
            await hand.ask(LEAVE, room=room)
            async with asyncio.timeout(SOON):
                assert await leaver.end_of(room) == "complete"
            known = leaver.heard[room].copy()
            await book.say(stays, room, "not for everybody")
            await stays.hear(room, "not for everybody")
            with pytest.raises(Refused, match="NOT_FOUND"):
                await leaver.ask(HISTORY, room=room)
            assert leaver.heard[room] == known
            await leaver.follow(room)
            assert await leaver.end_of(room) == "NOT_FOUND"
            assert leaver.heard[room] == []

    play(scenario())


def test_who_leaves_while_they_come_in_hears_no_more(stack: Stack) -> None:
    """The permission may be found before, and the leaving be told before the stream is there to hear of it."""

    async def scenario() -> None:
        stays, leaver = [Member(stack.urls(number)) for number in range(2)]
        hand = Member(stack.urls(0), user_id=leaver.user_id)
        async with crowd(stack), online(stays, leaver, hand):
            rooms = [await stays.open_room([leaver], title=f"room {number}") for number in range(20)]
            leaving = [hand.ask(LEAVE, room=room) for room in rooms]
            await asyncio.gather(*(leaver.follow(room) for room in rooms), *leaving)
            async with asyncio.timeout(SOON):
                ends = [await leaver.end_of(room) for room in rooms]
            assert set(ends) <= {"complete", "NOT_FOUND"}

    play(scenario())


def test_after_a_block_neither_hears_the_other_in_their_direct_room(stack: Stack) -> None:
    async def scenario() -> None:
        ana, bruno = [Member(stack.urls(number)) for number in range(2)]
        async with crowd(stack), online(ana, bruno):
            room = await ana.open_room([bruno])
            await asyncio.gather(ana.follow(room), bruno.follow(room))
            await ana.send(room, "hello")
            await asyncio.gather(*(member.hear(room, "hello") for member in (ana, bruno)))
            await ana.ask(BLOCK, user=bruno.user_id)
            async with asyncio.timeout(SOON):
                assert [await member.end_of(room) for member in (ana, bruno)] == ["complete"] * 2
            with pytest.raises(Refused, match="NOT_FOUND"):
                await ana.send(room, "are you there?")

    play(scenario())


def test_an_expired_token_ends_the_connection(stack: Stack) -> None:
    async def scenario() -> None:
        speaker, guest = Member(stack.urls(0)), Member(stack.urls(1))
        async with online(speaker, guest):
            book = await rooms_of([speaker, guest], rooms=1, size=2)
            (room,) = book.rooms
            token, expires = short_lived(guest.user_id, seconds=3)
            short = Member(stack.urls(0), token=token)
            short.heard[room] = []
            async with asyncio.TaskGroup() as apps, asyncio.timeout_at(asyncio.get_running_loop().time() + expires - time.time() + SOON):
                over = asyncio.Event()
                talking = apps.create_task(talk_until(over, book, speaker))
                await short.live()  # it ends when the server says so
                over.set()
                await talking
            assert short.close_code == 4401
            assert time.time() >= expires
            assert short.heard[room]
            await book.close()

    play(scenario())
