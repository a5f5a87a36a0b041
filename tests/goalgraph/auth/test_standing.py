"""What a member pays for and what moderators decided reach every edge within seconds, and without a new sign-in."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.test import override_settings

from billing.items import Subscription
from goalgraph import wiring
from goalgraph.adapters.local.issuer import mint_access_token
from goalgraph.auth import standing
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.auth.standing import present
from goalgraph.errors import Forbidden
from goalgraph.table import table
from goalgraph.table.metering import metered
from tests.fixtures import FakeClock, new_user
from tests.goalgraph.graphql.ws.client import Client
from tests.goalgraph.graphql.ws.conftest import serving
from users import sanction_services as sanctions

PROMISED = 5.0
"""Seconds."""


def give(actor: Actor, tier: str = "premium", *, tenant_wide: bool = False, **more: Any) -> None:
    """What billing projects."""
    facts: dict[str, Any] = {
        "plan_id": "company" if tenant_wide else "premium",
        "rev": 1,
        "tier": tier,
        "state": "active",
        "tenant_wide": tenant_wide,
    }
    item = Subscription(owner_id=actor.tenant_id if tenant_wide else actor.user_id, **(facts | more))
    table(replace(SYSTEM, tenant_id=actor.tenant_id)).put(item, overwrite=True)


@pytest.fixture
def clock(memory_world: FakeClock, settings: Any) -> FakeClock:
    settings.TIER_FROM_TOKEN = False
    return memory_world


def test_who_pays_nothing_is_free_whatever_the_token_says(clock: FakeClock):
    forged = new_user(tier="premium", entitlements=frozenset({"coaching", "beta"}))
    found = present(forged)
    assert (found.tier, found.entitlements) == ("free", frozenset({"beta"}))


def test_who_pays_has_what_the_plan_opens(clock: FakeClock):
    actor = new_user()
    give(actor)
    found = present(actor)
    assert found.tier == "premium"
    assert {"coaching", "premium_offers"} <= found.entitlements
    assert (found.user_id, found.scopes, found.email) == (actor.user_id, actor.scopes, actor.email)


def test_the_token_counts_where_settings_say_so_and_billing_knows_nothing(clock: FakeClock, settings: Any):
    settings.TIER_FROM_TOKEN = True
    actor = new_user(tier="premium")
    assert present(actor).tier == "premium"
    give(actor, "free", state="ended")
    standing.forget()
    assert present(actor).tier == "free"


def test_a_plan_of_the_tenant_is_for_its_members_alone(clock: FakeClock):
    ana = new_user(tenant_id="acme")
    give(ana, tenant_wide=True)
    assert [present(actor).tier for actor in (ana, new_user(tenant_id="acme"), new_user(), new_user(tenant_id="other"))] == [
        "premium",
        "premium",
        "free",
        "free",
    ]


def test_the_same_id_in_another_tenant_is_somebody_else(clock: FakeClock):
    ana = new_user(tenant_id="acme")
    give(ana)
    assert present(ana).tier == "premium"
    assert present(replace(ana, tenant_id=None)).tier == "free"


def test_what_ran_out_is_over_by_the_clock_alone_even_where_it_is_remembered(clock: FakeClock, settings: Any):
    settings.STANDING_SECONDS = 3600.0
    actor = new_user()
    give(actor, grace_ends=clock.now() + timedelta(minutes=1))
    assert present(actor).tier == "premium"
    clock.advance(minutes=1)
    assert present(actor).tier == "free"


def test_it_is_one_round_trip_and_then_none_for_some_seconds(clock: FakeClock, settings: Any):
    settings.STANDING_SECONDS = 3.0
    actor = new_user(tenant_id="acme")
    with metered() as meter:
        present(actor)
        assert meter.round_trips == 1
        present(actor)
        clock.advance(seconds=2.9)
        present(actor)
        assert meter.round_trips == 1
        clock.advance(seconds=0.2)
        present(actor)
        assert meter.round_trips == 2


def test_a_change_is_seen_when_what_is_remembered_is_too_old(clock: FakeClock, settings: Any):
    settings.STANDING_SECONDS = 3.0
    actor = new_user()
    assert present(actor).tier == "free"
    give(actor)
    clock.advance(seconds=3)
    assert present(actor).tier == "premium"


def test_a_clock_that_went_back_remembers_nothing(clock: FakeClock, settings: Any):
    settings.STANDING_SECONDS = 3.0
    actor = new_user()
    present(actor)
    give(actor)
    clock.advance(hours=-1)
    assert present(actor).tier == "premium"


def test_a_process_does_not_remember_without_bound(clock: FakeClock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(standing, "MOST", 10)
    standing.forget()
    for _ in range(50):
        present(new_user())
    assert len(standing._known) == 10


def test_who_is_muted_is_told_so_on_the_actor_and_who_is_suspended_is_not_let_in(clock: FakeClock):
    actor, until = new_user(), clock.now() + timedelta(hours=1)
    sanctions.sanction(SYSTEM, actor.user_id, muted_until=until, reason="Rude")
    assert present(actor).muted_until == until
    sanctions.sanction(SYSTEM, actor.user_id, suspended_until=until, reason="Rude")
    standing.forget()
    with pytest.raises(Forbidden, match="suspended until 2027-07-01 13:00 UTC"):
        present(actor)
    clock.advance(hours=1)
    assert present(actor).muted_until is None


# The edges -------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def address() -> Iterator[str]:
    real = override_settings(GRAPHQL_SCHEMA="goalgraph.graphql.schema.schema", TIER_FROM_TOKEN=False)
    with serving() as url, real:
        yield url


def within_promise(check: Callable[[], bool]) -> bool:
    end = time.monotonic() + PROMISED
    while time.monotonic() < end:
        if check():
            return True
        time.sleep(0.05)
    return False


ME = "{ me { tier } }"


def test_http_and_open_sockets_follow_within_five_seconds_of_a_change(address: str):
    actor = new_user()
    token = mint_access_token(actor.user_id)
    web = httpx.Client(base_url=address.replace("ws://", "http://").removesuffix("/graphql"), headers={"Authorization": f"Bearer {token}"})

    def tiers(socket: Client) -> set[str]:
        over_http = web.post("/graphql", json={"query": ME}).json()["data"]["me"]["tier"]
        over_rest = web.get("/me").json()["tier"]
        over_socket = socket.ask(ME)["data"]["me"]["tier"]
        return {over_http, over_rest, over_socket}

    with web, Client(address) as socket:
        socket.sign_in(token)
        assert tiers(socket) == {"free"}
        give(actor)
        assert within_promise(lambda: tiers(socket) == {"premium"})
        give(actor, "free", state="ended")
        assert within_promise(lambda: tiers(socket) == {"free"})


def test_who_is_suspended_is_refused_at_each_edge(address: str):
    actor = new_user()
    token = mint_access_token(actor.user_id)
    headers = {"Authorization": f"Bearer {token}"}
    with (
        httpx.Client(base_url=address.replace("ws://", "http://").removesuffix("/graphql"), headers=headers) as web,
        Client(address) as socket,
    ):
        socket.sign_in(token)
        sanctions.sanction(SYSTEM, actor.user_id, suspended_until=wiring.clock().now() + timedelta(hours=1), reason="Rude")
        standing.forget()
        assert web.get("/me").status_code == 403
        refused = web.post("/graphql", json={"query": ME}).json()["errors"][0]
        assert refused["extensions"]["code"] == "FORBIDDEN"
        with Client(address) as late:
            late.say(type="connection_init", payload=headers | {"authorization": f"Bearer {token}"})
            assert late.closed() == 4403
        assert socket.closed() == 4403
