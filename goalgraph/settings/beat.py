"""Settings of what happens by the clock: the beat, and the sweeps of the due wheel (docs/adr/0011-due-wheel.md).

Read by `settings/base.py`; needs nothing but the environment.
"""

from typing import Any

import environ
from celery.schedules import crontab

from goalgraph.settings.queues import PRIORITY

_env = environ.Env()

WHEEL_OVERLAP_MINUTES = _env.int("WHEEL_OVERLAP_MINUTES", 10)
"""For so long after its minute a bucket is looked at again and again, though it was empty: the most by which the clocks of our processes
may differ, and a write may be late."""
WHEEL_START_MINUTES = _env.int("WHEEL_START_MINUTES", 60)
"""How far before the first tick of all a shard is swept from."""
WHEEL_SWEEP_SECONDS = _env.float("WHEEL_SWEEP_SECONDS", 30.0)
"""After which a sweep ends and leaves the rest to the next: well before a task's soft time limit. A tick looks for half as long."""
WHEEL_LEASE_SECONDS = _env.float("WHEEL_LEASE_SECONDS", 60.0)
"""For how long a sweep has its bucket to itself, unless it renews that."""


def _each_tenant(task: str, queue: str, schedule: crontab) -> dict[str, Any]:
    """It expires when the next is due: workers that were away for an hour do not have sixty of them to do."""
    return {
        "task": "goalgraph.tasks.for_each_tenant",
        "kwargs": {"task": task, "queue": queue},
        "schedule": schedule,
        "options": {"queue": queue, "expires": 60},
    }


def _once(task: str, queue: str, schedule: crontab | float, expires: int) -> dict[str, Any]:
    """What goes over the back office's SQL, where tenants have no places of their own. `schedule` in seconds, or by the clock (UTC)."""
    return {"task": task, "schedule": schedule, "options": {"queue": queue, "expires": expires}}


CELERY_BEAT_SCHEDULE = {
    "turn the due wheel": _each_tenant("goalgraph.wheel.tasks.tick", f"due{PRIORITY}", crontab()),
    "sweep deliveries": _each_tenant("goalgraph.tasks.sweep_unsent", "notify", crontab(minute="*/5")),
    "refill leaderboards": _each_tenant("goalgraph.tasks.refill_leaderboards", "feed-leaderboards", crontab()),
    "sweep moderation": _each_tenant("goalgraph.tasks.sweep_moderation", "feed-moderation", crontab(minute="*/10")),
    "apply decisions": _each_tenant("goalgraph.tasks.apply_decisions", "feed-moderation", crontab()),
    "repair cases": _each_tenant("goalgraph.tasks.repair_cases", "feed-moderation", crontab(minute="*/15")),
    "refill search": _once("goalgraph.tasks.refill_search", "feed-search", crontab(), expires=60),
    "sweep offers": _once("offers.tasks.sweep", "default", 20.0, expires=20),
    "roll up offers": _once("goalgraph.tasks.roll_up_offers", "feed-offers", 20.0, expires=20),
    "purge touches of offers": _once("goalgraph.tasks.purge_offer_touches", "feed-offers", crontab(hour="4", minute="23"), expires=3600),
    "sweep billing": _once("billing.tasks.sweep", f"default{PRIORITY}", 20.0, expires=20),
    "repair billing": _once("billing.tasks.repair", "default", crontab(hour="3", minute="17"), expires=3600),
    "take missed events of billing": _once("billing.tasks.receive_missed", "default", crontab(hour="3", minute="7"), expires=3600),
}
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"
"""Keeps nothing on disk. It need not: crontab schedules begin anew at any time, and sweeps find what was missed."""
