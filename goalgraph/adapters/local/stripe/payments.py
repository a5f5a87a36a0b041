"""Invoices, the payments that settle them, and refunds.

docs.stripe.com/billing/subscriptions/overview and docs.stripe.com/invoicing/overview say in which order these come and what events they
make. Stripe leaves an invoice a draft for an hour; here it is final at once.
"""

from goalgraph.adapters.local.stripe import money, objects
from goalgraph.adapters.local.stripe.customers import default_method
from goalgraph.adapters.local.stripe.errors import declined, invalid
from goalgraph.adapters.local.stripe.fake import Fake
from goalgraph.adapters.local.stripe.params import Json
from goalgraph.adapters.local.stripe.routing import LISTED, Call, having, paged, read_only, route
from goalgraph.adapters.local.stripe.state import new_id

DAY = 86400
RETRY_DAYS = (3, 5, 7)
"""After how many days each failed payment is tried again. After the last one Stripe does what the account's settings say."""

read_only("charge", "/v1/charges", "customer payment_intent")
read_only("payment_intent", "/v1/payment_intents", "customer")
read_only("balance_transaction", "/v1/balance_transactions", "source type")
read_only("invoice_payment", "/v1/invoice_payments", "invoice status")


def draft(fake: Fake, subscription: Json, lines: list[tuple[Json, Json, int, bool]], period: tuple[int, int], reason: str) -> Json:
    """A new invoice. A line is: subscription item, price, amount, whether it is a proration."""
    customer = fake.get("customer", subscription["customer"])
    sequence = customer["next_invoice_sequence"]
    customer["next_invoice_sequence"] += 1
    number = f"{customer['id'][-8:].upper()}-{sequence:04}"
    invoice = fake.add("invoice", money.invoice(subscription, customer, number, reason, period))
    for item, price, amount, proration in lines:
        line = money.line_item(new_id("il"), invoice, item, price, amount, period=period, proration=proration)
        invoice["lines"]["data"].append(line)
    invoice["lines"]["url"] = f"/v1/invoices/{invoice['id']}/lines"
    total = sum(line["amount"] for line in invoice["lines"]["data"])
    for name in ("total", "total_excluding_tax", "subtotal", "subtotal_excluding_tax"):
        invoice[name] = total
    invoice["amount_due"] = invoice["amount_remaining"] = max(0, total + customer["balance"])
    fake.emit("invoice.created", invoice)
    with fake.change(subscription):
        subscription["latest_invoice"] = invoice["id"]
    return invoice


def finalize(fake: Fake, invoice: Json) -> None:
    """What is due is fixed, and the customer's credit is used."""
    customer = fake.get("customer", invoice["customer"])
    invoice["status"] = "open"
    invoice["status_transitions"]["finalized_at"] = invoice["effective_at"] = fake.now()
    invoice["ending_balance"] = min(0, invoice["total"] + customer["balance"])
    if customer["balance"] != invoice["ending_balance"]:
        with fake.change(customer):
            customer["balance"] = invoice["ending_balance"]
    fake.emit("invoice.finalized", invoice)


def pay(fake: Fake, invoice: Json, *, retry: bool = True) -> str | None:
    """Try to settle an open invoice. None when it is paid, else why the card was declined. `retry`: try again later by itself, as long as
    the subscription has not ended."""
    if invoice["amount_due"] == 0:
        _paid(fake, invoice)
        return None
    decline_code = _charge(fake, invoice)
    retry = retry and fake.get("subscription", subscription_of(invoice))["ended_at"] is None
    with fake.change(invoice):
        invoice["attempted"] = True
        invoice["attempt_count"] += 1
        tries = invoice["attempt_count"]
        again = decline_code is not None and retry and tries <= len(RETRY_DAYS)
        invoice["next_payment_attempt"] = fake.now() + RETRY_DAYS[tries - 1] * DAY if again else None
    if decline_code is None:
        _paid(fake, invoice)
    else:
        fake.emit("invoice.payment_failed", invoice)
    _mark_delinquent(fake, invoice["customer"], decline_code is not None)
    return decline_code


def _charge(fake: Fake, invoice: Json) -> str | None:
    subscription = fake.get("subscription", subscription_of(invoice))
    method = fake.find("payment_method", subscription["default_payment_method"]) or default_method(fake, invoice["customer"])
    payment = next((each for each in fake.all("invoice_payment") if each["invoice"] == invoice["id"]), None)
    if payment is None:
        intent = fake.add("payment_intent", money.payment_intent(invoice, invoice["amount_due"]))
        payment = fake.add("invoice_payment", money.invoice_payment(invoice, intent))
        fake.emit("payment_intent.created", intent)
    intent = fake.get("payment_intent", payment["payment"]["payment_intent"])
    if method is None:
        return "no_payment_method"
    if decline_code := method["_declines"]:
        try_to_charge(fake, intent, method, decline_code)
        return str(decline_code)
    try_to_charge(fake, intent, method, None)
    payment["amount_paid"], payment["status"] = intent["amount"], "paid"
    payment["status_transitions"]["paid_at"] = fake.now()
    fake.emit("invoice_payment.paid", payment)
    return None


