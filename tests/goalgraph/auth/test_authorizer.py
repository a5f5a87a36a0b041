import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.auth import authorizer
from tests.goalgraph.auth.issuer import FakeIssuer

ARN = "arn:aws:execute-api:us-east-1:123456789012:abc123/prod/POST/graphql"
STAGE = "arn:aws:execute-api:us-east-1:123456789012:abc123/prod/*"
CONTEXT = {"sub": "ana", "email": "ana@example.com", "tier": "premium", "scope": "goalgraph openid"}


@pytest.fixture(autouse=True)
def _environment(issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OIDC_ISSUER", issuer.url)
    monkeypatch.setenv("OIDC_AUDIENCE", "other, goalgraph")
    monkeypatch.setenv("OIDC_CLAIMS", "embedded")
    authorizer.verifier.cache_clear()
    yield
    authorizer.verifier.cache_clear()


def token_event(authorization: object, arn: object = ARN) -> dict[str, Any]:
    return {"type": "TOKEN", "authorizationToken": authorization, "methodArn": arn}


def request_event(authorization: object, **changes: Any) -> dict[str, Any]:
    event = {"type": "REQUEST", "methodArn": ARN, "headers": {"Host": "x", "Authorization": authorization}, "path": "/graphql"}
    return event | changes


def http_api_event(authorization: object) -> dict[str, Any]:
    return {
        "version": "2.0",
        "type": "REQUEST",
        "routeArn": ARN,
        "identitySource": [authorization],
        "headers": {"authorization": authorization},
        "requestContext": {"apiId": "abc123", "http": {"method": "POST"}},
    }


def appsync_event(authorization: object) -> dict[str, Any]:
    return {
        "authorizationToken": authorization,
        "requestContext": {"apiId": "a", "accountId": "1", "requestId": "r", "queryString": "{ me { id } }", "variables": {}},
        "requestHeaders": {"host": "x"},
    }


def is_deny(answer: dict[str, Any]) -> bool:
    if "isAuthorized" in answer:
        return answer == {"isAuthorized": False, "resolverContext": {}, "deniedFields": [], "ttlOverride": 0}
    statement = {"Action": "execute-api:Invoke", "Effect": "Deny", "Resource": "*"}
    return answer == {"principalId": "anonymous", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}, "context": {}}


EVENTS = {"TOKEN": token_event, "REQUEST": request_event, "REQUEST 2.0": http_api_event, "AppSync": appsync_event}


@pytest.mark.parametrize("kind", ["TOKEN", "REQUEST", "REQUEST 2.0"])
@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_api_gateway_is_told_to_allow_the_stage(kind: str, scheme: str, issuer: FakeIssuer) -> None:
    assert authorizer.handler(EVENTS[kind](scheme + issuer.token()), None) == {
        "principalId": "ana",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": STAGE}],
        },
        "context": CONTEXT,
    }


@pytest.mark.parametrize("scheme", ["Bearer ", ""])
def test_appsync_is_told_to_allow(scheme: str, issuer: FakeIssuer) -> None:
    answer = authorizer.handler(appsync_event(scheme + issuer.token()), None)
    assert answer == {"isAuthorized": True, "resolverContext": CONTEXT, "deniedFields": [], "ttlOverride": 300}


def test_appsync_does_not_remember_an_answer_longer_than_the_token_lives(issuer: FakeIssuer) -> None:
    token = issuer.token(exp=issuer.claims()["iat"] + 100)
    assert 0 < authorizer.handler(appsync_event(token))["ttlOverride"] <= 100


def test_what_a_token_leaves_out_is_an_empty_string(issuer: FakeIssuer) -> None:
    answer = authorizer.handler(token_event("Bearer " + issuer.token(email=..., scope=..., tier=...)))
    assert answer["context"] == {"sub": "ana", "email": "", "tier": "free", "scope": ""}


