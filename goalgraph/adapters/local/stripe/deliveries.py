"""Webhooks: each event goes signed to each endpoint that wants it, and again until the endpoint has taken it (docs.stripe.com/webhooks).

Deliveries start in the order in which their events were made and do not wait for each other, so they may arrive in any order; Stripe
promises none either. What was not delivered goes on after a restart.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import httpx
import orjson

from goalgraph.adapters.local.stripe.fake import Fake
from goalgraph.adapters.local.stripe.params import Json

AT_ONCE = 8
TIMEOUT = 20.0
"""Seconds that an endpoint may take to answer."""
TRIES = 16
LONGEST_PAUSE = 60.0
WAITING, DELIVERED, FAILED, HELD, DROPPED = "pending", "delivered", "failed", "held", "dropped"


def sign(payload: bytes, secret: str, moment: int) -> str:
    """The value of the header `Stripe-Signature` (docs.stripe.com/webhooks#verify-manually). `moment`: seconds since 1970."""
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


class Deliveries:
    """Runs on the event loop. `first_pause` is how many seconds pass before the second try; each later pause is twice as long."""

    def __init__(self, fake: Fake, first_pause: float = 1.0) -> None:
        self.fake = fake
        self.first_pause = first_pause
        self.client = httpx.AsyncClient(timeout=TIMEOUT, trust_env=False)
        self.gate = asyncio.Semaphore(AT_ONCE)
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Set out with what waits and is not on its way."""
        for delivery in list(self.fake.state.deliveries.values()):
            if delivery["state"] == WAITING and delivery["id"] not in self.tasks:
                task = asyncio.create_task(self._deliver(delivery))
                self.tasks[delivery["id"]] = task
                task.add_done_callback(partial(self._arrived, delivery["id"]))

    def _arrived(self, delivery_id: str, _task: "asyncio.Task[None]") -> None:
        self.tasks.pop(delivery_id, None)

    async def stop(self) -> None:
        """Leave what is on its way. It is tried again after the next start."""
        await self.forget()
        await self.client.aclose()

    async def forget(self) -> None:
        tasks = list(self.tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, delivery: Json) -> None:
        while delivery["state"] == WAITING:
            await asyncio.sleep(max(0, delivery["due"] - time.time()))
            async with self.gate:
                if delivery["state"] == WAITING:
                    await self.attempt(delivery)
            self.fake.save()

    async def attempt(self, delivery: Json) -> Json:
        """Send it once and note what came of it; says what was noted."""
        event, endpoint = self.fake.find("event", delivery["event"]), self.fake.find("webhook_endpoint", delivery["endpoint"])
        if event is None or endpoint is None or endpoint.get("deleted"):
            delivery["state"] = FAILED
            return {"at": int(time.time()), "status": None, "error": "the endpoint is gone"}
        noted = await self._send(event, endpoint)
        delivery["attempts"].append(noted)
        was_waiting = delivery["state"] in (WAITING, HELD)
        if noted["status"] is not None and 200 <= noted["status"] < 300:
            delivery["state"] = DELIVERED
        elif delivery["state"] == WAITING:
            tries = len(delivery["attempts"])
            delivery["due"] = time.time() + min(LONGEST_PAUSE, self.first_pause * 2 ** (tries - 1))
            delivery["state"] = WAITING if tries < TRIES else FAILED
        if was_waiting and delivery["state"] in (DELIVERED, FAILED):
            event["pending_webhooks"] -= 1
        return noted

    async def _send(self, event: Json, endpoint: Json) -> Json:
        payload = self.payload(event)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": sign(payload, endpoint["_secret"], int(time.time())),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        noted: Json = {"at": int(time.time()), "status": None, "error": None}
        try:
            noted["status"] = (await self.client.post(endpoint["url"], content=payload, headers=headers)).status_code
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            noted["error"] = type(error).__name__
        return noted

    def payload(self, event: Json) -> bytes:
        return orjson.dumps(self.fake.renderer.snapshot(event), option=orjson.OPT_INDENT_2)

    async def deliver_now(self, events: Iterable[str], times: int, at_once: int) -> list[Json]:
        """Send these events to each endpoint, `times` times each, whatever became of them before; at most `at_once` at the same time, and
        in the given order where that is 1. Says what came of each."""
        gate = asyncio.Semaphore(at_once)
        wanted = [each for event in events for each in self._of(event) for _ in range(times)]

        async def one(delivery: Json) -> Json:
            async with gate:
                return {"event": delivery["event"], "delivery": delivery["id"]} | await self.attempt(delivery)

        found = await asyncio.gather(*(one(each) for each in wanted))
        self.fake.save()
        return list(found)

    def _of(self, event: str) -> list[Json]:
        return [each for each in self.fake.state.deliveries.values() if each["event"] == event]

    def drop(self, wanted: Callable[[Json], Any]) -> int:
        """Lose deliveries that wait or are held; says how many."""
        lost = [each for each in self.fake.state.deliveries.values() if each["state"] in (WAITING, HELD) and wanted(each)]
        for each in lost:
            each["state"] = DROPPED
            if event := self.fake.find("event", each["event"]):
                event["pending_webhooks"] -= 1
        return len(lost)
