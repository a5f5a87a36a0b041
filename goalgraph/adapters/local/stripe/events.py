"""Events and webhook endpoints (docs.stripe.com/api/events)."""

from goalgraph.adapters.local.stripe.errors import invalid
from goalgraph.adapters.local.stripe.fake import Fake, webhook_endpoint
from goalgraph.adapters.local.stripe.params import Json
from goalgraph.adapters.local.stripe.routing import LISTED, Call, paged, route
from goalgraph.adapters.local.stripe.state import new_id


@route("GET", "/v1/events", f"{LISTED} delivery_success type types")
def list_events(fake: Fake, call: Call) -> Json:
    """`type` may end in `.*`."""
    found = fake.all("event")
    if wanted := call.params.text("type"):
        found = [each for each in found if each["type"] == wanted or (wanted.endswith(".*") and each["type"].startswith(wanted[:-1]))]
    if types := call.params.texts("types"):
        found = [each for each in found if each["type"] in types]
    if (delivered := call.params.boolean("delivery_success")) is not None:
        found = [each for each in found if (each["pending_webhooks"] == 0) == delivered]
    return paged(call, found)


@route("GET", "/v1/events/{id}")
def retrieve_event(fake: Fake, call: Call) -> Json:
    return fake.get("event", call.path["id"])


@route("POST", "/v1/webhook_endpoints", "api_version connect description enabled_events metadata url")
def create_endpoint(fake: Fake, call: Call) -> Json:
    """The signing secret is in the answer to this request and in no later one."""
    url = _url(call.params.need("url"))
    secret = new_id("whsec")
    endpoint = fake.add("webhook_endpoint", webhook_endpoint(url, call.params.texts("enabled_events") or ["*"], secret))
    endpoint["description"], endpoint["metadata"] = call.params.text("description"), call.params.metadata()
    return endpoint | {"secret": secret}


def _url(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise invalid("Invalid URL: must start with http:// or https://", param="url", code="url_invalid")
    return url


@route("GET", "/v1/webhook_endpoints", LISTED)
def list_endpoints(fake: Fake, call: Call) -> Json:
    return paged(call, [each for each in fake.all("webhook_endpoint") if not each.get("deleted")])


@route("GET", "/v1/webhook_endpoints/{id}")
def retrieve_endpoint(fake: Fake, call: Call) -> Json:
    return fake.get("webhook_endpoint", call.path["id"])


@route("POST", "/v1/webhook_endpoints/{id}", "description disabled enabled_events metadata url")
def update_endpoint(fake: Fake, call: Call) -> Json:
    endpoint = fake.get("webhook_endpoint", call.path["id"])
    if url := call.params.text("url"):
        endpoint["url"] = _url(url)
    if enabled_events := call.params.texts("enabled_events"):
        endpoint["enabled_events"] = enabled_events
    if (disabled := call.params.boolean("disabled")) is not None:
        endpoint["status"] = "disabled" if disabled else "enabled"
    if "description" in call.params:
        endpoint["description"] = call.params.text("description")
    endpoint["metadata"] = call.params.metadata(endpoint["metadata"])
    return endpoint


@route("DELETE", "/v1/webhook_endpoints/{id}")
def delete_endpoint(fake: Fake, call: Call) -> Json:
    endpoint = fake.get("webhook_endpoint", call.path["id"])
    endpoint["deleted"] = True
    return endpoint
