"""Who is here: what a process tells the store, what it announces, and what is left when a process or an answer is not."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from goalgraph import wiring
from goalgraph.adapters.live import RecordingLive
from goalgraph.adapters.presence import MemoryPresence
from goalgraph.graphql.hub.presence import SLICE, Attendance
from goalgraph.ports.presence import PRESENCE, Entry
from tests.fixtures import FakeClock
from tests.goalgraph.graphql.test_hub import in_turn

ANA = Entry("room", "ana")


class Store(MemoryPresence):
    """May be away, or lose its answer once it has done what was asked."""

    mode = "there"

    def enter(self, process: str, entries: Collection[Entry]) -> list[Entry] | None:
        return self._answer(lambda: super(Store, self).enter(process, entries))

    def leave(self, process: str, entries: Collection[Entry]) -> list[Entry] | None:
        return self._answer(lambda: super(Store, self).leave(process, entries))

    def expire(self, topics: Collection[str]) -> list[Entry] | None:
        return self._answer(lambda: super(Store, self).expire(topics))

    def _answer(self, ask: Callable[[], Any]) -> Any:
        if self.mode == "away":
            return None
        answer = ask()
        return None if self.mode == "loses answers" else answer


@pytest.fixture(autouse=True)
def world() -> Iterator[None]:
    ports = {
        "clock": {"BACKEND": "tests.fixtures.FakeClock"},
        "live": {"BACKEND": "goalgraph.adapters.live.RecordingLive"},
        "presence": {"BACKEND": f"{__name__}.Store"},
    }
    with override_settings(PORTS=django_settings.PORTS | ports):
        yield


def clock() -> FakeClock:
    return wiring.port("clock")


def store() -> Store:
    return wiring.port("presence")


def announced() -> list[tuple[str, str, bool]]:
    """And forget it."""
    live = wiring.port("live")
    assert isinstance(live, RecordingLive)
    assert {heard.event.kind for heard in live.announced} <= {PRESENCE}
    assert all(heard.event.seq is None for heard in live.announced)
    found = [(heard.topic, heard.event.payload["userId"], heard.event.payload["online"]) for heard in live.announced]
    live.announced.clear()
    return found


def play(scenario: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario

    asyncio.run(bounded())


async def breathe() -> None:
    """All that does not wait for time gets done."""
    for _ in range(30):
        await asyncio.sleep(0)


@asynccontextmanager
async def process(*, dies: bool = True) -> Any:
    """The attendance of a web process, which ends without a word unless it does not die."""
    attendance = Attendance(in_turn)
    running = asyncio.create_task(attendance.run())
    yield attendance
    if not dies:
        await attendance.stop()
    running.cancel()
    await asyncio.wait([running])


def test_the_first_stream_of_a_member_enters_and_the_last_leaves() -> None:
    async def scenario() -> None:
        async with process() as attendance:
            leaving = [attendance.enter(*ANA) for _ in range(3)]
            await breathe()
            assert announced() == [(*ANA, True)]
            leaving[0]()
            leaving[2]()
            await breathe()
            assert announced() == []
            assert store().present(ANA.topic) == {"ana"}
            leaving[1]()
            await breathe()
            assert announced() == [(*ANA, False)]
            assert store().present(ANA.topic) == set()

    play(scenario())


def test_two_processes_tell_of_one_coming_and_one_going() -> None:
    async def scenario() -> None:
        async with process() as one, process() as other:
            leaving = [one.enter(*ANA), other.enter(*ANA)]
            await breathe()
            assert announced() == [(*ANA, True)]
            leaving[0]()
            await breathe()
            assert announced() == []
            leaving[1]()
            await breathe()
            assert announced() == [(*ANA, False)]

    play(scenario())


def test_whom_a_dead_process_left_there_another_announces() -> None:
    async def scenario() -> None:
        async with process() as staying, process() as also_staying:
            staying.enter(ANA.topic, "bruno")
            also_staying.enter(ANA.topic, "bruno")
            async with process() as dying:
                dying.enter(*ANA)
                dying.enter("elsewhere", "ana")
                await breathe()
            announced()
            clock().advance(seconds=40)
            await asyncio.gather(staying.renew(), also_staying.renew())
            await breathe()
            assert announced() == []
            clock().advance(seconds=40)
            await asyncio.gather(staying.renew(), also_staying.renew())
            await breathe()
            assert announced() == [(*ANA, False)]
            assert store().present(ANA.topic) == {"bruno"}

    play(scenario())


def test_a_process_that_stops_leaves() -> None:
    async def scenario() -> None:
        async with process(dies=False) as stopping:
            stopping.enter(*ANA)
            await breathe()
            late = stopping.enter("elsewhere", "ana")
        assert store().present(ANA.topic) == store().present("elsewhere") == set()
        assert announced() == [(*ANA, True), (*ANA, False)]
        late()

    play(scenario())


def test_a_process_that_was_held_up_is_back_with_everybody() -> None:
    """It slept longer than its entries live, and others said that its members are gone."""

    async def scenario() -> None:
        async with process() as sleeping, process() as awake:
            sleeping.enter(*ANA)
            awake.enter(ANA.topic, "bruno")
            await breathe()
            clock().advance(seconds=61)
            await awake.renew()
            await breathe()
            await sleeping.renew()
            await breathe()
            assert announced()[-2:] == [(*ANA, False), (*ANA, True)]

    play(scenario())


def test_a_store_that_forgot_is_told_again() -> None:
    async def scenario() -> None:
        async with process() as attendance:
            attendance.enter(*ANA)
            await breathe()
            store()._expiries.clear()
            assert await attendance.renew()
            assert store().present(ANA.topic) == {"ana"}

    play(scenario())


def test_a_store_that_is_away_is_told_when_it_is_back() -> None:
    async def scenario() -> None:
        async with process() as attendance:
            store().mode = "away"
            attendance.enter(*ANA)
            await breathe()
            assert not await attendance.renew()
            store().mode = "there"
            announced()
            assert await attendance.renew()
            await breathe()
            assert announced() == [(*ANA, True)]

    play(scenario())


def test_a_store_that_fails_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Store):
        def _answer(self, ask: Callable[[], Any]) -> Any:
            raise ZeroDivisionError

    async def scenario() -> None:
        async with process() as attendance:
            store().__class__ = Broken
            attendance.enter(*ANA)
            await breathe()
            assert "who is here was not told" in caplog.text
            store().__class__ = Store
            assert await attendance.renew()
            assert store().present(ANA.topic) == {"ana"}

    play(scenario())


def test_many_who_come_at_once_do_not_hold_up_the_others() -> None:
    """Announcements go out a slice at a time, and all of them go out."""

    async def scenario() -> None:
        async with process() as attendance:
            for number in range(3 * SLICE):
                attendance.enter("room", f"u-{number}")
            await breathe()
            told = announced()
            assert len(told) == SLICE
            while len(told) < 3 * SLICE:
                await asyncio.sleep(0.01)
                fresh = announced()
                assert len(fresh) <= SLICE
                told += fresh
            assert {user_id for _, user_id, _ in told} == {f"u-{number}" for number in range(3 * SLICE)}

    play(scenario())


modes = st.sampled_from(["there", "away", "loses answers"])
moves = st.tuples(st.sampled_from([0, 1]), st.sampled_from(["ana", "bruno"]), st.booleans(), modes)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(moves, st.booleans()), max_size=25))
def test_whoever_looks_when_they_are_told_knows_who_is_here(steps: list[tuple[tuple[int, str, bool, str], bool]]) -> None:
    """Members come and go at two processes while the store is away or loses answers; a third process hears of it and looks."""
    wiring.port.cache_clear()
    streams: dict[tuple[int, str], list[Callable[[], None]]] = {}
    belief: dict[str, bool] = {}

    def hear() -> None:
        for topic, user_id, _ in announced():
            belief[user_id] = user_id in (store().present(topic) or ())

    async def scenario() -> None:
        async with process() as one, process() as other:
            one.enter("room", "carla")
            for (place, user_id, comes, mode), waits in steps:
                store().mode = mode
                here = streams.setdefault((place, user_id), [])
                if comes:
                    here.append((one, other)[place].enter("room", user_id))
                elif here:
                    here.pop()()
                if waits:
                    await breathe()
                    hear()
            await breathe()
            store().mode = "there"
            for _ in range(4):  # what could not be taken away expires
                hear()
                clock().advance(seconds=20)
                await asyncio.gather(one.renew(), other.renew())
                await breathe()
            hear()
        here_now = {user_id for (_, user_id), open_streams in streams.items() if open_streams}
        assert store().present("room") == here_now | {"carla"}
        assert {user_id for user_id, online in belief.items() if online} == here_now | {"carla"}

    play(scenario())
