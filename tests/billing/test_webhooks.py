"""The webhook: nothing is stored before the signature is verified, and what came twice changes nothing."""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.apps import apps
from django.conf import settings
from django.test import Client
from djstripe.models import Charge, Event
from djstripe.models import Subscription as LedgerSubscription

from goalgraph.adapters.stripe import StripePayments
from goalgraph.ports.payments import NotVerified
from tests.billing.world import World, delivered

NEW, OLD = "whsec_test_new", "whsec_test_old"
BODY = json.dumps({"id": "evt_1", "object": "event", "type": "customer.created", "data": {"object": {"id": "cus_1", "object": "customer"}}})


def signature(body: str, at: int, secret: str = NEW, scheme: str = "v1") -> str:
    digest = hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={at},{scheme}={digest}"


def rows() -> dict[str, int]:
    """How many rows each table has."""
    return {model._meta.label: model._default_manager.count() for model in apps.get_models() if model._meta.managed}


BAD: dict[str, Callable[[int], tuple[str, str | None]]] = {
    "none at all": lambda now: (BODY, None),
    "an empty one": lambda now: (BODY, ""),
    "not the form of one": lambda now: (BODY, "hello"),
    "a secret that is not ours": lambda now: (BODY, signature(BODY, now, "whsec_other")),
    "an empty secret": lambda now: (BODY, signature(BODY, now, "")),
    "another scheme": lambda now: (BODY, signature(BODY, now, scheme="v0")),
    "another body": lambda now: (BODY.replace("cus_1", "cus_2"), signature(BODY, now)),
    "another time": lambda now: (BODY, signature(BODY, now - 1).replace(f"t={now - 1}", f"t={now}")),
    "too old": lambda now: (BODY, signature(BODY, now - 301)),
    "ahead of time": lambda now: (BODY, signature(BODY, now + 301)),
    "two times": lambda now: (BODY, f"t={now}," + signature(BODY, now)),
    "a time that is no number": lambda now: (BODY, signature(BODY, now).replace(f"t={now}", "t=now")),
    "cut short": lambda now: (BODY, signature(BODY, now)[:-1]),
    "no signature beside the time": lambda now: (BODY, f"t={now}"),
}


@pytest.mark.parametrize("why", BAD)
def test_a_bad_signature_is_refused_and_nothing_is_stored(world: World, why: str):
    body, header = BAD[why](int(world.clock.now().timestamp()))
    before = rows()
    assert delivered(body.encode(), header) == 400
    assert rows() == before


def test_at_least_twelve_kinds_of_them():
    assert len(BAD) >= 12


@pytest.mark.parametrize(
    "body", ["", "hello", "[]", "{}", '{"id": 1, "object": "event"}', '{"id": "evt_1", "object": "event", "type": "x"}']
)
def test_what_is_signed_but_is_no_event_is_refused(world: World, body: str):
    before = rows()
    assert delivered(body.encode(), signature(body, int(world.clock.now().timestamp()))) == 400
    assert rows() == before


def test_bytes_that_are_no_text_are_refused(world: World):
    assert delivered(b"\xff\xfe{", signature(BODY, int(world.clock.now().timestamp()))) == 400


def test_a_secret_in_a_header_is_not_listened_to(world: World, settings):
    """dj-stripe's own view does, where DEBUG is on."""
    settings.DEBUG = True
    headers = {
        "Stripe-Signature": signature(BODY, int(world.clock.now().timestamp()), "whsec_mine"),
        "X-Djstripe-Webhook-Secret": "whsec_mine",
    }
    path = f"/stripe/webhook/{settings.STRIPE_WEBHOOK_UUID}"
    assert Client().post(path, BODY, content_type="application/json", headers=headers).status_code == 400


@pytest.mark.parametrize("seconds", [-300, 0, 300])
@pytest.mark.parametrize("secret", [NEW, OLD])
def test_each_of_our_secrets_is_good_within_the_tolerance(world: World, secret: str, seconds: int):
    """The customer is nobody's, so there is nothing to do."""
    assert delivered(BODY.encode(), signature(BODY, int(world.clock.now().timestamp()) + seconds, secret)) == 200


