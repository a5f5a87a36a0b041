"""Billing as Celery tasks. What fails is found again by the sweep, and what is lost by the repair of the night."""

import logging
from datetime import timedelta

from celery import shared_task
from django.conf import settings

from billing import account_services
from goalgraph import wiring
from goalgraph.ports.payments import PaymentsRefused, PaymentsUnavailable

logger = logging.getLogger(__name__)

REPAIR, RECEIVE_MISSED = "billing.tasks.repair", "billing.tasks.receive_missed"
QUEUE = "default"
PROJECT_SECONDS = 30
"""With the sweep's 20 and the 5 that it leaves to the first task, what Stripe tells is in the table within a minute."""
BATCH = 100
"""Accounts that one task compares with Stripe: 100 or 200 questions, some 20 seconds."""


@shared_task(soft_time_limit=25, time_limit=PROJECT_SECONDS)
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
    """All accounts against Stripe, a batch in each task. The next one is sent first, so nothing that happens here stops it."""
    batch, last = account_services.accounts_behind(after, BATCH)
    if last is not None:
        wiring.jobs().send(REPAIR, QUEUE, after=last)
    account_services.repair(batch)


@shared_task(soft_time_limit=180, time_limit=200)
def receive_missed(after: str | None = None) -> None:
    """Stripe's events that never came, a page of Stripe's list in each task, as `repair` does it."""
    since = wiring.clock().now() - timedelta(days=settings.BILLING_EVENTS_BACK_DAYS)
    events, last = wiring.payments().events(since, after)
    if last is not None:
        wiring.jobs().send(RECEIVE_MISSED, QUEUE, after=last)
    account_services.receive_missed(events)
