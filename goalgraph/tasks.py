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
from goalgraph.ports.search import SearchUnavailable

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
def apply_decisions(tenant_id: str | None = None) -> None:
    """Moderators' decisions that were not applied."""
    from chat import case_services

    case_services.apply_late(replace(SYSTEM, tenant_id=tenant_id))


@shared_task
def repair_cases(tenant_id: str | None = None) -> None:
    """Cases of which the back office does not know, or knows something else."""
    from chat import case_services

    case_services.repair(replace(SYSTEM, tenant_id=tenant_id))


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


@shared_task(soft_time_limit=180, time_limit=200)
def refill_search() -> None:
    """A search index that is lost or damaged, or was never filled. What takes longer than this task may is for
    `manage.py rebuild_search`."""
    from offers import indexing_services

    if indexing_services.is_complete():
        return
    try:
        indexing_services.fill()
    except SearchUnavailable as error:  # the next beat tries again
        logger.warning("the search index was not filled: %s", error)


@shared_task
def roll_up_offers() -> None:
    """Sum what members did with offers, and keep the offers' spending within bounds. Partners are on the open platform only."""
    from offers import pacing_services, stats_services

    stats_services.roll_up()
    pacing_services.pace_all()


@shared_task
def purge_offer_touches() -> None:
    """Forget who saw which offer."""
    from offers import stats_services

    stats_services.purge()