def test_a_secret_that_was_taken_out_is_not():
    payments = StripePayments(api_key="sk_test_x", api_base="http://127.0.0.1:9", version="2026-05-27.dahlia", secrets=[NEW])
    now = datetime(2027, 7, 1, tzinfo=UTC)
    assert payments.verified(BODY.encode(), signature(BODY, int(now.timestamp())), now)["id"] == "evt_1"
    with pytest.raises(NotVerified):
        payments.verified(BODY.encode(), signature(BODY, int(now.timestamp()), OLD), now)


@pytest.mark.parametrize("endpoint", ["x", "00000000-0000-0000-0000-000000000000", "é"])
def test_at_another_address_there_is_nothing(world: World, endpoint: str):
    body, header = BODY, signature(BODY, int(world.clock.now().timestamp()))
    assert delivered(body.encode(), header, endpoint=endpoint) == 404


def test_without_a_uuid_there_is_no_webhook(world: World, settings):
    settings.STRIPE_WEBHOOK_UUID = ""
    assert Client().post("/stripe/webhook/", BODY, content_type="application/json").status_code == 404


def test_nothing_is_read_there(world: World):
    assert Client().get(f"/stripe/webhook/{settings.STRIPE_WEBHOOK_UUID}").status_code == 405


def test_a_body_that_is_too_large_is_not_looked_at(world: World):
    body = json.dumps({"x": "y" * settings.STRIPE_WEBHOOK_MAX_BYTES})
    assert delivered(body.encode(), signature(body, int(world.clock.now().timestamp()))) == 413


def test_the_same_event_again_changes_nothing(world: World):
    buyer = world.begin()
    buyer.pay()
    (event,) = world.fake.events("customer.subscription.created")
    assert world.deliver(event) == {200}
    rev, before = buyer.account.rev, rows()
    assert world.deliver(event, event) == {200}
    assert (buyer.account.rev, rows()) == (rev, before)


def test_an_event_of_nobody_we_know_is_acknowledged_and_not_kept(world: World):
    customer = world.fake.client.customers.create({"email": "somebody@example.org"})
    before = rows()
    events = [event for event in world.fake.events("customer.created") if event.data.object.id == customer.id]
    assert world.deliver(*events) == {200}
    assert rows() == before


def test_an_event_about_our_prices_is_kept_and_is_nobodys(world: World):
    buyer = world.begin()
    assert world.deliver(*world.fake.events("price.created")) == {200}
    assert Event.objects.filter(type="price.created").count() == 4
    assert buyer.account.rev == 0


def test_the_ledger_has_what_was_paid(world: World):
    buyer = world.buyer()
    world.settle()
    assert {charge.stripe_data["amount"] for charge in Charge.objects.filter(customer_id=buyer.customer_id)} == {699}
    assert LedgerSubscription.objects.get(id=buyer.agreement.id).stripe_data["status"] == "active"


def test_an_event_that_could_not_be_kept_comes_again_and_the_member_does_not_wait_for_it(world: World):
    buyer = world.begin()
    buyer.pay()
    (event,) = world.fake.events("customer.subscription.created")
    world.fake.fail(path="/v1/subscriptions/", method="GET", times=2, status=500)

    assert world.deliver(event) == {500}
    assert not Event.objects.filter(id=event.id).exists()
    world.work()
    assert buyer.tier == "premium"

    assert world.deliver(event) == {200}
    assert Event.objects.filter(id=event.id).exists()


def test_an_event_of_a_member_whose_ledger_never_works_still_counts_each_time(world: World, monkeypatch: pytest.MonkeyPatch):
    buyer = world.begin()
    buyer.pay()
    (event,) = world.fake.events("customer.subscription.created")
    monkeypatch.setattr("billing.ledger.record", lambda _event: 1 / 0)
    assert world.deliver(event) == {500}
    assert buyer.account.rev == 1
