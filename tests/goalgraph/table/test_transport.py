"""The transport: what may pass is tried again, what may not is told once; requests are signed as botocore signs them."""

import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import CredentialRetrievalError

from goalgraph.table.dynamodb import DynamoTable
from goalgraph.table.port import ConditionFailed, ItemTooLarge, Key, Reason, Span, TableUnavailable, TransactionCanceled
from goalgraph.table.port import Put as RawPut
from tests.contracts.table_items import Probe, at_once, raw_item
from tests.faults import CUT, Loopback, Request, Respond, Response, in_turn

KEY = Key("USER#ana", "PROFILE#ana")
FOUND = Response.of({"Item": {"PK": {"S": "USER#ana"}, "SK": {"S": "PROFILE#ana"}}})
TRIES = 5

PASSING = {
    "a connection that is cut": CUT,
    "an answer that breaks off": Response(200, b'{"Item": {', missing=10),
    "no body": Response(200, b""),
    "no JSON": Response(200, b"<html>"),
    "no object": Response.of([]),
    "500": Response.error("InternalServerError", status=500),
    "500 of a kind unheard of": Response.error("Surprise", status=500),
    "500 in HTML": Response(500, b"<html>"),
    "503 without a word": Response(503, b""),
    "429 of a proxy": Response(429, b"slow down"),
    "throttled": Response.error("ThrottlingException"),
    "over provisioned throughput": Response.error("ProvisionedThroughputExceededException"),
    "over the account's limit": Response.error("RequestLimitExceeded"),
    "an item in another's transaction": Response.error("TransactionConflictException"),
    "the same transaction still running": Response.error("TransactionInProgressException"),
    "credentials that ran out meanwhile": Response.error("ExpiredTokenException"),
}


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits in these tests; this is how long they would have."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept


def table_at(url: str) -> DynamoTable:
    return DynamoTable(name="gg", region="eu-west-1", endpoint_url=url, pool=16)


@pytest.fixture(scope="module")
def lane() -> Iterator[tuple[Loopback, DynamoTable]]:
    """A server and a table on it, for the tests that need no table of their own: building one takes botocore a while."""
    with Loopback(in_turn(FOUND)) as server:
        yield server, table_at(server.url)


@pytest.fixture
def server(lane: tuple[Loopback, DynamoTable]) -> Loopback:
    lane[0].requests.clear()
    return lane[0]


@pytest.fixture
def table(lane: tuple[Loopback, DynamoTable]) -> DynamoTable:
    return lane[1]


@pytest.mark.parametrize("fault", PASSING)
def test_what_may_pass_is_tried_again_with_the_same_request(server: Loopback, table: DynamoTable, pauses: list[float], fault: str) -> None:
    server.respond = in_turn(PASSING[fault], PASSING[fault], FOUND)
    assert table.get(KEY, consistent=True) == KEY.raw()
    assert server.operations() == ["GetItem"] * 3
    assert len({request.body for request in server.requests}) == 1
    assert len(pauses) == 2


@pytest.mark.parametrize("fault", PASSING)
def test_what_does_not_pass_is_unavailable_after_five_tries(server: Loopback, table: DynamoTable, pauses: list[float], fault: str) -> None:
    server.respond = in_turn(PASSING[fault])
    with pytest.raises(TableUnavailable):
        table.get(KEY, consistent=True)
    assert len(server.requests) == TRIES
    assert len(pauses) == TRIES - 1
    assert 0 <= min(pauses) <= max(pauses) <= 1.0


def test_nobody_there_is_unavailable(pauses: list[float]) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # bound, not listening: nobody else takes the port
        with pytest.raises(TableUnavailable, match="NoAnswer"):
            table_at(f"http://127.0.0.1:{unheard.getsockname()[1]}").get(KEY, consistent=True)
    assert len(pauses) == TRIES - 1


CALLS: dict[str, Callable[[DynamoTable], Any]] = {
    "get": lambda table: table.get(KEY, consistent=True),
    "get_many": lambda table: table.get_many([KEY], consistent=True),
    "query": lambda table: table.query(Span("USER#ana"), limit=1, forward=True, consistent=False, start=None),
    "put": lambda table: table.put(KEY.raw(), Probe.version == 1),
    "update": lambda table: table.update(KEY, [Probe.number.set(1)], Probe.version == 1),
    "delete": lambda table: table.delete(KEY, Probe.version == 1),
    "transact": lambda table: table.transact([RawPut(KEY.raw())], "token"),
}


