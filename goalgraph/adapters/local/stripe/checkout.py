"""Checkout and portal sessions: the pages that a member is sent to, and what paying there does."""

from goalgraph.adapters.local.stripe import money, objects, payments, subscriptions
from goalgraph.adapters.local.stripe.customers import attached, living, new_method, set_default
from goalgraph.adapters.local.stripe.errors import invalid, missing_param
from goalgraph.adapters.local.stripe.fake import Fake
from goalgraph.adapters.local.stripe.params import Json, Params
from goalgraph.adapters.local.stripe.routing import LISTED, Call, having, paged, route
from goalgraph.adapters.local.stripe.state import new_id
from goalgraph.adapters.local.stripe.subscription_routes import lines_of, trial_of

OPEN_FOR = 86400
PORTAL_OPEN_FOR = 3600
_SUBSCRIPTION_DATA = frozenset({"description", "metadata", "trial_end", "trial_period_days", "trial_settings"})


@route(
    "POST",
    "/v1/checkout/sessions",
    "allow_promotion_codes automatic_tax billing_address_collection cancel_url client_reference_id customer customer_creation "
    "customer_email customer_update expires_at line_items locale metadata mode payment_method_collection payment_method_types "
    "subscription_data success_url tax_id_collection ui_mode",
)
def create(fake: Fake, call: Call) -> Json:
    params = call.params
    if params.need("mode") != "subscription":
        raise invalid("The stand-in knows `mode=subscription` only.", param="mode")
    customer = living(fake, params.need("customer")) if "customer" in params else None
    if "line_items" not in params:
        raise missing_param("line_items")
    lines = lines_of(fake, params.each("line_items"))
    data = params.within("subscription_data")
    data.allow_only(_SUBSCRIPTION_DATA)
    trial_end, without_method = trial_of(fake, data)
    members = _session(params, customer, sum(price["unit_amount"] * count for price, count in lines), lines[0][0]["currency"])
    session = fake.add("checkout.session", members | {"expires_at": _expiry(fake, params)})
    session["url"] = f"{call.base}/c/pay/{session['id']}"
    session["_line_items"] = [_line(price, count, data) for price, count in lines]
    session["_subscription"] = {
        "metadata": data.metadata(),
        "trial": trial_end - fake.now() if trial_end else None,
        "without_method": without_method,
    }
    return session


def _expiry(fake: Fake, params: Params) -> int:
    """docs.stripe.com/api/checkout/sessions/create: between 30 minutes and 24 hours from now."""
    expires_at = params.integer("expires_at") or fake.now() + OPEN_FOR
    if not 1800 - 60 <= expires_at - fake.now() <= OPEN_FOR + 60:
        raise invalid("The `expires_at` timestamp must be between 30 minutes and 24 hours from now.", param="expires_at")
    return expires_at


def _session(params: Params, customer: Json | None, amount: int, currency: str) -> Json:
    return {
        "adaptive_pricing": {"enabled": False},
        "after_expiration": None,
        "allow_promotion_codes": params.boolean("allow_promotion_codes"),
        "amount_subtotal": amount,
        "amount_total": amount,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": params.text("billing_address_collection"),
        "cancel_url": params.text("cancel_url"),
        "client_reference_id": params.text("client_reference_id"),
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "currency": currency,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {"after_submit": None, "shipping_address": None, "submit": None, "terms_of_service_acceptance": None},
        "customer": customer["id"] if customer else None,
        "customer_creation": None if customer else "always",
        "customer_details": {"email": customer["email"], "name": customer["name"]} if customer else None,
        "customer_email": params.text("customer_email"),
        "discounts": [],
        "invoice": None,
        "invoice_creation": None,
        "livemode": False,
        "locale": params.text("locale"),
        "metadata": params.metadata(),
        "mode": "subscription",
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": params.text("payment_method_collection") or "always",
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": None,
        "subscription": None,
        "success_url": params.need("success_url"),
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": None,
        "wallet_options": None,
    }


