"""The contract of each public event: what the services' changes become is what its JSON Schema in `docs/events/` says."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import validator_for

from billing import repository as plans
from billing.items import Subscription
from chat import decision_services, moderation_services
from chat import message_services as messages
from chat import services as rooms
from chat.decision_services import Ruling
from goalgraph.auth.actor import SYSTEM
from goalgraph.feed.events import Event
from goalgraph.feed.publishing import HANDLERS, INTERNAL, PUBLIC
from goalgraph.feed.registry import subscribers
from goals import services as goals
from goals import task_services as tasks
from tests.chat.world import members
from tests.fixtures import new_user
from tests.offers.world import published, withdrawn
from tests.streams import StreamingWorld
from users import connection_services as connections
from users import services as users

TOMORROW = datetime(2027, 7, 2, 12, tzinfo=UTC)
FOLDER = Path(settings.BASE_DIR) / "docs" / "events"
SCHEMAS: dict[str, dict[str, Any]] = {path.name.removesuffix(".json"): json.loads(path.read_text()) for path in FOLDER.glob("*.json")}


def validate(told: dict[str, Any]) -> None:
    """Raises KeyError for an event without a schema, ValidationError for one that is not as its schema says."""
    schema = SCHEMAS[f"{told['type']}.v{told['version']}"]
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(told)


def _connect() -> None:
    ana, bruno, carla = members(3)
    connections.request_connection(ana, bruno.user_id)
    connections.respond_to_connection(bruno, ana.user_id, accept=True)
    connections.remove_connection(ana, bruno.user_id)
    connections.request_connection(carla, ana.user_id)


def _pursue() -> None:
    ana, bruno = members(2)
    goal = goals.create_goal(ana, {"title": "Run", "visibility": "public"})
    goals.update_goal(ana, goal.id, {"title": "Run far"})
    for _ in range(10):
        tasks.mark_task_done(ana, tasks.add_task(ana, goal.id, {"title": "Run", "due_at": TOMORROW}).id)
    task = tasks.add_task(ana, goal.id, {"title": "Rest"})
    tasks.update_task(ana, task.id, {"title": "Rest well", "assignees": [bruno.user_id]})
    tasks.mark_task_done(bruno, task.id)
    tasks.reopen_task(ana, task.id)
    tasks.delete_task(ana, task.id)
    goals.archive_goal(ana, goal.id)


def _talk() -> None:
    ana, bruno = members(2)
    room = rooms.open_room(ana, [bruno.user_id])
    message = messages.send(ana, room.id, "hello")
    messages.edit(ana, message.id, "hello there")
    messages.delete(ana, message.id)
    cruel = messages.send(bruno, room.id, "something cruel")
    moderation_services.redact(SYSTEM, cruel.id, "Cruel")
    decision_services.decide(SYSTEM, room.id, int(cruel.seq), Ruling("d-1", 1, "dismiss", "other", "Not so cruel"))


def _in_a_tenant_with_a_plan() -> None:
    ana = new_user(tenant_id="acme", tier="premium")
    users.upsert_profile(ana, {"nickname": "Ana", "tags": ["running"]})
    goals.create_goal(ana, {"title": "Run"})


def _pay() -> None:
    facts = {"tier": "premium", "state": "active", "interval": "month", "period_ends": TOMORROW}
    bought = Subscription(owner_id=new_user().user_id, plan_id="premium", rev=1, **facts)
    plans.save(SYSTEM, bought, ())


def _advertise() -> None:
    withdrawn(published("Run shoes"))


def _follow_up(world: StreamingWorld) -> None:
    """What gamification makes of it, of which further events follow."""
    handlers = subscribers()["gamification"].handlers
    for event in world.events(*handlers):
        handlers[event.type](event)


@pytest.fixture
def events(streaming_world: StreamingWorld) -> list[Event]:
    """What follows from members' doings, told by the contexts themselves."""
    for act in (_connect, _pursue, _talk, _pay, _advertise, _in_a_tenant_with_a_plan):
        act()
    _follow_up(streaming_world)
    return streaming_world.events()


def test_each_type_has_a_schema_and_each_schema_a_type() -> None:
    assert {name.rpartition(".v")[0] for name in SCHEMAS} == set(PUBLIC) == set(HANDLERS)
    assert set(PUBLIC).isdisjoint(INTERNAL)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_is_one_and_describes_all_that_it_allows(name: str) -> None:
    schema = SCHEMAS[name]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    validator_for(schema).check_schema(schema)
    assert schema["description"]
    assert schema["additionalProperties"] is schema["properties"]["data"]["additionalProperties"] is False
    assert set(schema["required"]) == set(schema["properties"])
    for field, told in (schema["properties"] | schema["properties"]["data"]["properties"]).items():
        assert told.get("description") or field in ("type", "version", "data")


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_is_named_after_what_it_allows(name: str) -> None:
    fields = SCHEMAS[name]["properties"]
    assert name == f"{fields['type']['const']}.v{fields['version']['const']}"
    assert SCHEMAS[name]["title"] == fields["type"]["const"]


def test_what_services_do_becomes_each_public_event_and_no_other(events: list[Event]) -> None:
    """An event that is neither public nor internal has to be made one of the two."""
    told = {event.type for event in events}
    assert told - set(INTERNAL) == set(PUBLIC)


def test_each_event_is_as_its_schema_says(events: list[Event]) -> None:
    for event in events:
        if event.type in PUBLIC:
            validate(json.loads(json.dumps(event.to_json())))


def test_no_event_repeats_what_anybody_wrote(events: list[Event]) -> None:
    said = json.dumps([event.to_json() for event in events if event.type in PUBLIC])
    for text in ("Run", "Rest", "hello", "Ana"):
        assert text not in said


def test_each_event_has_an_id_of_its_own_which_follows_from_the_change(events: list[Event], streaming_world: StreamingWorld) -> None:
    assert len({event.id for event in events}) == len(events)
    assert [event.id for event in streaming_world.events()] == [event.id for event in events]


def test_tenant_and_plan_are_told(events: list[Event]) -> None:
    assert {(event.tenant_id, event.priority) for event in events if event.type == "goal.created"} == {(None, False), ("acme", True)}


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_refuses_what_is_too_much_or_too_little(name: str, events: list[Event]) -> None:
    """So that none of the above passes because its schema lets anything through."""
    told = next(event for event in events if event.type == name.rpartition(".v")[0]).to_json()
    wrong = [{**told, "more": 1}, {**told, "data": {**told["data"], "text": "x"}}]
    wrong += [{key: value for key, value in told.items() if key != left_out} for left_out in told if left_out not in ("type", "version")]
    wrong += [{**told, "data": {key: value for key, value in told["data"].items() if key != left_out}} for left_out in told["data"]]
    fields = SCHEMAS[name]["properties"]["data"]["properties"]
    wrong += [{**told, "data": {**told["data"], key: None}} for key in told["data"] if "null" not in fields[key].get("type", "")]
    wrong += [{**told, "data": {**told["data"], key: "x y"}} for key in told["data"]]
    wrong += [{**told, "at": "yesterday"}, {**told, "id": "1"}, {**told, "userId": "a#b"}, {**told, "tenantId": ""}]
    for each in wrong:
        with pytest.raises(ValidationError):
            validate(each)
