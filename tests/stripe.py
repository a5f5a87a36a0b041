"""The stand-in for Stripe under the tests: one process for each pytest process, started when a test first wants it, on a free port.

    def test_it(stripe_fake):
        stripe_fake.client.customers.create({...})
        stripe_fake.clock(days=31)

Each test finds it empty. Django's settings and stripe-python lead to it for as long as the test runs.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import requests
import stripe
from django.conf import settings as django_settings

from goalgraph.adapters.local.embedded import ROOT, free_port

START_SECONDS = 30
SECRET = "whsec_local"


class StripeFake:
    """The running stand-in, and its controls (`goalgraph/adapters/local/stripe/controls.py` says what each takes)."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url, key
        self.http = httpx.Client(base_url=url, timeout=60, trust_env=False)
        self.session = requests.Session()
        self.session.trust_env = False
        self.client = stripe.StripeClient(
            key, base_addresses={"api": url}, http_client=stripe.RequestsClient(timeout=60, session=self.session)
        ).v1
        """stripe-python, as an application has it."""

    def close(self) -> None:
        self.http.close()
        self.session.close()

    def control(self, name: str, **wanted: Any) -> dict[str, Any]:
        """`POST /_fake/<name>`. Raises AssertionError where it says no."""
        answer = self.http.post(f"/_fake/{name}", json=wanted)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def reset(self) -> None:
        self.control("reset")

    def clock(self, **wanted: float) -> dict[str, Any]:
        """`days=`, `advance=` (seconds) or `to=` (seconds since 1970): what is due until then happens."""
        return self.control("clock", **wanted)

    def card_works(self, customer: str, works: bool) -> None:
        self.control("payment_method", customer=customer, succeeds=works)

    def fail(self, **wanted: Any) -> None:
        """`path=`, `method=`, `times=`, `status=`, `after=`: requests fail, with `after` once they took effect."""
        self.control("fail", **wanted)

    def signed(self, event: str, secret: str = SECRET, at: int | None = None) -> tuple[bytes, str]:
        """The body and the `Stripe-Signature` of a delivery, for a test that carries it over by hand."""
        query: dict[str, str | int] = {"event": event, "secret": secret, "at": int(time.time()) if at is None else at}
        found = self.http.get("/_fake/signed", params=query).json()
        return found["payload"].encode(), found["signature"]

    def deliveries(self, **wanted: str) -> list[dict[str, Any]]:
        """All of them, the oldest first; `event=`, `state=` and `type=` narrow them."""
        return list(self.http.get("/_fake/deliveries", params=wanted).json()["deliveries"])

    def events(self, *types: str) -> list[stripe.Event]:
        """The latest 100, the oldest first; of these types, where any are given."""
        wanted: Any = {"limit": 100} | ({"types": list(types)} if types else {})
        return list(reversed(self.client.events.list(wanted).data))

    def pay(self, session_url: str, number: str = "4242424242424242") -> httpx.Response:
        """Press the button of a checkout page."""
        return self.http.post(session_url, data={"number": number, "do": "pay"})

    def buy(self, customer: str, price: str, **subscription_data: Any) -> stripe.Subscription:
        """A subscription by way of the checkout page."""
        wanted: Any = {
            "mode": "subscription",
            "customer": customer,
            "line_items": [{"price": price, "quantity": 1}],
            "success_url": "https://shop.example/done",
            "subscription_data": subscription_data,
        }
        session = self.client.checkout.sessions.create(wanted)
        assert session.url
        assert self.pay(session.url).status_code == 303
        subscription = self.client.checkout.sessions.retrieve(session.id, {"expand": ["subscription"]}).subscription
        assert isinstance(subscription, stripe.Subscription)
        return subscription


@pytest.fixture(scope="session")
def stripe_process() -> Iterator[StripeFake]:
    """The process, which ends with ours, even where that is killed. `stripe_fake` is for tests."""
    port, key = free_port(), django_settings.STRIPE_SECRET_KEY
    command = [sys.executable, "-m", "goalgraph.adapters.local.stripe", "--port", str(port), "--first-pause", "0.05", "--until-eof"]
    with subprocess.Popen([*command, "--key", key], cwd=ROOT, stdin=subprocess.PIPE) as process:
        fake = StripeFake(f"http://127.0.0.1:{port}", key)
        try:
            _await_start(fake, process)
            yield fake
        finally:
            fake.close()
            process.terminate()


def _await_start(fake: StripeFake, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            fake.http.get("/_fake/ready").raise_for_status()
        except httpx.HTTPError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError(f"the stand-in for Stripe does not answer at {fake.url}")


@pytest.fixture
def stripe_fake(stripe_process: StripeFake, settings: Any, monkeypatch: pytest.MonkeyPatch) -> StripeFake:
    stripe_process.reset()
    settings.STRIPE_API_BASE = stripe_process.url
    payments = settings.PORTS["payments"]
    settings.PORTS = settings.PORTS | {"payments": payments | {"OPTIONS": payments["OPTIONS"] | {"api_base": stripe_process.url}}}
    monkeypatch.setattr(stripe, "api_base", stripe_process.url)
    return stripe_process
