"""Webhooks as an endpoint gets them, and what the controls do to them."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import stripe


class Endpoint:
    """An HTTP server that keeps what is posted to it, and answers with `statuses` in turn, then with 200."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, str]] = []
        self.statuses: Iterator[int] = itertools.repeat(200)
        self.came = threading.Condition()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"

    def _handler(endpoint) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with endpoint.came:
                    endpoint.got.append((body, self.headers["Stripe-Signature"]))
                    status = next(endpoint.statuses, 200)
                    endpoint.came.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def wait_for(self, count: int) -> None:
        with self.came:
            assert self.came.wait_for(lambda: len(self.got) >= count, timeout=30)

    def ids(self, secret: str) -> list[str]:
        """Of the events, in the order in which they came; each signature is checked."""
        return [stripe.Webhook.construct_event(body, signature, secret).id for body, signature in self.got]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    found = Endpoint()
    thread = threading.Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


@pytest.fixture
def secret(stripe_fake, endpoint) -> str:
    """Of the endpoint, which is registered and wants everything."""
    return stripe_fake.client.webhook_endpoints.create({"url": endpoint.url, "enabled_events": ["*"]}).secret


def eventually(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def states(fake) -> list[str]:
    return [each["state"] for each in fake.deliveries()]


def make_customers(fake, count: int) -> list[str]:
    """The ids of the events that this makes."""
    before = {each.id for each in fake.events()}
    for number in range(count):
        fake.client.customers.create({"name": str(number)})
    return [each.id for each in fake.events() if each.id not in before]


def test_an_event_arrives_signed(stripe_fake, endpoint, secret):
    (event,) = make_customers(stripe_fake, 1)
    endpoint.wait_for(1)
    assert endpoint.ids(secret) == [event]
    with pytest.raises(stripe.SignatureVerificationError):
        endpoint.ids("whsec_another")
    assert eventually(lambda: stripe_fake.client.events.retrieve(event).pending_webhooks == 0)
    assert states(stripe_fake) == ["delivered"]


def test_it_comes_again_until_it_is_taken(stripe_fake, endpoint, secret):
    endpoint.statuses = iter([500, 302, 400])
    (event,) = make_customers(stripe_fake, 1)
    endpoint.wait_for(4)
    assert endpoint.ids(secret) == [event] * 4
    assert eventually(lambda: states(stripe_fake) == ["delivered"])
    assert [each["status"] for each in stripe_fake.deliveries()[0]["attempts"]] == [500, 302, 400, 200]


def test_an_endpoint_that_was_away_gets_it_later(stripe_fake, endpoint):
    stripe_fake.client.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["*"]})
    (event,) = make_customers(stripe_fake, 1)
    assert eventually(lambda: len(stripe_fake.deliveries()[0]["attempts"]) >= 2)
    found = stripe_fake.client.webhook_endpoints.list().data[0]
    stripe_fake.client.webhook_endpoints.update(found.id, {"url": endpoint.url})
    endpoint.wait_for(1)
    assert stripe_fake.deliveries()[0]["event"] == event


def test_it_gets_only_what_it_asked_for(stripe_fake, endpoint):
    wanted = {"url": endpoint.url, "enabled_events": ["product.created"]}
    made = stripe_fake.client.webhook_endpoints.create(wanted)
    make_customers(stripe_fake, 1)
    stripe_fake.client.products.create({"name": "Premium"})
    endpoint.wait_for(1)
    assert [each["type"] for each in stripe_fake.deliveries()] == ["product.created"]
    assert "secret" not in stripe_fake.client.webhook_endpoints.retrieve(made.id)
    stripe_fake.client.webhook_endpoints.delete(made.id)
    stripe_fake.client.products.create({"name": "Company"})
    assert len(stripe_fake.deliveries()) == 1


@pytest.mark.parametrize("order", ["created", "reversed", "shuffled", "chosen"])
def test_what_is_held_is_released_in_the_wanted_order(stripe_fake, endpoint, secret, order):
    stripe_fake.control("hold")
    made = make_customers(stripe_fake, 5)
    assert states(stripe_fake) == ["held"] * 5
    assert endpoint.got == []
    chosen = [made[3], made[0], made[3]]
    stripe_fake.control("release", order=chosen if order == "chosen" else order, seed=7)
    came = endpoint.ids(secret)
    if order == "shuffled":
        assert sorted(came) == sorted(made) != came
    else:
        assert came == {"created": made, "reversed": made[::-1], "chosen": chosen}[order]
    assert sorted(set(states(stripe_fake))) == (["delivered", "dropped"] if order == "chosen" else ["delivered"])


def test_an_event_is_delivered_as_often_as_wished(stripe_fake, endpoint, secret):
    (event,) = make_customers(stripe_fake, 1)
    endpoint.wait_for(1)
    attempts = stripe_fake.control("deliver", events=[event], times=20, at_once=4)["attempts"]
    assert [each["status"] for each in attempts] == [200] * 20
    assert endpoint.ids(secret) == [event] * 21


def test_what_is_dropped_never_comes(stripe_fake, endpoint, secret):
    stripe_fake.control("drop", next=1)
    lost, came = make_customers(stripe_fake, 2)
    endpoint.wait_for(1)
    stripe_fake.control("hold")
    held = make_customers(stripe_fake, 2)
    assert stripe_fake.control("drop", events=[held[0]]) == {"dropped": 1}
    stripe_fake.control("release")
    assert endpoint.ids(secret) == [came, held[1]]
    assert [each["event"] for each in stripe_fake.deliveries(state="dropped")] == [lost, held[0]]


def test_a_delivery_can_be_carried_over_by_hand(stripe_fake):
    (event,) = make_customers(stripe_fake, 1)
    body, signature = stripe_fake.signed(event, "whsec_mine", at=1_800_000_000)
    assert signature.startswith("t=1800000000,v1=")
    assert stripe.WebhookSignature.verify_header(body, signature, "whsec_mine")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("clock", {"to": 1}),
        ("clock", {"days": "x"}),
        ("clock", []),
        ("deliver", {}),
        ("deliver", {"events": [], "times": 0}),
        ("release", {"order": "random"}),
        ("payment_method", {"customer": "cus_none", "succeeds": True}),
        ("after_retries", {"then": "forgive"}),
        ("fail", {"status": 200}),
    ],
)
def test_controls_refuse_what_makes_no_sense(stripe_fake, name, wanted):
    assert 400 <= stripe_fake.http.post(f"/_fake/{name}", json=wanted).status_code < 500
