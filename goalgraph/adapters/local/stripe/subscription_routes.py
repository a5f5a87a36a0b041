"""The routes of subscriptions and their items (docs.stripe.com/api/subscriptions)."""

from goalgraph.adapters.local.stripe import subscriptions
from goalgraph.adapters.local.stripe.customers import attached, living
from goalgraph.adapters.local.stripe.errors import declined, invalid, missing_param
from goalgraph.adapters.local.stripe.fake import Fake
from goalgraph.adapters.local.stripe.params import Json, Params
from goalgraph.adapters.local.stripe.routing import LISTED, Call, paged, route
from goalgraph.adapters.local.stripe.subscriptions import DAY, ENDED, Line

MOST_OF_ONE = 999_999
LONGEST_TRIAL = 730
"""Days: docs.stripe.com/api/subscriptions/create."""
MISSING_METHOD = ("cancel", "create_invoice", "pause")
PRORATIONS = ("always_invoice", "create_prorations", "none")
BEHAVIOURS = ("allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete")
PAUSES = ("keep_as_draft", "mark_uncollectible", "void")
STATUSES = ("incomplete", "incomplete_expired", "trialing", "active", "past_due", "canceled", "unpaid", "paused")
_COMMON = (
    "cancel_at cancel_at_period_end collection_method default_payment_method description items metadata off_session "
    "payment_behavior payment_settings proration_behavior trial_end trial_settings"
)


@route("POST", "/v1/subscriptions", f"customer trial_period_days currency {_COMMON}")
def create(fake: Fake, call: Call) -> Json:
    params = call.params
    customer = living(fake, params.need("customer"))
    lines = lines_of(fake, params.each("items"))
    behaviour = params.one_of("payment_behavior", BEHAVIOURS)
    method = params.text("default_payment_method")
    trial_end, without_method = trial_of(fake, params)
    subscription = subscriptions.begin(
        fake,
        customer,
        lines,
        metadata=params.metadata(),
        method_id=attached(fake, customer, method)["id"] if method else None,
        trial_end=trial_end,
        without_method=without_method,
    )
    if subscription["status"] == "incomplete" and behaviour == "error_if_incomplete":
        subscription["status"] = "incomplete_expired"
        raise declined("generic_decline")
    with fake.change(subscription):
        _take_cancellation(fake, subscription, params)
        subscription["description"] = params.text("description")
    return subscription


def lines_of(fake: Fake, given: list[Params]) -> list[Line]:
    """The prices and quantities of `items` or `line_items`. Raises StripeError."""
    if not given:
        raise missing_param("items")
    lines = [(_recurring_price(fake, each), _quantity(each, 1)) for each in given]
    if len({(price["currency"], price["recurring"]["interval"]) for price, _ in lines}) > 1:
        raise invalid("All prices of a subscription must have the same currency and interval.", param="items")
    return lines


def _recurring_price(fake: Fake, params: Params) -> Json:
    price = fake.get("price", params.need("price"), param=params.full("price"))
    if price["recurring"] is None:
        raise invalid("This field only accepts prices with `type=recurring`.", param=params.full("price"))
    if not price["active"]:
        raise invalid("The price specified is inactive. This field only accepts active prices.", param=params.full("price"))
    return price


def trial_of(fake: Fake, params: Params) -> tuple[int | None, str]:
    """When the trial ends, if there is one, and what happens then to a subscription without a payment method. Raises StripeError."""
    behaviour = params.within("trial_settings").within("end_behavior").one_of("missing_payment_method", MISSING_METHOD)
    days = params.integer("trial_period_days")
    if days is not None and not 1 <= days <= LONGEST_TRIAL:
        raise invalid("The trial period must be 1 to 730 days.", param="trial_period_days")
    trial_end = fake.now() + days * DAY if days else None if params.text("trial_end") == "now" else params.integer("trial_end")
    if trial_end is not None and not fake.now() < trial_end <= fake.now() + LONGEST_TRIAL * DAY:
        raise invalid("Invalid timestamp: must be in the future, by two years at most", param="trial_end")
    return trial_end, behaviour or "create_invoice"


@route("GET", "/v1/subscriptions", f"{LISTED} customer price status")
def list_them(fake: Fake, call: Call) -> Json:
    """Canceled ones are left out unless asked for (docs.stripe.com/api/subscriptions/list)."""
    found = fake.all("subscription")
    status = call.params.one_of("status", (*STATUSES, "all", "ended"))
    wanted = {None: set(STATUSES) - {"canceled"}, "all": set(STATUSES), "ended": set(ENDED)}.get(status, {status})
    found = [each for each in found if each["status"] in wanted]
    if customer := call.params.text("customer"):
        found = [each for each in found if each["customer"] == customer]
    if price := call.params.text("price"):
        found = [each for each in found if subscriptions.item_of(fake, each)["price"] == price]
    return paged(call, found)


@route("GET", "/v1/subscriptions/{id}")
def retrieve(fake: Fake, call: Call) -> Json:
    return fake.get("subscription", call.path["id"])


