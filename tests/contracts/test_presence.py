"""What each adapter of the `presence` port promises."""

import itertools
import logging
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import override_settings
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from goalgraph import wiring
from goalgraph.adapters.local.embedded import free_port
from goalgraph.adapters.presence import MemoryPresence, RedisPresence
from goalgraph.ports.presence import Entry, Presence


@dataclass
class World:
    """A store, and a way to let time pass in it."""

    store: Presence
    wait: Callable[[float], None]


def redis_world() -> World:
    store = RedisPresence(settings.REDIS_URL)
    client: Any = redis.Redis.from_url(settings.REDIS_URL, protocol=2)

    def wait(seconds: float) -> None:
        """Redis has no clock that stands still, so all instants move into the past."""
        for key in client.scan_iter("gg:presence:*"):
            for member in client.zrange(key, 0, -1):
                client.zincrby(key, -1000 * seconds, member)

    return World(store, wait)


def memory_world() -> World:
    return World(MemoryPresence(), lambda seconds: wiring.port("clock").advance(seconds=seconds))


WORLDS = {"memory": memory_world, "redis": redis_world}


@pytest.fixture
def clock() -> Iterator[None]:
    with override_settings(PORTS=settings.PORTS | {"clock": {"BACKEND": "tests.fixtures.FakeClock"}}):
        yield


@pytest.fixture(params=WORLDS)
def world(request: pytest.FixtureRequest, clock: None) -> World:
    return WORLDS[request.param]()


@pytest.fixture
def ana() -> Entry:
    """At a topic nobody has followed."""
    return Entry(f"room.{uuid.uuid4().hex}", "ana")


def test_who_enters_is_there_and_who_leaves_is_gone(world: World, ana: Entry) -> None:
    bruno = ana._replace(user_id="bruno")
    store = world.store
    assert store.present(ana.topic) == set()
    assert store.enter("p", [ana]) == [ana]
    assert store.enter("p", [ana, bruno]) == [bruno]
    assert store.present(ana.topic) == {"ana", "bruno"}
    assert store.leave("p", [ana]) == [ana]
    assert store.leave("p", [ana]) == []
    assert store.present(ana.topic) == {"bruno"}


def test_a_member_is_there_through_any_process(world: World, ana: Entry) -> None:
    store = world.store
    assert store.enter("p", [ana]) == [ana]
    assert store.enter("q", [ana]) == []
    assert store.leave("p", [ana]) == []
    assert store.present(ana.topic) == {"ana"}
    assert store.leave("q", [ana]) == [ana]
    assert store.present(ana.topic) == set()


def test_an_entry_that_is_not_renewed_expires_and_is_told_once(world: World, ana: Entry) -> None:
    bruno = ana._replace(user_id="bruno")
    store = world.store
    store.enter("dead", [ana, bruno])
    world.wait(40)
    store.enter("p", [bruno])
    world.wait(40)
    assert store.present(ana.topic) == {"bruno"}
    assert store.expire([ana.topic, "room.other"]) == [ana]
    assert store.expire([ana.topic]) == []
    assert store.leave("dead", [ana, bruno]) == []
    assert store.present(ana.topic) == {"bruno"}


def test_a_renewed_entry_stays(world: World, ana: Entry) -> None:
    for _ in range(5):
        world.store.enter("p", [ana])
        world.wait(40)
    assert world.store.expire([ana.topic]) == []
    assert world.store.present(ana.topic) == {"ana"}


def test_who_was_expired_is_new_when_their_process_is_back(world: World, ana: Entry) -> None:
    world.store.enter("p", [ana])
    world.wait(61)
    assert world.store.expire([ana.topic]) == [ana]
    assert world.store.enter("p", [ana]) == [ana]


def test_topics_do_not_mix(world: World, ana: Entry) -> None:
    elsewhere = Entry(f"{ana.topic}.2", "ana")
    assert sorted(world.store.enter("p", [ana, elsewhere]) or []) == [ana, elsewhere]
    assert world.store.leave("p", [ana]) == [ana]
    assert world.store.present(elsewhere.topic) == {"ana"}


