"""Customers, their payment methods, and the account itself."""

import re

from goalgraph.adapters.local.stripe import objects
from goalgraph.adapters.local.stripe.errors import invalid, no_such
from goalgraph.adapters.local.stripe.fake import Fake
from goalgraph.adapters.local.stripe.params import Json, Params
from goalgraph.adapters.local.stripe.routing import LISTED, Call, having, paged, route

_MEMBERS = "address balance description email invoice_settings metadata name payment_method phone preferred_locales shipping tax_exempt"

TEST_CARDS = {
    "4242424242424242": (None, None),
    "4000000000000002": ("generic_decline", "generic_decline"),
    "4000000000009995": ("insufficient_funds", "insufficient_funds"),
    "4000000000000341": (None, "generic_decline"),
}
"""By number: why the card is declined at once, and why later (docs.stripe.com/testing). Any other number of 12 to 19 digits works."""
NAMED_METHODS = {
    "pm_card_visa": "4242424242424242",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_chargeCustomerFail": "4000000000000341",
}
"""Stripe's names for test cards; attaching one makes a payment method of its own."""


@route("GET", "/v1/account")
def own_account(_fake: Fake, _call: Call) -> Json:
    return objects.account()


@route("GET", "/v1/accounts/{id}")
def account(_fake: Fake, call: Call) -> Json:
    if call.path["id"] != objects.ACCOUNT_ID:
        raise no_such("account", call.path["id"])
    return objects.account()


@route("POST", "/v1/customers", _MEMBERS)
def create(fake: Fake, call: Call) -> Json:
    email = _email(call.params)
    metadata = call.params.metadata()
    customer = fake.add("customer", objects.customer(email, call.params.text("name")) | {"metadata": metadata})
    _take_members(fake, customer, call.params)
    fake.emit("customer.created", customer)
    return customer


@route("GET", "/v1/customers", f"{LISTED} email")
def list_them(fake: Fake, call: Call) -> Json:
    return paged(call, having(call, (each for each in fake.all("customer") if not each.get("deleted")), ["email"]))


@route("GET", "/v1/customers/{id}")
def retrieve(fake: Fake, call: Call) -> Json:
    return fake.get("customer", call.path["id"])


@route("POST", "/v1/customers/{id}", _MEMBERS)
def update(fake: Fake, call: Call) -> Json:
    customer = living(fake, call.path["id"], param="id")
    email = _email(call.params)
    with fake.change(customer):
        if "email" in call.params:
            customer["email"] = email
        customer["metadata"] = call.params.metadata(customer["metadata"])
        _take_members(fake, customer, call.params)
    return customer


def _email(params: Params) -> str | None:
    email = params.text("email")
    if email is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+", email):
        raise invalid(f"Invalid email address: {email}", param="email", code="email_invalid")
    return email


def _take_members(fake: Fake, customer: Json, params: Params) -> None:
    for name in ("description", "name", "phone"):
        if name in params:
            customer[name] = params.text(name)
    if "balance" in params:
        customer["balance"] = params.integer("balance") or 0
    if "preferred_locales" in params:
        customer["preferred_locales"] = params.texts("preferred_locales")
    settings = params.within("invoice_settings")
    named = settings.text("default_payment_method") if "default_payment_method" in settings else params.text("payment_method")
    if named:
        customer["invoice_settings"]["default_payment_method"] = attached(fake, customer, named)["id"]


def living(fake: Fake, customer_id: str, *, param: str = "customer") -> Json:
    """The customer, who was not deleted. Raises StripeError."""
    customer = fake.get("customer", customer_id, param=param)
    if customer.get("deleted"):
        raise no_such("customer", customer_id, param=param)
    return customer


@route("DELETE", "/v1/customers/{id}")
def delete(fake: Fake, call: Call) -> Json:
    """Their subscriptions end at once (docs.stripe.com/api/customers/delete)."""
    from goalgraph.adapters.local.stripe.subscriptions import end

    customer = living(fake, call.path["id"], param="id")
    for subscription in fake.all("subscription"):
        if subscription["customer"] == customer["id"] and subscription["ended_at"] is None:
            end(fake, subscription, "cancellation_requested")
    fake.emit("customer.deleted", customer)
    customer["deleted"] = True
    return customer


# Payment methods


@route("GET", "/v1/payment_methods", f"{LISTED} customer type")
def list_methods(fake: Fake, call: Call) -> Json:
    return paged(call, having(call, fake.all("payment_method"), ["customer", "type"]))


@route("GET", "/v1/customers/{id}/payment_methods", f"{LISTED} type")
def list_methods_of(fake: Fake, call: Call) -> Json:
    customer = living(fake, call.path["id"], param="id")
    methods = [each for each in fake.all("payment_method") if each["customer"] == customer["id"]]
    return paged(call, having(call, methods, ["type"]))


@route("GET", "/v1/payment_methods/{id}")
def retrieve_method(fake: Fake, call: Call) -> Json:
    return fake.get("payment_method", call.path["id"])


@route("POST", "/v1/payment_methods/{id}/attach", "customer")
def attach(fake: Fake, call: Call) -> Json:
    return attached(fake, living(fake, call.params.need("customer")), call.path["id"])


@route("POST", "/v1/payment_methods/{id}/detach")
def detach(fake: Fake, call: Call) -> Json:
    method = fake.get("payment_method", call.path["id"])
    customer = fake.find("customer", method["customer"])
    if customer and customer["invoice_settings"]["default_payment_method"] == method["id"]:
        with fake.change(customer):
            customer["invoice_settings"]["default_payment_method"] = None
    with fake.change(method, "payment_method.detached"):
        method["customer"] = None
    return method


def attached(fake: Fake, customer: Json, named: str) -> Json:
    """The payment method by its id or by Stripe's name for a test card, attached to the customer. Raises StripeError."""
    number = NAMED_METHODS.get(named)
    method = new_method(fake, number) if number else fake.get("payment_method", named, param="payment_method")
    if method["customer"] not in (None, customer["id"]):
        raise invalid("The payment method belongs to another customer.", param="payment_method")
    if method["customer"] is None:
        with fake.change(method, "payment_method.attached"):
            method["customer"] = customer["id"]
    return method


def new_method(fake: Fake, number: str) -> Json:
    """A card by its number."""
    at_once, later = TEST_CARDS.get(number, (None, None))
    return fake.add("payment_method", objects.payment_method(number[-4:]) | {"_declines_at_once": at_once, "_declines": later})


def default_method(fake: Fake, customer_id: str) -> Json | None:
    customer = fake.get("customer", customer_id)
    return None if customer.get("deleted") else fake.find("payment_method", customer["invoice_settings"]["default_payment_method"])


def set_default(fake: Fake, customer: Json, method: Json) -> None:
    with fake.change(customer):
        customer["invoice_settings"]["default_payment_method"] = method["id"]
