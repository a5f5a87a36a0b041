"""What the `event_bus` port promises, on EventBridge: events arrive at a queue that a rule of the bus feeds."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import orjson
import pytest
from django.conf import settings
from django.test import override_settings

from goalgraph.adapters.events import EventBridgeBus, RecordingBus
from goalgraph.feed import publishing
from goalgraph.feed.events import Event
from goalgraph.ports.events import EventBusUnavailable
from tests.faults import CUT, Loopback, Request, Response
from tests.fixtures import FakeClock


def new_event(type: str = "goal.created", **data: Any) -> Event:
    return Event(
        id=str(uuid.uuid4()),
        type=type,
        at=FakeClock().now(),
        user_id="ana",
        actor_id="ana",
        trace_id="trace-1",
        data=data or {"goalId": "g"},
    )


@dataclass
class Listener:
    """A bus with a rule that sends what it has to a queue."""

    bus: EventBridgeBus
    sqs: Any
    url: str

    def heard(self, count: int) -> list[dict[str, Any]]:
        """The next `count` messages, in any order; fewer when no more come."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            answer = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=2)
            if not answer.get("Messages"):
                break
            found += [json.loads(message["Body"]) for message in answer["Messages"]]
        return found


@pytest.fixture
def listener() -> Iterator[Listener]:
    name = f"bus-{uuid.uuid4().hex}"
    bus = EventBridgeBus(name, settings.AWS_REGION)
    assert list(bus.ensure()) == [f"created event bus {name}"]
    assert list(bus.ensure()) == []
    sqs: Any = boto3.client("sqs", region_name=settings.AWS_REGION)
    rules: Any = boto3.client("events", region_name=settings.AWS_REGION)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    rules.put_rule(Name="ours", EventBusName=name, EventPattern=json.dumps({"source": ["goalgraph"]}))
    rules.put_targets(Rule="ours", EventBusName=name, Targets=[{"Id": "1", "Arn": arn}])
    yield Listener(bus, sqs, url)
    sqs.close()
    rules.close()


def test_an_event_arrives_as_it_is(listener: Listener) -> None:
    event = new_event(goalId="g-1")
    listener.bus.publish([event])
    (message,) = listener.heard(1)
    assert (message["source"], message["detail-type"]) == ("goalgraph", "goal.created")
    assert message["detail"] == event.to_json()
    assert Event.from_json(message["detail"]) == event
    assert (message["detail"]["id"], message["detail"]["version"]) == (event.id, 1)


def test_more_events_than_one_call_takes_arrive_all(listener: Listener) -> None:
    many = [new_event() for _ in range(25)]
    listener.bus.publish(many)
    assert {message["detail"]["id"] for message in listener.heard(25)} == {event.id for event in many}


def test_nothing_to_publish_is_nothing_to_do(listener: Listener) -> None:
    listener.bus.publish([])
    assert listener.bus.publish([new_event()]) is None
    assert len(listener.heard(2)) == 1


def test_the_feeds_handlers_publish(listener: Listener) -> None:
    port = {"BACKEND": "goalgraph.adapters.events.EventBridgeBus", "OPTIONS": {"name": listener.bus.name, "region": settings.AWS_REGION}}
    event = new_event("task.completed", taskId="t")
    with override_settings(PORTS=settings.PORTS | {"event_bus": port}):
        publishing.HANDLERS["task.completed"](event)
    assert [message["detail"]["id"] for message in listener.heard(1)] == [event.id]
    assert "delivery.pending" not in publishing.HANDLERS


# When the bus does not take them -------------------------------------------------------------------------------------------------------


class Bus:
    """A server that takes what `takes` says of the entries of the first calls, and all of the later ones."""

    def __init__(self, *takes: Any) -> None:
        self.takes = list(takes)
        self.taken: list[str] = []
        self.calls: list[int] = []

    def __call__(self, request: Request) -> Response | None:
        entries = request.parameters["Entries"]
        self.calls.append(len(entries))
        take = self.takes.pop(0) if self.takes else lambda _entry: True
        if take is CUT or isinstance(take, Response):
            return take
        answers = []
        for entry in entries:
            event_id = orjson.loads(entry["Detail"])["id"]
            if take(entry):
                self.taken.append(event_id)
                answers.append({"EventId": event_id})
            else:
                answers.append({"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"})
        return Response.of({"FailedEntryCount": sum("ErrorCode" in answer for answer in answers), "Entries": answers})


@pytest.fixture
def bus_at(monkeypatch: pytest.MonkeyPatch) -> Any:
    def at(server: Loopback) -> EventBridgeBus:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        return EventBridgeBus("goalgraph", settings.AWS_REGION)

    return at


def test_what_was_not_taken_is_offered_again_alone(bus_at: Any) -> None:
    many = [new_event() for _ in range(12)]
    odd = {event.id for event in many[1::2]}
    fake = Bus(lambda entry: orjson.loads(entry["Detail"])["id"] not in odd)
    with Loopback(fake) as server:
        bus_at(server).publish(many)
    assert sorted(fake.taken) == sorted(event.id for event in many)
    assert fake.calls == [10, 5, 2]


def test_what_is_never_taken_is_an_outage(bus_at: Any) -> None:
    fake = Bus(*[lambda _entry: False] * 3)
    with Loopback(fake) as server, pytest.raises(EventBusUnavailable, match="1 events were not taken: ThrottlingException"):
        bus_at(server).publish([new_event()])
    assert fake.taken == []


def test_an_answer_that_is_lost_is_asked_for_again(bus_at: Any) -> None:
    fake = Bus(CUT)
    with Loopback(fake) as server:
        bus_at(server).publish([new_event()])
    assert len(fake.taken) == 1


def test_a_refusal_is_an_outage(bus_at: Any) -> None:
    with Loopback(Bus(Response.error("AccessDeniedException"))) as server, pytest.raises(EventBusUnavailable):
        bus_at(server).publish([new_event()])


def test_a_bus_that_is_away_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    bus = EventBridgeBus("goalgraph", settings.AWS_REGION)
    with pytest.raises(EventBusUnavailable):
        bus.publish([new_event()])
    with pytest.raises(EventBusUnavailable):
        list(bus.ensure())


def test_a_call_is_no_larger_than_it_may_be(bus_at: Any) -> None:
    """256 KB for all entries of a call."""
    fake = Bus()
    with Loopback(fake) as server:
        bus_at(server).publish([new_event(text="x" * 100_000) for _ in range(5)])
        sizes = [len(request.body) for request in server.requests]
    assert fake.calls == [2, 2, 1]
    assert max(sizes) < 256 * 1024


def test_the_bus_of_tests_keeps_the_order() -> None:
    bus, many = RecordingBus(), [new_event() for _ in range(3)]
    bus.publish(many[:2])
    bus.publish(many[2:])
    assert bus.published == many
    assert list(bus.ensure()) == []
