"""A batch of events in a worker: who fails goes on alone."""

from types import SimpleNamespace

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from goalgraph import wiring
from goalgraph.feed import registry, tasks
from goalgraph.feed.events import Event
from goalgraph.ports.jobs import JobsUnavailable
from tests.goalgraph.feed.subscribers import BadEvent, handled, subscribers, traces


@pytest.fixture(autouse=True)
def world(memory_world, monkeypatch):
    monkeypatch.setattr(registry, "subscribers", subscribers)
    handled.clear()
    traces.clear()
    return memory_world


def told(*names: str, type: str = "message.sent", priority: bool = False) -> list[dict]:
    now = wiring.clock().now()
    return [
        Event(name, type, now, "u", "u", f"trace-{name:>8}".replace(" ", "0"), priority=priority, data={"messageId": name}).to_json()
        for name in names
    ]


def alone() -> list[tuple[str, list[str]]]:
    return [(queue, [event["id"] for event in arguments["events"]]) for _, queue, arguments in wiring.jobs().sent]


def test_each_is_handled_under_its_own_trace():
    tasks.handle("note", told("one", "two"))
    assert handled == {("note", "one"): 1, ("note", "two"): 1}
    assert traces == ["trace-00000one", "trace-00000two"]
    assert alone() == []


@pytest.mark.parametrize(("priority", "queue"), [(False, "feed-bus"), (True, "feed-bus-priority")])
def test_one_that_fails_goes_on_alone_and_the_others_are_done(priority, queue, caplog):
    tasks.handle("note", told("one", "bad", "two", "bad too", priority=priority))
    assert handled == {("note", "one"): 1, ("note", "two"): 1}
    assert alone() == [(queue, ["bad"]), (queue, ["bad too"])]
    assert "goes on alone" in caplog.text


def test_alone_it_raises_so_that_sqs_shows_it_again():
    with pytest.raises(BadEvent):
        tasks.handle("note", told("bad"))
    assert alone() == []


def test_one_that_takes_too_long_leaves_the_rest_for_later():
    tasks.handle("note", told("one", "bad", "slow", "two"))
    assert handled == {("note", "one"): 1}
    assert alone() == [("feed-bus", [name]) for name in ("bad", "slow", "two")]
    with pytest.raises(SoftTimeLimitExceeded):
        tasks.handle("note", told("slow"))


def test_a_batch_that_comes_again_is_taken_apart_because_its_worker_may_have_died_of_it():
    delivery = {"sqs_message": {"Attributes": {"ApproximateReceiveCount": "2"}}}
    request = SimpleNamespace(properties={"delivery_info": delivery})
    assert tasks._receives(request) == 2
    assert tasks._receives(SimpleNamespace(properties=None)) == 1
    tasks.handle.push_request(properties={"delivery_info": delivery})
    try:
        tasks.handle.run("note", told("one", "two"))
    finally:
        tasks.handle.pop_request()
    assert handled == {}
    assert alone() == [("feed-bus", ["one"]), ("feed-bus", ["two"])]


def test_who_is_not_known_here_is_left_to_another_release_or_to_the_dead_letters():
    with pytest.raises(tasks.UnknownSubscriber):
        tasks.handle("nobody", told("one"))
    with pytest.raises(tasks.UnknownEvent):
        tasks.handle("note", told("one", type="message.sung"))
    tasks.handle("note", [*told("one"), *told("two", type="message.sung"), {"id": "broken"}])
    assert handled == {("note", "one"): 1}
    assert alone() == [("feed-bus", ["two"]), ("feed-bus", ["broken"])]


class Away:
    def send(self, name, queue, **arguments):
        raise JobsUnavailable


def test_a_batch_is_not_done_while_the_one_that_failed_cannot_be_sent(settings):
    settings.PORTS = settings.PORTS | {"jobs": {"BACKEND": f"{__name__}.Away"}}
    with pytest.raises(JobsUnavailable):
        tasks.handle("note", told("one", "bad"))


def test_an_unreadable_record_ends_among_the_dead_letters():
    with pytest.raises(tasks.Unreadable):
        tasks.unreadable(consumer="dispatch", shard_id="s", sequence="1", keys=None, reason="KeyError")
