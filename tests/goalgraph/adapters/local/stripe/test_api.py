"""The API as a client meets it: keys, errors, idempotency, pages, expansion."""

import json

import httpx
import pytest
import stripe
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def error_of(answer: httpx.Response) -> dict:
    return answer.json()["error"]


def raw(fake, method: str, path: str, **more) -> httpx.Response:
    return fake.http.request(method, path, headers={"Authorization": f"Bearer {fake.key}", **more.pop("headers", {})}, **more)


@pytest.mark.parametrize("header", [None, "Bearer sk_test_another", "Bearer", "Basic !!!", "Digest x"])
def test_without_a_key_of_ours_nothing_is_served(stripe_fake, header):
    answer = stripe_fake.http.get("/v1/customers", headers={"Authorization": header} if header else {})
    assert answer.status_code == 401
    assert error_of(answer)["type"] == "invalid_request_error"


def test_a_key_may_come_as_the_name_of_basic_authentication(stripe_fake):
    assert stripe_fake.http.get("/v1/customers", auth=(stripe_fake.key, "")).status_code == 200


def test_another_host_is_refused(stripe_fake):
    assert stripe_fake.http.get("/_fake/ready", headers={"Host": "evil.example"}).status_code == 400


def test_headers_of_an_answer(stripe_fake):
    answer = raw(stripe_fake, "GET", "/v1/account", headers={"Stripe-Version": "2025-03-31.basil"})
    assert answer.headers["request-id"].startswith("req_")
    assert answer.headers["stripe-version"] == "2025-03-31.basil"
    assert error_of(raw(stripe_fake, "GET", "/v1/account", headers={"Stripe-Version": "new"}))["message"].startswith("Invalid Stripe API")


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("GET", "/v1/nothing", {}, (404, None, None)),
        ("GET", "/v1/customers/cus_none", {}, (404, "resource_missing", "id")),
        ("POST", "/v1/subscriptions", {"customer": "cus_none"}, (400, "resource_missing", "customer")),
        ("POST", "/v1/customers", {"colour": "red"}, (400, "parameter_unknown", "colour")),
        ("POST", "/v1/customers", {"email": "nobody"}, (400, "email_invalid", "email")),
        ("POST", "/v1/prices", {"unit_amount": "1"}, (400, "parameter_missing", "currency")),
        ("POST", "/v1/prices", {"unit_amount": "one", "currency": "eur"}, (400, "parameter_invalid_integer", "unit_amount")),
        ("GET", "/v1/customers?limit=0", {}, (400, None, "limit")),
        ("GET", "/v1/customers?limit=101", {}, (400, None, "limit")),
        ("GET", "/v1/customers?starting_after=cus_none", {}, (400, "resource_missing", "starting_after")),
        ("GET", "/v1/account?expand[]=nothing", {}, (400, None, "expand")),
        ("POST", "/v1/refunds", {}, (400, None, None)),
    ],
)
def test_errors_have_stripes_shape(stripe_fake, method, path, body, said):
    answer = raw(stripe_fake, method, path, data=body or None)
    assert (answer.status_code, error_of(answer).get("code"), error_of(answer).get("param")) == said
    assert error_of(answer)["type"] == "invalid_request_error"


