"""The WebSocket edge from outside: connections, operations, limits and ends."""

import contextlib
import json
import time
import uuid
from collections.abc import Callable

import jwt
import pytest
from django.test import override_settings
from websockets.exceptions import ConnectionClosed, InvalidStatus

from goalgraph import wiring
from goalgraph.adapters.local.issuer import mint_access_token
from goalgraph.adapters.local.issuer_keys import signing_keys
from tests.goalgraph.graphql.ws import sample
from tests.goalgraph.graphql.ws.client import ON_MESSAGE, Client

OpenClient = Callable[..., Client]
BOTH = pytest.mark.parametrize("subprotocol", ["graphql-transport-ws", "graphql-ws"])


def code_of(error: dict[str, object] | list[dict[str, object]]) -> object:
    first = error[0] if isinstance(error, list) else error
    return first["extensions"]["code"]  # type: ignore[index]


def short_lived(user_id: str, *, seconds: int) -> str:
    """An access token that expires in `seconds`; the issuer's own live for a minute at least."""
    claims = jwt.decode(mint_access_token(user_id), options={"verify_signature": False}) | {"exp": int(time.time()) + seconds}
    key = signing_keys().all()[0]
    return jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": key.kid})


# Connections ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("http://testserver", True),
        ("http://testserver:80", True),
        ("HTTP://TESTSERVER", True),
        ("https://app.example", True),
        ("https://app.example:443", True),
        ("http://app.example", False),
        ("https://app.example:8443", False),
        ("http://testserver:8000", False),
        ("https://testserver", False),
        ("https://app.example.evil.test", False),
        ("https://evil.test", False),
        ("https://app.example@evil.test", False),
        ("https://app.example/path", False),
        ("https://app.example:x", False),
        ("file://", False),
        ("null", False),
        ("", False),
    ],
)
def test_pages_of_other_origins_are_refused(address: str, origin: str | None, allowed: bool) -> None:
    headers = {} if origin is None else {"Origin": origin}
    if allowed:
        with Client(address, additional_headers=headers) as client:
            client.sign_in(mint_access_token("ana"))
        return
    with pytest.raises(InvalidStatus) as refused:
        Client(address, additional_headers=headers)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("path", ["/", "/graphql/", "/GRAPHQL", "/graphql/x", "/admin/"])
