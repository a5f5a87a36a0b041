"""GraphQL over HTTP, on a real socket."""

import json
import re
from collections.abc import Callable

import httpx
import pytest
from django.test import override_settings

from goalgraph.graphql.idempotency import MAX_ANSWER
from tests.goalgraph.conftest import Edge, code_of

OK = {"query": "{ok}"}


def test_an_operation_is_answered_with_its_cost(edge: Edge) -> None:
    response = edge.post("{me{id} ok}")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert body["data"]["ok"] == "ok"
    assert body["extensions"]["cost"] == {"requested": 2, "limit": 5000, "remaining": None}
    assert "errors" not in body


def test_api_answers_cannot_be_framed_sniffed_or_kept(edge: Edge) -> None:
    headers = edge.post("{ok}").headers
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in headers
    assert int(headers["Content-Length"]) == len(edge.post("{ok}").content)


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "application/JSON", "application/graphql-response+json"]
)
def test_json_is_taken(edge: Edge, content_type: str) -> None:
    response = edge.http.post("/graphql", content=json.dumps(OK), headers=edge.auth | {"Content-Type": content_type})
    assert response.json()["data"] == {"ok": "ok"}


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain",
        "application/graphql",
        "application/json; charset=utf-16",
        "",
    ],
)
def test_nothing_but_json_is_taken(edge: Edge, content_type: str) -> None:
    response = edge.http.post("/graphql", content=json.dumps(OK), headers=edge.auth | {"Content-Type": content_type})
    assert response.status_code == 415
    assert code_of(response.json()) == "INVALID"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b'"{ok}"',
        b"[]",
        b'[{"query":"{ok}"},{"query":"{ok}"}]',
        b"{}",
        b'{"query":null}',
        b'{"query":" "}',
        b'{"query":["{ok}"]}',
        b'{"query":"{ok}","variables":[]}',
        b'{"query":"{ok}","variables":"{}"}',
        b'{"query":"{ok}","operationName":1}',
        b'{"query":"{ok}","extensions":[]}',
        b'{"query":"{ok \xff}"}',
        b'{"query":"{ok}","variables":{"a":"\\ud800"}}',
        b'{"query":"{ok}","variables":{"a":NaN}}',
        b'{"query":"{ok}","variables":{"a":' + b"[" * 100 + b"]" * 100 + b"}}",
        b'{"query":"{ok}","variables":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b'{"query":"{ok}","variables":{"a":[' + b"0," * 100_000 + b"0]}}",
    ],
)
def test_a_malformed_request_is_invalid(edge: Edge, body: bytes) -> None:
    response = edge.http.post("/graphql", content=body, headers=edge.auth | {"Content-Type": "application/json"})
    assert response.status_code == 400
    assert code_of(response.json()) == "INVALID"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_the_limit_is_refused(edge: Edge, chunked: bool) -> None:
    body = json.dumps({"query": "{ok}", "variables": {"a": "x" * 300_000}}).encode()
    content = iter([body[:100_000], body[100_000:]]) if chunked else body
    response = edge.http.post("/graphql", content=content, headers=edge.auth | {"Content-Type": "application/json"})
    assert response.status_code == 413
    assert code_of(response.json()) == "INVALID"
    assert edge.gql("{ok}")["data"] == {"ok": "ok"}


def test_a_hostile_document_is_refused_over_http(edge: Edge) -> None:
    aliases = "{" + " ".join(f"a{i}:ok" for i in range(1000)) + "}"
    assert code_of(edge.gql(aliases)) == "TOO_COMPLEX"
    doubling = (
        "{me{...f0}}" + " ".join(f"fragment f{i} on Member{{...f{i + 1} ...f{i + 1}}}" for i in range(30)) + "fragment f30 on Member{id}"
    )
    assert code_of(edge.gql(doubling)) == "TOO_COMPLEX"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "HEAD"])
def test_only_post_is_served(edge: Edge, method: str) -> None:
    response = edge.http.request(method, "/graphql", params=OK, headers=edge.auth)
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"