def test_many_topics_at_once(world: World, ana: Entry) -> None:
    many = {Entry(f"{ana.topic}.{number}", "ana") for number in range(1100)}
    assert set(world.store.enter("p", many) or []) == many
    assert set(world.store.leave("p", many) or []) == many


def test_of_processes_that_come_and_go_at_once_each_change_is_learned_by_one(world: World, ana: Entry) -> None:
    store, learned = world.store, []

    def come_and_go(process: str) -> None:
        for _ in range(20):
            learned.append(len(store.enter(process, [ana]) or []))
            learned.append(-len(store.leave(process, [ana]) or []))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(come_and_go, [f"p{number}" for number in range(8)]))
    assert sum(learned) == 0
    assert learned.count(1) >= 1
    assert store.present(ana.topic) == set()


def test_of_processes_that_look_at_once_one_learns_who_expired(world: World, ana: Entry) -> None:
    world.store.enter("dead", [ana])
    world.wait(61)
    with ThreadPoolExecutor(8) as pool:
        learned = list(pool.map(lambda _: world.store.expire([ana.topic]), range(8)))
    assert sorted(itertools.chain.from_iterable(map(list, learned))) == [ana]  # type: ignore[arg-type]


users = st.sampled_from(["ana", "bruno", "a.b:c@d+e-f_g"])
steps = st.lists(
    st.tuples(st.sampled_from(["enter", "leave", "expire", "wait"]), st.sampled_from(["p", "q"]), st.sets(users, min_size=1)), max_size=25
)


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_both_adapters_agree(clock: None, steps: list[tuple[str, str, set[str]]]) -> None:
    topic = f"room.{uuid.uuid4().hex}"

    def play(world: World) -> list[Any]:
        seen: list[Any] = []
        for step, process, names in steps:
            entries = [Entry(topic, name) for name in sorted(names)]
            match step:
                case "enter":
                    seen.append(sorted(world.store.enter(process, entries) or []))
                case "leave":
                    seen.append(sorted(world.store.leave(process, entries) or []))
                case "expire":
                    seen.append(sorted(world.store.expire([topic]) or []))
                case "wait":
                    world.wait(25)
            seen.append(world.store.present(topic))
        return seen

    assert play(redis_world()) == play(memory_world())


# Redis -----------------------------------------------------------------------------------------------------------------------------------


def test_nothing_stays_in_redis(ana: Entry) -> None:
    client: Any = redis.Redis.from_url(settings.REDIS_URL, protocol=2)
    RedisPresence(settings.REDIS_URL).enter("p", [ana])
    (key,) = client.scan_iter(f"*{ana.topic}*")
    assert 0 < client.pttl(key) <= 60_000


def test_without_redis_nothing_is_known_and_one_line_says_so(ana: Entry, caplog: pytest.LogCaptureFixture) -> None:
    store = RedisPresence(f"redis://127.0.0.1:{free_port()}/0")
    with caplog.at_level(logging.WARNING, "goalgraph.adapters.presence"):
        answers = [store.enter("p", [ana]), store.leave("p", [ana]), store.expire([ana.topic]), store.present(ana.topic)]
    assert answers == [None] * 4
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert ana.user_id not in caplog.text


def test_redis_that_forgot_everything_even_its_scripts_is_told_again(ana: Entry) -> None:
    """As after a restart."""
    store = RedisPresence(settings.REDIS_URL)
    client: Any = redis.Redis.from_url(settings.REDIS_URL, protocol=2)
    store.enter("p", [ana])
    client.delete(*client.scan_iter(f"*{ana.topic}*"))
    client.script_flush()
    client.client_kill_filter(_type="normal", skipme=True)
    assert store.enter("p", [ana]) == [ana]
    client.script_flush()
    assert store.present(ana.topic) == {"ana"}