@pytest.mark.parametrize("verb", CALLS)
def test_each_verb_tells_an_outage_alike(server: Loopback, table: DynamoTable, pauses: list[float], verb: str) -> None:
    server.respond = in_turn(CUT)
    with pytest.raises(TableUnavailable):
        CALLS[verb](table)
    assert len(server.requests) == TRIES


REFUSALS = [
    (Response.error("ValidationException", "One or more parameter values were invalid"), ValueError, "parameter values were invalid"),
    (Response.error("ValidationException", "Item size has exceeded the maximum allowed size"), ItemTooLarge, "Item size"),
    (Response.error("ValidationException", "Item size to update has exceeded the maximum allowed size"), ItemTooLarge, "to update"),
    (Response.error("ValidationException", "Invalid UpdateExpression: Expression size has exceeded the maximum"), ValueError, "Expression"),
    (Response.error("ResourceNotFoundException", "Requested resource not found"), TableUnavailable, "resource not found"),
    (Response.error("AccessDeniedException", "not authorized"), TableUnavailable, "not authorized"),
    (Response.error("UnrecognizedClientException", "bad token"), TableUnavailable, "bad token"),
]


@pytest.mark.parametrize("verb", CALLS)
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal[2])
def test_a_refusal_is_told_once_and_in_our_words(server: Loopback, table: DynamoTable, verb: str, refusal: Any) -> None:
    response, kind, words = refusal
    server.respond = in_turn(response)
    with pytest.raises(kind, match=words) as told:
        CALLS[verb](table)
    assert len(server.requests) == 1
    assert type(told.value) is kind


