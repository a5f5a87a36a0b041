"""Subscriptions from outside: order, resuming, sharing, ends."""

import random
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import override_settings
from websockets.exceptions import ConnectionClosed

from goalgraph import wiring
from goalgraph.adapters.local.issuer import mint_access_token
from goalgraph.graphql.ws.server import _servers
from goalgraph.ports.live import Event
from goalgraph.table.memory import MemoryTable
from goalgraph.table.port import TableUnavailable
from tests.goalgraph.graphql.ws import sample
from tests.goalgraph.graphql.ws.client import ON_MESSAGE, Client, until
from tests.goalgraph.graphql.ws.conftest import serving

OpenClient = Callable[..., Client]
BOTH = pytest.mark.parametrize("subprotocol", ["graphql-transport-ws", "graphql-ws"])
ON_ROOM_EVENT = "subscription ($room: ID!) { onRoomEvent(roomId: $room) }"


def seqs(client: Client, count: int) -> list[int]:
    return [message["seq"] for message in client.messages(count)]


@BOTH
def test_messages_reach_all_followers_in_order(open_client: OpenClient, room: str, subprotocol: str) -> None:
    clients = [open_client(subprotocol=subprotocol) for _ in range(3)]
    for client in clients:
        client.follow(room, 0)
    for number in range(100):
        sample.say(room, f"{number}")
    for client in clients:
        assert seqs(client, 100) == list(range(1, 101))


def test_what_was_missed_comes_first_and_then_what_is_live(open_client: OpenClient, room: str) -> None:
    for number in range(250):
        sample.say(room, f"{number}")
    client = open_client()
    client.follow(room, 17)
    assert seqs(client, 233) == list(range(18, 251))
    sample.say(room, "live")
    assert client.messages(1) == [{"seq": 251, "text": "live"}]


def test_without_a_position_only_what_is_new_comes(open_client: OpenClient, room: str) -> None:
    sample.say(room, "old")
    ahead, client = open_client(), open_client()
    ahead.follow(room, 0)
    assert seqs(ahead, 1) == [1]
    client.follow(room)
    settle(room, 2)
    sample.say(room, "new")
    assert client.messages(1) == [{"seq": 2, "text": "new"}]


def test_a_position_beyond_what_is_kept_ends_with_reset(open_client: OpenClient, room: str) -> None:
    for number in range(10):
        sample.say(room, f"{number}")
    sample.MemoryLog.of(room).kept = 5
    client = open_client()
    operation_id = client.follow(room, 3)
    message = client.hear()
    assert (message["id"], message["type"]) == (operation_id, "error")
    assert message["payload"][0]["extensions"]["code"] == "RESET"
    client.follow(room, 5)
    assert seqs(client, 5) == [6, 7, 8, 9, 10]


def test_hints_that_overtake_each_other_are_put_in_order(open_client: OpenClient, room: str) -> None:
    client = open_client()
    client.follow(room, 0)
    sample.say(room, "1")
    assert seqs(client, 1) == [1]
    log = sample.MemoryLog.of(room)
    reads = log.reads
    events = [log.append(f"{number}") for number in range(2, 12)]
    for event in random.sample(events, len(events)) + events[:3]:
        wiring.live().announce(f"room.{room}", event)
    assert seqs(client, 10) == list(range(2, 12))
    assert log.reads <= reads + 1, "the log is read only when what is missing does not come"


def test_a_lost_hint_is_healed_by_the_next(open_client: OpenClient, room: str) -> None:
    client = open_client()
    client.follow(room, 0)
    sample.say(room, "1")
    assert seqs(client, 1) == [1]
    sample.say(room, "2", announced=False)
    sample.say(room, "3", announced=False)
    sample.say(room, "4")
    assert seqs(client, 3) == [2, 3, 4]


def test_what_one_follower_reads_from_the_log_heals_the_others(open_client: OpenClient, room: str) -> None:
    client, other = open_client(), open_client()
    client.follow(room, 0)
    sample.say(room, "1")
    assert seqs(client, 1) == [1]
    sample.say(room, "2", announced=False)
    other.follow(room, 0)
    assert seqs(other, 2) == [1, 2]
    assert seqs(client, 1) == [2]


def test_a_hint_without_its_event_is_looked_up(open_client: OpenClient, room: str) -> None:
    client = open_client()
    client.follow(room, 0)
    event = sample.MemoryLog.of(room).append("large")
    wiring.live().announce(f"room.{room}", Event("message", {"text": "x" * 100_000}, event.seq))
    assert client.messages(1) == [{"seq": 1, "text": "large"}]
    event = sample.MemoryLog.of(room).append("not plain")
    wiring.live().announce(f"room.{room}", Event("message", object(), event.seq))
    assert client.messages(1) == [{"seq": 2, "text": "not plain"}]


def test_a_hint_that_nobody_published_is_healed_by_the_sweep(open_client: OpenClient, room: str) -> None:
    with override_settings(LIVE_SWEEP_SECONDS=1.0):
        client = open_client()
        client.follow(room, 0)
        sample.say(room, "1")
        assert seqs(client, 1) == [1]
        sample.say(room, "2", announced=False)
        assert seqs(client, 1) == [2]


