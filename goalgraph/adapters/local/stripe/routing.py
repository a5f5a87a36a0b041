"""The table of the API's routes, and what is common to them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from goalgraph.adapters.local.stripe.errors import invalid, no_such
from goalgraph.adapters.local.stripe.fake import Fake
from goalgraph.adapters.local.stripe.objects import listing
from goalgraph.adapters.local.stripe.params import Json, Params

LISTED = "limit starting_after ending_before created"
"""What every list takes (docs.stripe.com/api/pagination)."""


@dataclass(frozen=True, slots=True)
class Call:
    """One API request. `base` is the scheme, host and port under which the caller reached us."""

    params: Params
    path: dict[str, str] = field(default_factory=dict)
    url: str = ""
    base: str = ""


Handler = Callable[[Fake, Call], Json]


@dataclass(frozen=True, slots=True)
class ApiRoute:
    method: str
    path: str
    takes: frozenset[str]
    handler: Handler


ROUTES: list[ApiRoute] = []


def route(method: str, path: str, takes: str = "") -> Callable[[Handler], Handler]:
    """Serve the decorated function. `takes` names the parameters, as in Stripe's reference; any other one is an error, as it is there."""

    def register(handler: Handler) -> Handler:
        ROUTES.append(ApiRoute(method, path, frozenset(takes.split()), handler))
        return handler

    return register


def read_only(kind: str, path: str, filters: str = "") -> None:
    """The two routes of objects that a caller may only read: the list, filtered by equal members, and one by its id."""
    names = filters.split()

    def list_them(fake: Fake, call: Call) -> Json:
        return paged(call, having(call, fake.all(kind), names))

    def retrieve(fake: Fake, call: Call) -> Json:
        return fake.get(kind, call.path["id"])

    route("GET", path, f"{LISTED} {filters}")(list_them)
    route("GET", f"{path}/{{id}}")(retrieve)


def having(call: Call, found: Iterable[Json], names: Iterable[str]) -> list[Json]:
    """Those whose members equal the parameters of the same names, where these are given."""
    wanted = {name: call.params.need(name) for name in names if name in call.params}
    return [each for each in found if all(_word(each.get(name)) == value for name, value in wanted.items())]


def _word(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def paged(call: Call, found: list[Json]) -> Json:
    """One page, the newest first. `found` has the oldest first. Raises StripeError."""
    limit = call.params.integer("limit") if "limit" in call.params else 10
    if limit is None or not 1 <= limit <= 100:
        raise invalid("Invalid integer: limit must be between 1 and 100.", param="limit")
    newest = [each for each in reversed(found) if _created_within(call.params, each)]
    if after := call.params.text("starting_after"):
        newest = newest[_position(newest, after, "starting_after") + 1 :]
    if before := call.params.text("ending_before"):
        earlier = newest[: _position(newest, before, "ending_before")]
        return listing(earlier[-limit:], call.url, has_more=len(earlier) > limit)
    return listing(newest[:limit], call.url, has_more=len(newest) > limit)


def _position(found: list[Json], object_id: str, param: str) -> int:
    for index, each in enumerate(found):
        if each["id"] == object_id:
            return index
    raise no_such("object", object_id, param=param)


def _created_within(params: Params, found: Json) -> bool:
    if "created" not in params:
        return True
    if isinstance(params.values["created"], str):
        return bool(found["created"] == params.integer("created"))
    bounds = params.within("created")
    bounds.allow_only(frozenset({"gt", "gte", "lt", "lte"}))
    created = found["created"]
    checks = {"gt": created.__gt__, "gte": created.__ge__, "lt": created.__lt__, "lte": created.__le__}
    return all(checks[name](bounds.integer(name)) is True for name in bounds)