@pytest.mark.parametrize("verb", ["put", "update", "delete"])
@pytest.mark.parametrize("current", [None, raw_item("USER#ana", blob={"B": "AP8="})])
def test_a_failed_condition_brings_the_item(server: Loopback, table: DynamoTable, verb: str, current: dict[str, Any] | None) -> None:
    more = {} if current is None else {"Item": current}
    server.respond = in_turn(Response.error("ConditionalCheckFailedException", **more))
    with pytest.raises(ConditionFailed) as refusal:
        CALLS[verb](table)
    assert refusal.value.current == (None if current is None else raw_item("USER#ana", blob={"B": b"\x00\xff"}))
    assert server.requests[0].parameters["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"


def canceled(*reasons: dict[str, Any]) -> Response:
    return Response.error("TransactionCanceledException", "Transaction cancelled", CancellationReasons=list(reasons))


NONE, CONFLICT, THROTTLED = {"Code": "None"}, {"Code": "TransactionConflict"}, {"Code": "ThrottlingError"}
FAILED = {"Code": "ConditionalCheckFailed", "Item": {"n": {"N": "1"}}}
INVALID = {"Code": "ValidationError", "Message": "An operand in the update expression has an incorrect data type"}
TOO_LARGE = {"Code": "ValidationError", "Message": "Item size to update has exceeded the maximum allowed size"}


Transact = Callable[[Respond], list[Request]]


@pytest.fixture
def transact(server: Loopback, table: DynamoTable) -> Transact:
    """Writes two items in a transaction at a server that responds by the argument. Returns what the server was asked."""

    def write(respond: Respond) -> list[Request]:
        server.respond = respond
        try:
            table.transact([RawPut(raw_item("a")), RawPut(raw_item("b"))], "the-token")
        finally:
            assert {request.parameters["ClientRequestToken"] for request in server.requests} == {"the-token"}
        return server.requests

    return write


@pytest.mark.parametrize("passing", [CONFLICT, THROTTLED, {"Code": "ProvisionedThroughputExceeded"}])
def test_a_transaction_that_was_only_in_the_way_goes_again_under_its_token(
    transact: Transact, pauses: list[float], passing: dict[str, Any]
) -> None:
    requests = transact(in_turn(canceled(NONE, passing), canceled(passing, CONFLICT), Response.of({})))
    assert len(requests) == 3
    assert len(pauses) == 2


def test_a_conflict_that_lasts_is_told_as_such(transact: Transact, pauses: list[float]) -> None:
    with pytest.raises(TransactionCanceled) as refusal:
        transact(in_turn(canceled(NONE, CONFLICT)))
    assert refusal.value.reasons == (None, Reason("TransactionConflict"))
    assert not refusal.value.failed(1)
    assert len(pauses) == 7


def test_a_transaction_throttled_for_long_is_unavailable(transact: Transact, pauses: list[float]) -> None:
    with pytest.raises(TableUnavailable, match="for load"):
        transact(in_turn(canceled(THROTTLED, CONFLICT)))
    assert len(pauses) == 7


def test_a_failed_condition_is_no_conflict(transact: Transact, pauses: list[float]) -> None:
    with pytest.raises(TransactionCanceled) as refusal:
        transact(in_turn(canceled(FAILED, CONFLICT)))
    assert refusal.value.reasons == (Reason("ConditionalCheckFailed", {"n": {"N": "1"}}), Reason("TransactionConflict"))
    assert [refusal.value.failed(place) for place in (0, 1)] == [True, False]
    assert pauses == []


@pytest.mark.parametrize(
    ("reasons", "kind"),
    [((NONE, INVALID), ValueError), ((NONE, TOO_LARGE), ItemTooLarge), ((FAILED, INVALID), TransactionCanceled), ((), TransactionCanceled)],
)
def test_an_invalid_operation_cancels_in_our_words(transact: Transact, pauses: list[float], reasons: tuple, kind: type[Exception]) -> None:
    with pytest.raises(kind) as refusal:
        transact(in_turn(canceled(*reasons)))
    assert type(refusal.value) is kind
    assert pauses == []


def unprocessed(request: Request, *, at_most: int) -> Response:
    """A store that has no time for more than `at_most` of the keys."""
    wanted = request.parameters["RequestItems"]["gg"]
    done, left = wanted["Keys"][:at_most], wanted["Keys"][at_most:]
    found = [key | {"n": {"N": "1"}} for key in done if key["SK"]["S"] != "missing"]
    return Response.of({"Responses": {"gg": found} if found else {}, "UnprocessedKeys": {"gg": wanted | {"Keys": left}} if left else {}})


def test_unprocessed_keys_are_asked_for_again(server: Loopback, table: DynamoTable, pauses: list[float]) -> None:
    keys = [Key("p", f"{number}") for number in range(9)]
    server.respond = lambda request: unprocessed(request, at_most=4)
    found = table.get_many([*keys, Key("p", "missing")], consistent=True)
    assert sorted(raw["SK"]["S"] for raw in found) == [key.sk for key in keys]
    asked = [request.parameters["RequestItems"]["gg"] for request in server.requests]
    assert [len(each["Keys"]) for each in asked] == [10, 6, 2]
    assert all(each["ConsistentRead"] for each in asked)
    assert len(pauses) == 2


def test_keys_that_stay_unprocessed_are_unavailable(server: Loopback, table: DynamoTable, pauses: list[float]) -> None:
    server.respond = lambda request: unprocessed(request, at_most=0)
    with pytest.raises(TableUnavailable, match="3 of 3 keys stayed unprocessed"):
        table.get_many([Key("p", f"{number}") for number in range(3)], consistent=False)
    assert len(server.requests) == 8


def test_no_keys_are_no_request(server: Loopback, table: DynamoTable) -> None:
    assert table.get_many([], consistent=True) == []
    assert server.requests == []


def test_binary_values_are_bytes_and_names_are_names(server: Loopback, table: DynamoTable) -> None:
    """`B` and `BS` are names of types, and may be names of attributes as well."""
    stored = {
        "B": {"B": "AP8="},
        "BS": {"BS": ["AA==", "/w=="]},
        "text": {"S": 'said "B": "AA=="'},
        "map": {"M": {"B": {"S": "AA=="}, "deep": {"L": [{"B": "AQ=="}, {"M": {"BS": {"BS": ["Ag=="]}}}]}}},
    }
    server.respond = in_turn(Response.of({"Item": stored}))
    assert table.get(KEY, consistent=True) == {
        "B": {"B": b"\x00\xff"},
        "BS": {"BS": [b"\x00", b"\xff"]},
        "text": {"S": 'said "B": "AA=="'},
        "map": {"M": {"B": {"S": "AA=="}, "deep": {"L": [{"B": b"\x01"}, {"M": {"BS": {"BS": [b"\x02"]}}}]}}},
    }


# Signatures ------------------------------------------------------------------------------------------------------------------------


def botocores_signature(request: Request, url: str, *, access: str, secret: str, token: str | None = None) -> str:
    """The Authorization header that botocore itself gives the request that came."""
    names = request.headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    signed = {name: value for name, value in request.headers.items() if name.lower() in names}
    ours = AWSRequest(method="POST", url=f"{url}/", data=request.body, headers=signed)
    ours.context["timestamp"] = request.headers["X-Amz-Date"]
    auth = SigV4Auth(Credentials(access, secret, token), "dynamodb", "eu-west-1")
    canonical = auth.canonical_request(ours)
    scope = auth.credential_scope(ours)
    signature = auth.signature(auth.string_to_sign(ours, canonical), ours)
    return f"AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    return {"access": "AKIDEXAMPLE", "secret": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}


@pytest.mark.parametrize("verb", ["get", "query", "put", "delete"])
def test_a_request_is_signed_as_botocore_signs_it(credentials: dict[str, str], verb: str) -> None:
    answer = Response.of({"Item": {}, "Items": []})
    with Loopback(in_turn(answer)) as server:
        CALLS[verb](table_at(server.url))
    (request,) = server.requests
    assert request.headers["Authorization"] == botocores_signature(request, server.url, **credentials)
    signed = request.headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert {"host", "x-amz-date", "x-amz-target"} <= set(signed)
    assert request.headers["Host"] == server.url.removeprefix("http://")


def test_a_session_token_is_sent_and_signed(credentials: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-a-role")
    with Loopback(in_turn(FOUND)) as server:
        table_at(server.url).get(KEY, consistent=True)
    (request,) = server.requests
    assert request.headers["X-Amz-Security-Token"] == "of-a-role"
    assert "x-amz-security-token" in request.headers["Authorization"]
    assert request.headers["Authorization"] == botocores_signature(request, server.url, token="of-a-role", **credentials)


def test_the_cached_key_ends_with_its_day(credentials: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback(in_turn(FOUND)) as server:
        table = table_at(server.url)
        for now in (datetime(2027, 7, 1, 23, 59, 59, tzinfo=UTC), datetime(2027, 7, 2, tzinfo=UTC), datetime(2027, 7, 1, tzinfo=UTC)):
            monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda now=now: now)
            table.get(KEY, consistent=True)
    assert [request.headers["X-Amz-Date"] for request in server.requests] == ["20270701T235959Z", "20270702T000000Z", "20270701T000000Z"]
    for request in server.requests:
        assert request.headers["Authorization"] == botocores_signature(request, server.url, **credentials)


def test_new_credentials_are_used_at_once(credentials: dict[str, str]) -> None:
    with Loopback(in_turn(FOUND)) as server:
        table = table_at(server.url)
        table.get(KEY, consistent=True)
        held = table.connection.session.get_credentials()
        held.access_key, held.secret_key = "AKIDROTATED", "another-secret"
        table.get(KEY, consistent=True)
    first, second = server.requests
    assert first.headers["Authorization"] == botocores_signature(first, server.url, **credentials)
    assert second.headers["Authorization"] == botocores_signature(second, server.url, access="AKIDROTATED", secret="another-secret")


def test_a_retry_is_signed_anew(credentials: dict[str, str], monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    """A signature is good for some minutes only, and credentials may have been renewed."""
    days = iter([datetime(2027, 7, 1, tzinfo=UTC), datetime(2027, 7, 1, 0, 0, 1, tzinfo=UTC)])
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda: next(days))
    with Loopback(in_turn(CUT, FOUND)) as server:
        table_at(server.url).get(KEY, consistent=True)
    assert [request.headers["X-Amz-Date"] for request in server.requests] == ["20270701T000000Z", "20270701T000001Z"]
    for request in server.requests:
        assert request.headers["Authorization"] == botocores_signature(request, server.url, **credentials)


def test_threads_share_a_connection_and_none_gets_anothers_signature_or_answer(credentials: dict[str, str]) -> None:
    def echo(request: Request) -> Response:
        return Response.of({"Item": request.parameters["Key"]})

    with Loopback(echo) as server:
        table = table_at(server.url)
        keys = [Key("p", f"{number}") for number in range(40)]
        found = at_once([lambda key=key: table.get(key, consistent=True) for key in keys])
    assert found == [key.raw() for key in keys]
    for request in server.requests:
        assert request.headers["Authorization"] == botocores_signature(request, server.url, **credentials)


def test_without_credentials_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with Loopback(in_turn(FOUND)) as server, pytest.raises(TableUnavailable, match="Unable to locate credentials"):
        table_at(server.url).get(KEY, consistent=True)
    assert server.requests == []


def test_credentials_that_cannot_be_renewed_are_told_as_unavailable(credentials: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Credentials) -> None:
        raise CredentialRetrievalError(provider="role", error_msg="the token service is away")

    monkeypatch.setattr(Credentials, "get_frozen_credentials", fail)
    with Loopback(in_turn(FOUND)) as server, pytest.raises(TableUnavailable, match="token service is away"):
        table_at(server.url).get(KEY, consistent=True)
    assert server.requests == []
