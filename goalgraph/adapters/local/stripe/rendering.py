"""How an object looks from outside: without our own members, with what is always shown in full, and with what `expand` asks for.

docs.stripe.com/api/expanding_objects: a reference becomes the object it names, and some members are there only when asked for.
"""

import copy
from typing import TYPE_CHECKING, Any

from goalgraph.adapters.local.stripe.errors import invalid
from goalgraph.adapters.local.stripe.objects import kind_of, listing, plan
from goalgraph.adapters.local.stripe.params import Json

if TYPE_CHECKING:
    from goalgraph.adapters.local.stripe.fake import Fake

MAX_DEPTH = 4


class Renderer:
    def __init__(self, fake: "Fake") -> None:
        self.fake = fake

    def snapshot(self, found: Json) -> Json:
        """The object without expansion, free of what is held."""
        if found.get("deleted"):
            return {name: found[name] for name in ("id", "object", "deleted")}
        shown = {name: copy.deepcopy(value) for name, value in found.items() if not name.startswith("_")}
        match found["object"]:
            case "subscription":
                shown["items"]["data"] = [self.snapshot(self.fake.get("subscription_item", each)) for each in shown["items"]["data"]]
            case "subscription_item":
                shown["price"] = self.snapshot(self.fake.get("price", shown["price"]))
                shown["plan"] = plan(shown["price"])
            case "list":
                shown["data"] = [self.snapshot(each) for each in found["data"]]
        return shown

    def show(self, found: Json, expand: list[str]) -> Json:
        """The object with what `expand` names. Raises StripeError for what can't be expanded."""
        shown = self.snapshot(found)
        for path in expand:
            steps = path.split(".")
            if len(steps) - (steps[0] == "data") > MAX_DEPTH:
                raise invalid(f"You cannot expand more than {MAX_DEPTH} levels of a property ({path}).", param="expand")
            self._expand(shown, steps, path)
        return shown

    def _expand(self, holder: Json, steps: list[str], path: str) -> None:
        name, *rest = steps
        if name not in holder and not self._include(holder, name):
            raise invalid(f"This property cannot be expanded ({path}).", param="expand")
        value = holder[name]
        holder[name] = [self._full(each, name, path) for each in value] if isinstance(value, list) else self._full(value, name, path)
        if rest:
            below = holder[name]
            for each in below if isinstance(below, list) else [below]:
                if each is not None:
                    self._expand(each, rest, path)

    def _full(self, value: Any, name: str, path: str) -> Any:
        if value is None or isinstance(value, dict):
            return value
        found = self.fake.find(kind_of(value) or name, value) if isinstance(value, str) else None
        if found is None:
            raise invalid(f"This property cannot be expanded ({path}).", param="expand")
        return self.snapshot(found)

    def _include(self, holder: Json, name: str) -> bool:
        """Add a member that is there only when asked for. False for one that there is not."""
        object_id = holder.get("id", "")
        match holder.get("object"), name:
            case "customer", "sources":
                holder[name] = listing([], f"/v1/customers/{object_id}/sources")
            case "customer", "tax_ids":
                holder[name] = listing([], f"/v1/customers/{object_id}/tax_ids")
            case "customer", "subscriptions":
                alive = [each for each in self._of("subscription", "customer", object_id) if each["status"] != "canceled"]
                holder[name] = listing(alive, f"/v1/customers/{object_id}/subscriptions")
            case "charge", "refunds":
                holder[name] = listing(self._of("refund", "charge", object_id), f"/v1/charges/{object_id}/refunds")
            case "invoice", "payments":
                payments = self._of("invoice_payment", "invoice", object_id)
                holder[name] = listing(payments, f"/v1/invoice_payments?invoice={object_id}")
            case "checkout.session", "line_items":
                lines = self.fake.get("checkout.session", object_id)["_line_items"]
                holder[name] = listing(copy.deepcopy(lines), f"/v1/checkout/sessions/{object_id}/line_items")
                for line in holder[name]["data"]:
                    line["price"] = self.snapshot(self.fake.get("price", line["price"]))
            case "price", "currency_options":
                amount = {key: holder[key] for key in ("custom_unit_amount", "tax_behavior", "unit_amount", "unit_amount_decimal")}
                holder[name] = {holder["currency"]: amount}
            case "price", "tiers":
                holder[name] = None
            case _, "breakdown":
                holder[name] = {"discounts": [], "taxes": []}
            case _, "discounts":
                holder[name] = []
            case _:
                return False
        return True

    def _of(self, kind: str, member: str, object_id: str) -> list[Json]:
        """The newest first."""
        return [self.snapshot(each) for each in reversed(self.fake.all(kind)) if each[member] == object_id]