def test_one_execution_serves_all_who_see_the_same(open_client: OpenClient, room: str) -> None:
    sample.say(room, "before")
    clients = [open_client() for _ in range(10)]
    for place, client in enumerate(clients):
        client.start(ON_MESSAGE, {"room": room, "after": place % 2}, operation_id=f"op-{place}")
    for place, client in enumerate(clients):
        if place % 2 == 0:
            assert seqs(client, 1) == [1]
    settle(room, 10)
    text = uuid.uuid4().hex
    sample.say(room, text)
    for place, client in enumerate(clients):
        message = client.hear()
        assert message == {"id": f"op-{place}", "type": "next", "payload": {"data": {"onMessage": {"seq": 2, "text": text}}}}
    assert sample.executed[text] == 1


def settle(room: str, count: int) -> None:
    """Return when the hub has let `count` followers of the room in."""

    def live() -> int:
        topics = [server.hub._topics.get(f"room.{room}") for server in list(_servers.values())]
        return sum(len(share.followers) for topic in topics if topic for share in list(topic.shares.values()))

    until(lambda: live() == count, f"{count} followers are live")


def test_different_documents_views_and_viewers_are_executed_apart(open_client: OpenClient, room: str) -> None:
    one, two, ana, bruno = open_client(), open_client(), open_client("ana"), open_client("bruno")
    one.start('subscription ($r: ID!) {onMessage(roomId: $r, after: 0, view: "a") {text author}}', {"r": room})
    two.start('subscription ($r: ID!) {onMessage(roomId: $r, after: 0, view: "b") {text author}}', {"r": room})
    for member in (ana, bruno):
        member.start("subscription ($r: ID!) {onMine(roomId: $r) {text author}}", {"r": room})
    settle(room, 4)
    text = uuid.uuid4().hex
    sample.say(room, text)
    assert [client.hear()["payload"]["data"]["onMessage"]["author"] for client in (one, two)] == ["", ""]
    assert [client.hear()["payload"]["data"]["onMine"]["author"] for client in (ana, bruno)] == ["ana", "bruno"]
    assert sample.executed[text] == 4


def test_variables_below_the_root_field_are_executed_apart(open_client: OpenClient, room: str) -> None:
    query = "subscription ($r: ID!, $with: Boolean!) {onMessage(roomId: $r, after: 0) {seq text @include(if: $with)}}"
    brief, full = open_client(), open_client()
    brief.start(query, {"r": room, "with": False})
    full.start(query, {"r": room, "with": True})
    settle(room, 2)
    sample.say(room, "hello")
    assert brief.messages(1) == [{"seq": 1}]
    assert full.messages(1) == [{"seq": 1, "text": "hello"}]


def test_a_resolver_that_fails_is_told_and_the_stream_goes_on(open_client: OpenClient, room: str) -> None:
    client = open_client()
    client.start("subscription ($r: ID!) {onMessage(roomId: $r, after: 0) {seq broken}}", {"r": room})
    for seq in (1, 2):
        sample.say(room, "x")
        payload = client.hear()["payload"]
        assert payload["data"]["onMessage"] == {"seq": seq, "broken": None}
        assert payload["errors"][0]["extensions"]["code"] == "INTERNAL"


def test_streams_get_the_kinds_of_events_they_want(open_client: OpenClient, room: str) -> None:
    events, messages = open_client(), open_client()
    events.start(ON_ROOM_EVENT, {"room": room})
    messages.follow(room, 0)
    settle(room, 2)
    live = wiring.live()
    live.announce(f"room.{room}", Event("other"))
    live.announce(f"room.{room}", Event("typing", {"by": "ana"}))
    sample.say(room, "hi")
    assert messages.messages(1) == [{"seq": 1, "text": "hi"}]
    assert events.hear()["payload"] == {"data": {"onRoomEvent": "typing"}}


@BOTH
def test_who_leaves_hears_no_more(open_client: OpenClient, room: str, subprotocol: str) -> None:
    leaver, stays = open_client("leaver", subprotocol=subprotocol), open_client("stays")
    first, second = leaver.follow(room, 0), leaver.start(ON_ROOM_EVENT, {"room": room})
    stays.follow(room, 0)
    sample.say(room, "1")
    assert seqs(leaver, 1) == seqs(stays, 1) == [1]
    settle(room, 3)
    wiring.live().announce(f"room.{room}", Event("left", {"user": "leaver"}), ends_for=["leaver", "nobody"])
    assert {leaver.hear()["id"] for _ in range(2)} == {first, second}
    sample.say(room, "2")
    assert seqs(stays, 1) == [2]
    assert leaver.ask("{me}")["data"] == {"me": "leaver"}


def test_permission_is_asked_again(open_client: OpenClient, room: str) -> None:
    with override_settings(LIVE_RECHECK_SECONDS=1.0):
        client, other = open_client("banned"), open_client()
        operation_id = client.follow(room, 0)
        other.follow(room, 0)
        sample.say(room, "1")
        assert seqs(client, 1) == seqs(other, 1) == [1]
        sample.not_allowed.add("banned")
        try:
            assert client.hear() == {"id": operation_id, "type": "complete"}
        finally:
            sample.not_allowed.clear()
        sample.say(room, "2")
        assert seqs(other, 1) == [2]


