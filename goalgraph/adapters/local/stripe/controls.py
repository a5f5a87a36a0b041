"""What Stripe has no route for: time, faults and the order of deliveries, under `/_fake/`. JSON in and out, and no key.

They take JSON only, so that no page of another site can send them a form.
"""

import random
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from goalgraph.adapters.local.stripe import clock
from goalgraph.adapters.local.stripe.api import Api, Fault
from goalgraph.adapters.local.stripe.customers import default_method
from goalgraph.adapters.local.stripe.deliveries import HELD, WAITING, Deliveries, sign
from goalgraph.adapters.local.stripe.errors import StripeError
from goalgraph.adapters.local.stripe.fake import Fake
from goalgraph.adapters.local.stripe.params import Json
from goalgraph.adapters.local.stripe.subscriptions import DAY

END_OF_TIME = 4_102_444_800
AFTER_RETRIES = ("cancel", "mark_unpaid", "leave")


class Controls:
    """`written` is called when something changed, before the answer goes out."""

    def __init__(self, fake: Fake, api: Api, deliveries: Deliveries, written: Callable[[], None]) -> None:
        self.fake, self.api, self.deliveries, self.written = fake, api, deliveries, written

    def routes(self) -> list[Route]:
        reads = {"ready": self.ready, "deliveries": self.list_deliveries, "signed": self.signed}
        writes = {
            "after_retries": self.after_retries,
            "clock": self.set_clock,
            "deliver": self.deliver,
            "drop": self.drop,
            "fail": self.fail,
            "hold": self.hold,
            "payment_method": self.payment_method,
            "release": self.release,
            "reset": self.reset,
        }
        return [Route(f"/_fake/{name}", _read(handler), methods=["GET"]) for name, handler in reads.items()] + [
            Route(f"/_fake/{name}", self._write(handler), methods=["POST"]) for name, handler in writes.items()
        ]

    def _write(self, handler: Callable[[Json], Awaitable[Json]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            if request.headers.get("content-type", "").partition(";")[0] != "application/json":
                return JSONResponse({"error": "JSON only"}, 415)
            try:
                answer = await handler(orjson.loads(await request.body() or b"{}"))
            except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
                return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)
            except StripeError as error:
                return JSONResponse(error.body, error.status)
            self.written()
            return JSONResponse(answer)

        return endpoint

    async def ready(self, _request: Request) -> Json:
        return {"ready": True, "now": self.fake.now()}

    async def list_deliveries(self, request: Request) -> Json:
        """All of them, the oldest first; `?event=` those of one event, `?state=` those in one state."""
        wanted = {name: request.query_params[name] for name in ("event", "state", "type") if name in request.query_params}
        found = [each for each in self.fake.state.deliveries.values() if all(each[name] == value for name, value in wanted.items())]
        return {"held": self.fake.state.held, "deliveries": found}

    async def signed(self, request: Request) -> Json:
        """An event as it would be delivered, for one who carries it over by hand: `?event=&secret=&at=` (seconds since 1970)."""
        query = request.query_params
        payload = self.deliveries.payload(self.fake.get("event", query["event"]))
        return {"payload": payload.decode(), "signature": sign(payload, query["secret"], int(query["at"]))}

    async def set_clock(self, wanted: Json) -> Json:
        """`{"advance": seconds}`, `{"days": n}` or `{"to": moment}`: what is due until then happens."""
        now = self.fake.now()
        target = int(wanted["to"]) if "to" in wanted else now + int(wanted.get("advance", 0)) + round(float(wanted.get("days", 0)) * DAY)
        if not now <= target <= END_OF_TIME:
            raise ValueError("the clock does not go back, nor beyond the year 2100")
        return {"happened": clock.advance(self.fake, target), "now": self.fake.now()}

    async def deliver(self, wanted: Json) -> Json:
        """`{"events": [ids], "times": 1, "at_once": 1}`: send them now, again if need be, and wait for the answers."""
        times, at_once = int(wanted.get("times", 1)), int(wanted.get("at_once", 1))
        if not (1 <= times <= 1000 and 1 <= at_once <= 64):
            raise ValueError("times is 1 to 1000, at_once 1 to 64")
        return {"attempts": await self.deliveries.deliver_now([str(each) for each in wanted["events"]], times, at_once)}

    async def hold(self, _wanted: Json) -> Json:
        """From now on deliveries wait, those that are to be tried again too."""
        self.fake.state.held = True
        held = [each for each in self.fake.state.deliveries.values() if each["state"] == WAITING]
        for each in held:
            each["state"] = HELD
        return {"held": len(held)}

    async def release(self, wanted: Json) -> Json:
        """Send what is held, one after the other: `{"order": "created" | "reversed" | "shuffled" | [event ids], "seed": n}`; a list leaves
        out what is lost. Waits for the answers. What is not taken is tried again."""
        held = [each for each in self.fake.state.deliveries.values() if each["state"] == HELD]
        order = wanted.get("order", "created")
        if isinstance(order, list):
            held = [each for event in order for each in held if each["event"] == event]
        elif order == "reversed":
            held.reverse()
        elif order == "shuffled":
            random.Random(wanted.get("seed")).shuffle(held)  # noqa: S311 - an order, no secret
        elif order != "created":
            raise ValueError("order is created, reversed, shuffled or a list of event ids")
        self.fake.state.held = False
        attempts = [{"event": each["event"]} | await self.deliveries.attempt(each) for each in held]
        self.deliveries.drop(lambda each: each["state"] == HELD and isinstance(order, list) and each not in held)
        for each in self.fake.state.deliveries.values():
            each["state"] = WAITING if each["state"] == HELD else each["state"]
        return {"attempts": attempts}

    async def drop(self, wanted: Json) -> Json:
        """Lose deliveries: `{"events": [ids]}`, `{"types": [...]}`, `{"all": true}`, or the next ones to come: `{"next": n}`."""
        self.fake.state.drop_next = int(wanted.get("next", self.fake.state.drop_next))
        events, types = set(wanted.get("events", ())), set(wanted.get("types", ()))
        return {"dropped": self.deliveries.drop(lambda each: wanted.get("all") or each["event"] in events or each["type"] in types)}

    async def payment_method(self, wanted: Json) -> Json:
        """`{"customer": id, "succeeds": false}`: whether charging the customer's card works from now on."""
        method = default_method(self.fake, str(wanted["customer"]))
        if method is None:
            raise ValueError("the customer has no payment method")
        set_works(method, bool(wanted["succeeds"]))
        return {"payment_method": method["id"]}

    async def after_retries(self, wanted: Json) -> Json:
        """`{"then": "cancel" | "mark_unpaid" | "leave"}`: what becomes of a subscription that nobody pays."""
        if wanted["then"] not in AFTER_RETRIES:
            raise ValueError(f"then is one of {', '.join(AFTER_RETRIES)}")
        self.fake.state.after_retries = wanted["then"]
        return wanted

    async def fail(self, wanted: Json) -> Json:
        """`{"path": "/v1/customers", "method": "POST", "times": 1, "status": 500, "after": false}`: requests fail. With `after` they take
        effect before they do, so the answer is lost; with `kept` the failure is saved under the idempotency key, as Stripe saves a 500."""
        method = str(wanted["method"]).upper() if "method" in wanted else None
        fault = Fault(
            path=str(wanted.get("path", "/v1/")),
            method=method,
            times=int(wanted.get("times", 1)),
            status=int(wanted.get("status", 500)),
            after=bool(wanted.get("after")),
            kept=bool(wanted.get("kept")),
        )
        if not 400 <= fault.status <= 599:
            raise ValueError("status is 400 to 599")
        self.api.faults.append(fault)
        return wanted

    async def reset(self, _wanted: Json) -> Json:
        await self.deliveries.forget()
        self.fake.reset()
        self.api.faults.clear()
        return {"reset": True}


def set_works(method: Json, works: bool) -> None:
    method["_declines"] = None if works else "generic_decline"


def _read(handler: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return JSONResponse(await handler(request))
        except (KeyError, ValueError) as error:
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, 400)
        except StripeError as error:
            return JSONResponse(error.body, error.status)

    return endpoint
