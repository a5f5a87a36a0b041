"""From the checkout page to the tier, and back: what a member pays for is what they have."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as configured
from djstripe.models import APIKey, Event, Refund

from billing import account_services, ledger, staff_services, tasks
from billing.account_services import Repaired
from billing.checkout_services import create_portal_session
from billing.models import Account
from goalgraph import wiring
from goalgraph.auth.standing import present
from goalgraph.errors import NotFound, RateLimited
from tests.billing.world import Buyer, World, at
from tests.fixtures import FakeClock, new_user
from users import services as users


def test_who_buys_has_premium_and_who_does_not_has_not(world: World):
    buyer = world.begin()
    world.settle()
    assert (buyer.tier, buyer.stored) == ("free", None)

    buyer.pay()
    world.settle()

    assert buyer.tier == "premium"
    assert buyer.stored is not None
    assert (buyer.stored.state, buyer.stored.interval, buyer.stored.cancels) == ("trial", "month", False)
    assert "coaching" in present(buyer.actor).entitlements


def test_the_profile_tells_the_tier_in_the_same_step(world: World):
    buyer = world.begin()
    users.upsert_profile(buyer.actor, {"nickname": "Ana"})
    buyer.pay()
    world.settle()
    assert users.user(new_user(), buyer.actor.user_id).tier == "premium"


def test_a_trial_becomes_a_plan_that_is_paid(world: World):
    buyer = world.begin()
    buyer.pay()
    world.days(15)
    world.settle()
    assert buyer.stored is not None
    assert (buyer.stored.state, buyer.tier) == ("active", "premium")


def test_it_goes_on_with_each_period(world: World):
    buyer = world.buyer()
    world.settle()
    first = buyer.stored
    world.days(32)
    assert buyer.tier == "premium", "the word of the renewal is late, and that is not the member's fault"
    world.settle()
    assert first is not None
    assert buyer.stored is not None
    assert buyer.stored.period_ends > first.period_ends


def test_a_payment_that_fails_leaves_some_days_and_then_nothing_by_time_alone(world: World):
    buyer = world.buyer()
    world.settle()
    world.fake.card_works(buyer.customer_id, works=False)
    world.days(31.5)
    world.settle()
    assert buyer.stored is not None
    assert (buyer.stored.state, buyer.tier) == ("grace", "premium")

    world.clock.instant = buyer.stored.grace_ends - timedelta(seconds=1)
    assert buyer.tier == "premium"
    world.clock.advance(seconds=1)
    assert buyer.tier == "free"
    assert buyer.stored.state == "ended"


def test_who_pays_late_has_it_back(world: World):
    buyer = world.buyer()
    world.settle()
    world.fake.card_works(buyer.customer_id, works=False)
    world.days(31.5)
    world.settle()
    world.fake.card_works(buyer.customer_id, works=True)
    world.days(5)
    world.settle()
    assert buyer.stored is not None
    assert (buyer.stored.state, buyer.tier) == ("active", "premium")


def test_who_never_pays_again_loses_it(world: World):
    buyer = world.buyer()
    world.fake.card_works(buyer.customer_id, works=False)
    world.days(70)
    world.settle()
    assert (buyer.tier, buyer.agreement.status) == ("free", "canceled")


def test_canceled_holds_until_its_period_ends(world: World):
    buyer = world.buyer()
    world.fake.client.subscriptions.update(buyer.agreement.id, {"cancel_at_period_end": True})
    world.settle()
    assert buyer.stored is not None
    assert (buyer.stored.cancels, buyer.tier) == (True, "premium")

    ends = buyer.stored.period_ends
    world.clock.instant = ends
    assert buyer.tier == "free", "nobody has to say so"


def test_canceled_at_once_ends_at_once(world: World):
    buyer = world.buyer()
    world.settle()
    world.fake.client.subscriptions.cancel(buyer.agreement.id)
    world.settle()
    assert buyer.tier == "free"


def pause(buyer: Buyer, behaviour: str) -> None:
    buyer.world.fake.client.subscriptions.update(buyer.agreement.id, {"pause_collection": {"behavior": behaviour}})
    buyer.world.settle()


def resume(buyer: Buyer) -> None:
    buyer.world.fake.client.subscriptions.update(buyer.agreement.id, {"pause_collection": ""})
    buyer.world.settle()


def test_a_pause_takes_nothing_of_the_period_that_is_paid(world: World):
    buyer = world.buyer()
    pause(buyer, "void")
    assert buyer.stored is not None
    assert (buyer.stored.state, buyer.tier) == ("paused", "premium")
    world.clock.instant = buyer.stored.period_ends
    assert buyer.tier == "free", "nobody has to say so"


@pytest.mark.parametrize("behaviour", ["void", "mark_uncollectible", "keep_as_draft"])
def test_a_pause_over_a_renewal_gives_nothing_for_nothing(world: World, behaviour: str):
    buyer = world.buyer()
    world.settle()
    world.days(20)
    for _ in range(3):
        pause(buyer, behaviour)
        world.days(12)
        world.settle()
        assert buyer.tier == "free"
        resume(buyer)
        assert (buyer.agreement.status, buyer.tier) == ("active", "free")
        world.days(19)
    assert sum(invoice.amount_paid for invoice in world.fake.client.invoices.list({"customer": buyer.customer_id}).data) == 699

    world.days(12)
    world.settle()
    assert buyer.tier == "premium", "the next period is paid again"


def test_a_plan_that_stripe_shows_no_more_takes_the_tier_away(world: World):
    buyer = world.buyer()
    world.settle()
    company = world.fake.client.prices.list({"lookup_keys": ["goalgraph_company_month"]}).data[0]
    item = buyer.agreement["items"].data[0]
    world.fake.client.subscriptions.update(buyer.agreement.id, {"items": [{"id": item.id, "price": company.id}]})
    world.settle()
    assert buyer.stored is not None
    assert (buyer.tier, buyer.stored.state) == ("free", "ended")
    assert account_services.repair([buyer.account]) == Repaired(0, 0)


def test_who_was_deleted_at_stripe_has_nothing_and_may_buy_again(world: World):
    buyer = world.buyer()
    world.settle()
    before = buyer.customer_id
    world.fake.client.customers.delete(before)
    world.settle()
    assert (buyer.tier, buyer.account.customer_id) == ("free", None)

    again = world.begin(actor=buyer.actor)
    again.pay()
    world.settle()
    assert again.customer_id != before
    assert again.tier == "premium"


def test_who_was_deleted_at_stripe_and_nobody_said_so_may_buy_again(world: World):
    buyer = world.buyer()
    world.settle()
    before = buyer.customer_id
    world.fake.client.customers.delete(before)
    with pytest.raises(NotFound):
        create_portal_session(buyer.actor, "premium")
    Account.objects.filter(pk=buyer.account_id).update(customer_id=before)
    again = world.begin(actor=buyer.actor)
    assert again.customer_id not in (before, "None")
    world.work()
    assert buyer.tier == "free"


def test_a_key_of_another_account_takes_nothing_from_anybody(world: World):
    """Stripe never heard of the customer there, which is something else than a deletion."""
    buyer = world.buyer()
    world.settle()
    Account.objects.filter(pk=buyer.account_id).update(customer_id="cus_elsewhere")
    with pytest.raises(RateLimited):
        world.begin(actor=buyer.actor)
    assert buyer.customer_id == "cus_elsewhere"


@pytest.mark.parametrize(("share", "tier"), [(1, "free"), (2, "premium")])
def test_a_payment_that_was_given_back_whole_takes_it_away(world: World, share: int, tier: str):
    buyer = world.buyer()
    world.settle()
    charge = world.fake.client.charges.list({"customer": buyer.customer_id}).data[0]
    world.fake.client.refunds.create({"charge": charge.id, "amount": charge.amount // share})
    world.settle()
    assert buyer.tier == tier


def test_the_year_is_told(world: World):
    buyer = world.buyer(interval="year")
    world.settle()
    assert buyer.stored is not None
    assert buyer.stored.interval == "year"


def test_a_companys_plan_is_all_its_members(world: World):
    chief = new_user(tenant_id="acme", scopes=frozenset({"billing"}))
    colleague, stranger = new_user(tenant_id="acme"), new_user(tenant_id="other")
    buyer = world.buyer(actor=chief, plan_id="company")
    world.settle()
    assert (present(colleague).tier, present(chief).tier, present(stranger).tier, present(new_user()).tier) == (
        "premium",
        "premium",
        "free",
        "free",
    )
    world.fake.client.subscriptions.cancel(buyer.agreement.id)
    world.settle()
    assert present(colleague).tier == "free"


def test_ones_own_plan_that_ended_does_not_stand_before_the_companys(world: World):
    member = new_user(tenant_id="acme")
    own = world.buyer(actor=member)
    world.fake.client.subscriptions.cancel(own.agreement.id)
    world.settle()
    assert own.tier == "free"
    world.buyer(actor=new_user(tenant_id="acme", scopes=frozenset({"billing"})), plan_id="company")
    world.settle()
    assert own.tier == "premium"


# What was lost ---------------------------------------------------------------------------------------------------------------------------


def test_the_sweep_finds_what_no_task_did(world: World):
    buyer = world.buyer()
    world.deliver_all()  # and the process dies with its tasks
    world.clock.advance(seconds=30)
    assert buyer.tier == "free"

    world_jobs_lost(world)
    tasks.sweep()
    world.work()

    assert buyer.tier == "premium"
    tasks.sweep()
    assert account_services.sweep() == 0


def test_the_sweep_leaves_alone_what_just_happened(world: World):
    world.buyer()
    world.deliver_all()
    assert account_services.sweep() == 0


def test_the_repair_of_the_night_takes_events_that_never_came(world: World):
    buyer = world.buyer()
    tasks.receive_missed()
    world.work()
    assert buyer.tier == "premium"
    page, _ = wiring.payments().events(world.clock.now() - timedelta(days=3))
    assert account_services.receive_missed(page) == Repaired(0, 0)


def test_missed_events_are_taken_page_by_page(world: World):
    for number in range(110):
        world.fake.client.customers.create({"description": str(number)})
    tasks.receive_missed()
    ((name, queue, arguments),) = world_jobs(world).sent
    assert (name, queue in configured.QUEUE_NAMES) == (tasks.RECEIVE_MISSED, True)
    tasks.receive_missed(**arguments)
    assert len(world_jobs(world).sent) == 1
    assert Event.objects.filter(type="price.created").count() == 4, "the oldest ones, on the last page"


def test_an_event_that_cannot_be_kept_does_not_stop_the_others(world: World, monkeypatch: pytest.MonkeyPatch):
    poisoned, other = world.buyer(), world.buyer()
    record = ledger.record
    monkeypatch.setattr(
        "billing.ledger.record", lambda event: 1 / 0 if account_services.customer_of(event) == poisoned.customer_id else record(event)
    )
    tasks.receive_missed()
    world.work()
    assert (poisoned.tier, other.tier) == ("premium", "premium")


def test_an_account_that_cannot_be_looked_up_does_not_stop_the_others(world: World):
    unknown, other = world.buyer(), world.buyer()
    world.settle()
    Account.objects.filter(pk=unknown.account_id).update(customer_id="cus_elsewhere")
    world.fake.client.subscriptions.cancel(other.agreement.id)
    world.fake.fail(path="/v1/subscriptions", method="GET")
    batch = [unknown.account, other.account]
    assert account_services.repair(batch) == Repaired(1, 1)
    world.work()
    assert other.tier == "free"


def test_sql_from_a_backup_goes_on_behind_the_table(world: World):
    buyer = world.buyer()
    world.settle()
    Account.objects.filter(pk=buyer.account_id).update(rev=1, published_rev=1)
    world.fake.client.subscriptions.cancel(buyer.agreement.id)
    world.settle()
    world.work()
    assert buyer.tier == "free"
    assert buyer.stored is not None
    assert buyer.stored.rev == buyer.account.rev == buyer.account.published_rev


def test_accounts_that_always_fail_do_not_stand_before_the_others(world: World):
    buyer = world.buyer()
    world.deliver_all()
    world.clock.advance(seconds=30)
    found = []
    for _ in range(60):
        found.append(account_services.sweep())
        world.clock.advance(seconds=20)
    assert sum(found) == 6, "after 20, 40, 80 ... seconds within 20 minutes"
    world_jobs_lost(world)
    account_services.revise(buyer.account_id)
    assert (buyer.account.tries, buyer.account.due_at) == (0, world.clock.now() + timedelta(seconds=account_services.SETTLE_SECONDS))


def test_the_clockwork_has_it_done_within_a_minute():
    sweep = configured.CELERY_BEAT_SCHEDULE["sweep billing"]["schedule"]
    assert account_services.SETTLE_SECONDS + sweep + tasks.project.time_limit <= 60


def test_a_refund_is_in_the_ledger(world: World):
    buyer = world.buyer()
    world.settle()
    charge = world.fake.client.charges.list({"customer": buyer.customer_id}).data[0]
    made = world.fake.client.refunds.create({"charge": charge.id})
    world.settle()
    assert Refund.objects.get().id == made.id
    assert Event.objects.filter(type="refund.created").exists()


def test_a_key_that_was_replaced_is_not_asked_with(world: World):
    buyer = world.begin()
    world.settle()
    APIKey.objects.update(secret="sk_test_revokedRevokedRevokedRevoked")
    buyer.pay()
    world.settle()
    assert buyer.tier == "premium"
    assert set(APIKey.objects.values_list("secret", flat=True)) == {configured.STRIPE_SECRET_KEY}


def test_the_repair_of_the_night_finds_accounts_that_are_not_as_stripe_has_them(world: World):
    buyer, other = world.buyer(), world.buyer()
    world.settle()
    rev = other.account.rev
    world.fake.client.subscriptions.cancel(buyer.agreement.id)

    batch, last = account_services.accounts_behind(None, 10)
    different = account_services.repair(batch).amiss
    world.work()

    assert (different, last, buyer.tier, other.account.rev) == (1, None, "free", rev)


def test_a_repair_of_many_goes_on_where_it_was(world: World, monkeypatch: pytest.MonkeyPatch):
    buyers = [world.buyer() for _ in range(3)]
    monkeypatch.setattr(tasks, "BATCH", 2)
    tasks.repair("00000000-0000-0000-0000-000000000000")
    ((name, queue, arguments),) = world_jobs(world).sent
    assert (name, queue in configured.QUEUE_NAMES) == (tasks.REPAIR, True)
    tasks.repair(**arguments)
    world.work()
    assert [buyer.tier for buyer in buyers] == ["premium"] * 3


def test_stripe_away_is_tried_again_by_the_sweep(world: World):
    buyer = world.buyer()
    world.deliver_all()
    world.fake.fail(path="/v1/subscriptions", method="GET", times=1, status=500)
    jobs = world_jobs(world)
    jobs.enqueued[:] = jobs.enqueued[:1]
    world.work()
    assert (buyer.tier, buyer.account.published_rev) == ("free", 0)
    world.clock.advance(seconds=20)
    tasks.sweep()
    world.work()
    assert buyer.tier == "premium"


def test_answers_of_the_table_that_are_lost_change_nothing(world: World, settings: Any):
    settings.PORTS = settings.PORTS | {"table": {"BACKEND": "tests.goals.test_faults.ForgetfulTable"}}
    clock = wiring.clock()
    assert isinstance(clock, FakeClock)
    at(clock)
    world.clock = clock
    buyer = world.begin()
    users.upsert_profile(buyer.actor, {"nickname": "Ana"})
    buyer.pay()
    world.settle()
    assert buyer.stored is not None
    assert (buyer.tier, buyer.stored.rev) == ("premium", buyer.account.rev)
    assert users.user(new_user(), buyer.actor.user_id).tier == "premium"


def test_plans_are_made_once(world: World):
    assert staff_services.create_plans() == []
    keys = {price.lookup_key for price in world.fake.client.prices.list({"limit": 100}).data}
    assert keys == {"goalgraph_premium_month", "goalgraph_premium_year", "goalgraph_company_month", "goalgraph_company_year"}


def test_an_account_without_a_customer_is_left_alone(world: World):
    account = Account.objects.create(user_id="nobody", rev=3)
    assert account_services.project(str(account.pk))
    assert account_services.stored_standing(account) is None
    assert account_services.project("00000000-0000-0000-0000-000000000000") is False


def world_jobs(world: World):

    return wiring.jobs()


def world_jobs_lost(world: World) -> None:
    world_jobs(world).enqueued.clear()
