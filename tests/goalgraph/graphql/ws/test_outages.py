"""What followers notice of Redis going away, of several web processes, and of one that dies."""

import os
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.test import override_settings

from goalgraph import wiring
from goalgraph.adapters.local import embedded
from goalgraph.adapters.local.issuer import mint_access_token
from goalgraph.graphql.ws.server import _servers
from goalgraph.ports.live import RESYNC, Event
from tests.goalgraph.graphql.ws import sample
from tests.goalgraph.graphql.ws.client import Client, until
from tests.goalgraph.graphql.ws.conftest import serving

RECOVERY = 5.0
"""Seconds within which followers are live again once Redis is."""


class Redis:
    """A Redis of the test's own, that it may kill."""

    def __init__(self, folder: Path) -> None:
        self.port, self._folder = embedded.free_port(), folder
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        service = embedded.redis(self.port, self._folder, keep=False)
        self._process = subprocess.Popen(service.command, stdout=subprocess.DEVNULL)
        with redis.Redis.from_url(self.url, protocol=2) as client:
            until(lambda: _answers(client), "Redis answers")

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()


def _answers(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    server.start()
    yield server
    server.kill()


def layers(url: str) -> dict[str, object]:
    config = {"hosts": [{"address": url, **settings.LIVE_CONNECTION}], "prefix": f"{uuid.uuid4().hex}."}
    return {"default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": config}}


@contextmanager
def serving_on(server: Redis, **more: float) -> Iterator[str]:
    with serving(CHANNEL_LAYERS=layers(server.url), PORTS=dict(settings.PORTS), LIVE_SWEEP_SECONDS=3600.0, **more) as url:
        yield url


def live_followers(room: str) -> int:
    topics = [server.hub._topics.get(f"room.{room}") for server in list(_servers.values())]
    return sum(len(share.followers) for topic in topics if topic for share in list(topic.shares.values()))


def kill_and_restart(server: Redis) -> None:
    server.kill()
    time.sleep(1.5)  # long enough for several beats to fail
    server.start()


def flush(server: Redis) -> None:
    with redis.Redis.from_url(server.url, protocol=2) as client:
        client.flushall()


def drop_connections(server: Redis) -> None:
    """As a failover or a proxy does it: Redis lives, the subscriptions do not."""
    with redis.Redis.from_url(server.url, protocol=2) as client:
        client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


@pytest.mark.parametrize("outage", [kill_and_restart, flush, drop_connections])
def test_after_an_outage_of_redis_followers_are_healed_and_live(own_redis: Redis, room: str, outage: Callable[[Redis], None]) -> None:
    with serving_on(own_redis) as url, Client(url) as client, Client(url) as events:
        client.sign_in(mint_access_token("ana")).follow(room, 0)
        events.sign_in(mint_access_token("ana")).start("subscription ($room: ID!) {onRoomEvent(roomId: $room)}", {"room": room})
        until(lambda: live_followers(room) == 2, "both follow")
        sample.say(room, "before")
        assert client.messages(1) == [{"seq": 1, "text": "before"}]
        outage(own_redis)
        back = time.monotonic()
        sample.say(room, "lost", announced=False)
        if outage is not flush:  # which pub/sub does not notice
            assert client.messages(1) == [{"seq": 2, "text": "lost"}]
            assert events.hear()["payload"]["data"]["onRoomEvent"] == RESYNC
            assert time.monotonic() - back < RECOVERY
        sample.say(room, "after")
        seen = client.messages(1 if outage is not flush else 2)
        assert seen[-1] == {"seq": 3, "text": "after"}
        assert time.monotonic() - back < RECOVERY


def test_who_was_suspended_while_redis_was_away_is_found_when_it_is_back(own_redis: Redis, room: str) -> None:
    with serving_on(own_redis, LIVE_RECHECK_SECONDS=3600.0, STANDING_SECONDS=0.0) as url, Client(url) as client:
        client.sign_in(mint_access_token("suspended")).follow(room, 0)
        until(lambda: live_followers(room) == 1, "it follows")
        own_redis.kill()
        sample.suspend_silently("suspended")
        own_redis.start()
        assert client.closed() == 4403


def test_who_comes_while_redis_is_away_is_live_when_it_is_back(own_redis: Redis, room: str) -> None:
    with serving_on(own_redis) as url, Client(url) as client:
        client.sign_in(mint_access_token("ana")).ask("{me}")
        own_redis.kill()
        sample.say(room, "stored", announced=False)
        client.follow(room, 0)
        assert client.messages(1) == [{"seq": 1, "text": "stored"}]
        sample.say(room, "said meanwhile")
        own_redis.start()
        back = time.monotonic()
        assert client.messages(1) == [{"seq": 2, "text": "said meanwhile"}]
        assert time.monotonic() - back < RECOVERY