def test_other_paths_have_no_websocket(address: str, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        Client(address.replace("/graphql", path))
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("subprotocol", [None, "soap"])
def test_an_unknown_subprotocol_is_not_acceptable(address: str, subprotocol: str | None) -> None:
    client = None
    try:
        client = Client(address, subprotocol=subprotocol)
        assert client.closed() == 4406
    finally:
        if client:
            client.close()


def test_without_init_the_connection_ends(address: str) -> None:
    with override_settings(WS_INIT_SECONDS=0.1), Client(address) as client:
        assert client.closed() == 4408


@BOTH
@pytest.mark.parametrize("payload", [{}, {"authorization": "Bearer x.y.z"}, {"authorization": "x"}, {"authorization": 1}, {"token": "x"}])
def test_a_bad_token_is_unauthorised(open_client: OpenClient, subprotocol: str, payload: dict[str, object]) -> None:
    client = open_client(signed_in=False, subprotocol=subprotocol)
    client.say(type="connection_init", payload=payload)
    if subprotocol == "graphql-ws":
        assert code_of(client.hear()["payload"]) == "UNAUTHENTICATED"
    assert client.closed() == 4401


@BOTH
def test_operations_without_init_are_unauthorised(open_client: OpenClient, subprotocol: str) -> None:
    client = open_client(signed_in=False, subprotocol=subprotocol)
    client.start("{me}")
    assert client.closed() == 4401


@BOTH
def test_a_second_init_is_one_too_many(open_client: OpenClient, subprotocol: str) -> None:
    client = open_client(subprotocol=subprotocol)
    client.say(type="connection_init")
    assert client.closed() == 4429


@pytest.mark.parametrize("frame", ["", "x", "[]", '{"type":"what"}', b"{}", b"\x00\xff"])
def test_bad_messages_end_the_connection(open_client: OpenClient, frame: str | bytes) -> None:
    client = open_client()
    client.socket.send(frame)
    assert client.closed() == 4400


def test_text_that_is_not_utf8_ends_the_connection(open_client: OpenClient) -> None:
    """The server itself answers with RFC 6455's own code for it, before we see the message."""
    client = open_client()
    client.socket.send(b"\xff\xfe", text=True)
    assert client.closed() == 1007


@pytest.mark.parametrize("size", [65_537, 1_000_000])
def test_a_message_that_is_too_large_ends_the_connection(open_client: OpenClient, size: int) -> None:
    client = open_client()
    client.socket.send("x" * size)
    assert client.closed() == 1009


def test_the_largest_message_is_read(open_client: OpenClient) -> None:
    client = open_client()
    start = {"id": "1", "type": "subscribe", "payload": {"query": "{me}", "extensions": {"filler": ""}}}
    start["payload"]["extensions"]["filler"] = "x" * (65_536 - len(json.dumps(start)))  # type: ignore[index]
    client.socket.send(json.dumps(start))
    assert client.hear()["type"] == "next"


def test_a_flood_of_messages_ends_the_connection(open_client: OpenClient) -> None:
    client = open_client()
    with override_settings(WS_MESSAGES_PER_SECOND=50):
        with contextlib.suppress(ConnectionClosed):
            for _ in range(200):
                client.say(type="ping")
        assert client.closed() == 4429


def test_pings_are_answered(open_client: OpenClient) -> None:
    client = open_client(signed_in=False)
    client.say(type="ping", payload={"n": 1})
    assert client.hear() == {"type": "pong", "payload": {"n": 1}}
    client.say(type="pong")
    client.say(type="ping")
    assert client.hear() == {"type": "pong"}


def test_older_clients_are_kept_alive(address: str) -> None:
    with override_settings(WS_KEEP_ALIVE_SECONDS=0.1), Client(address, subprotocol="graphql-ws") as client:
        client.sign_in(mint_access_token("ana"))
        assert [json.loads(client.socket.recv(timeout=10)) for _ in range(3)] == [{"type": "ka"}] * 3


def test_an_older_client_says_goodbye(open_client: OpenClient) -> None:
    client = open_client(subprotocol="graphql-ws")
    client.say(type="connection_terminate")
    assert client.closed() == 1000


# Operations ----------------------------------------------------------------------------------------------------------------------------


@BOTH
def test_queries_and_mutations_are_answered(open_client: OpenClient, room: str, subprotocol: str) -> None:
    client = open_client("ana", subprotocol=subprotocol)
    assert client.ask("{me}")["data"] == {"me": "ana"}
    said = client.ask('mutation ($room: ID!) { say(roomId: $room, text: "hi") { seq } }', {"room": room})
    assert said["data"] == {"say": {"seq": 1}}
    assert said["extensions"]["cost"]["requested"] == 12


def test_a_mutation_with_a_key_takes_effect_once(open_client: OpenClient, room: str, stored: None) -> None:
    client, other = open_client("ana"), open_client("bruno")
    key = {"extensions": {"idempotencyKey": str(uuid.uuid4())}}
    say = 'mutation ($room: ID!) { say(roomId: $room, text: "hi") { seq } }'
    first = client.ask(say, {"room": room}, **key)
    assert client.ask(say, {"room": room}, **key) == first
    assert sample.log_of(room).head() == 1
    assert other.ask(say, {"room": room}, **key)["data"] == {"say": {"seq": 2}}
    assert code_of(client.ask("{me}", extensions={"idempotencyKey": ""})) == "INVALID"
    assert code_of(client.ask("{me}", extensions={"idempotencyKey": 7})) == "INVALID"


@BOTH
@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{", "INVALID"),
        (" ", "INVALID"),
        ("{nothing}", "INVALID"),
        ("query A {me} query B {me}", "INVALID"),
        ("{me" + " me" * 2000 + "}", "TOO_COMPLEX"),
        ("subscription {onMessage(roomId: 1) {seq} onNothing}", "INVALID"),
        ("subscription ($x: Boolean = true) {onMessage(roomId: 1) @skip(if: $x) {seq}}", "INVALID"),
        ("subscription {onMessage {seq}}", "INVALID"),
        ("subscription ($r: ID!) {onMessage(roomId: $r) {seq}}", "INVALID"),
        ('subscription {onMessage(roomId: "secret") {seq}}', "NOT_FOUND"),
        ("subscription {onBug}", "INTERNAL"),
        ("subscription {onNothing}", "INTERNAL"),
    ],
)
def test_what_is_refused_is_an_error_and_the_connection_stays(open_client: OpenClient, subprotocol: str, query: str, code: str) -> None:
    client = open_client(subprotocol=subprotocol)
    error = client.ask(query)
    assert code_of(error) == code
    assert "secret of ours" not in json.dumps(error)
    assert client.ask("{me}")["data"]


