"""The payment provider: Stripe, in the few words that billing needs. Money itself never passes through us."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

Event = Mapping[str, Any]
"""An event as Stripe spells it: https://docs.stripe.com/api/events/object."""


class PaymentsUnavailable(Exception):
    """The provider did not answer, or refused for load. Whether what was asked for took place is not known; asking again under the same key
    is safe."""


class PaymentsRefused(Exception):
    """The provider will not do that: something that is not there, or an amount that it has not got."""


class CustomerGone(PaymentsRefused):
    """The customer was there, and was deleted at the provider. All that they paid for has ended."""


class KeyUsed(Exception):
    """Something else was asked for under the same key before."""


class NotVerified(Exception):
    """A delivery that does not prove that it is the provider's. Why, is for the log."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """A subscription as the provider says it is now. All times are in UTC.

    `status` is Stripe's: https://docs.stripe.com/api/subscriptions/object#subscription_object-status. `plan_id` is None for what is no plan
    of ours.
    """

    id: str
    status: str
    plan_id: str | None
    interval: str | None
    created: datetime
    period_starts: datetime
    period_ends: datetime
    ends_at: datetime | None = None
    """When it ends by itself, because somebody canceled it; None: it goes on."""
    paused: bool = False
    """Whether its payments are not collected at the moment."""
    refunded: bool = False
    """Whether the payment for the current period was given back, all of it."""
    invoice: str | None = None
    """What became of the latest invoice: draft, open, paid, void or uncollectible
    (https://docs.stripe.com/api/invoices/object#invoice_object-status); kept, for a draft that nobody collects. None: there was none."""


@dataclass(frozen=True, slots=True)
class CheckoutSession:
    """A page of the provider's where somebody pays. `url` is None once it is closed."""

    id: str
    url: str | None
    plan_id: str
    interval: str
    success_url: str | None = None
    cancel_url: str | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """What a plan costs for each interval, found by its lookup key (https://docs.stripe.com/products-prices/manage-prices#lookup-keys).
    `amount` is in the currency's smallest unit."""

    lookup_key: str
    interval: str
    amount: int
    currency: str


class Payments(Protocol):
    """Every call but `verified` blocks on the network, and raises PaymentsUnavailable or PaymentsRefused, CustomerGone among these."""

    def verified(self, body: bytes, signature: str | None, now: datetime) -> Event:
        """The event that a delivery to our webhook holds. Raises NotVerified."""

    def create_customer(self, *, key: str, metadata: Mapping[str, str]) -> str:
        """The id of a new customer. The same `key` within a day gives the same one."""

    def agreements(self, customer_id: str) -> list[Agreement]:
        """All of a customer's, ended ones included. One that bills nothing is none."""

    def sessions(self, customer_id: str) -> list[CheckoutSession]:
        """A customer's latest checkout sessions, the newest first, closed ones included."""

    def open_session(
        self,
        *,
        key: str,
        customer_id: str,
        plan_id: str,
        interval: str,
        lookup_key: str,
        trial_days: int,
        success_url: str,
        cancel_url: str,
    ) -> CheckoutSession:
        """A page on which a plan is bought at the price of `lookup_key`. Raises KeyUsed."""

    def close_session(self, session_id: str) -> None:
        """From now on nobody can pay there. One that is closed stays so."""

    def portal(self, customer_id: str, *, return_url: str) -> str:
        """The address of a page where a customer changes and cancels what they pay for. It holds for some minutes."""

    def refund_and_cancel(self, agreement_id: str, *, key: str) -> int:
        """End a subscription now, unless it has ended, and give its latest payment back.

        How much of that payment is given back by now, in the currency's smallest unit; 0 where nothing was ever paid. Repeating it gives
        nothing back a second time, and says the same."""

    def ensure_plan(self, plan_id: str, *, name: str, description: str, prices: Sequence[Price]) -> list[str]:
        """Make the product and the prices of a plan that are not there yet, and say in words what was made."""

    def events(self, since: datetime, after: str | None = None) -> tuple[list[Event], str | None]:
        """A page of what happened since then, the newest first; and, unless it is the last one, behind which id the next one begins."""
