"""The addresses beside GraphQL, on a real socket."""

from typing import Any

import pytest
from django.test import override_settings

from tests.goalgraph.conftest import Edge


@pytest.mark.usefixtures("stored")
class TestProfile:
    def test_a_new_member_has_an_empty_profile(self, edge: Edge) -> None:
        body = edge.http.get("/me", headers=edge.auth).json()
        assert body.pop("id").startswith("u-")
        assert body == {
            "nickname": None,
            "avatarUrl": None,
            "language": None,
            "pronouns": None,
            "bio": None,
            "timezone": "UTC",
            "visibility": "public",
            "tags": [],
            "tier": "free",
        }

    def test_what_is_put_is_there_and_what_is_left_out_stays(self, edge: Edge) -> None:
        put = edge.http.put(
            "/profile", json={"nickname": "Ana", "tags": ["run"], "avatarUrl": "https://a.example/a.png"}, headers=edge.auth
        )
        assert put.status_code == 200
        assert put.json()["nickname"] == "Ana"
        edge.http.put("/profile", json={"bio": "Runs.", "avatarUrl": None}, headers=edge.auth)
        body = edge.http.get("/me", headers=edge.auth).json()
        assert (body["nickname"], body["bio"], body["avatarUrl"], body["tags"]) == ("Ana", "Runs.", None, ["run"])

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"nickname": 7}, "nickname"),
            ({"nickname": ["a"]}, "nickname"),
            ({"tags": "run"}, "tags"),
            ({"tags": [1]}, "tags"),
            ({"tags": {"a": 1}}, "tags"),
            ({"id": "u-other"}, "id"),
            ({"tier": "premium"}, "tier"),
            ({"user_id": "u-other"}, "user_id"),
            ({"nickname": "x" * 10_000}, "nickname"),
            ({"avatarUrl": "javascript:alert(1)"}, "avatarUrl"),
            ({"timezone": "Mars/Olympus"}, "timezone"),
            ([], None),
            ("x", None),
        ],
    )
    def test_bad_input_is_a_problem_and_changes_nothing(self, edge: Edge, body: Any, field: str | None) -> None:
        before = edge.http.get("/me", headers=edge.auth).content
        response = edge.http.put("/profile", json=body, headers=edge.auth)
        assert response.status_code == 400
        assert response.headers["Content-Type"] == "application/problem+json"
        problem = response.json()
        assert problem["code"] == "INVALID"
        assert problem["status"] == 400
        assert problem.get("field") == field
        assert problem["traceId"] == response.headers["X-Trace-Id"]
        assert edge.http.get("/me", headers=edge.auth).content == before

    def test_only_json_is_taken(self, edge: Edge) -> None:
        assert edge.http.put("/profile", data={"nickname": "a"}, headers=edge.auth).status_code == 415
        assert (
            edge.http.put("/profile", content=b"x" * 300_000, headers=edge.auth | {"Content-Type": "application/json"}).status_code == 413
        )

    @pytest.mark.parametrize(("method", "path"), [("GET", "/me"), ("PUT", "/profile")])
    def test_a_token_is_needed(self, edge: Edge, method: str, path: str) -> None:
        response = edge.http.request(method, path, json={} if method == "PUT" else None)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert response.json()["code"] == "UNAUTHENTICATED"

    def test_browsers_of_configured_origins_may_put(self, edge: Edge) -> None:
        asks = {"Origin": "https://app.example", "Access-Control-Request-Method": "PUT"}
        answer = edge.http.options("/profile", headers=asks)
        assert answer.headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert "PUT" in answer.headers["Access-Control-Allow-Methods"]


@pytest.mark.parametrize(("method", "path"), [("POST", "/me"), ("GET", "/profile"), ("POST", "/healthz"), ("DELETE", "/metrics")])
def test_other_methods_are_not_allowed(edge: Edge, method: str, path: str) -> None:
    assert edge.http.request(method, path, headers=edge.auth).status_code == 405


def test_alive_whatever_else_is_down(edge: Edge) -> None:
    assert edge.http.get("/healthz").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("checks", "status", "body"),
    [
        ({"table": None, "redis": None}, 200, {"status": "ok", "services": {"table": "ok", "redis": "ok"}}),
        ({"table": None, "redis": "Redis is gone."}, 503, {"status": "failing", "services": {"table": "ok", "redis": "Redis is gone."}}),
    ],
)
def test_ready_names_what_is_not(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, checks: dict[str, str | None], status: int, body: dict[str, Any]
) -> None:
    monkeypatch.setattr("goalgraph.health.check", lambda: checks)
    response = edge.http.get("/readyz")
    assert (response.status_code, response.json()) == (status, body)


class TestMetrics:
    def test_requests_and_operations_are_counted_by_names_of_ours(self, edge: Edge) -> None:
        edge.gql("query evil_name{me{id}}")
        edge.gql("{my_secret_field}")
        edge.http.get("/no/such/page/anywhere")
        edge.http.request("PROPFIND", "/healthz")
        text = edge.http.get("/metrics").text
        assert 'goalgraph_graphql_operations_total{operation="me",outcome="ok"}' in text
        assert 'goalgraph_graphql_operations_total{operation="refused",outcome="INVALID"}' in text
        assert 'goalgraph_http_requests_total{method="POST",route="/graphql",status="200"}' in text
        assert 'route="other",status="404"' in text
        assert 'method="OTHER",route="/healthz"' in text
        assert "goalgraph_graphql_operation_seconds_bucket" in text
        for private in ("evil_name", "my_secret_field", "no/such/page", "PROPFIND", "u-"):
            assert private not in text

    @pytest.mark.usefixtures("stored")
    def test_the_tables_part_is_counted(self, edge: Edge) -> None:
        edge.post('mutation{count(name:"metrics"){times}}', headers={"Idempotency-Key": "k"})
        with override_settings(GRAPHQL_SCHEMA="goalgraph.graphql.schema.schema"):
            assert "errors" not in edge.gql("{me{id}}")
        assert 'goalgraph_table_round_trips_total{operation="me"}' in edge.http.get("/metrics").text

    def test_a_token_can_guard_them(self, edge: Edge) -> None:
        with override_settings(METRICS_TOKEN="scrape-me"):
            assert edge.http.get("/metrics").status_code == 401
            assert edge.http.get("/metrics", headers={"Authorization": "Bearer scrape-you"}).status_code == 401
            assert edge.http.get("/metrics", headers={"Authorization": "Bearer scrape-me"}).status_code == 200