def test_a_server_that_starts_without_redis_serves_and_is_live_when_it_comes(own_redis: Redis, room: str) -> None:
    own_redis.kill()
    with serving_on(own_redis) as url, Client(url) as client:
        client.sign_in(mint_access_token("ana")).follow(room, 0)
        assert client.ask("{me}")["data"] == {"me": "ana"}
        own_redis.start()
        sample.say(room, "hello")
        assert client.messages(1) == [{"seq": 1, "text": "hello"}]


def test_announcing_costs_a_service_nothing_while_redis_is_away(own_redis: Redis) -> None:
    with override_settings(CHANNEL_LAYERS=layers(own_redis.url), PORTS=dict(settings.PORTS)):
        live = wiring.live()
        live.announce("room.x", Event("message"))
        assert live.flush()  # type: ignore[attr-defined]
        own_redis.kill()
        started = time.monotonic()
        for _ in range(1000):
            live.announce("room.x", Event("message", {"text": "x"}))
        assert time.monotonic() - started < 1
        assert not live.flush(0.1)  # type: ignore[attr-defined]
        own_redis.start()
        assert live.flush(10)  # type: ignore[attr-defined]
        live.close()  # type: ignore[attr-defined]


# Several processes ---------------------------------------------------------------------------------------------------------------------


class Web:
    """A web process of its own."""

    def __init__(self, keys: Path) -> None:
        self.port = embedded.free_port()
        self._environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.goalgraph.graphql.ws.process_settings",
            "SAMPLE_KEYS": str(keys),
            "SAMPLE_LOG": "redis",
            "PYTHONPATH": str(embedded.ROOT),
            "PORT": str(self.port),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/graphql"

    def start(self) -> None:
        """As the Procfile does it."""
        words = shlex.split((embedded.ROOT / "Procfile").read_text().split("web:")[1].splitlines()[0].replace("$PORT", str(self.port)))
        command = [sys.executable, "-m", *words[1:]]
        self._process = subprocess.Popen(command, env=self._environment, cwd=embedded.ROOT)
        until(lambda: not embedded.port_is_free(self.port), "the web process listens")

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()


@pytest.fixture
def webs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Web]]:
    monkeypatch.setenv("SAMPLE_LOG", "redis")
    with override_settings(ISSUER_KEYS_DIR=tmp_path / "keys"), ExitStack() as stopping:
        mint_access_token("ana")  # makes the keys
        found = [Web(tmp_path / "keys"), Web(tmp_path / "keys")]
        for web in found:
            stopping.callback(web.kill)
            web.start()
        yield found


SAY = "mutation ($room: ID!, $text: String!) { say(roomId: $room, text: $text) { seq } }"


def test_two_processes_deliver_each_others_messages_in_the_same_order(webs: list[Web], room: str) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(Client(web.url)).sign_in(mint_access_token("ana")) for web in webs for _ in range(2)]
        speakers = [stack.enter_context(Client(web.url)).sign_in(mint_access_token("bruno")) for web in webs]
        for client in clients:
            client.follow(room, 0)
        for number in range(100):
            for speaker in speakers:
                speaker.start(SAY, {"room": room, "text": f"{number}"})
        heard = [client.messages(200) for client in clients]
    assert [message["seq"] for message in heard[0]] == list(range(1, 201))
    assert all(messages == heard[0] for messages in heard)


def test_a_process_that_dies_costs_its_followers_a_resume_and_nothing_more(webs: list[Web], room: str) -> None:
    dying, staying = webs
    token = mint_access_token("ana")
    with Client(staying.url) as speaker, Client(staying.url) as other:
        speaker.sign_in(token)
        other.sign_in(token).follow(room, 0)
        found: list[int] = []
        said = 0
        for _ in range(3):
            with Client(dying.url) as client:
                client.sign_in(token).follow(room, found[-1] if found else 0)
                for _ in range(20):
                    speaker.ask(SAY, {"room": room, "text": "x"})
                    said += 1
                found += [message["seq"] for message in client.messages(10)]
                dying.kill()
                speaker.ask(SAY, {"room": room, "text": "while it is down"})
                said += 1
            dying.start()
        with Client(dying.url) as client:
            client.sign_in(token).follow(room, found[-1])
            found += [message["seq"] for message in client.messages(said - len(found))]
        assert found == list(range(1, said + 1))
        assert [message["seq"] for message in other.messages(said)] == found
