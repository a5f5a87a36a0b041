"""Sending events again: from where, to whom, and what stays as it was."""

import pytest
from django.core.management import CommandError, call_command

from chat import message_services as messages
from chat import services
from goalgraph import wiring
from goalgraph.feed import leases, registry
from goalgraph.feed.dispatch import Dispatch
from goalgraph.feed.reader import Reader
from goalgraph.feed.replay import replay
from goalgraph.ports.streams import StreamUnavailable
from tests.chat.world import members
from tests.goalgraph.feed.subscribers import subscribers
from tests.goalgraph.feed.world import Source


@pytest.fixture(autouse=True)
def world(memory_world, monkeypatch):
    import chat.events

    monkeypatch.setattr(registry, "translators", lambda: chat.events.TRANSLATORS)
    monkeypatch.setattr(registry, "subscribers", subscribers)
    return memory_world


@pytest.fixture
def talk(world):
    """Five messages, a minute apart; the first three were taken."""
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    for n in range(5):
        messages.send(ana, room.id, f"{n}")
        if n == 2:
            reader = Reader(Dispatch())
            reader.round()
            reader.release()
        world.advance(minutes=1)
    before = list(wiring.jobs().sent)
    wiring.jobs().sent.clear()
    return before


def seqs(subscriber: str) -> list[int]:
    told = [event for _, _, told in wiring.jobs().sent if told["subscriber"] == subscriber for event in told["events"]]
    return [event["data"]["seq"] for event in told if event["type"] == "message.sent"]


def test_from_the_beginning_all_is_sent_with_the_ids_that_it_had(talk):
    list(replay(None))
    assert seqs("note") == seqs("count") == [1, 2, 3, 4, 5]
    again = {event["id"] for _, _, told in wiring.jobs().sent for event in told["events"]}
    assert {event["id"] for _, _, told in talk for event in told["events"]} < again


def test_from_a_time_and_to_one_subscriber(talk, capsys):
    call_command("feed", "--replay", "2027-07-01T12:02", "--subscriber", "note")
    assert (seqs("note"), seqs("count")) == ([3, 4, 5], [])
    assert "1 tasks" in capsys.readouterr().out


def test_from_the_checkpoint_and_nothing_is_moved(talk):
    before = leases.stored("dispatch")["shard-0"]
    call_command("feed", "--replay", "checkpoint")
    assert seqs("note") == [4, 5]
    assert leases.stored("dispatch")["shard-0"].attribute_values == before.attribute_values


def test_a_checkpoint_that_the_stream_has_not_kept(talk, capsys):
    stream = wiring.stream()
    stream.trim("shard-0", len(stream._shards["shard-0"].records) - 2)
    call_command("feed", "--replay", "checkpoint")
    assert seqs("note") == [5]
    assert "the checkpoint is gone" in capsys.readouterr().out


def test_parents_go_before_their_children(world, monkeypatch):
    source = Source()
    source.write("a")
    children = source.split("shard-0")
    source.write("a")
    source.split(children[0])
    source.write("a")
    shards = wiring.stream().shards()[::-1]
    monkeypatch.setattr(type(wiring.stream()), "shards", lambda self: shards)
    assert [page.shard_id for page in replay(None)] == ["shard-0", "shard-1", "shard-3"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--replay", "yesterday"], "is no time"),
        (["--replay", "beginning", "--subscriber", "nobody"], "no subscriber nobody"),
        (["--subscriber", "note"], "is for --replay"),
    ],
)
def test_what_makes_no_sense_is_said(words, said):
    with pytest.raises(CommandError, match=said):
        call_command("feed", *words)


def test_an_end_that_came_early_is_said(monkeypatch):
    def away(self):
        raise StreamUnavailable

    monkeypatch.setattr(type(wiring.stream()), "shards", away)
    with pytest.raises(CommandError, match="may be repeated"):
        call_command("feed", "--replay", "beginning")
