"""The subprotocols as functions: each frame is a command or a violation, and nothing else."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from goalgraph.graphql.ws.protocol import (
    DIALECTS,
    MAX_ID,
    CloseCode,
    Command,
    Dialect,
    Init,
    Reply,
    Start,
    State,
    Stop,
    Terminate,
    Violation,
    chosen,
)

NEW, OLD = DIALECTS["graphql-transport-ws"], DIALECTS["graphql-ws"]
QUERY = {"query": "{me}"}

TYPES = [
    "connection_init", "connection_ack", "connection_terminate", "ping", "pong", "subscribe", "start", "stop", "complete", "next", "data",
    "error", "ka", "",
]  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
payloads = json_values | st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("query", "variables", "operationName", "extensions", "authorization"), json_values)
)
messages = st.fixed_dictionaries(
    {}, optional={"id": st.text(max_size=MAX_ID + 5) | json_values, "type": st.sampled_from(TYPES) | json_values, "payload": payloads}
)
frames = st.text(max_size=200) | json_values.map(json.dumps) | messages.map(json.dumps)


def frame(kind: str, **more: Any) -> str:
    return json.dumps({"type": kind, **more})


def violation(dialect: Dialect, text: str, state: State = State.READY, open_ids: tuple[str, ...] = ()) -> CloseCode:
    with pytest.raises(Violation) as caught:
        dialect.read(text, state, open_ids)
    return caught.value.code


@settings(max_examples=2000)
@given(st.sampled_from([NEW, OLD]), frames, st.sampled_from(State), st.sets(st.text(max_size=3)))
@example(NEW, "[" * 100_000, State.READY, set())
@example(NEW, '{"type":{"type":[]}}', State.READY, set())
@example(OLD, '{"id":"1","type":"start","payload":{"query":"{me}","variables":null}}', State.READY, {"1"})
def test_any_frame_is_a_command_or_a_violation(dialect: Dialect, text: str, state: State, open_ids: set[str]) -> None:
    try:
        command: Command | Violation = dialect.read(text, state, open_ids)
    except Violation as violation:
        command = violation
    match command:
        case Violation():
            assert command.code in CloseCode
            assert len(command.reason.encode()) <= 123, "RFC 6455, section 5.5: a close frame has at most 125 bytes"
        case Start(operation_id, payload):
            assert state is State.READY
            assert 0 < len(operation_id) <= MAX_ID
            assert isinstance(payload["query"], str)
        case Stop(operation_id):
            assert 0 < len(operation_id) <= MAX_ID
        case Init():
            assert state is State.NEW
        case Reply(text):
            assert json.loads(text)["type"] == "pong"
        case _:
            assert command is None or isinstance(command, Terminate)


def test_a_client_begins_an_operation_in_each_dialect() -> None:
    assert NEW.read(frame("subscribe", id="a", payload=QUERY), State.READY, ()) == Start("a", QUERY)
    assert OLD.read(frame("start", id="a", payload=QUERY), State.READY, ()) == Start("a", QUERY, replaces=True)


def test_a_client_ends_an_operation_in_each_dialect() -> None:
    assert NEW.read(frame("complete", id="a"), State.READY, ()) == Stop("a")
    assert OLD.read(frame("stop", id="a"), State.READY, ()) == Stop("a")
    assert isinstance(OLD.read(frame("connection_terminate"), State.READY, ()), Terminate)


@pytest.mark.parametrize("state", [State.NEW, State.INITIATED])
@pytest.mark.parametrize(("dialect", "kind"), [(NEW, "subscribe"), (OLD, "start")])
def test_operations_before_the_acknowledgement_are_unauthorised(dialect: Dialect, kind: str, state: State) -> None:
    assert violation(dialect, frame(kind, id="a", payload=QUERY), state) == 4401


@pytest.mark.parametrize("state", [State.INITIATED, State.READY])
@pytest.mark.parametrize("dialect", [NEW, OLD])
def test_a_second_init_is_one_too_many(dialect: Dialect, state: State) -> None:
    assert violation(dialect, frame("connection_init"), state) == 4429


def test_an_id_in_use_is_a_duplicate_in_the_newer_protocol() -> None:
    assert violation(NEW, frame("subscribe", id="a", payload=QUERY), open_ids=("a",)) == 4409
    assert isinstance(OLD.read(frame("start", id="a", payload=QUERY), State.READY, ("a",)), Start)


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "1", "[]", '"subscribe"', "{}", "{", '{"type":1}', frame("unknown"), frame("connection_ack"), frame("next", id="a"),
        frame("subscribe", payload=QUERY), frame("subscribe", id="", payload=QUERY), frame("subscribe", id=1, payload=QUERY),
        frame("subscribe", id="x" * (MAX_ID + 1), payload=QUERY), frame("subscribe", id="a"), frame("subscribe", id="a", payload=[]),
        frame("subscribe", id="a", payload={}), frame("subscribe", id="a", payload={"query": 1}),
        frame("subscribe", id="a", payload=QUERY | {"variables": []}), frame("subscribe", id="a", payload=QUERY | {"operationName": 1}),
        frame("subscribe", id="a", payload=QUERY | {"extensions": "x"}), frame("complete"), frame("ping", payload=1),
        frame("ping", payload={"x": "y" * 2000}), frame("pong", payload=[]), frame("start", id="a", payload=QUERY),
        frame("connection_init", payload="token"),
        '{"type":"subscribe","id":"a","payload":{"query":"{me}","variables":' + '{"a":' * 40 + "1" + "}" * 42,
    ],
)  # fmt: skip
def test_bad_messages(text: str) -> None:
    assert violation(NEW, text, State.NEW if "init" in text else State.READY) == 4400


def test_a_ping_is_answered_with_its_payload() -> None:
    assert NEW.read(frame("ping"), State.NEW, ()) == Reply('{"type":"pong"}')
    assert NEW.read(frame("ping", payload={"n": 1}), State.READY, ()) == Reply('{"type":"pong","payload":{"n":1}}')


@given(st.text(min_size=1, max_size=MAX_ID).filter(lambda text: text.isprintable()))
def test_frames_are_json_whatever_the_id(operation_id: str) -> None:
    for dialect, kind in ((NEW, "next"), (OLD, "data")):
        assert orjson.loads(dialect.next(operation_id, '{"data":1}')) == {"id": operation_id, "type": kind, "payload": {"data": 1}}
        assert orjson.loads(dialect.complete(operation_id)) == {"id": operation_id, "type": "complete"}
    assert orjson.loads(NEW.error(operation_id, [{"message": "m"}]))["payload"] == [{"message": "m"}]
    assert orjson.loads(OLD.error(operation_id, [{"message": "m"}]))["payload"] == {"message": "m"}


def test_the_client_chooses_among_what_we_speak() -> None:
    assert chosen(["soap", "graphql-ws", "graphql-transport-ws"]) is OLD
    assert chosen(["graphql-transport-ws"]) is NEW
    assert chosen(["GRAPHQL-WS"]) is None
    assert chosen([]) is None
