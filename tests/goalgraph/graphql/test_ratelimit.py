"""The member's allowance, on a real Redis."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings
from django.test import override_settings

from goalgraph.adapters.local.embedded import free_port
from goalgraph.errors import RateLimited
from goalgraph.graphql.ratelimit import Allowance, RateLimit
from tests.fixtures import new_user
from tests.goalgraph.conftest import Edge, code_of

SLOW = 0.001
"""Points a second that come back so slowly that a test does not see it."""


@pytest.fixture
def limit() -> RateLimit:
    return RateLimit(settings.REDIS_URL, burst=100, per_second=SLOW)


def test_points_are_taken_until_none_are_left(limit: RateLimit) -> None:
    actor = new_user()
    assert limit.spend(actor, 60).remaining == 40
    assert limit.spend(actor, 40).remaining == 0
    with pytest.raises(RateLimited) as refused:
        limit.spend(actor, 1)
    assert refused.value.retry_after == pytest.approx(1 / SLOW, abs=2)


def test_a_refusal_takes_nothing(limit: RateLimit) -> None:
    actor = new_user()
    limit.spend(actor, 60)
    with pytest.raises(RateLimited):
        limit.spend(actor, 41)
    assert limit.spend(actor, 40).remaining == 0


def test_points_come_back(limit: RateLimit) -> None:
    actor, fast = new_user(), RateLimit(settings.REDIS_URL, burst=100, per_second=100_000)
    limit.spend(actor, 100)
    time.sleep(0.01)
    assert fast.spend(actor, 100).remaining == 0


def test_members_and_tenants_have_allowances_of_their_own(limit: RateLimit) -> None:
    actor = new_user()
    limit.spend(actor, 100)
    assert limit.spend(new_user(), 100).remaining == 0
    assert limit.spend(type(actor)(actor.user_id, tenant_id="acme"), 100).remaining == 0


def test_many_at_once_never_take_more_than_there_is(limit: RateLimit) -> None:
    actor = new_user()

    def spend(_: int) -> bool:
        try:
            limit.spend(actor, 3)
        except RateLimited:
            return False
        return True

    with ThreadPoolExecutor(20) as threads:
        assert sum(threads.map(spend, range(100))) == 33


def test_more_than_a_full_bucket_is_let_through_by_a_full_bucket(limit: RateLimit) -> None:
    assert limit.spend(new_user(), 5000).remaining == 0


def test_zero_means_no_limit() -> None:
    assert RateLimit(f"redis://127.0.0.1:{free_port()}", burst=0, per_second=0).spend(new_user(), 10**6) == Allowance()


def test_without_redis_requests_pass_and_one_warning_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    limit = RateLimit(f"redis://127.0.0.1:{free_port()}", burst=1, per_second=1)
    for _ in range(5):
        assert limit.spend(new_user(), 100) == Allowance()
    assert [record.levelname for record in caplog.records if record.name == "goalgraph.graphql.ratelimit"] == ["WARNING"]


@pytest.fixture
def limited(edge: Edge) -> Iterator[Edge]:
    with override_settings(RATE_LIMIT_BURST=100, RATE_LIMIT_PER_SECOND=SLOW):
        yield edge


def test_a_response_tells_what_is_left(limited: Edge) -> None:
    limited.gql("{ok}")
    cost = limited.gql("{ok}")["extensions"]["cost"]
    assert limited.gql("{ok}")["extensions"]["cost"]["remaining"] == cost["remaining"] - 1
    assert cost == {"requested": 1, "limit": 5000, "remaining": cost["remaining"], "burst": 100, "perSecond": SLOW}


def test_who_asks_too_much_is_told_when_to_come_back(limited: Edge) -> None:
    limited.gql("{feed(first:80){nodes{id}}}")
    response = limited.post("{feed(first:80){nodes{id}}}")
    assert response.status_code == 429
    assert code_of(response.json()) == "RATE_LIMITED"
    assert int(response.headers["Retry-After"]) == response.json()["errors"][0]["extensions"]["retryAfter"] > 1000


def test_hostile_documents_use_up_the_allowance(limited: Edge) -> None:
    codes = [code_of(limited.gql(f"{{unknown{n}}}")) for n in range(12)]
    assert set(codes[:9]) == {"INVALID"}
    assert codes[-1] == "RATE_LIMITED"


@pytest.mark.usefixtures("stored")
def test_rest_takes_from_the_same_allowance(limited: Edge) -> None:
    with override_settings(RATE_LIMIT_BURST=1):
        response = limited.http.put("/profile", json={}, headers=limited.auth)
        assert limited.http.put("/profile", json={}, headers=limited.auth).status_code == 429
    assert response.status_code == 200
