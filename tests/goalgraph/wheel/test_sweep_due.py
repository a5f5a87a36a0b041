"""`manage.py sweep_due`, and the tasks of the beat."""

import pytest
from celery.schedules import crontab
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

import goalgraph.tasks
from goalgraph.celery import app
from goalgraph.wheel import sweeping
from goalgraph.wheel.tasks import tick


@pytest.fixture
def run(capsys):
    """Runs the command and returns what it says."""

    def run(*options: str) -> tuple[str, str]:
        call_command("sweep_due", *options)
        said = capsys.readouterr()
        return said.out, said.err

    return run


def test_it_ticks_once(wheel, run):
    names = wheel.add(5, shard=0)
    assert run() == ("  open platform: 1 sweeps enqueued\n", "")
    wheel.queues.run()
    assert wheel.done(names) == names


def test_now_needs_no_worker_and_may_be_repeated(wheel, run):
    wheel.queues.down = True
    names = wheel.add(5, shard=0) + wheel.add(2, shard=1, minutes=-3)
    assert run("--now") == ("  open platform: 7 entries turned in 2 buckets, 0 failed\n", "")
    assert run("--now") == ("  open platform: 0 entries turned in 0 buckets, 0 failed\n", "")
    assert wheel.done(names) == names


def test_it_goes_through_the_tenants(wheel, run):
    (name,) = wheel.in_tenant("acme").add()
    with override_settings(TENANTS=["acme"]):
        out, _ = run("--now")
    assert out.splitlines() == [
        "  open platform: 0 entries turned in 0 buckets, 0 failed",
        "  acme: 1 entries turned in 1 buckets, 0 failed",
    ]
    assert wheel.in_tenant("acme").done([name]) == [name]


def test_failed_entries_are_brought_back(wheel, run):
    names = wheel.add(3, shard=0)
    wheel.poison = {names[0], names[1]}
    assert run("--now")[0] == "  open platform: 1 entries turned in 1 buckets, 2 failed\n"

    wheel.poison = {names[1]}
    out, err = run("--failed", "--now")
    assert out == "  open platform: 1 failed entries turned, 1 failed again\n"
    assert err.endswith(f"TASK#{names[1]}#due: RuntimeError\n")

    wheel.poison = set()
    assert run("--failed")[0] == "  open platform: 1 failed entries enqueued\n"
    wheel.queues.run()
    assert wheel.done(names) == names
    assert list(sweeping.failed(wheel.actor)) == []


def test_it_says_when_the_broker_is_away(wheel):
    wheel.add()
    wheel.queues.down = True
    with pytest.raises(CommandError, match="--now"):
        call_command("sweep_due")


# The beat --------------------------------------------------------------------------------------------------------------------------------


def test_every_minute_a_tick_of_each_tenant_is_asked_for(wheel):
    entry = settings.CELERY_BEAT_SCHEDULE["turn the due wheel"]
    assert entry["schedule"] == crontab()
    acme = wheel.in_tenant("acme")
    (ours,), (theirs,) = wheel.add(), acme.add()

    with override_settings(TENANTS=["acme"]):
        goalgraph.tasks.for_each_tenant(**entry["kwargs"])

    asked = wheel.queues.take()
    assert asked == [("due-priority", tick.name, {"tenant_id": None}), ("due-priority", tick.name, {"tenant_id": "acme"})]
    wheel.queues.waiting = asked
    wheel.queues.run()
    assert wheel.done([ours]) == [ours]
    assert acme.done([theirs]) == [theirs]


def test_the_beat_names_tasks_and_queues_that_there_are():
    app.loader.import_default_modules()
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        told = entry.get("kwargs", {})
        assert {entry["task"], told.get("task", entry["task"])} <= set(app.tasks)
        assert entry["options"]["queue"] == told.get("queue", entry["options"]["queue"])
        assert entry["options"]["queue"] in settings.QUEUE_NAMES
        assert entry["options"]["expires"] <= _seconds_between(entry["schedule"])


def _seconds_between(schedule: crontab | float) -> float:
    """At least so long it is from one time to the next."""
    if isinstance(schedule, float):
        return schedule
    return 60 if len(schedule.hour) == 24 else 3600


def test_a_sweep_ends_before_the_limit_of_its_task_and_a_lease_is_longer():
    assert settings.WHEEL_SWEEP_SECONDS < settings.CELERY_TASK_SOFT_TIME_LIMIT < settings.WHEEL_LEASE_SECONDS
