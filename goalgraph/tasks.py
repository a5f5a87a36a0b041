"""What is done over and over, in each tenant, as Celery tasks. `settings/beat.py` says how often.

Each may run twice, late, or not at all for a while: whatever it repairs is still there the next time.
"""

import logging
from dataclasses import replace

from celery import shared_task
from django.conf import settings

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM
from goalgraph.ports.leaderboards import LeaderboardsUnavailable

logger = logging.getLogger(__name__)


@shared_task
def for_each_tenant(task: str, queue: str) -> None:
    """Send `task` once for the open platform and once for each tenant, so that one's trouble is not another's. Raises JobsUnavailable."""
    for tenant_id in [None, *settings.TENANTS]:
        wiring.jobs().send(task, queue=queue, tenant_id=tenant_id)


@shared_task
def sweep_unsent(tenant_id: str | None = None) -> None:
    """Deliveries whose event was lost on the way."""
    from notifications import delivery_services

    delivery_services.sweep_unsent(replace(SYSTEM, tenant_id=tenant_id))


@shared_task
def sweep_moderation(tenant_id: str | None = None) -> None:
    """Messages whose review was lost on the way."""
    from chat import moderation_services

    moderation_services.sweep(moderation_services.platform(tenant_id))


@shared_task(soft_time_limit=180, time_limit=200)
def refill_leaderboards(tenant_id: str | None = None) -> None:
    """Leaderboards that Redis lost. What takes longer than this task may is for `manage.py rebuild_leaderboards`; until then they are read
    from the aggregates."""
    from gamification import board_services

    actor = replace(SYSTEM, tenant_id=tenant_id)
    if board_services.is_complete(actor):
        return
    try:
        board_services.rebuild(actor)
    except LeaderboardsUnavailable as error:  # the next beat tries again
        logger.warning("the leaderboards were not filled: %s", error)
