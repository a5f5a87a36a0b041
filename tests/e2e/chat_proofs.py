"""What members on a `Stack` say and hear while things break, and the check that each of them heard all of it, once and in order."""

import asyncio
import itertools
import random
import time
from collections.abc import Sequence

from tests.e2e.chat_stack import PATIENCE, Member, Stack, online


class Book:
    """What was acknowledged in some rooms, to be held against what the members heard."""

    def __init__(self, rooms: dict[str, list[Member]]) -> None:
        self.rooms = rooms
        self.count = 0
        self._acknowledged: dict[str, dict[str, int]] = {room: {} for room in rooms}
        self._news = asyncio.Event()

    async def say(self, member: Member, room: str, text: str) -> None:
        """`text` is said once only."""
        self._acknowledged[room][text] = await member.send(room, text)
        self.count += 1
        self._news.set()

    async def reach(self, count: int) -> None:
        """Wait until so many messages are acknowledged."""
        while self.count < count:
            self._news.clear()
            await self._news.wait()

    async def close(self) -> None:
        """Wait until all is heard, and a last message after it; then every message was heard once, by each one of its room, in the order
        of `seq`, which has no gap, and as it is stored."""
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as closing:
            for room in self.rooms:
                closing.create_task(self._close(room))

    async def _close(self, room: str) -> None:
        members = self.rooms[room]
        await self.say(members[0], room, "the last one")
        for member in members:
            await member.hear(room, "the last one")
            assert member.ended == {}
        acknowledged = self._acknowledged[room]
        heard = members[0].heard[room]
        assert [message.seq for message in heard] == list(range(1, len(acknowledged) + 1))
        assert {message.text: message.seq for message in heard} == acknowledged
        assert all(member.heard[room] == heard for member in members)
        assert await members[0].history(room) == heard


async def rooms_of(members: Sequence[Member], *, rooms: int, size: int) -> Book:
    """Rooms of `size` members each, all of whom follow. Everybody is in as many as the others, as far as that comes out even."""
    found: dict[str, list[Member]] = {}
    for number in range(rooms):
        inside = [members[(number * size + place) % len(members)] for place in range(size)]
        found[await inside[0].open_room(inside[1:], title=f"room {number}")] = inside
    await asyncio.gather(*(member.follow(room) for room, inside in found.items() for member in inside))
    return Book(found)


async def talk(book: Book, member: Member, messages: int, chance: random.Random) -> None:
    """`member` says so many things, one after another, in its rooms."""
    own = [room for room, inside in book.rooms.items() if member in inside]
    for number in range(messages):
        await book.say(member, chance.choice(own), f"{number} of {member.user_id}")


async def storm(stack: Stack, *, clients: int, rooms: int, size: int, messages: int, kills: int, together: bool, seed: int) -> str:
    """Members talk at the same time while web processes are killed and started again. `together`: the next one may die while the one before
    is still starting. Returns the figures."""
    chance = random.Random(seed)
    members = [Member(stack.urls(number)) for number in range(clients)]
    async with online(*members):
        book = await rooms_of(members, rooms=rooms, size=size)
        began = time.monotonic()
        async with asyncio.TaskGroup() as talking:
            for member in members:
                talking.create_task(talk(book, member, messages // clients, random.Random(chance.random())))
            for kill in range(kills):
                await book.reach((kill + 1) * messages // (kills + 1))
                web = stack.webs[kill % len(stack.webs)]
                await asyncio.to_thread(web.kill)
                starting = talking.create_task(asyncio.to_thread(web.start))
                if not together:
                    await starting
        took = time.monotonic() - began
        await book.close()
    stack.check_logs()
    lost, resent = sum(member.lost for member in members), sum(member.resent for member in members)
    assert lost >= kills
    assert resent
    heard = sum(len(messages) for member in members for messages in member.heard.values())
    return (
        f"{book.count} messages of {clients} clients in {rooms} rooms in {took:.1f} s ({book.count / took:.0f}/s), {heard} heard; "
        f"{kills} kills, {lost} connections lost, {resent} requests sent again"
    )


async def comings_and_goings(stack: Stack, *, readers: int, drops: int, seed: int) -> str:
    """Readers of one room cut their connections at random points, `drops` times in all, while two members talk. Returns the figures."""
    chance = random.Random(seed)
    each = drops // readers
    speakers = [Member(stack.urls(number)) for number in range(2)]
    restless = [Member(stack.urls(number), drops=[chance.randrange(8) for _ in range(each)]) for number in range(readers)]
    async with online(*speakers, *restless):
        book = await rooms_of([*speakers, *restless], rooms=1, size=2 + readers)
        (room,) = book.rooms
        began = time.monotonic()

        async def speak(member: Member) -> None:
            for number in itertools.count():
                if all(reader.lost >= each for reader in restless):
                    return
                await book.say(member, room, f"{number} of {member.user_id}")

        async with asyncio.TaskGroup() as talking:
            for speaker in speakers:
                talking.create_task(speak(speaker))
        took = time.monotonic() - began
        await book.close()
    stack.check_logs()
    lost = sum(reader.lost for reader in restless)
    assert lost >= drops
    return f"{lost} connections cut in {took:.1f} s by {readers} readers, while {book.count} messages went to each"