def test_errors_of_resolvers_stand_in_the_result(open_client: OpenClient) -> None:
    client = open_client()
    answer = client.ask('{me fail(code: "FORBIDDEN") bug}')
    assert answer["data"]["fail"] is None
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN", "INTERNAL"]


def test_an_id_in_use_ends_the_connection(open_client: OpenClient, room: str) -> None:
    client = open_client()
    client.follow(room)
    client.start("{me}", operation_id="1")
    assert client.closed() == 4409


def test_an_id_may_be_used_again_when_its_operation_has_ended(open_client: OpenClient, room: str) -> None:
    client = open_client()
    for _ in range(3):
        client.start(ON_MESSAGE, {"room": room}, operation_id="x")
        client.stop("x")
    client.start("{me}", operation_id="x")
    assert client.hear()["id"] == "x"


def test_an_older_client_replaces_an_operation(open_client: OpenClient, room: str) -> None:
    client = open_client(subprotocol="graphql-ws")
    client.start(ON_MESSAGE, {"room": room, "after": 0}, operation_id="x")
    client.start(ON_MESSAGE, {"room": f"{room}-b", "after": 0}, operation_id="x")
    sample.say(room, "old")
    sample.say(f"{room}-b", "new")
    assert client.messages(1) == [{"seq": 1, "text": "new"}]


def test_operations_of_a_connection_are_limited(open_client: OpenClient, room: str) -> None:
    client = open_client()
    with override_settings(WS_OPERATIONS=3):
        for _ in range(3):
            client.follow(room)
        assert code_of(client.ask("{me}")) == "RATE_LIMITED"
        client.stop("1")
        assert client.ask("{me}")["data"]


def test_the_members_allowance_holds_here_too(open_client: OpenClient) -> None:
    client = open_client()
    with override_settings(RATE_LIMIT_BURST=20, RATE_LIMIT_PER_SECOND=0.001):
        codes = [code_of(answer) for _ in range(15) if isinstance(answer := client.ask("{me}"), list)]
    assert codes
    assert set(codes) == {"RATE_LIMITED"}


def test_a_slow_operation_holds_up_no_other(open_client: OpenClient) -> None:
    client = open_client()
    client.start("{slow}", operation_id="slow")
    client.start("{me}", operation_id="quick")
    assert client.hear()["id"] == "quick"


def test_what_a_client_stopped_is_not_answered(open_client: OpenClient) -> None:
    client = open_client()
    client.start("{slow}", operation_id="slow")
    client.stop("slow")
    client.stop("unknown")
    client.start("{slow}", operation_id="other")
    assert client.hear()["id"] == "other"


# Ends ----------------------------------------------------------------------------------------------------------------------------------


@BOTH
def test_an_expired_token_ends_the_connection(open_client: OpenClient, room: str, subprotocol: str) -> None:
    client = open_client(signed_in=False, subprotocol=subprotocol)
    client.sign_in(short_lived("ana", seconds=2))
    client.follow(room)
    started = time.monotonic()
    assert client.closed() == 4401
    assert time.monotonic() - started < 7


@pytest.mark.parametrize(("reason", "code"), [("suspended", 4403), ("signed_out", 4401)])
def test_a_dismissed_member_is_disconnected_everywhere(open_client: OpenClient, reason: str, code: int) -> None:
    user = f"u-{uuid.uuid4().hex}"
    both, other = [open_client(user), open_client(user)], open_client()
    other.ask("{me}")
    wiring.live().dismiss(user, reason)  # type: ignore[arg-type]
    assert [client.closed() for client in both] == [code, code]
    assert other.ask("{me}")["data"]


def test_a_dismissal_is_for_one_tenants_member(open_client: OpenClient) -> None:
    user = f"u-{uuid.uuid4().hex}"
    client = open_client(user)
    wiring.live().dismiss(user, "suspended", tenant_id="acme")
    wiring.live().dismiss("someone-else", "suspended")
    assert client.ask("{me}")["data"]
    wiring.live().dismiss(user, "suspended")
    assert client.closed() == 4403
