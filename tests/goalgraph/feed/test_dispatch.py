"""From changes to tasks of subscribers: who is told what, in which batches, and what a record at fault does."""

import pytest

from chat import message_services as messages
from chat import services
from goalgraph import wiring
from goalgraph.adapters.jobs import RecordingJobs
from goalgraph.feed import registry
from goalgraph.feed.dispatch import Dispatch
from goalgraph.feed.reader import Reader
from goalgraph.ports.jobs import JobsUnavailable
from goalgraph.table.keys import with_tenant
from tests.chat.world import members
from tests.fixtures import new_user
from tests.goalgraph.feed.subscribers import subscribers
from tests.streams import changes_since
from users import services as users


@pytest.fixture(autouse=True)
def world(memory_world, monkeypatch):
    import chat.events

    monkeypatch.setattr(registry, "translators", lambda: chat.events.TRANSLATORS)
    return memory_world


@pytest.fixture
def dispatch() -> Dispatch:
    return Dispatch(subscribers)


def sent() -> list[tuple[str, str, list[str]]]:
    """Of each task: the queue, the subscriber, and the types of its events."""
    handling = [(queue, told) for name, queue, told in wiring.jobs().sent if name == "goalgraph.feed.tasks.handle"]
    return [(queue, told["subscriber"], [event["type"] for event in told["events"]]) for queue, told in handling]


def talk(count: int, **more) -> None:
    ana, bia = (new_user(**more) for _ in range(2))
    for member in (ana, bia):
        users.upsert_profile(member, {"nickname": member.user_id})
    room = services.open_room(ana, [bia.user_id])
    for n in range(count):
        messages.send(ana, room.id, f"secret {n}")


def test_each_subscriber_is_told_what_it_wants_to_know_in_batches_of_ten(dispatch):
    talk(23)
    dispatch.take("shard-0", changes_since())

    told = sent()
    assert sorted(len(types) for _, name, types in told if name == "note") == [3, 10, 10]
    assert {queue for queue, name, _ in told if name == "note"} == {"feed-bus"}
    assert sorted(type for _, name, types in told if name == "count" for type in types) == ["message.sent"] * 23 + ["room.joined"] * 2
    assert {name for name, _, _ in wiring.jobs().sent} == {"goalgraph.feed.tasks.handle"}
    assert "secret" not in str(wiring.jobs().sent)


def test_premium_members_events_have_queues_of_their_own(dispatch):
    talk(2, tier="premium")
    talk(2)
    dispatch.take("shard-0", changes_since())

    assert sorted(queue for queue, name, _ in sent() if name == "note") == ["feed-bus", "feed-bus-priority"]


def test_the_same_changes_make_the_same_events(dispatch):
    talk(3, tenant_id="acme")
    changes = changes_since()
    for _ in range(2):
        dispatch.take("shard-0", changes)
    one, other = [told["events"] for _, _, told in wiring.jobs().sent if told["subscriber"] == "note"]
    assert one == other
    assert {event["tenantId"] for event in one} == {"acme"}


def test_what_nobody_wants_to_know_sends_nothing(dispatch):
    members(2)
    dispatch.take("shard-0", changes_since())
    assert wiring.jobs().sent == []


def test_a_change_on_which_a_translator_fails_goes_to_the_dead_letters_alone(dispatch, monkeypatch):
    talk(3)
    changes = changes_since()
    bad = next(change for change in changes if getattr(change.new, "seq", None) == 2 and "MSG" in change.key.sk)
    bad.new.attribute_values.pop("seq")
    dispatch.take("shard-0", changes)

    ((_, queue, facts),) = [task for task in wiring.jobs().sent if task[0] == "goalgraph.feed.tasks.unreadable"]
    assert (queue, facts["sequence"], facts["consumer"]) == ("default", bad.sequence, "dispatch")
    assert facts["keys"] == {"PK": with_tenant(None, bad.key.pk), "SK": bad.key.sk}
    assert [len(types) for _, name, types in sent() if name == "note"] == [2]


class Flaky(RecordingJobs):
    """A broker that is away at its third task."""

    def send(self, name, queue, **arguments):
        super().send(name, queue, **arguments)
        if len(self.sent) == 3:
            raise JobsUnavailable


def test_where_the_broker_is_away_the_checkpoint_stays_and_all_is_sent_in_the_end(settings, world):
    settings.PORTS = settings.PORTS | {"jobs": {"BACKEND": f"{__name__}.Flaky"}}
    talk(30)
    reader = Reader(Dispatch(subscribers))
    reader.round()
    assert reader.failed
    world.advance(seconds=1)
    reader.round()
    assert not reader.failed

    seqs = {event["data"]["seq"] for _, _, told in wiring.jobs().sent for event in told["events"] if event["type"] == "message.sent"}
    assert seqs == set(range(1, 31))
