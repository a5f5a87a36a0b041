"""The hub without a server: order under every order of hints, readers that do not read, announcements that are no data."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from goalgraph.auth.actor import Actor
from goalgraph.errors import GoalGraphError
from goalgraph.graphql.hub.hub import Rounds
from goalgraph.graphql.hub.relay import Relay
from goalgraph.graphql.hub.shares import MAX_QUEUE, Follower, Share
from goalgraph.graphql.hub.topics import Topic
from goalgraph.graphql.subscriptions import Source
from goalgraph.graphql.ws.outbox import Outbox
from goalgraph.ports.live import Announcement, Event, Stream


class Layer:
    """A channel layer whose messages always arrive."""

    def __init__(self) -> None:
        self.queues: dict[str, asyncio.Queue[Any]] = {}
        self.groups: dict[str, set[str]] = {}

    async def receive(self, channel: str) -> Any:
        return await self.queues.setdefault(channel, asyncio.Queue()).get()

    async def group_add(self, group: str, channel: str) -> None:
        self.groups.setdefault(group, set()).add(channel)

    async def group_send(self, group: str, message: Any) -> None:
        for channel in self.groups.get(group, ()):
            self.queues.setdefault(channel, asyncio.Queue()).put_nowait(message)


class ListLog:
    """What was stored, by its number; numbers may be missing for good."""

    def __init__(self) -> None:
        self.events: dict[int, Event] = {}

    def store(self, seq: int) -> Event:
        self.events[seq] = Event("message", seq, seq)
        return self.events[seq]

    def head(self) -> int:
        return max(self.events, default=0)

    def read(self, after: int, limit: int) -> list[Event]:
        return [self.events[seq] for seq in sorted(self.events) if seq > after][:limit]


class FakeSocket:
    """Keeps what it is pushed."""

    user_id, dialect_name = "ana", "test"
    actor = Actor("ana")

    def __init__(self) -> None:
        self.got: list[str] = []
        self.ended: list[GoalGraphError | None] = []

    def frame(self, operation_id: str, body: str) -> str:
        return body

    def push(self, frame: str) -> None:
        self.got.append(frame)

    async def drained(self) -> None:
        await asyncio.sleep(0)

    def end(self, operation_id: str, error: GoalGraphError | None) -> None:
        self.ended.append(error)

    def suspend(self) -> None:
        raise AssertionError("nobody was suspended")


async def in_turn(work: Callable[[], Any]) -> Any:
    """Stands for a thread: the event loop goes on for a while before the work is done, and after."""
    await asyncio.sleep(0)
    result = work()
    await asyncio.sleep(0)
    return result


def source(log: ListLog, after: int | None) -> Source:
    return Source(Stream("room", log=log, after=after), key="all", execute=lambda event: str(event.seq))


async def topic_of(layer: Layer) -> tuple[Topic, Relay]:
    topic: Topic
    relay = Relay(layer, lambda heard: topic.hear(heard), lambda: None)  # noqa: PLW0108 - the topic comes later
    topic = Topic("room", relay, in_turn)
    return topic, relay


hints = st.lists(st.tuples(st.sampled_from(["store", "lose", "skip", "late", "again", "join", "resume", "breathe"])), max_size=60)


@settings(max_examples=150)
@given(hints)
def test_every_follower_gets_each_event_once_and_in_order(steps: list[tuple[str]]) -> None:
    """Hints that are lost, late or repeated, numbers that never appear, followers that come at any moment."""

    async def play() -> None:
        layer, log = Layer(), ListLog()
        topic, relay = await topic_of(layer)
        followed: list[tuple[FakeSocket, int, asyncio.Task[None]]] = []
        kept_back: list[Event] = []
        seq = 0

        def hear(event: Event) -> None:
            topic.hear(Announcement("room", event))

        def join(after: int | None) -> None:
            socket = FakeSocket()
            follower = Follower(socket, "1", lambda: True)
            task = asyncio.create_task(topic.follow(follower, source(log, after)))
            followed.append((socket, after or 0, task))

        join(0)
        for (step,) in steps:
            match step:
                case "store":
                    seq += 1
                    hear(log.store(seq))
                case "lose":
                    seq += 1
                    log.store(seq)
                case "skip":
                    seq += 1  # taken by a process that died
                case "late":
                    seq += 1
                    kept_back.append(log.store(seq))
                case "again":
                    for event in kept_back or list(log.events.values())[-2:]:
                        hear(event)
                    kept_back.clear()
                case "join":
                    join(0)
                case "resume":
                    join(max(0, log.head() - 2))
                case "breathe":
                    await asyncio.sleep(0.001)
        seq += 1
        hear(log.store(seq))
        async with asyncio.timeout(5):
            for socket, after, task in followed:
                await task
                while not socket.got or int(socket.got[-1]) < seq:
                    await asyncio.sleep(0.002)
                assert [int(each) for each in socket.got] == [each for each in sorted(log.events) if each > after]
                assert socket.ended == []
        topic.close()
        await relay.stop()

    asyncio.run(play())


def test_a_share_that_lags_too_far_behind_ends_its_streams_with_reset() -> None:
    async def play() -> None:
        socket, gate = FakeSocket(), asyncio.Event()

        async def blocked(work: Callable[[], Any]) -> Any:
            await gate.wait()
            return work()

        share = Share(source(ListLog(), 0), 0, blocked)
        follower = Follower(socket, "1", lambda: True)
        follower.share = share
        share.followers[follower] = None
        for seq in range(1, MAX_QUEUE + 50):
            share.offer(Event("message", seq, seq))
            await asyncio.sleep(0)
        assert [error.code for error in socket.ended if error] == ["RESET"]
        assert share.waiting < MAX_QUEUE
        share.stop()

    asyncio.run(play())


@given(st.integers(0, 500), st.integers(1, 60), st.integers(1, 100))
def test_a_round_gives_everyone_a_turn_within_its_time_and_budget(count: int, seconds: int, budget: int) -> None:
    rounds: Rounds[int] = Rounds()
    turns = max(seconds, -(-count // budget))
    seen: list[int] = []
    for _ in range(turns):
        part = rounds.due(lambda: list(range(count)), seconds, budget)
        assert len(part) <= budget
        seen += part
        if len(seen) >= count:
            break
    assert sorted(seen) == list(range(count))


# Readers ---------------------------------------------------------------------------------------------------------------------------------


class Wire:
    """A server's connection whose client reads when told to. `transport` is what `Outbox` looks for behind `send`."""

    def __init__(self) -> None:
        self.writable = asyncio.Event()
        self.writable.set()
        self.sent: list[str] = []
        self.transport = self
        self.aborted = False

    async def send(self, message: dict[str, Any]) -> None:
        await self.writable.wait()
        self.sent.append(message["text"])

    def abort(self) -> None:
        self.aborted = True


