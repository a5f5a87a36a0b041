"""Products and prices: what is sold, and what it costs."""

from goalgraph.adapters.local.stripe import objects
from goalgraph.adapters.local.stripe.errors import invalid, missing_param
from goalgraph.adapters.local.stripe.fake import Fake
from goalgraph.adapters.local.stripe.params import Json, Params
from goalgraph.adapters.local.stripe.routing import LISTED, Call, having, paged, route

MOST_INTERVALS = {"day": 1095, "week": 156, "month": 36, "year": 3}
"""Three years: docs.stripe.com/api/prices/create."""
_PRODUCT = "active description images marketing_features metadata name shippable statement_descriptor tax_code unit_label url"
MOST_MONEY = 99_999_999
_PRICE = "active lookup_key metadata nickname tax_behavior transfer_lookup_key"


@route("POST", "/v1/products", f"id type {_PRODUCT}")
def create_product(fake: Fake, call: Call) -> Json:
    product_id = call.params.text("id")
    if product_id and fake.find("product", product_id):
        raise invalid("Product already exists.", param="id", code="resource_already_exists")
    product = fake.add("product", objects.product(call.params.need("name"), fake.now()), product_id)
    _take_product(product, call.params)
    fake.emit("product.created", product)
    return product


@route("GET", "/v1/products", f"{LISTED} active ids type")
def list_products(fake: Fake, call: Call) -> Json:
    found = [each for each in fake.all("product") if not each.get("deleted")]
    if ids := call.params.texts("ids"):
        found = [each for each in found if each["id"] in ids]
    return paged(call, having(call, found, ["active", "type"]))


@route("GET", "/v1/products/{id}")
def retrieve_product(fake: Fake, call: Call) -> Json:
    return fake.get("product", call.path["id"])


@route("POST", "/v1/products/{id}", f"default_price {_PRODUCT}")
def update_product(fake: Fake, call: Call) -> Json:
    product = fake.get("product", call.path["id"])
    default_price = call.params.text("default_price")
    if default_price:
        fake.get("price", default_price, param="default_price")
    with fake.change(product):
        if "default_price" in call.params:
            product["default_price"] = default_price
        _take_product(product, call.params)
        product["updated"] = fake.now()
    return product


@route("DELETE", "/v1/products/{id}")
def delete_product(fake: Fake, call: Call) -> Json:
    product = fake.get("product", call.path["id"])
    if any(price["product"] == product["id"] for price in fake.all("price")):
        raise invalid("This product cannot be deleted because it has one or more user-created prices.", param="id")
    fake.emit("product.deleted", product)
    product["deleted"] = True
    return product


@route("GET", "/v1/products/{id}/features", LISTED)
def product_features(fake: Fake, call: Call) -> Json:
    """Entitlements are not part of the stand-in, so there are none."""
    fake.get("product", call.path["id"])
    return paged(call, [])


def _take_product(product: Json, params: Params) -> None:
    for name in ("description", "name", "statement_descriptor", "tax_code", "unit_label", "url"):
        if name in params:
            product[name] = params.text(name)
    if "active" in params:
        product["active"] = params.boolean("active")
    if "images" in params:
        product["images"] = params.texts("images")
    if "marketing_features" in params:
        product["marketing_features"] = [{"name": each.need("name")} for each in params.each("marketing_features")]
    product["metadata"] = params.metadata(product["metadata"])


@route("POST", "/v1/prices", f"billing_scheme currency product product_data recurring unit_amount {_PRICE}")
def create_price(fake: Fake, call: Call) -> Json:
    params = call.params
    currency = params.need("currency").lower()
    amount = params.integer("unit_amount")
    if amount is None:
        raise missing_param("unit_amount")
    if not 0 <= amount <= MOST_MONEY:
        raise invalid(f"Invalid amount: must be 0 to {MOST_MONEY}.", param="unit_amount", code="parameter_invalid_integer")
    recurring = _recurring(params.within("recurring")) if "recurring" in params else None
    lookup_key = _free_lookup_key(fake, params)
    if "product_data" in params:
        data = params.within("product_data")
        product = fake.add("product", objects.product(data.need("name"), fake.now()) | {"metadata": data.metadata()})
        fake.emit("product.created", product)
    else:
        product = fake.get("product", params.need("product"), param="product")
    price = fake.add("price", objects.price(product["id"], currency, amount, recurring))
    _take_lookup_key(fake, price, lookup_key)
    _take_price(price, params)
    fake.emit("price.created", price)
    return price


@route("GET", "/v1/prices", f"{LISTED} active currency lookup_keys product recurring type")
def list_prices(fake: Fake, call: Call) -> Json:
    found = having(call, fake.all("price"), ["active", "currency", "product", "type"])
    if "lookup_keys" in call.params:
        keys = call.params.texts("lookup_keys")
        found = [each for each in found if each["lookup_key"] in keys]
    if interval := call.params.within("recurring").text("interval"):
        found = [each for each in found if each["recurring"] and each["recurring"]["interval"] == interval]
    return paged(call, found)


@route("GET", "/v1/prices/{id}")
def retrieve_price(fake: Fake, call: Call) -> Json:
    return fake.get("price", call.path["id"])


@route("POST", "/v1/prices/{id}", _PRICE)
def update_price(fake: Fake, call: Call) -> Json:
    """A price's amount never changes: another amount is another price."""
    price = fake.get("price", call.path["id"])
    lookup_key = _free_lookup_key(fake, call.params, price)
    with fake.change(price):
        if "lookup_key" in call.params:
            _take_lookup_key(fake, price, lookup_key)
        _take_price(price, call.params)
    return price


def _recurring(params: Params) -> Json:
    interval = params.one_of("interval", MOST_INTERVALS)
    if interval is None:
        raise missing_param("recurring[interval]")
    count = params.integer("interval_count") if "interval_count" in params else 1
    if count is None or not 1 <= count <= MOST_INTERVALS[interval]:
        raise invalid("The interval must be three years at most.", param="recurring[interval_count]")
    return objects.recurring(interval, count)


def _free_lookup_key(fake: Fake, params: Params, price: Json | None = None) -> str | None:
    """The wanted lookup key. Raises StripeError where another price has it and `transfer_lookup_key` does not take it away."""
    key = params.text("lookup_key")
    holder = _holder(fake, key)
    if holder and holder is not price and not params.boolean("transfer_lookup_key"):
        raise invalid(f"A price (`{holder['id']}`) already uses that lookup key.", param="lookup_key")
    return key


def _take_lookup_key(fake: Fake, price: Json, key: str | None) -> None:
    holder = _holder(fake, key)
    if holder and holder is not price:
        with fake.change(holder):
            holder["lookup_key"] = None
    price["lookup_key"] = key


def _holder(fake: Fake, key: str | None) -> Json | None:
    return next((each for each in fake.all("price") if key and each["lookup_key"] == key), None)


def _take_price(price: Json, params: Params) -> None:
    if "nickname" in params:
        price["nickname"] = params.text("nickname")
    if "active" in params:
        price["active"] = params.boolean("active")
    price["metadata"] = params.metadata(price["metadata"])
