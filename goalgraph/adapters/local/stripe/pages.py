"""The hosted pages: checkout (`/c/pay/...`), the customer portal (`/p/session/...`), and an overview of what happened (`/`).

Plain HTML of templates, without script. The Content-Security-Policy allows their own style and forms, and the way back to the shop.
"""

import html
import string
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from goalgraph.adapters.local.stripe import checkout, clock, payments, subscriptions
from goalgraph.adapters.local.stripe.controls import set_works
from goalgraph.adapters.local.stripe.customers import default_method
from goalgraph.adapters.local.stripe.fake import Fake
from goalgraph.adapters.local.stripe.params import Json

TEMPLATES = Path(__file__).with_name("templates")
GOOD_CARD, DECLINED_CARD = "4242424242424242", "4000000000000002"
DECLINED_WORDS = {
    "generic_decline": "Your card was declined. Nothing was charged.",
    "insufficient_funds": "Your card has insufficient funds. Nothing was charged.",
}
EVENTS_SHOWN = 30
SIGNS = {"eur": "€", "usd": "$", "gbp": "£"}


class Pages:
    """`written` is called when something changed, before the answer goes out."""

    def __init__(self, fake: Fake, written: Callable[[], None]) -> None:
        self.fake, self.written = fake, written

    def routes(self) -> list[Route]:
        return [
            Route("/", self.overview, methods=["GET"]),
            Route("/c/pay/{id}", self.checkout, methods=["GET"]),
            Route("/c/pay/{id}", self.pay, methods=["POST"]),
            Route("/p/session/{id}", self.portal, methods=["GET"]),
            Route("/p/session/{id}", self.change, methods=["POST"]),
        ]

    # Checkout

    async def checkout(self, request: Request) -> Response:
        session = self.fake.find("checkout.session", request.path_params["id"])
        return self._checkout(session) if session else _gone("There is no such checkout.")

    def _checkout(self, session: Json, said: str = "", number: str = GOOD_CARD) -> Response:
        if session["status"] != "open":
            return _gone("This checkout is complete." if session["status"] == "complete" else "This checkout has expired.")
        line, trial = session["_line_items"][0], session["_subscription"]["trial"]
        price = self.fake.get("price", line["price"])
        product = self.fake.get("product", price["product"])
        amount = money(session["amount_total"], session["currency"])
        due = f"{trial // subscriptions.DAY} days free, then {amount} {every(price)}" if trial else f"{amount} {every(price)}"
        return _page(
            "checkout",
            f"Pay for {product['name']}",
            [session["success_url"], session["cancel_url"]],
            422 if said else 200,
            plan=product["name"],
            description=product["description"] or "",
            amount=amount,
            every=every(price),
            due=due,
            today=money(0, session["currency"]) if trial else amount,
            button="Start trial" if trial else "Pay",
            number=" ".join(number[at : at + 4] for at in range(0, len(number), 4)),
            said=_alert(said),
            email=_row("For", (session["customer_details"] or {}).get("email") or session["customer_email"]),
            back=_link(session["cancel_url"], "Back without paying"),
        )

    async def pay(self, request: Request) -> Response:
        session, form = self.fake.find("checkout.session", request.path_params["id"]), await _form(request)
        if session is None or session["status"] != "open":
            return await self.checkout(request)
        number = "".join(form.get("number", "").split())
        if not (number.isascii() and number.isdigit() and 12 <= len(number) <= 19):
            return self._checkout(session, "That is no card number: it has 12 to 19 digits.", number)
        declined = form.get("do") == "decline"
        decline_code = checkout.complete(self.fake, session, DECLINED_CARD if declined else number)
        self.written()
        if decline_code:
            return self._checkout(session, DECLINED_WORDS[decline_code], number)
        return RedirectResponse(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"]), 303)

    # The portal

    async def portal(self, request: Request) -> Response:
        session = self._portal_session(request)
        if session is None:
            return _gone("This page of the portal is not open any more. Ask for it again.")
        customer = self.fake.get("customer", session["customer"])
        owned = [each for each in reversed(self.fake.all("subscription")) if each["customer"] == customer["id"]]
        method = default_method(self.fake, customer["id"])
        return _page(
            "portal",
            "Your plan",
            [session["return_url"]],
            subscriptions="".join(map(self._subscription, owned)) or "<p>There is no subscription.</p>",
            card=self._card(method),
            invoices=self._invoices(customer["id"]),
            now=day(self.fake.now()),
            back=_link(session["return_url"], "Back to where you came from"),
        )

    def _portal_session(self, request: Request) -> Json | None:
        session = self.fake.find("billing_portal.session", request.path_params["id"])
        if session is None or self.fake.get("customer", session["customer"]).get("deleted"):
            return None
        return session

    def _subscription(self, subscription: Json) -> str:
        price = subscriptions.price_of(self.fake, subscription)
        product = self.fake.get("product", price["product"])
        buttons = "".join(_button(action, words, subscription["id"]) for action, words in self._actions(subscription, price))
        return _fill(
            "subscription",
            plan=product["name"],
            price=f"{money(price['unit_amount'], price['currency'])} {every(price)}",
            state=html.escape(self._state_words(subscription)),
            status=subscription["status"],
            state_name=subscription["status"].replace("_", " "),
            buttons=buttons,
        )

    def _state_words(self, subscription: Json) -> str:
        ends = day(subscriptions.item_of(self.fake, subscription)["current_period_end"])
        if subscription["status"] == "canceled":
            return f"Ended on {day(subscription['ended_at'])}"
        if subscription["cancel_at_period_end"]:
            return f"Ends on {ends}, and is not renewed"
        if subscription["pause_collection"]:
            return "Paused: nothing is charged"
        words = {
            "trialing": f"On trial until {ends}",
            "active": f"Renews on {ends}",
            "past_due": "The last payment failed and will be tried again",
            "unpaid": "Not paid",
        }
        return words.get(subscription["status"]) or str(subscription["status"])

    def _actions(self, subscription: Json, price: Json) -> list[tuple[str, str]]:
        if subscription["status"] in subscriptions.ENDED:
            return []
        found = [("resume", "Do not cancel")] if subscription["cancel_at_period_end"] else [("cancel", "Cancel at the end of the period")]
        if other := self._other_price(price):
            words = {"year": "Switch to yearly", "month": "Switch to monthly"}.get(other["recurring"]["interval"], "Switch")
            found.append(("switch", f"{words}: {money(other['unit_amount'], other['currency'])}"))
        found.append(("unpause", "Collect payments again") if subscription["pause_collection"] else ("pause", "Pause payments"))
        if self._open_invoice(subscription):
            found.append(("pay", "Pay what is open"))
        return found

    def _other_price(self, price: Json) -> Json | None:
        """The same product's price for another interval."""
        return next(
            (
                each
                for each in self.fake.all("price")
                if each["product"] == price["product"]
                and each["active"]
                and each["recurring"]
                and each["recurring"]["interval"] != price["recurring"]["interval"]
            ),
            None,
        )

    def _open_invoice(self, subscription: Json) -> Json | None:
        mine = (each for each in self.fake.all("invoice") if payments.subscription_of(each) == subscription["id"])
        return next((each for each in mine if each["status"] == "open"), None)

    def _card(self, method: Json | None) -> str:
        if method is None:
            return "<p>There is no card.</p>"
        works = method["_declines"] is None
        state = "It works." if works else "It will be declined."
        button = _button("break_card", "Let this card be declined") if works else _button("mend_card", "Use a card that works")
        return f"<p>Visa ending in {html.escape(method['card']['last4'])}. {state}</p>{button}"

    def _invoices(self, customer_id: str) -> str:
        mine = [each for each in reversed(self.fake.all("invoice")) if each["customer"] == customer_id]
        rows = [(each["number"], day(each["created"]), money(each["amount_due"], each["currency"]), each["status"]) for each in mine]
        return _rows(rows, 4, "There is no invoice.")

    async def change(self, request: Request) -> Response:
        session = self._portal_session(request)
        if session is None:
            return await self.portal(request)
        form = await _form(request)
        self._do(session["customer"], form.get("do", ""), form.get("subscription", ""))
        self.written()
        return RedirectResponse(request.url.path, 303)

    def _do(self, customer_id: str, action: str, subscription_id: str) -> None:
        method = default_method(self.fake, customer_id)
        if action in ("break_card", "mend_card") and method:
            set_works(method, action == "mend_card")
        elif action in ("day", "period"):
            self._pass_time(customer_id, action)
        subscription = self.fake.find("subscription", subscription_id)
        if subscription and subscription["customer"] == customer_id and subscription["status"] not in subscriptions.ENDED:
            self._change_subscription(subscription, action)

    def _pass_time(self, customer_id: str, action: str) -> None:
        living = [each for each in self.fake.all("subscription") if each["customer"] == customer_id and each["ended_at"] is None]
        ends = [subscriptions.item_of(self.fake, each)["current_period_end"] for each in living] if action == "period" else []
        clock.advance(self.fake, max(self.fake.now(), min(ends, default=self.fake.now() + subscriptions.DAY)))

    def _change_subscription(self, subscription: Json, action: str) -> None:
        fake = self.fake
        match action:
            case "cancel" | "resume" if subscription["cancel_at_period_end"] != (action == "cancel"):
                with fake.change(subscription):
                    subscriptions.cancel_at_period_end(fake, subscription, action == "cancel")
            case "pause" | "unpause":
                with fake.change(subscription):
                    subscription["pause_collection"] = {"behavior": "void", "resumes_at": None} if action == "pause" else None
            case "switch" if other := self._other_price(subscriptions.price_of(fake, subscription)):
                item = subscriptions.item_of(fake, subscription)
                subscriptions.switch(fake, subscription, item, other, item["quantity"], prorate=True)
            case "pay" if invoice := self._open_invoice(subscription):
                subscriptions.retry(fake, invoice)

    # The overview

    async def overview(self, _request: Request) -> Response:
        deliveries = list(self.fake.state.deliveries.values())
        rows = []
        for event in reversed(self.fake.all("event")[-EVENTS_SHOWN:]):
            states = [f"{each['state']} ({len(each['attempts'])})" for each in deliveries if each["event"] == event["id"]]
            rows.append(
                (moment(event["created"]), event["type"], event["data"]["object"]["id"], ", ".join(states) or "nobody asked for it")
            )
        counts = ", ".join(f"{kind.replace('_', ' ')} {len(found)}" for kind, found in sorted(self.fake.state.objects.items()) if found)
        return _page(
            "overview",
            "Stand-in for Stripe",
            [],
            now=moment(self.fake.now()),
            counts=counts,
            events=_rows(rows, 4, "Nothing happened yet."),
        )


# Words


def money(amount: int, currency: str) -> str:
    sign = "-" if amount < 0 else ""
    return f"{sign}{SIGNS.get(currency, currency.upper() + ' ')}{abs(amount) // 100}.{abs(amount) % 100:02}"


def every(price: Json) -> str:
    count, interval = price["recurring"]["interval_count"], price["recurring"]["interval"]
    return f"every {interval}" if count == 1 else f"every {count} {interval}s"


def day(seconds: int) -> str:
    found = datetime.fromtimestamp(seconds, UTC)
    return f"{found.day} {found:%B %Y}"


def moment(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


# HTML. What comes from outside is escaped here; names that end in markup are made of escaped parts.

_MARKUP = frozenset({"back", "body", "buttons", "card", "email", "events", "invoices", "said", "subscriptions"})


def _fill(name: str, **words: str) -> str:
    safe = {key: value if key in _MARKUP else html.escape(value) for key, value in words.items()}
    return string.Template((TEMPLATES / f"{name}.html").read_text()).substitute(safe)


def _page(name: str, title: str, leads_to: list[str | None], status: int = 200, **words: str) -> Response:
    """`leads_to` are the addresses outside to which the page's forms lead: a browser holds `form-action` against redirects too."""
    outside = [parts for parts in map(urlsplit, filter(None, leads_to)) if parts.scheme in ("http", "https")]
    targets = " ".join(["'self'", *sorted({f"{parts.scheme}://{parts.netloc}" for parts in outside})])
    policy = f"default-src 'none'; style-src 'self'; img-src 'self'; form-action {targets}; base-uri 'none'; frame-ancestors 'none'"
    headers = {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(_fill("page", title=title, body=_fill(name, **words)), status, headers)


def _gone(words: str) -> Response:
    return _page("gone", "Not here", [], 404, words=words)


def _alert(words: str) -> str:
    return f'<p class="alert" role="alert">{html.escape(words)}</p>' if words else ""


def _link(url: str | None, words: str) -> str:
    return f'<p class="back"><a href="{html.escape(url)}">{words}</a></p>' if url and url.startswith(("http://", "https://")) else ""


def _row(name: str, value: str | None) -> str:
    return f"<div><dt>{name}</dt><dd>{html.escape(value)}</dd></div>" if value else ""


def _rows(rows: Sequence[tuple[str, ...]], columns: int, empty: str) -> str:
    found = ["<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows]
    return "".join(found) or f'<tr><td colspan="{columns}">{html.escape(empty)}</td></tr>'


def _button(action: str, words: str, subscription_id: str = "") -> str:
    hidden = f'<input type="hidden" name="subscription" value="{html.escape(subscription_id)}">' if subscription_id else ""
    return f'<form method="post">{hidden}<button class="quiet" name="do" value="{action}">{html.escape(words)}</button></form>'


async def _form(request: Request) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs((await request.body()).decode(errors="replace"), max_num_fields=20).items()}
