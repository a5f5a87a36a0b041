"""`POST /stripe/webhook/<uuid>`: Stripe's events. Nothing is stored, and nothing else is asked, before the signature is verified."""

import hmac
import logging

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing import account_services
from goalgraph import wiring
from goalgraph.ports.payments import NotVerified

logger = logging.getLogger(__name__)


@csrf_exempt
@require_POST
def webhook(request: HttpRequest, endpoint: str) -> HttpResponse:
    """200 when the event is taken, was taken before or is none of ours; 404 at another address, 413, 400 for what is not Stripe's.

    500 when it could not be taken: then Stripe sends it again, for up to three days (https://docs.stripe.com/webhooks#retries).
    """
    if not settings.STRIPE_WEBHOOK_UUID or not hmac.compare_digest(endpoint.encode(), settings.STRIPE_WEBHOOK_UUID.encode()):
        return HttpResponse(status=404)
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if not announced.isdecimal() or int(announced[:12]) > settings.STRIPE_WEBHOOK_MAX_BYTES:
        return HttpResponse(status=413)
    body = request.read(settings.STRIPE_WEBHOOK_MAX_BYTES + 1)
    if len(body) > settings.STRIPE_WEBHOOK_MAX_BYTES:
        return HttpResponse(status=413)
    try:
        event = wiring.payments().verified(body, request.headers.get("Stripe-Signature"), wiring.clock().now())
    except NotVerified as error:
        logger.warning("a delivery was refused: %s", error)
        return HttpResponse(status=400)
    try:
        account_services.receive(event)
    except Exception:
        logger.exception("an event was not taken", extra={"data": {"event": event["id"], "type": event["type"]}})
        return HttpResponse(status=500)
    return HttpResponse(status=200)
