"""The stand-in itself: its objects, its clock, and the events that each change makes."""

import contextlib
import copy
import time
from collections.abc import Iterator
from pathlib import Path

from goalgraph.adapters.local.stripe.errors import no_such
from goalgraph.adapters.local.stripe.objects import API_VERSION, PREFIXES
from goalgraph.adapters.local.stripe.params import Json
from goalgraph.adapters.local.stripe.rendering import Renderer
from goalgraph.adapters.local.stripe.state import State, new_id

KEPT_EVENTS = 2000
"""Older ones are forgotten, as Stripe forgets them after 30 days."""
MAIN_ENDPOINT = "we_main"
"""The id of the webhook endpoint that the command line names."""


class Fake:
    """Its methods change the state at once and as a whole: they run on one event loop and never wait.

    `webhook` is the URL and the secret of an endpoint that is there from the start, and again after a reset.
    """

    def __init__(self, path: Path | None = None, webhook: tuple[str, str] | None = None) -> None:
        self.path = path
        self.webhook = webhook
        self.state = State.load(path)
        self.request: Json = {"id": None, "idempotency_key": None}
        """The API request that is being served, for the events that it makes. Both are null for what happens by itself."""
        self.renderer = Renderer(self)
        self._put_main_endpoint()

    def reset(self) -> None:
        """As after the first start."""
        self.state = State()
        self._put_main_endpoint()

    def save(self) -> None:
        self.state.save(self.path)

    # The clock

    def now(self) -> int:
        """Seconds since 1970, UTC, by the clock of the stand-in."""
        return int(time.time()) + self.state.offset

    def set_clock(self, moment: int) -> None:
        self.state.offset += moment - self.now()

    # Objects

    def add(self, kind: str, members: Json, object_id: str | None = None) -> Json:
        """A new object of a kind. Emits nothing."""
        found: Json = {"id": object_id or new_id(PREFIXES[kind]), "object": kind, **members}
        found.setdefault("created", self.now())
        self.state.objects.setdefault(kind, {})[found["id"]] = found
        return found

    def all(self, kind: str) -> list[Json]:
        """The oldest first."""
        return list(self.state.objects.get(kind, {}).values())

    def find(self, kind: str, object_id: str | None) -> Json | None:
        return self.state.objects.get(kind, {}).get(object_id or "")

    def get(self, kind: str, object_id: str, *, param: str = "id") -> Json:
        """The object as it is held, to be read and changed. `param` is the parameter that names it. Raises StripeError."""
        found = self.find(kind, object_id)
        if found is None or (found.get("deleted") and (kind != "customer" or param != "id")):
            raise no_such(kind.rpartition(".")[2], object_id, param=param)
        return found

    # Events

    @contextlib.contextmanager
    def change(self, found: Json, event_type: str | None = None) -> Iterator[Json]:
        """Announce what the block changes of an object, with what it was before; without a change, nothing."""
        before = self.renderer.snapshot(found)
        yield found
        after = self.renderer.snapshot(found)
        if previous := {name: before.get(name) for name in {*before, *after} if before.get(name) != after.get(name)}:
            self.emit(event_type or f"{event_name(found)}.updated", found, previous)

    def emit(self, event_type: str, found: Json, previous: Json | None = None) -> Json:
        """Record an event with the object as it is now, and a delivery to each endpoint that wants it."""
        data: Json = {"object": self.renderer.snapshot(found)}
        if previous is not None:
            data["previous_attributes"] = copy.deepcopy(previous)
        event = self.add(
            "event",
            {
                "api_version": API_VERSION,
                "data": data,
                "livemode": False,
                "pending_webhooks": 0,
                "request": dict(self.request),
                "type": event_type,
            },
        )
        for endpoint in self.all("webhook_endpoint"):
            if not endpoint.get("deleted") and endpoint["status"] == "enabled" and _wants(endpoint, event_type):
                self._add_delivery(event, endpoint)
        self._forget_old_events()
        return event

    def _add_delivery(self, event: Json, endpoint: Json) -> None:
        state = "held" if self.state.held else "pending"
        if self.state.drop_next:
            self.state.drop_next -= 1
            state = "dropped"
        delivery_id = new_id("wd")
        self.state.deliveries[delivery_id] = {
            "id": delivery_id,
            "event": event["id"],
            "type": event["type"],
            "endpoint": endpoint["id"],
            "state": state,
            "attempts": [],
            "due": 0,
        }
        event["pending_webhooks"] += state != "dropped"

    def _forget_old_events(self) -> None:
        events = self.state.objects["event"]
        while len(events) > KEPT_EVENTS:
            oldest = next(iter(events))
            del events[oldest]
            for delivery_id in [each["id"] for each in self.state.deliveries.values() if each["event"] == oldest]:
                del self.state.deliveries[delivery_id]

    def _put_main_endpoint(self) -> None:
        """The command line's endpoint, in the place of an earlier one."""
        self.state.objects.get("webhook_endpoint", {}).pop(MAIN_ENDPOINT, None)
        if self.webhook:
            url, secret = self.webhook
            self.add("webhook_endpoint", webhook_endpoint(url, ["*"], secret), MAIN_ENDPOINT)


def webhook_endpoint(url: str, enabled_events: list[str], secret: str) -> Json:
    return {
        "api_version": API_VERSION,
        "application": None,
        "description": None,
        "enabled_events": enabled_events,
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
        "_secret": secret,
    }


def event_name(found: Json) -> str:
    """How the events of an object begin."""
    return "customer.subscription" if found["object"] == "subscription" else str(found["object"])


def _wants(endpoint: Json, event_type: str) -> bool:
    return bool({"*", event_type} & set(endpoint["enabled_events"]))