def test_a_suspension_whose_word_was_lost_is_found(open_client: OpenClient, room: str) -> None:
    with override_settings(LIVE_RECHECK_SECONDS=1.0, STANDING_SECONDS=0.0):
        client, other = open_client("suspended"), open_client()
        client.follow(room, 0)
        client.start(ON_ROOM_EVENT, {"room": room})
        other.follow(room, 0)
        sample.say(room, "1")
        assert seqs(client, 1) == seqs(other, 1) == [1]
        settle(room, 3)
        sample.suspend_silently("suspended")
        assert client.closed() == 4403
        sample.say(room, "2")
        assert seqs(other, 1) == [2]


def test_where_it_cannot_be_read_how_a_member_stands_streams_go_on(
    open_client: OpenClient, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with override_settings(LIVE_RECHECK_SECONDS=1.0, STANDING_SECONDS=0.0):
        client, away, asked = open_client("banned"), open_client(), threading.Event()
        operation_id = client.follow(room, 0)
        away.follow(room, 0)
        settle(room, 2)

        def broken(*_: object, **__: object) -> None:
            asked.set()
            raise TableUnavailable

        monkeypatch.setattr(MemoryTable, "get_many", broken)
        assert asked.wait(20)
        sample.say(room, "1")
        assert seqs(client, 1) == seqs(away, 1) == [1]
        sample.not_allowed.add("banned")  # what else is asked is still asked
        try:
            assert client.hear() == {"id": operation_id, "type": "complete"}
        finally:
            sample.not_allowed.clear()


def test_a_log_that_fails_fails_one_stream_only(open_client: OpenClient, room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client, other = open_client(), open_client()
    other.follow(f"{room}-b", 0)
    log = sample.MemoryLog.of(room)
    monkeypatch.setattr(log, "head", lambda: 1 / 0)
    client.follow(room, 0)
    assert client.hear()["payload"][0]["extensions"]["code"] == "INTERNAL"
    monkeypatch.undo()
    client.follow(room, 0)
    sample.say(room, "1")
    sample.say(f"{room}-b", "1")
    assert seqs(client, 1) == seqs(other, 1) == [1]


# Proofs --------------------------------------------------------------------------------------------------------------------------------


class Talk:
    """Says things in a room in the background, some of them without a hint, until told to stop."""

    def __init__(self, room: str) -> None:
        self.room, self.said = room, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Talk":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.002):
            self.said = sample.say(self.room, "x", announced=self.said % 10 != 0)


def test_a_thousand_disconnects_and_resumes_have_no_gap_and_no_duplicate(address: str, room: str) -> None:
    def reader(name: int) -> list[int]:
        chance, found = random.Random(f"{room}{name}"), []
        token = mint_access_token(f"reader-{name}")
        for _ in range(100):
            with Client(address) as client:
                client.sign_in(token).follow(room, found[-1] if found else 0)
                for _ in range(chance.randrange(1, 8)):
                    found += seqs(client, 1)
        return found

    with Talk(room) as talk, ThreadPoolExecutor(10) as pool:
        for found in pool.map(reader, range(10)):
            assert found == list(range(1, len(found) + 1))
            assert len(found) >= 100
    assert talk.said


@override_settings(WS_MESSAGES_PER_SECOND=10_000)
def test_subscribing_and_stopping_at_random_has_no_gap_and_no_duplicate(address: str, room: str) -> None:
    """On one connection, so that operations of the same topic come and go while their share is at work."""
    with Talk(room), Client(address) as client:
        client.sign_in(mint_access_token("ana"))
        chance, positions, kept = random.Random(room), {"0": 0}, {"0"}
        client.start(ON_MESSAGE, {"room": room, "after": 0}, operation_id="0")
        ends = time.monotonic() + 4
        for number in range(1, 10_000):
            if time.monotonic() > ends:
                break
            if chance.random() < 0.05 and len(kept) < 20:
                after = max(positions.values())
                positions[f"{number}"] = after
                kept.add(f"{number}")
                client.start(ON_MESSAGE, {"room": room, "after": after}, operation_id=f"{number}")
            if chance.random() < 0.05 and len(kept) > 2:
                gone = chance.choice(sorted(kept))
                kept.discard(gone)
                client.stop(gone)
            message = client.hear()
            seq = message["payload"]["data"]["onMessage"]["seq"]
            assert seq == positions[message["id"]] + 1
            positions[message["id"]] = seq
    assert max(positions.values()) > 100


def test_the_server_stops_while_clients_follow(room: str) -> None:
    clients = []
    with serving() as url:
        for _ in range(5):
            clients.append(Client(url).sign_in(mint_access_token("ana")))
            clients[-1].follow(room, 0)
    for client in clients:
        with pytest.raises(ConnectionClosed):
            client.hear()
        assert client.socket.close_code == 1012
        client.close()
