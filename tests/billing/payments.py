"""A provider of whom nobody bought anything yet, for tests that are about something else."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from goalgraph.ports.payments import Agreement, CheckoutSession, Event, NotVerified, PaymentsRefused, Price


class QuietPayments:
    def verified(self, body: bytes, signature: str | None, now: datetime) -> Event:
        raise NotVerified("nobody delivers here")

    def create_customer(self, *, key: str, metadata: Mapping[str, str]) -> str:
        return f"cus_{key}"

    def agreements(self, customer_id: str) -> list[Agreement]:
        return []

    def sessions(self, customer_id: str) -> list[CheckoutSession]:
        return []

    def open_session(self, *, key: str, plan_id: str, interval: str, **_: Any) -> CheckoutSession:
        return CheckoutSession(f"cs_{key}", "https://pay.example/", plan_id, interval)

    def close_session(self, session_id: str) -> None:
        raise PaymentsRefused("there is none")

    def portal(self, customer_id: str, *, return_url: str) -> str:
        return "https://pay.example/portal"

    def refund_and_cancel(self, agreement_id: str, *, key: str) -> int:
        raise PaymentsRefused("there is none")

    def ensure_plan(self, plan_id: str, *, name: str, description: str, prices: Sequence[Price]) -> list[str]:
        return []

    def events(self, since: datetime, after: str | None = None) -> tuple[list[Event], str | None]:
        return [], None
