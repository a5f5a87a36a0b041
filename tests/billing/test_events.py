"""What follows from a plan that changes: the event, what the member is told, and the renewals that are listed."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from billing import renewal_services, repository
from billing.items import Subscription
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.table import keys, table
from notifications import services as notifications
from notifications.handlers import HANDLERS
from tests.billing.world import World
from tests.fixtures import FakeClock, new_user
from tests.notifications.world import member
from tests.streams import StreamingWorld

ENDS = datetime(2027, 7, 31, 12, tzinfo=UTC)


def become(actor: Actor, rev: int, **more: Any) -> None:
    facts: dict[str, Any] = {"tier": "premium", "state": "active", "interval": "month", "period_ends": ENDS, "grace_ends": ENDS}
    wanted = Subscription(owner_id=actor.user_id, plan_id="premium", rev=rev)
    item = repository.stored(SYSTEM, wanted)
    item = wanted if item is None else item.copy()
    for name, value in (facts | more | {"rev": rev}).items():
        setattr(item, name, value)
    repository.save(SYSTEM, item, ())


def test_a_change_is_told_once_and_a_revision_alone_is_none(streaming_world: StreamingWorld):
    ana = new_user()
    become(ana, 1, state="trial")
    become(ana, 2, state="trial")
    become(ana, 3)
    become(ana, 4, tier="free", state="ended", grace_ends=None)
    told = streaming_world.events("subscription.changed")
    assert [
        (event.user_id, event.data["stateBefore"], event.data["state"], event.data["tierBefore"], event.data["tier"]) for event in told
    ] == [
        (ana.user_id, None, "trial", "free", "premium"),
        (ana.user_id, "trial", "active", "premium", "premium"),
        (ana.user_id, "active", "ended", "premium", "free"),
    ]


def titles(actor: Actor) -> list[str]:
    return [note.title for note in notifications.notifications_page(actor, limit=20).items if note.kind == "billing"]


def test_members_are_told_what_they_notice(streaming_world: StreamingWorld):
    ana = member(language="en")
    changes: list[dict[str, Any]] = [
        {"state": "trial"},
        {"state": "active"},
        {"state": "active", "period_ends": ENDS + timedelta(days=31)},
        {"state": "grace"},
        {"state": "grace", "cancels": True},
        {"state": "paused", "tier": "free"},
        {"state": "active"},
        {"state": "ended", "tier": "free"},
    ]
    for rev, change in enumerate(changes, start=1):
        become(ana, rev, **change)
        streaming_world.clock.advance(minutes=1)
    for event in streaming_world.events("subscription.changed") * 2:
        HANDLERS[event.type](event)
    assert titles(ana)[::-1] == [
        "You have premium now",
        "A payment for premium failed",
        "Premium is paused",
        "You have premium now",
        "Premium has ended",
    ]


def test_a_companys_plan_is_no_news_to_a_member(streaming_world: StreamingWorld):
    company = Subscription(owner_id="acme", plan_id="company", rev=1, tier="premium", state="active", tenant_wide=True)
    repository.save(SYSTEM, company, ())
    (event,) = streaming_world.events("subscription.changed")
    HANDLERS[event.type](event)
    assert titles(Actor(user_id="acme")) == []


def test_an_older_revision_never_overwrites_a_newer_one(memory_world: FakeClock):
    ana = new_user()
    become(ana, 5)
    late = repository.stored(SYSTEM, Subscription(owner_id=ana.user_id, plan_id="premium", rev=4))
    assert late is not None
    late.rev, late.tier = 5, "free"
    from goalgraph.table.port import TransactionCanceled

    with pytest.raises(TransactionCanceled):
        repository.save(SYSTEM, late, ())


# Renewals --------------------------------------------------------------------------------------------------------------------------------


def test_renewals_are_those_that_go_on(memory_world: FakeClock):
    people = [new_user() for _ in range(4)]
    become(people[0], 1)
    become(people[1], 1, cancels=True)
    become(people[2], 1, tier="free", state="ended")
    become(people[3], 1, period_ends=ENDS + timedelta(days=1))
    assert [found.owner_id for found in renewal_services.renewals(None, ENDS.date())] == [people[0].user_id]
    become(people[0], 2, cancels=True)
    assert list(renewal_services.renewals(None, ENDS.date())) == []


def test_more_renewals_than_a_page(memory_world: FakeClock):
    everybody = {new_user().user_id for _ in range(renewal_services.PAGE + 5)}
    for user_id in everybody:
        become(Actor(user_id=user_id), 1)
    assert {found.owner_id for found in renewal_services.renewals(None, ENDS.date())} == everybody


def said(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_the_command_lists_a_day_in_each_tenant(memory_world: FakeClock, settings: Any):
    settings.TENANTS = ["acme"]
    ana = new_user()
    become(ana, 1)
    item = Subscription(
        owner_id="acme", plan_id="company", rev=1, tier="premium", state="active", interval="year", period_ends=ENDS, tenant_wide=True
    )
    table(Actor(user_id="system", tenant_id="acme")).put(item)
    assert table(Actor(user_id="system", tenant_id="acme")).get(keys.tenant_subscription("company")) is not None
    listed = said("renewals", "--day", "2027-07-31")
    assert f"12:00  {ana.user_id}  premium by the month" in listed
    assert "12:00  acme in acme  company by the year" in listed
    assert "2 on 2027-07-31" in listed
    assert "0 on 2027-07-01" in said("renewals")
    with pytest.raises(CommandError):
        said("renewals", "--day", "tomorrow")


def test_the_commands_make_plans_and_repair(world: World):
    assert "all plans are there" in said("create_plans")
    buyer = world.buyer()
    assert "events were missed" in said("repair_billing")
    world.work()
    assert buyer.tier == "premium"
    world.deliver_all()
    world.work()
    world.fake.client.subscriptions.cancel(buyer.agreement.id)
    world.fake.fail(path="/v1/events", method="GET")
    with pytest.raises(CommandError):
        said("repair_billing")
    world.fake.reset()
    assert said("create_plans").count("created") == 6
    world.fake.fail(path="/v1/products", times=1)
    with pytest.raises(CommandError, match="STRIPE_SECRET_KEY"):
        said("create_plans")