@route("POST", "/v1/subscriptions/{id}", f"cancellation_details pause_collection proration_date {_COMMON}")
def update(fake: Fake, call: Call) -> Json:
    params = call.params
    subscription = fake.get("subscription", call.path["id"])
    _check_may_change(subscription, params, frozenset({"metadata", "cancellation_details"}))
    changes = [_item_change(fake, subscription, each) for each in params.each("items")]
    prorate = params.one_of("proration_behavior", PRORATIONS) != "none"
    trial_end, without_method = trial_of(fake, params)
    with fake.change(subscription):
        subscription["metadata"] = params.metadata(subscription["metadata"])
        if "description" in params:
            subscription["description"] = params.text("description")
        if "default_payment_method" in params:
            subscriptions.use_method(fake, subscription, params.text("default_payment_method"))
        if "pause_collection" in params:
            subscription["pause_collection"] = _pause(params.within("pause_collection"))
        if "trial_settings" in params:
            subscription["trial_settings"]["end_behavior"]["missing_payment_method"] = without_method
        _take_cancellation(fake, subscription, params)
        if trial_end is not None:
            _extend_trial(fake, subscription, trial_end)
        ends_trial = params.text("trial_end") == "now" and subscription["status"] == "trialing"
        if ends_trial:
            subscriptions.end_trial_now(fake, subscription)
    if ends_trial:
        subscriptions.renew(fake, subscription)
    for item, price, quantity in changes:
        subscriptions.switch(fake, subscription, item, price, quantity, prorate=prorate)
    return subscription


def _check_may_change(subscription: Json, params: Params, always: frozenset[str]) -> None:
    if subscription["status"] in ENDED and set(params) - always:
        raise invalid("A canceled subscription can only update its cancellation_details and metadata.")


def _item_change(fake: Fake, subscription: Json, params: Params) -> tuple[Json, Json, int]:
    item_id = params.text("id")
    if item_id is None:
        raise invalid("The stand-in knows subscriptions of one item: name it by `items[0][id]`.", param=params.full("id"))
    item = fake.get("subscription_item", item_id, param=params.full("id"))
    if item["subscription"] != subscription["id"]:
        raise invalid(f"The subscription item {item_id} belongs to another subscription.", param=params.full("id"))
    price = _recurring_price(fake, params) if "price" in params else fake.get("price", item["price"])
    return item, price, _quantity(params, item["quantity"])


def _quantity(params: Params, otherwise: int) -> int:
    quantity = params.integer("quantity") if "quantity" in params else otherwise
    if quantity is None or not 0 <= quantity <= MOST_OF_ONE:
        raise invalid(f"Invalid quantity: must be 0 to {MOST_OF_ONE}.", param=params.full("quantity"))
    return quantity


def _pause(params: Params) -> Json | None:
    if not params.values:
        return None
    behaviour = params.one_of("behavior", PAUSES)
    if behaviour is None:
        raise missing_param("pause_collection[behavior]")
    return {"behavior": behaviour, "resumes_at": params.integer("resumes_at")}


def _take_cancellation(fake: Fake, subscription: Json, params: Params) -> None:
    wanted = params.boolean("cancel_at_period_end")
    if wanted is not None and wanted != subscription["cancel_at_period_end"]:
        subscriptions.cancel_at_period_end(fake, subscription, wanted)
    if "cancel_at" in params:
        moment = params.integer("cancel_at")
        subscription |= {"cancel_at": moment, "cancel_at_period_end": False, "canceled_at": fake.now() if moment else None}
    details = params.within("cancellation_details")
    for name in ("comment", "feedback"):
        if name in details:
            subscription["cancellation_details"][name] = details.text(name)


def _extend_trial(fake: Fake, subscription: Json, trial_end: int) -> None:
    item = subscriptions.item_of(fake, subscription)
    subscription |= {"status": "trialing", "trial_end": trial_end, "billing_cycle_anchor": trial_end}
    subscription["trial_start"] = subscription["trial_start"] or fake.now()
    item["current_period_end"] = trial_end


@route("DELETE", "/v1/subscriptions/{id}", "cancellation_details invoice_now prorate")
def cancel(fake: Fake, call: Call) -> Json:
    subscription = fake.get("subscription", call.path["id"])
    if subscription["status"] in ENDED:
        raise invalid(f"No such subscription: '{subscription['id']}'", param="id", code="resource_missing")
    _take_cancellation(fake, subscription, call.params)
    subscriptions.end(fake, subscription, "cancellation_requested")
    return subscription


@route("POST", "/v1/subscriptions/{id}/resume", "billing_cycle_anchor proration_behavior")
def resume(fake: Fake, call: Call) -> Json:
    """Only one that the end of its trial paused; `pause_collection` is another thing (docs.stripe.com/api/subscriptions/resume)."""
    subscription = fake.get("subscription", call.path["id"])
    if subscription["status"] != "paused":
        raise invalid("Only paused subscriptions can be resumed.")
    with fake.change(subscription, "customer.subscription.resumed"):
        subscription["status"], subscription["billing_cycle_anchor"] = "active", fake.now()
        subscriptions.item_of(fake, subscription)["current_period_end"] = fake.now()
    subscriptions.renew(fake, subscription)
    return subscription


# Items


@route("GET", "/v1/subscription_items", f"{LISTED} subscription")
def list_items(fake: Fake, call: Call) -> Json:
    subscription = fake.get("subscription", call.params.need("subscription"), param="subscription")
    return paged(call, [fake.get("subscription_item", each) for each in subscription["items"]["data"]])


@route("GET", "/v1/subscription_items/{id}")
def retrieve_item(fake: Fake, call: Call) -> Json:
    return fake.get("subscription_item", call.path["id"])


@route("POST", "/v1/subscription_items/{id}", "metadata price proration_behavior quantity")
def update_item(fake: Fake, call: Call) -> Json:
    params = call.params
    item = fake.get("subscription_item", call.path["id"])
    subscription = fake.get("subscription", item["subscription"])
    _check_may_change(subscription, params, frozenset())
    price = _recurring_price(fake, params) if "price" in params else fake.get("price", item["price"])
    prorate = params.one_of("proration_behavior", PRORATIONS) != "none"
    item["metadata"] = params.metadata(item["metadata"])
    quantity = _quantity(params, item["quantity"])
    subscriptions.switch(fake, subscription, item, price, quantity, prorate=prorate)
    return item
