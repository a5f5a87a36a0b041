"""The API over HTTP: keys, parameters, idempotency, errors, and what is written before it is answered."""

import base64
import binascii
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from goalgraph.adapters.local.stripe import catalogue, checkout, customers, events, payments, subscription_routes
from goalgraph.adapters.local.stripe.errors import StripeError, invalid
from goalgraph.adapters.local.stripe.fake import Fake
from goalgraph.adapters.local.stripe.objects import API_VERSION
from goalgraph.adapters.local.stripe.params import Json, Params, decode
from goalgraph.adapters.local.stripe.routing import ROUTES, ApiRoute, Call
from goalgraph.adapters.local.stripe.state import new_id

logger = logging.getLogger(__name__)

RESOURCES = (catalogue, checkout, customers, events, payments, subscription_routes)
"""Importing them puts their routes into `ROUTES`."""
MAX_BODY = 256 * 1024
KEYS_KEPT_FOR = 86400
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?", re.ASCII)
_NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth "
    "(e.g. 'Authorization: Bearer YOUR_SECRET_KEY')."
)
_OTHER_PARAMETERS = (
    "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '{}' "
    "if you meant to execute a different request."
)


@dataclass(slots=True)
class Fault:
    """`times` requests to paths that begin with `path` are answered with `status`; with `after`, only once they took effect. With `kept` a
    request with the same idempotency key is answered so again."""

    path: str
    method: str | None
    times: int
    status: int
    after: bool
    kept: bool = False


@dataclass(slots=True)
class Answer:
    status: int
    body: Json
    replayed: bool = False


class Api:
    """Serves `ROUTES` to those who have one of `keys`. `written` is called when something was stored, before the answer goes out."""

    def __init__(self, fake: Fake, keys: frozenset[str], written: Callable[[], None]) -> None:
        self.fake = fake
        self.keys = keys
        self.written = written
        self.faults: list[Fault] = []

    def routes(self) -> list[Route]:
        known = [Route(each.path, self._endpoint(each), methods=[each.method]) for each in ROUTES]
        return [*known, Route("/v1/{rest:path}", self._unknown, methods=["GET", "POST", "DELETE"])]

    def _endpoint(self, served: ApiRoute) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            return await self._serve(request, served)

        return endpoint

    async def _unknown(self, request: Request) -> Response:
        return await self._serve(request, None)

    async def _serve(self, request: Request, served: ApiRoute | None) -> Response:
        body = await request.body()
        request_id = new_id("req")
        try:
            version = self._authenticate(request)
            answer = self._answer(request, served, body, request_id)
        except StripeError as error:
            version, answer = API_VERSION, Answer(error.status, error.body)
        headers = {"Request-Id": request_id, "Stripe-Version": version}
        if key := request.headers.get("idempotency-key"):
            headers["Idempotency-Key"] = key
        if answer.replayed:
            headers["Idempotent-Replayed"] = "true"
        if answer.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="Stripe"'
        return Response(orjson.dumps(answer.body), answer.status, headers, "application/json")

    def _authenticate(self, request: Request) -> str:
        """The version that the caller asks for. Raises StripeError for one without a key of ours."""
        key = _key(request.headers.get("authorization", ""))
        if not key:
            raise StripeError(401, "invalid_request_error", _NO_KEY)
        if key not in self.keys:
            raise StripeError(401, "invalid_request_error", f"Invalid API Key provided: {key[:8]}{'*' * 8}{key[-4:]}")
        version = request.headers.get("stripe-version", API_VERSION)
        if not _VERSION.fullmatch(version):
            raise invalid(f"Invalid Stripe API version: {version}")
        return version

    def _answer(self, request: Request, served: ApiRoute | None, body: bytes, request_id: str) -> Answer:
        method, path = request.method, request.url.path
        if served is None:
            raise StripeError(404, "invalid_request_error", f"Unrecognized request URL ({method}: {path}): the stand-in has no such route.")
        values = _parameters(request, body)
        key = request.headers.get("idempotency-key") if method == "POST" else None
        call = Call(Params(values), dict(request.path_params), path, str(request.base_url).rstrip("/"))
        fault = next((each for each in self.faults if path.startswith(each.path) and each.method in (None, method)), None)
        if fault:
            fault.times -= 1
            self.faults = [each for each in self.faults if each.times > 0]
            if fault.kept and key:
                self._keep(key, _asked(call), _broken(fault.status))
            if not fault.after:
                return _broken(fault.status)
        answer = self._once(served, call, key, request_id)
        return _broken(fault.status) if fault else answer

    def _once(self, served: ApiRoute, call: Call, key: str | None, request_id: str) -> Answer:
        """docs.stripe.com/api/idempotent_requests: the same key again gets the first answer again."""
        asked = _asked(call)
        self._forget_old_keys()
        if key and (kept := self.fake.state.answers.get(key)):
            if kept["asked"] != asked:
                raise StripeError(400, "idempotency_error", _OTHER_PARAMETERS.format(key))
            return Answer(kept["status"], kept["body"], replayed=True)
        self.fake.request = {"id": request_id, "idempotency_key": key}
        try:
            answer, keep = self._run(served, call)
        finally:
            self.fake.request = {"id": None, "idempotency_key": None}
        if key and keep:
            self._keep(key, asked, answer)
        if served.method != "GET":
            self.written()
        return answer

    def _keep(self, key: str, asked: Json, answer: Answer) -> None:
        self.fake.state.answers[key] = {"asked": asked, "status": answer.status, "body": answer.body, "at": self.fake.now()}

    def _run(self, served: ApiRoute, call: Call) -> tuple[Answer, bool]:
        """The answer, and whether it is to be kept under its key."""
        try:
            expand = call.params.texts("expand")
            call.params.values.pop("expand", None)
            call.params.allow_only(served.takes)
            found = served.handler(self.fake, call)
            secret = {"secret": found["secret"]} if found["object"] == "webhook_endpoint" and "secret" in found else {}
            return Answer(200, self.fake.renderer.show(found, expand) | secret), True
        except StripeError as error:
            return Answer(error.status, error.body), error.is_kept
        except Exception:
            logger.exception("%s %s failed", served.method, served.path)
            return _broken(500), True

    def _forget_old_keys(self) -> None:
        oldest = self.fake.now() - KEYS_KEPT_FOR
        answers = self.fake.state.answers
        for key in [key for key, kept in answers.items() if kept["at"] < oldest]:
            del answers[key]


def _asked(call: Call) -> Json:
    return {"path": call.url, "params": orjson.dumps(call.params.values, option=orjson.OPT_SORT_KEYS).decode()}


def _key(authorization: str) -> str:
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _parameters(request: Request, body: bytes) -> Json:
    if len(body) > MAX_BODY:
        raise invalid("The request is too large.")
    try:
        pairs = parse_qsl(request.url.query, keep_blank_values=True, strict_parsing=False, errors="strict", max_num_fields=1000)
        pairs += parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=1000)
    except ValueError as error:
        raise invalid("Invalid request: could not read the parameters.") from error
    return decode(pairs)


def _broken(status: int) -> Answer:
    if status == 429:
        return Answer(429, {"error": {"type": "invalid_request_error", "code": "rate_limit", "message": "Request rate limit exceeded."}})
    return Answer(status, {"error": {"type": "api_error", "message": "An unknown error occurred."}})
