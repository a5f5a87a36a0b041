"""Plans as a client sees them."""

from typing import Any

from goalgraph.auth.standing import forget, present
from goalgraph.graphql.context import Context
from goalgraph.graphql.schema import schema
from goalgraph.table.metering import metered
from tests.billing.world import World
from tests.fixtures import new_user


def ask(actor: Any, query: str, **variables: Any) -> Any:
    forget()
    result = schema.execute(query, context_value=Context(present(actor)), variable_values=variables)
    if result.errors:
        return getattr(result.errors[0].original_error, "code", str(result.errors[0]))
    return result.data


BUY = "mutation($plan: ID!, $interval: String) { createCheckoutSession(planId: $plan, interval: $interval) { id url } }"
HAVE = """{
    subscription { planId tier state interval periodEnds graceEnds cancels tenantWide }
    entitlements { tier features roomsPerDay activeGoals }
}"""


def test_plans_are_listed_with_their_prices_and_limits(world: World):
    found = ask(
        new_user(),
        "{ plans { id tier trialDays tenantWide features roomsPerDay activeGoals prices { interval amount currency } } }",
    )["plans"]
    assert [plan["id"] for plan in found] == ["free", "premium", "company"]
    free, premium, company = found
    assert (free["prices"], free["roomsPerDay"], free["activeGoals"], free["features"]) == ([], 5, 5, [])
    assert (premium["roomsPerDay"], premium["activeGoals"], premium["trialDays"]) == (None, 10, 14)
    assert premium["prices"][0] == {"interval": "month", "amount": 699, "currency": "eur"}
    assert "coaching" in premium["features"]
    assert company["tenantWide"]


def test_a_member_buys_and_has_it(world: World):
    actor = new_user()
    assert ask(actor, HAVE) == {
        "subscription": None,
        "entitlements": {"tier": "free", "features": [], "roomsPerDay": 5, "activeGoals": 5},
    }
    session = ask(actor, BUY, plan="premium", interval="year")["createCheckoutSession"]
    world.fake.pay(session["url"])
    world.settle()

    found = ask(actor, HAVE)
    assert found["subscription"] | {"periodEnds": None} == {
        "planId": "premium",
        "tier": "premium",
        "state": "trial",
        "interval": "year",
        "periodEnds": None,
        "graceEnds": None,
        "cancels": False,
        "tenantWide": False,
    }
    assert found["entitlements"]["tier"] == "premium"
    assert ask(actor, BUY, plan="premium") == "CONFLICT"
    portal = ask(actor, "mutation { createPortalSession { url } }")["createPortalSession"]
    assert portal["url"].startswith(world.fake.url)


def test_home_shows_it_in_its_one_query(world: World):
    buyer = world.buyer()
    assert ask(buyer.actor, "{ home { subscription { tier } } }")["home"]["subscription"] is None
    world.settle()
    actor = present(buyer.actor)
    with metered() as meter:
        result = schema.execute("{ home { user { id tier } subscription { state tier } } }", context_value=Context(actor))
    assert result.data == {
        "home": {"user": {"id": actor.user_id, "tier": "premium"}, "subscription": {"state": "active", "tier": "premium"}}
    }
    assert meter.round_trips == 1


def test_refusals_have_their_codes(world: World):
    actor = new_user()
    assert ask(actor, BUY, plan="gold") == "INVALID"
    assert ask(actor, BUY, plan="company") == "FORBIDDEN"
    assert ask(actor, "mutation { createPortalSession { url } }") == "NOT_FOUND"


def test_grace_is_told_while_it_lasts(world: World):
    buyer = world.buyer()
    world.fake.card_works(buyer.customer_id, works=False)
    world.days(31.5)
    world.settle()
    told = ask(buyer.actor, "{ subscription { state graceEnds } }")["subscription"]
    assert told["state"] == "grace"
    assert told["graceEnds"]


def test_what_plans_limit(world: World):
    create = "mutation($n: String!) { createGoal(input: {title: $n}) { id } }"
    free, buyer = new_user(), world.buyer()
    world.settle()
    assert [ask(free, create, n=f"Goal {n}") for n in range(6)][5] == "QUOTA_EXCEEDED"
    outcomes = [ask(buyer.actor, create, n=f"Goal {n}") for n in range(11)]
    assert [outcome for outcome in outcomes if isinstance(outcome, str)] == ["QUOTA_EXCEEDED"]