def try_to_charge(fake: Fake, intent: Json, method: Json, decline_code: str | None) -> None:
    """One charge with its events. It fails where there is a `decline_code`."""
    charge = fake.add("charge", money.charge(intent, method, decline_code))
    intent["latest_charge"] = charge["id"]
    if decline_code is not None:
        error = declined(decline_code, charge=charge["id"], payment_method=fake.renderer.snapshot(method))
        intent["status"], intent["last_payment_error"] = "requires_payment_method", error.body["error"]
        fake.emit("charge.failed", charge)
        fake.emit("payment_intent.payment_failed", intent)
        return
    moved = money.balance_transaction(charge, charge["amount"], "charge")
    charge["balance_transaction"] = fake.add("balance_transaction", moved)["id"]
    intent |= {"status": "succeeded", "amount_received": intent["amount"], "payment_method": method["id"], "last_payment_error": None}
    fake.emit("charge.succeeded", charge)
    fake.emit("payment_intent.succeeded", intent)


def _paid(fake: Fake, invoice: Json) -> None:
    with fake.change(invoice):
        invoice |= {"status": "paid", "attempted": True, "amount_paid": invoice["amount_due"], "amount_remaining": 0}
        invoice["next_payment_attempt"] = None
        invoice["status_transitions"]["paid_at"] = fake.now()
    fake.emit("invoice.paid", invoice)
    fake.emit("invoice.payment_succeeded", invoice)


def _mark_delinquent(fake: Fake, customer_id: str, late: bool) -> None:
    customer = fake.get("customer", customer_id)
    with fake.change(customer):
        customer["delinquent"] = late


def subscription_of(invoice: Json) -> str:
    return str(invoice["parent"]["subscription_details"]["subscription"])


def close(fake: Fake, invoice: Json, status: str) -> None:
    """Nobody pays this invoice: `void` or `uncollectible`."""
    stamp, event_type = {
        "void": ("voided_at", "invoice.voided"),
        "uncollectible": ("marked_uncollectible_at", "invoice.marked_uncollectible"),
    }[status]
    invoice |= {"status": status, "next_payment_attempt": None, "auto_advance": False}
    invoice["status_transitions"][stamp] = fake.now()
    fake.emit(event_type, invoice)


# Routes


@route("GET", "/v1/invoices", f"{LISTED} customer status subscription")
def list_invoices(fake: Fake, call: Call) -> Json:
    found = having(call, fake.all("invoice"), ["customer", "status"])
    if wanted := call.params.text("subscription"):
        found = [each for each in found if subscription_of(each) == wanted]
    return paged(call, found)


@route("GET", "/v1/invoices/{id}")
def retrieve_invoice(fake: Fake, call: Call) -> Json:
    return fake.get("invoice", call.path["id"])


@route("GET", "/v1/invoices/{id}/lines", LISTED)
def list_lines(fake: Fake, call: Call) -> Json:
    lines = fake.get("invoice", call.path["id"])["lines"]["data"]
    return objects.listing(lines, call.url)


@route("POST", "/v1/invoices/{id}/pay", "payment_method")
def pay_invoice(fake: Fake, call: Call) -> Json:
    from goalgraph.adapters.local.stripe.subscriptions import invoice_was_tried

    invoice = fake.get("invoice", call.path["id"])
    if invoice["status"] == "paid":
        raise invalid("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] != "open":
        raise invalid(f"Only open invoices can be paid; this one is {invoice['status']}.", code="invoice_not_editable")
    decline_code = pay(fake, invoice)
    invoice_was_tried(fake, invoice, decline_code)
    if decline_code:
        raise declined(decline_code)
    return invoice


@route("POST", "/v1/invoices/{id}/void")
def void_invoice(fake: Fake, call: Call) -> Json:
    invoice = fake.get("invoice", call.path["id"])
    if invoice["status"] not in ("open", "uncollectible"):
        raise invalid(f"You can only void an open invoice; this one is {invoice['status']}.")
    close(fake, invoice, "void")
    return invoice


@route("POST", "/v1/refunds", "amount charge metadata payment_intent reason")
def create_refund(fake: Fake, call: Call) -> Json:
    charge = _charge_to_refund(fake, call)
    left = charge["amount"] - charge["amount_refunded"]
    reason = call.params.one_of("reason", ("duplicate", "fraudulent", "requested_by_customer"))
    metadata = call.params.metadata()
    amount = call.params.integer("amount") if "amount" in call.params else left
    if not charge["paid"]:
        raise invalid(f"Charge {charge['id']} has failed and cannot be refunded.", param="charge")
    if left == 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if amount is None or not 0 < amount <= left:
        raise invalid(f"Refund amount is not between 1 and what is left of the charge ({left}).", param="amount")
    refund = fake.add("refund", money.refund(charge, amount, reason) | {"metadata": metadata})
    refund["balance_transaction"] = fake.add("balance_transaction", money.balance_transaction(refund, -amount, "refund"))["id"]
    before = {"amount_refunded": charge["amount_refunded"], "refunded": charge["refunded"]}
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    fake.emit("charge.refunded", charge, before)
    fake.emit("refund.created", refund)
    return refund


def _charge_to_refund(fake: Fake, call: Call) -> Json:
    if named := call.params.text("charge"):
        return fake.get("charge", named, param="charge")
    if named := call.params.text("payment_intent"):
        intent = fake.get("payment_intent", named, param="payment_intent")
        if intent["latest_charge"]:
            return fake.get("charge", intent["latest_charge"])
        raise invalid("This PaymentIntent does not have a successful charge to refund.", param="payment_intent")
    raise invalid("One of the following params should be provided for this request: payment_intent or charge.")


read_only("refund", "/v1/refunds", "charge payment_intent")