def message(text: object) -> dict[str, Any]:
    return {"type": "websocket.send", "text": str(text)}


def played(play: Callable[[Wire, Outbox], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        wire = Wire()
        await play(wire, Outbox(wire.send))

    asyncio.run(run())


def test_a_reader_that_reads_is_sent_to_at_once() -> None:
    async def play(wire: Wire, outbox: Outbox) -> None:
        for number in range(3):
            outbox.push(message(number))
        assert wire.sent == ["0", "1", "2"]
        assert len(asyncio.all_tasks()) == 1

    played(play)


def test_a_reader_that_pauses_gets_all_in_order_later() -> None:
    async def play(wire: Wire, outbox: Outbox) -> None:
        numbers = itertools.count()
        for pauses in (True, False, True):
            wire.writable.clear() if pauses else wire.writable.set()
            for _ in range(10):
                outbox.push(message(next(numbers)))
            await asyncio.sleep(0)
        assert outbox.stalled_since
        wire.writable.set()
        await outbox.drained()
        assert wire.sent == [str(number) for number in range(30)]
        assert not outbox.stalled_since
        assert not wire.aborted

    played(play)


@pytest.mark.parametrize(("limits", "size"), [({"WS_QUEUED_FRAMES": 10}, 1), ({"WS_QUEUED_BYTES": 10_000}, 1000)])
def test_a_reader_that_does_not_read_is_aborted_when_too_much_waits(limits: dict[str, int], size: int) -> None:
    async def play(wire: Wire, outbox: Outbox) -> None:
        wire.writable.clear()
        for _ in range(11):
            outbox.push(message("x" * size))
            assert not wire.aborted
        outbox.push(message("x" * size))
        assert wire.aborted
        await outbox.drained()
        assert wire.sent == []

    with override_settings(**limits):
        played(play)


def test_a_send_that_fails_is_the_end_of_a_client_and_of_nothing_else() -> None:
    async def play(wire: Wire, outbox: Outbox) -> None:
        async def broken(_: dict[str, Any]) -> None:
            await wire.writable.wait()
            raise ConnectionError

        outbox = Outbox(broken)
        outbox.push(message("at once"))
        wire.writable.clear()
        outbox.push(message("later"))
        outbox.push(message("queued"))
        wire.writable.set()
        await outbox.drained()

    played(play)