def test_the_same_key_and_parameters_get_the_same_answer(stripe_fake):
    first, second = (raw(stripe_fake, "POST", "/v1/customers", data={"name": "Ana"}, headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert first.json() == second.json()
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert len(stripe_fake.client.customers.list().data) == 1
    assert len(stripe_fake.events("customer.created")) == 1


def test_the_same_key_with_other_parameters_is_refused(stripe_fake):
    stripe_fake.client.customers.create({"name": "Ana"}, {"idempotency_key": "k"})
    with pytest.raises(stripe.IdempotencyError):
        stripe_fake.client.customers.create({"name": "Bruno"}, {"idempotency_key": "k"})
    with pytest.raises(stripe.IdempotencyError):
        stripe_fake.client.products.create({"name": "Ana"}, {"idempotency_key": "k"})


def test_a_key_that_failed_validation_is_free(stripe_fake):
    with pytest.raises(stripe.InvalidRequestError):
        stripe_fake.client.customers.create({"email": "nobody"}, {"idempotency_key": "k"})
    stripe_fake.client.customers.create({"email": "ana@example.com"}, {"idempotency_key": "k"})


def test_a_key_is_forgotten_after_a_day(stripe_fake):
    first = stripe_fake.client.customers.create({"name": "Ana"}, {"idempotency_key": "k"})
    stripe_fake.clock(days=1.1)
    assert stripe_fake.client.customers.create({"name": "Bruno"}, {"idempotency_key": "k"}).id != first.id


@pytest.mark.parametrize(("after", "made"), [(False, 0), (True, 1)])
def test_a_lost_answer_is_found_under_its_key(stripe_fake, after, made):
    """With `after` the first request took effect and its answer was lost; the repetition makes nothing new."""
    stripe_fake.fail(path="/v1/customers", method="POST", status=500, after=after)
    with pytest.raises(stripe.APIError):
        stripe_fake.client.customers.create({"name": "Ana"}, {"idempotency_key": "k"})
    assert len(stripe_fake.client.customers.list().data) == made
    stripe_fake.client.customers.create({"name": "Ana"}, {"idempotency_key": "k"})
    assert len(stripe_fake.client.customers.list().data) == 1


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(count=st.integers(0, 12), limit=st.integers(1, 5))
def test_pages_hold_all_of_them_once_the_newest_first(stripe_fake, count, limit):
    stripe_fake.reset()
    made = [stripe_fake.client.customers.create({"name": str(number)}).id for number in range(count)]
    found = stripe_fake.client.customers.list({"limit": limit})
    assert [each.id for each in found.auto_paging_iter()] == made[::-1]
    if made:
        backwards = stripe_fake.client.customers.list({"limit": limit, "ending_before": made[0]})
        assert [each.id for each in backwards.auto_paging_iter()] == made[1:]


def test_what_was_made_before_is_left_out_of_a_list_of_what_came_after(stripe_fake):
    first = stripe_fake.client.customers.create({})
    stripe_fake.clock(days=1)
    second = stripe_fake.client.customers.create({})
    assert [each.id for each in stripe_fake.client.customers.list({"created": {"gte": second.created}}).data] == [second.id]
    assert [each.id for each in stripe_fake.client.customers.list({"created": {"lt": second.created}}).data] == [first.id]


def test_references_and_left_out_members_are_shown_on_demand(shop):
    client = shop.fake.client
    subscription = shop.fake.buy(shop.customer, shop.month)
    wanted = {"customer": shop.customer, "expand": ["data.customer", "data.latest_invoice.payments"]}
    shown = client.subscriptions.list(wanted).data[0]
    assert shown.customer.email == "ana@example.com"
    invoice = client.invoices.retrieve(shown.latest_invoice.id, {"expand": ["payments.data.payment.payment_intent"]})
    assert invoice.payments.data[0].payment.payment_intent.status == "succeeded"
    assert shown.latest_invoice.payments.data[0].payment.payment_intent == invoice.payments.data[0].payment.payment_intent.id
    assert client.customers.retrieve(shop.customer, {"expand": ["subscriptions"]}).subscriptions.data[0].id == subscription.id
    assert "subscriptions" not in client.customers.retrieve(shop.customer)
    assert client.prices.retrieve(shop.month, {"expand": ["product"]}).product.name == "Premium"
    with pytest.raises(stripe.InvalidRequestError, match="more than 4 levels"):
        client.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice.payments.data.payment.payment_intent"]})


def test_a_lookup_key_names_one_price(shop):
    prices = shop.fake.client.prices
    wanted = {"product": shop.product, "currency": "eur", "unit_amount": 999, "recurring": {"interval": "month"}, "lookup_key": "month"}
    with pytest.raises(stripe.InvalidRequestError):
        prices.create(wanted)
    newer = prices.create(wanted | {"transfer_lookup_key": True})
    assert [each.id for each in prices.list({"lookup_keys": ["month"]}).data] == [newer.id]
    assert prices.retrieve(shop.month).lookup_key is None


def test_a_deleted_customer_is_a_stub_and_their_subscription_has_ended(shop):
    subscription = shop.fake.buy(shop.customer, shop.month)
    assert shop.fake.client.customers.delete(shop.customer).deleted
    assert shop.fake.client.customers.retrieve(shop.customer).deleted
    assert shop.status(subscription.id) == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        shop.fake.client.customers.update(shop.customer, {"name": "Ana"})


def test_an_event_tells_what_a_change_was_and_who_asked(shop):
    shop.fake.client.customers.update(shop.customer, {"name": "Ana"}, {"idempotency_key": "rename"})
    (event,) = shop.fake.events("customer.updated")
    assert json.loads(str(event.data.previous_attributes)) == {"name": None}
    assert event.data.object["name"] == "Ana"
    assert event["request"].idempotency_key == "rename"
    shop.fake.client.customers.update(shop.customer, {"name": "Ana"})
    assert len(shop.fake.events("customer.updated")) == 1, "nothing changed, so nothing is told"


@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain"])
def test_controls_take_no_form_of_another_site(stripe_fake, content_type):
    assert stripe_fake.http.post("/_fake/reset", content=b"{}", headers={"Content-Type": content_type}).status_code == 415
