"""A member at Stripe's stand-in: buys, pays, cancels, and its deliveries carried over to our webhook by hand."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import stripe
from django.conf import settings
from django.test import Client

from billing import account_services, checkout_services, plans, services, staff_services, tasks
from billing.items import Subscription
from billing.models import Account
from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.auth.standing import forget, present
from tests.fixtures import FakeClock, new_user
from tests.stripe import StripeFake

MEMORY: dict[str, dict[str, Any]] = {
    "table": {"BACKEND": "tests.streams.StreamingTable"},
    "clock": {"BACKEND": "tests.fixtures.FakeClock"},
    "jobs": {"BACKEND": "goalgraph.adapters.jobs.RecordingJobs"},
    "live": {"BACKEND": "goalgraph.adapters.live.RecordingLive"},
    "stream": {"BACKEND": "goalgraph.adapters.streams.RecordedStream"},
}


def delivered(body: bytes, signature: str | None, *, endpoint: str | None = None) -> int:
    """The status with which our webhook answers."""
    headers = {} if signature is None else {"Stripe-Signature": signature}
    path = f"/stripe/webhook/{settings.STRIPE_WEBHOOK_UUID if endpoint is None else endpoint}"
    return Client().post(path, body, content_type="application/json", headers=headers).status_code


@dataclass
class World:
    """`clock` is ours; `days` moves it and Stripe's."""

    fake: StripeFake
    clock: FakeClock

    def days(self, days: float) -> None:
        self.fake.clock(days=days)
        self.clock.advance(days=days)

    def begin(self, actor: Actor | None = None, interval: str = "month", plan_id: str = "premium") -> "Buyer":
        """Somebody on their way to the checkout page."""
        actor = actor or new_user()
        session = checkout_services.create_checkout_session(actor, plan_id, interval)
        account = Account.objects.get(tenant_id=actor.tenant_id or "", user_id="" if plan_id == "company" else actor.user_id)
        return Buyer(self, actor, account.pk, session.url or "", plan_id)

    def buyer(self, **more: Any) -> "Buyer":
        """Somebody who paid; the trial is over. Nothing of it has been told yet."""
        buyer = self.begin(**more)
        buyer.pay()
        if plans.plan(buyer.plan_id).trial_days:  # type: ignore[union-attr]
            self.fake.client.subscriptions.update(buyer.agreement.id, {"trial_end": "now"})
        return buyer

    def signed(self, event_id: str, secret: str | None = None) -> tuple[bytes, str]:
        secret = secret or settings.STRIPE_WEBHOOK_SECRETS[0]
        return self.fake.signed(event_id, secret, int(self.clock.now().timestamp()))

    def deliver(self, *events: stripe.Event) -> set[int]:
        """Carry events over, in this order; the statuses that were answered."""
        return {delivered(*self.signed(event.id)) for event in events}

    def deliver_all(self) -> None:
        assert self.deliver(*self.fake.events()) <= {200}

    def work(self) -> None:
        """What was enqueued is done."""
        jobs: Any = wiring.jobs()
        waiting, jobs.enqueued[:] = list(jobs.enqueued), []
        for name, arguments in waiting:
            if name == account_services.PROJECT:
                tasks.project(**arguments)

    def settle(self) -> None:
        """Stripe tells all, and we do what follows."""
        self.deliver_all()
        self.work()


@dataclass
class Buyer:
    world: World
    actor: Actor
    account_id: uuid.UUID
    url: str
    plan_id: str = "premium"

    @property
    def account(self) -> Account:
        return Account.objects.get(pk=self.account_id)

    @property
    def customer_id(self) -> str:
        return str(self.account.customer_id)

    @property
    def agreement(self) -> stripe.Subscription:
        """The latest one."""
        return self.world.fake.client.subscriptions.list({"customer": self.customer_id, "status": "all"}).data[0]

    def pay(self, number: str = "4242424242424242") -> None:
        assert self.world.fake.pay(self.url, number).status_code in (200, 303)

    @property
    def tier(self) -> str:
        """As the edges see it now."""
        forget()
        return present(self.actor).tier

    @property
    def stored(self) -> Subscription | None:
        return services.subscription(self.actor)


def at(world_clock: FakeClock) -> None:
    """Stripe's stand-in goes by the machine's clock, so ours begins there."""
    world_clock.instant = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)


def plans_made() -> list[str]:
    return staff_services.create_plans()
