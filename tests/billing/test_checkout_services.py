"""Buying: one open page whoever clicks how often, and nobody buys twice."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from billing import checkout_services, staff_services
from billing.checkout_services import create_checkout_session, create_portal_session
from billing.models import Account
from goalgraph.errors import Conflict, Forbidden, Invalid, NotFound, RateLimited
from goalgraph.ports.payments import PaymentsUnavailable
from tests.billing.world import World
from tests.fixtures import new_user


def open_sessions(world: World, customer_id: str) -> list[str]:
    return [session.id for session in world.fake.client.checkout.sessions.list({"customer": customer_id, "status": "open"}).data]


def test_two_clicks_make_one_page(world: World):
    buyer = world.begin()
    again = create_checkout_session(buyer.actor, "premium", "month")
    assert again.url == buyer.url
    assert open_sessions(world, buyer.customer_id) == [again.id]


def test_many_clicks_at_once_make_one_page(world: World):
    buyer = world.begin()
    checkout_services.wiring.payments().close_session(open_sessions(world, buyer.customer_id)[0])
    with ThreadPoolExecutor(8) as pool:
        urls = {session.url for session in pool.map(lambda _: create_checkout_session(buyer.actor, "premium", "month"), range(16))}
    assert len(urls) == 1
    assert len(open_sessions(world, buyer.customer_id)) == 1


def test_another_interval_closes_the_page_before(world: World):
    buyer = world.begin()
    year = create_checkout_session(buyer.actor, "premium", "year")
    assert open_sessions(world, buyer.customer_id) == [year.id]
    assert world.fake.pay(buyer.url).status_code >= 400


def test_clicks_for_both_intervals_at_once_leave_one_page(world: World):
    buyer = world.begin()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: _outcome(buyer.actor, ("month", "year")[n % 2]), range(16)))
    assert len(open_sessions(world, buyer.customer_id)) <= 1


def _outcome(actor, interval: str) -> str:
    try:
        create_checkout_session(actor, "premium", interval)
    except Conflict:
        return "conflict"
    return "ok"


def test_who_has_a_plan_is_sent_to_the_portal(world: World):
    buyer = world.begin()
    buyer.pay()
    with pytest.raises(Conflict, match="portal"):
        create_checkout_session(buyer.actor, "premium", "year")
    assert create_portal_session(buyer.actor, "premium").startswith(world.fake.url)


def test_who_had_one_may_buy_again_and_has_no_second_trial(world: World):
    buyer = world.begin()
    buyer.pay()
    world.fake.client.subscriptions.cancel(buyer.agreement.id)
    again = world.begin(actor=buyer.actor)
    again.pay()
    world.settle()
    assert (again.agreement.status, again.tier) == ("active", "premium")
    assert again.customer_id == buyer.customer_id


def test_who_is_paid_for_by_their_company_buys_nothing(world: World):
    world.buyer(actor=new_user(tenant_id="acme", scopes=frozenset({"billing"})), plan_id="company")
    world.settle()
    with pytest.raises(Conflict, match="company"):
        create_checkout_session(new_user(tenant_id="acme"), "premium", "month")


@pytest.mark.parametrize("plan_id", ["free", "gold", ""])
def test_what_cannot_be_bought(world: World, plan_id: str):
    with pytest.raises(Invalid) as refused:
        create_checkout_session(new_user(), plan_id, "month")
    assert refused.value.field == "planId"


@pytest.mark.parametrize("interval", ["week", "", "MONTH"])
def test_how_often_it_cannot_be_paid(world: World, interval: str):
    with pytest.raises(Invalid) as refused:
        create_checkout_session(new_user(), "premium", interval)
    assert refused.value.field == "interval"


@pytest.mark.parametrize("more", [{}, {"tenant_id": "acme"}, {"scopes": frozenset({"billing"})}])
def test_a_companys_plan_is_for_who_manages_it(world: World, more: dict):
    for use_case in (
        lambda: create_checkout_session(new_user(**more), "company", "month"),
        lambda: create_portal_session(new_user(**more), "company"),
    ):
        with pytest.raises(Forbidden):
            use_case()
    assert not Account.objects.exists()


ELSEWHERE = [
    "https://evil.example/",
    "http://app.example/",
    "https://app.example:8443/",
    "https://app.example@evil.example/",
    "https://app.example.evil.example/",
    "//app.example/",
    "javascript:alert(1)",
    "https://app.example\\@evil.example/",
    "https://app.example/ x",
    "https://app.example:x/",
    "",
    "https://app.example/" + "x" * 2048,
]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_stripe_sends_nobody_elsewhere_in_our_name(world: World, url: str):
    actor = new_user()
    for use_case, field in (
        (lambda: create_checkout_session(actor, "premium", "month", success_url=url), "successUrl"),
        (lambda: create_checkout_session(actor, "premium", "month", cancel_url=url), "cancelUrl"),
        (lambda: create_portal_session(actor, "premium", return_url=url), "returnUrl"),
    ):
        with pytest.raises(Invalid) as refused:
            use_case()
        assert refused.value.field == field


def test_it_leads_back_to_the_application(world: World):
    actor = new_user()
    session = create_checkout_session(actor, "premium", "month", success_url="https://app.example/done?session={CHECKOUT_SESSION_ID}")
    assert world.fake.pay(session.url or "").headers["location"] == f"https://app.example/done?session={session.id}"


def test_the_portal_is_for_who_began_to_buy(world: World):
    with pytest.raises(NotFound):
        create_portal_session(new_user(), "premium")


def test_tenants_are_told_apart(world: World):
    here, there = new_user(tenant_id="acme"), new_user()
    there = type(there)(user_id=here.user_id)
    assert world.begin(actor=here).customer_id != world.begin(actor=there).customer_id


# Faults ----------------------------------------------------------------------------------------------------------------------------------


def test_an_attempt_that_died_before_it_kept_the_customer_finds_the_same_one(world: World):
    buyer = world.begin()
    customer_id = buyer.customer_id
    Account.objects.update(customer_id=None)
    again = world.begin(actor=buyer.actor)
    assert (again.customer_id, again.url) == (customer_id, buyer.url)


@pytest.mark.parametrize("path", ["/v1/customers", "/v1/checkout/sessions"])
def test_an_answer_that_is_lost_is_found_by_the_next_click(world: World, path: str):
    actor = new_user()
    world.fake.fail(path=path, method="POST", after=True)
    with pytest.raises(RateLimited):
        create_checkout_session(actor, "premium", "month")
    session = create_checkout_session(actor, "premium", "month")
    account = Account.objects.get(user_id=actor.user_id)
    assert open_sessions(world, str(account.customer_id)) == [session.id]
    ours = [each for each in world.fake.client.customers.list({"limit": 100}).data if (each.metadata or {})["user_id"] == actor.user_id]
    assert len(ours) == 1


def test_without_plans_at_stripe_nothing_is_sold(world: World):
    world.fake.reset()
    with pytest.raises(RateLimited):
        create_checkout_session(new_user(), "premium", "month")


# Support ---------------------------------------------------------------------------------------------------------------------------------


class Staff:
    def __init__(self, *permissions: str) -> None:
        self.permissions = permissions

    def has_perm(self, permission: str) -> bool:
        return permission in self.permissions


def test_support_gives_back_and_cancels_once(world: World):
    buyer = world.buyer()
    world.settle()
    staff = Staff("billing.refund_account")
    assert staff_services.refund_and_cancel(staff, buyer.account_id) == 699
    world.work()
    assert (buyer.tier, buyer.agreement.status) == ("free", "canceled")
    assert staff_services.refund_and_cancel(staff, buyer.account_id) == 699
    assert [refund.amount for refund in world.fake.client.refunds.list({}).data] == [699]


def test_a_refund_that_lost_its_answer_is_not_given_twice(world: World):
    buyer = world.buyer()
    world.settle()
    world.fake.fail(path="/v1/refunds", method="POST", after=True)
    with pytest.raises(PaymentsUnavailable):
        staff_services.refund_and_cancel(Staff("billing.refund_account"), buyer.account_id)
    staff_services.refund_and_cancel(Staff("billing.refund_account"), buyer.account_id)
    assert [refund.amount for refund in world.fake.client.refunds.list({}).data] == [699]
    assert buyer.agreement.status == "canceled"


def test_only_who_may_does_it(world: World):
    buyer = world.buyer()
    for use_case in (staff_services.refund_and_cancel, staff_services.look_up_again):
        with pytest.raises(Forbidden):
            use_case(Staff("billing.view_account"), buyer.account_id)
    assert buyer.agreement.status == "active"


def test_looking_up_again_is_a_revision(world: World):
    buyer = world.buyer()
    staff_services.look_up_again(Staff("billing.repair_account"), buyer.account_id)
    world.work()
    assert buyer.tier == "premium"


def test_a_plan_that_ended_is_given_back_too(world: World):
    buyer = world.buyer()
    world.fake.client.subscriptions.cancel(buyer.agreement.id)
    assert staff_services.refund_and_cancel(Staff("billing.refund_account"), buyer.account_id) == 699


def test_a_refund_whose_cancellation_failed_is_told_the_next_time(world: World):
    buyer = world.buyer()
    world.fake.fail(path="/v1/subscriptions/", method="DELETE", after=True)
    with pytest.raises(PaymentsUnavailable):
        staff_services.refund_and_cancel(Staff("billing.refund_account"), buyer.account_id)
    assert buyer.account.rev == 1, "it is looked up all the same"
    assert staff_services.refund_and_cancel(Staff("billing.refund_account"), buyer.account_id) == 699


def test_a_failure_that_stripe_keeps_does_not_stop_buying_for_a_day(world: World):
    actor = new_user()
    world.fake.fail(path="/v1/checkout/sessions", method="POST", kept=True)
    for _ in range(2):
        with pytest.raises(RateLimited):
            create_checkout_session(actor, "premium", "month")
    world.clock.advance(seconds=checkout_services.KEY_SECONDS)
    assert create_checkout_session(actor, "premium", "month").url


def test_other_addresses_make_another_page(world: World):
    buyer = world.begin()
    other = create_checkout_session(buyer.actor, "premium", "month", success_url="https://app.example/done")
    assert (other.success_url, open_sessions(world, buyer.customer_id)) == ("https://app.example/done", [other.id])