def test_graphiql_is_for_local_settings(edge: Edge) -> None:
    with override_settings(DEBUG=True):
        page = edge.http.get("/graphql")
    assert page.status_code == 200
    assert "text/html" in page.headers["Content-Type"]
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    scripts = re.findall(r"<script[^>]*>", page.text)
    assert scripts
    assert all('src="/static/graphiql/' in script for script in scripts)


def test_status_codes_follow_the_media_type_that_the_client_prefers(edge: Edge) -> None:
    strict = {"Accept": "application/graphql-response+json, application/json;q=0.5"}
    assert edge.post("{nothing}").status_code == 200
    refused = edge.post("{nothing}", headers=strict)
    assert (refused.status_code, refused.headers["Content-Type"]) == (400, "application/graphql-response+json")
    assert edge.post("{bug ok}", headers=strict).status_code == 200
    assert edge.post("query($a:Int!){echo(value:$a)}", {"a": "x"}, headers=strict).status_code == 400


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer x", "Basic YTpi", "Bearer " + "a" * 20_000])
def test_without_a_good_token_nothing_is_answered(edge: Edge, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    response = edge.http.post("/graphql", json=OK, headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert code_of(response.json()) == "UNAUTHENTICATED"


def test_the_schema_is_open_in_local_settings_only(edge: Edge) -> None:
    introspection = {"query": "{__schema{queryType{name}}}"}
    assert edge.http.post("/graphql", json=introspection).status_code == 401
    with override_settings(DEBUG=True):
        assert edge.http.post("/graphql", json=introspection).json()["data"]
        assert edge.http.post("/graphql", json=OK).status_code == 401
        mixed = {"query": "{__schema{queryType{name}} ok}"}
        assert edge.http.post("/graphql", json=mixed).status_code == 401


def test_subscriptions_are_sent_to_the_websocket(edge: Edge) -> None:
    body = edge.gql("subscription{ticks}")
    assert code_of(body) == "INVALID"
    assert "WebSocket" in body["errors"][0]["message"]


def test_operations_are_chosen_by_name(edge: Edge) -> None:
    two = "query a{ok} query b{me{id}}"
    assert edge.gql(two, operationName="a")["data"] == {"ok": "ok"}
    assert code_of(edge.gql(two)) == "INVALID"
    assert code_of(edge.gql(two, operationName="c")) == "INVALID"


# Errors ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code", ["NOT_FOUND", "FORBIDDEN", "INVALID", "CONFLICT", "QUOTA_EXCEEDED", "PREMIUM_REQUIRED", "RATE_LIMITED", "TOO_COMPLEX"]
)
def test_coded_errors_show_code_trace_and_place(edge: Edge, code: str) -> None:
    response = edge.post("query($c:String!){fail(code:$c)}", {"c": code})
    assert response.json()["data"] == {"fail": None}
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == code
    assert error["extensions"]["traceId"] == response.headers["X-Trace-Id"]
    assert error["path"] == ["fail"]
    assert error["locations"]


@pytest.mark.parametrize("query", ["{bug}", "{enum}", "{null}"])
def test_a_fault_of_ours_is_told_without_detail(edge: Edge, query: str, caplog: pytest.LogCaptureFixture) -> None:
    response = edge.post(query)
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "INTERNAL"
    assert error["message"] == "Something went wrong on our side."
    assert "secret" not in response.text
    assert [record.levelname for record in caplog.records if record.name == "goalgraph.graphql.errors"] == ["ERROR"]


@pytest.mark.parametrize(
    ("query", "variables", "field"),
    [
        ("mutation($input:GoalInput!){save(input:$input){title}}", {"input": {}}, "input"),
        ("mutation($input:GoalInput!){save(input:$input){title}}", {}, "input"),
        ("mutation($input:GoalInput!){save(input:$input){title}}", {"input": None}, "input"),
        ("mutation($input:GoalInput!){save(input:$input){title}}", {"input": {"title": 7}}, "title"),
        ("mutation($input:GoalInput!){save(input:$input){title}}", {"input": {"title": "a", "dueAt": "tomorrow"}}, "dueAt"),
        ("mutation($input:GoalInput!){save(input:$input){title}}", {"input": {"title": "a", "nested": {"title": []}}}, "nested.title"),
        ("mutation($input:GoalInput!){save(input:$input){title}}", {"input": {"title": "a", "tags": ["b", 1]}}, "tags[1]"),
        ("mutation($input:GoalInput!){save(input:$input){title}}", {"input": {"title": "a", "x' at 'input.y": 1}}, "input"),
    ],
)
def test_a_variable_of_the_wrong_shape_names_the_field(edge: Edge, query: str, variables: dict[str, object], field: str) -> None:
    body = edge.gql(query, variables)
    assert "data" not in body
    assert body["errors"][0]["extensions"]["code"] == "INVALID"
    assert body["errors"][0]["extensions"]["field"] == field


def test_errors_do_not_echo_large_inputs(edge: Edge) -> None:
    body = edge.gql("mutation($input:GoalInput!){save(input:$input){title}}", {"input": ["x" * 200_000] * 1})
    assert code_of(body) == "INVALID"
    assert len(json.dumps(body)) < 5000
    unknown = edge.gql("{" + "x" * 30_000 + "}")
    assert code_of(unknown) == "INVALID"
    assert len(json.dumps(unknown)) < 5000


def test_many_errors_are_cut_short(edge: Edge) -> None:
    body = edge.gql("mutation($input:GoalInput!){save(input:$input){title}}", {"input": {"title": "a", "tags": [1] * 5000}})
    assert len(body["errors"]) <= 12


def test_json_values_survive_whatever_they_are(edge: Edge) -> None:
    value = {"a": [1, 2.5, None, True, "é\u0000", {"b": {}}], "": -(2**63)}
    assert edge.gql("query($v:GenericScalar){echo(value:$v)}", {"v": value})["data"]["echo"] == value
    assert edge.gql("{numbers}")["data"]["numbers"] == {"large": 2**70, "whole": 3, "part": 1.5}


# Traces ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        ({"X-Trace-Id": "abcdef-0123456789"}, "abcdef-0123456789"),
        ({"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, "4bf92f3577b34da6a3ce929d0e0e4736"),
        ({"X-Trace-Id": "short"}, None),
        ({"X-Trace-Id": "x" * 65}, None),
        ({"X-Trace-Id": "spaces are not fine"}, None),
        ({}, None),
    ],
)
def test_the_trace_runs_from_header_to_resolver_and_back(edge: Edge, headers: dict[str, str], accepted: str | None) -> None:
    response = edge.post("{trace}", headers=headers)
    trace = response.json()["data"]["trace"]
    assert response.headers["X-Trace-Id"] == trace
    assert trace == accepted if accepted else re.fullmatch(r"[0-9a-f]{32}", trace)


def test_the_access_line_tells_what_but_not_who(edge: Edge, access_lines: Callable[[], list[dict[str, object]]]) -> None:
    edge.http.post("/graphql?token=hidden", json=OK, headers=edge.auth | {"X-Trace-Id": "0123456789abcdef"})
    (line,) = [line for line in access_lines() if line["trace"] == "0123456789abcdef"]
    assert line["method"] == "POST"
    assert line["path"] == "/graphql"
    assert line["status"] == 200
    assert isinstance(line["ms"], float)
    assert not {"hidden", edge.token, "{ok}"} & set(map(str, line.values()))
    assert "hidden" not in json.dumps(line)


# CORS ------------------------------------------------------------------------------------------------------------------------------


def test_configured_origins_may_call_from_a_browser(edge: Edge) -> None:
    def preflight(origin: str) -> httpx.Response:
        asks = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,idempotency-key",
        }
        return edge.http.options("/graphql", headers=asks)

    allowed = preflight("https://app.example")
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "idempotency-key" in allowed.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    for origin in ("https://evil.example", "https://app.example:8443", "http://app.example", "null", "https://app.example.evil.example"):
        assert "Access-Control-Allow-Origin" not in preflight(origin).headers
    response = edge.post("{ok}", headers={"Origin": "https://app.example"})
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert "x-trace-id" in response.headers["Access-Control-Expose-Headers"]
    unauthenticated = edge.http.post("/graphql", json=OK, headers={"Origin": "https://app.example"})
    assert unauthenticated.headers["Access-Control-Allow-Origin"] == "https://app.example"


def test_the_largest_answer_kept_leaves_room_in_an_item() -> None:
    assert MAX_ANSWER < 8 * 1024 - 1024