@pytest.mark.parametrize("kind", EVENTS)
@pytest.mark.parametrize(
    "authorization",
    ["", " ", "Bearer", "Bearer ", "Basic YW5hOmFuYQ==", "Bearer a.b.c", "Bearer a b", None, 7, [], {}, b"x", "Bearer " + "x" * 1_000_000],
    ids=lambda value: repr(value)[:30],
)
def test_a_bad_authorization_is_a_deny(kind: str, authorization: object) -> None:
    assert is_deny(authorizer.handler(EVENTS[kind](authorization)))


@pytest.mark.parametrize("kind", EVENTS)
def test_a_bad_token_is_a_deny(kind: str, issuer: FakeIssuer) -> None:
    for token in (issuer.token(exp=1), issuer.token(aud="stranger"), issuer.token(sub="a#b"), issuer.token()[:-8]):
        assert is_deny(authorizer.handler(EVENTS[kind](f"Bearer {token}")))


@pytest.mark.parametrize("kind", EVENTS)
def test_an_issuer_that_is_down_is_a_deny_until_it_is_known(kind: str, issuer: FakeIssuer) -> None:
    event = EVENTS[kind]("Bearer " + issuer.token())
    issuer.down = True
    assert is_deny(authorizer.handler(event))
    issuer.down = False
    authorizer.verifier.cache_clear()
    assert not is_deny(authorizer.handler(event))
    issuer.down = True
    assert not is_deny(authorizer.handler(EVENTS[kind]("Bearer " + issuer.token(jti="2"))))


@pytest.mark.parametrize("name", ["OIDC_ISSUER", "OIDC_AUDIENCE", "OIDC_CLAIMS"])
@pytest.mark.parametrize("value", ["", " , "])
def test_a_wrong_setting_is_a_deny_and_an_error_in_the_log(
    name: str, value: str, issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(name, value)
    answers = [authorizer.handler(event("Bearer " + issuer.token())) for event in EVENTS.values()]
    assert all(is_deny(answer) for answer in answers)
    if (name, value) != ("OIDC_ISSUER", " , "):
        assert [record.levelname for record in caplog.records if record.name == "goalgraph.auth.authorizer"] == ["ERROR"] * len(EVENTS)


def test_a_missing_setting_is_a_deny(issuer: FakeIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OIDC_ISSUER")
    assert all(is_deny(authorizer.handler(event("Bearer " + issuer.token()))) for event in EVENTS.values())


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": None},
        {"headers": []},
        {"headers": {}},
        {"headers": {7: "x"}},
        {"methodArn": None},
        {"methodArn": "*"},
        {"methodArn": "arn:aws:s3:::bucket/key"},
        {"methodArn": "arn:aws:execute-api:us-east-1:1:*/*/GET/x"},
        {"methodArn": ["arn"]},
    ],
    ids=repr,
)
def test_a_malformed_request_event_is_a_deny(changes: dict[str, Any], issuer: FakeIssuer) -> None:
    assert is_deny(authorizer.handler(request_event("Bearer " + issuer.token(), **changes)))


def test_two_authorization_headers_are_none(issuer: FakeIssuer) -> None:
    good = "Bearer " + issuer.token()
    assert is_deny(authorizer.handler(request_event(good, headers={"Authorization": good, "authorization": good})))


def test_a_token_in_the_query_string_is_not_read(issuer: FakeIssuer) -> None:
    event = request_event("", headers={}, queryStringParameters={"Authorization": "Bearer " + issuer.token()})
    assert is_deny(authorizer.handler(event))


@pytest.mark.parametrize("event", [None, [], "event", 7, {}, {"type": "TOKEN"}, {"requestContext": {"apiId": "a"}}], ids=repr)
def test_no_event_is_a_deny(event: object) -> None:
    assert is_deny(authorizer.handler(event))


names = st.sampled_from(["type", "authorizationToken", "methodArn", "routeArn", "headers", "requestContext", "apiId", "authorization"])
values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(names | st.text(), v))


@given(event=values)
def test_no_event_makes_it_raise(event: object) -> None:
    answer = authorizer.handler(event)
    assert is_deny(answer)
    assert json.loads(json.dumps(answer)) == answer


def test_it_needs_no_django() -> None:
    program = (
        "import sys, goalgraph.auth.authorizer; print([name for name in sys.modules if name.partition('.')[0] in ('django', 'boto3')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
