"""Billing as Celery tasks. What fails is found again by the sweep, and what is lost by the repair of the night."""

import logging
from datetime import timedelta

from celery import shared_task
from django.conf import settings

from billing import account_services
from goalgraph import wiring
from goalgraph.ports.payments import PaymentsRefused, PaymentsUnavailable

logger = logging.getLogger(__name__)

REPAIR = "billing.tasks.repair"
QUEUE = "default"
BATCH = 100
"""Accounts that one task compares with Stripe: 100 or 200 questions, some 20 seconds."""


@shared_task
def project(account_id: str) -> None:
    """Stripe's word of an account, into the table."""
    try:
        account_services.project(account_id)
    except (PaymentsUnavailable, PaymentsRefused) as error:  # the sweep comes again
        logger.warning("an account was not looked up: %s", error, extra={"data": {"account": account_id}})


@shared_task
def sweep() -> None:
    """Accounts whose projection was lost."""
    account_services.sweep()


@shared_task(soft_time_limit=180, time_limit=200)
def repair(after: str | None = None) -> None:
    """All accounts against Stripe, a batch in each task; the first one also asks for events that never came."""
    if after is None:
        account_services.receive_missed(wiring.clock().now() - timedelta(days=settings.BILLING_EVENTS_BACK_DAYS))
    _, last = account_services.repair(after, most=BATCH)
    if last is not None:
        wiring.jobs().send(REPAIR, QUEUE, after=last)