def _line(price: Json, quantity: int, data: Params) -> Json:
    amount = price["unit_amount"] * quantity
    return {
        "id": new_id("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": data.text("description") or price["nickname"] or price["product"],
        "metadata": {},
        "price": price["id"],
        "quantity": quantity,
    }


@route("GET", "/v1/checkout/sessions", f"{LISTED} customer status subscription")
def list_them(fake: Fake, call: Call) -> Json:
    return paged(call, having(call, fake.all("checkout.session"), ["customer", "status", "subscription"]))


@route("GET", "/v1/checkout/sessions/{id}")
def retrieve(fake: Fake, call: Call) -> Json:
    return fake.get("checkout.session", call.path["id"])


@route("GET", "/v1/checkout/sessions/{id}/line_items", LISTED)
def line_items(fake: Fake, call: Call) -> Json:
    session = fake.get("checkout.session", call.path["id"])
    shown: Json = fake.renderer.show(session, ["line_items"])["line_items"]
    return shown


@route("POST", "/v1/checkout/sessions/{id}/expire")
def expire_now(fake: Fake, call: Call) -> Json:
    session = fake.get("checkout.session", call.path["id"])
    if session["status"] != "open":
        raise invalid(f'Only Checkout Sessions with a status in ["open"] can be expired. This one is {session["status"]}.')
    expire(fake, session)
    return session


def expire(fake: Fake, session: Json) -> None:
    session["status"], session["url"] = "expired", None
    fake.emit("checkout.session.expired", session)


def complete(fake: Fake, session: Json, number: str) -> str | None:
    """Pay an open session with the card of this number: the subscription begins. None, or why the card was declined."""
    customer = _customer_of(fake, session)
    method = new_method(fake, number)
    lines = [(fake.get("price", line["price"]), line["quantity"]) for line in session["_line_items"]]
    wanted = session["_subscription"]
    if decline_code := method["_declines_at_once"]:
        _refuse(fake, session, customer, method, str(decline_code), trial=wanted["trial"] is not None)
        return str(decline_code)
    attached(fake, customer, method["id"])
    set_default(fake, customer, method)
    later, method["_declines"] = method["_declines"], None  # such a card works for the first payment only
    subscription = subscriptions.begin(
        fake,
        customer,
        lines,
        metadata=wanted["metadata"],
        method_id=method["id"],
        trial_end=fake.now() + wanted["trial"] if wanted["trial"] else None,
        without_method=wanted["without_method"],
    )
    method["_declines"] = later
    session |= {
        "customer": customer["id"],
        "customer_details": {"email": customer["email"], "name": customer["name"]},
        "invoice": subscription["latest_invoice"],
        "payment_status": "no_payment_required" if wanted["trial"] else "paid",
        "status": "complete",
        "subscription": subscription["id"],
        "url": None,
    }
    fake.emit("checkout.session.completed", session)
    return None


def _customer_of(fake: Fake, session: Json) -> Json:
    if session["customer"]:
        return living(fake, session["customer"])
    customer = fake.add("customer", objects.customer(session["customer_email"], None))
    fake.emit("customer.created", customer)
    session["customer"] = customer["id"]
    return customer


def _refuse(fake: Fake, session: Json, customer: Json, method: Json, decline_code: str, *, trial: bool) -> None:
    """A declined card leaves a failed charge, and no subscription. For a trial the card is only looked at."""
    if trial:
        return
    of = {"currency": session["currency"], "customer": customer["id"]}
    intent = fake.add("payment_intent", money.payment_intent(of, session["amount_total"]))
    fake.emit("payment_intent.created", intent)
    payments.try_to_charge(fake, intent, method, decline_code)


# The portal


@route("POST", "/v1/billing_portal/sessions", "configuration customer flow_data locale on_behalf_of return_url")
def create_portal(fake: Fake, call: Call) -> Json:
    customer = living(fake, call.params.need("customer"))
    members = {
        "configuration": call.params.text("configuration") or "bpc_standin",
        "customer": customer["id"],
        "customer_account": None,
        "flow": None,
        "livemode": False,
        "locale": call.params.text("locale"),
        "on_behalf_of": None,
        "return_url": call.params.text("return_url"),
        "_expires_at": fake.now() + PORTAL_OPEN_FOR,
    }
    session = fake.add("billing_portal.session", members)
    session["url"] = f"{call.base}/p/session/{session['id']}"
    return session
