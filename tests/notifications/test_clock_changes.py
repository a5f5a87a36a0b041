"""Around every change of every zone's clocks, a reminder is sent exactly once, and not within quiet hours.

The whole way: it is told, held, stands on the due wheel, is released by a sweep, and delivered by what the feed tells. All of it comes
twice. `make test` takes the latest changes of some zones, of each sort that there is; `make soak` all changes of all zones in 25 years.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.test import override_settings

from goalgraph import wiring
from goalgraph.adapters.push import RecordingPush
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.feed.registry import events_of
from goalgraph.ids import id_of
from goalgraph.wheel import sweeping
from goalgraph.wheel.repository import Bucket
from notifications import device_services, services
from notifications.delivery_handlers import HANDLERS
from notifications.domain import QuietHours, time_text
from notifications.items import PENDING, HeldDelivery
from notifications.notices import Notice
from tests.fixtures import FakeClock
from tests.notifications.test_domain import FIRST, LAST, MINUTE, ZONES, changes_of, inside, shows
from tests.notifications.world import stored
from tests.streams import changes_since
from users import services as users

pytestmark = pytest.mark.usefixtures("memory_world")

SAMPLE = {
    "Europe/Berlin": "a gap of 02:00 and a fold of 03:00",
    "America/Sao_Paulo": "a gap and a fold of midnight",
    "Asia/Beirut": "a gap of midnight",
    "Australia/Lord_Howe": "half an hour",
    "Africa/Casablanca": "back for a month each year",
    "Antarctica/Troll": "two hours",
    "Asia/Pyongyang": "half an hour for good",
    "Pacific/Apia": "a day that never was",
    "America/Caracas": "half an hour back, and forth",
    "Antarctica/Casey": "three hours, to and fro",
}
OFFSETS = tuple(minutes * MINUTE for minutes in (-181, -31, -1, 0, 29, 61, 150))
"""From the change on, when reminders are due."""
LATEST = timedelta(days=3)
"""After which the last of them was sent: a night, and a day that a zone left out."""


class CountingPush(RecordingPush):
    """Remembers each call, also one that repeats another."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, datetime]] = []

    def send(self, endpoint, message):
        self.calls.append((message.key, wiring.clock().now()))
        return super().send(endpoint, message)


@dataclass(frozen=True)
class Told:
    """A reminder, and the quiet hours of whom it is for."""

    actor: Actor
    quiet: QuietHours
    at: datetime
    dedupe: str

    @property
    def key(self) -> str:
        """By which the provider knows it."""
        return f"{id_of(self.at, self.actor.user_id, 'reminder', self.dedupe)}.push"

    def tell(self) -> None:
        for _ in range(2):
            services.notify(SYSTEM, [Notice(self.actor.user_id, "reminder", self.dedupe, self.at, facts={"title": "Run"})])


def quiet_hours_around(change: datetime, zone: ZoneInfo) -> list[QuietHours]:
    """That end, begin, or both, within what the clock leaves out or shows twice; and a night over it."""
    before, after = shows(change - MINUTE, zone) + 1, shows(change, zone)
    leap = (after - before + 720) % 1440 - 720
    middle = before + leap // 2
    return [
        QuietHours(begin % 1440, end % 1440)
        for begin, end in (
            (middle - 90, middle),
            (middle, middle + 120),
            (middle - 5, middle + 5),
            (before - 180, before + 240),
        )
    ]


def live(world: FakeClock, told: list[Told]) -> None:
    """Minute by minute as far as anything is to be done: tell what is due, sweep what is held, and let the feed do the rest, twice."""
    ahead = sorted(told, key=lambda each: each.at)
    buckets: set[Bucket] = set()
    while ahead or buckets:
        world.instant = min([*(each.at for each in ahead[:1]), *(bucket.minute for bucket in buckets)])
        while ahead and ahead[0].at == world.instant:
            ahead.pop(0).tell()
        for bucket in sorted(bucket for bucket in buckets if bucket.minute == world.instant):
            first, again = (sweeping.sweep(SYSTEM, bucket, hand_off=False) for _ in range(2))
            assert (first.turned > 0, first.failed, again.turned) == (True, 0, 0)
        buckets = {bucket for bucket in buckets if bucket.minute > world.instant} | feed()


def feed() -> set[Bucket]:
    """Deliver what is pending, and return the buckets in which something is held."""
    held: set[Bucket] = set()
    while changes := changes_since():
        for event in [event for event in events_of(changes) if event.type in HANDLERS] * 2:
            HANDLERS[event.type](event)
        entries = [change.new for change in changes if isinstance(change.new, HeldDelivery)]
        held |= {Bucket(sweeping.minute_of(entry.at), int(entry.shard)) for entry in entries}
    return held


@contextmanager
def new_world() -> Iterator[FakeClock]:
    """An empty one, where each call of the provider counts. (A table in memory is slow when it is full.)"""
    with override_settings(PORTS=settings.PORTS | {"push": {"BACKEND": f"{__name__}.CountingPush"}}, NOTIFICATION_CAPS={}):
        yield wiring.port("clock")


def check(world: FakeClock, name: str, change: datetime) -> None:
    """Who have quiet hours of each sort are reminded around `change`."""
    zone = ZoneInfo(name)
    for number, quiet in enumerate(quiet_hours_around(change, zone)):
        world.instant = change - timedelta(days=1)
        actor = _quiet_member(name, number, quiet)
        told = [Told(actor, quiet, change + offset, f"{change} {offset}") for offset in OFFSETS]
        wiring.push().calls.clear()
        live(world, told)

        calls = wiring.push().calls
        assert Counter(key for key, _ in calls) == Counter(each.key for each in told), (name, change, quiet)
        sent = dict(calls)
        for each in told:
            assert not inside(shows(sent[each.key], zone), quiet), (name, change, quiet, each.at)
            waits = inside(shows(each.at, zone), quiet)
            assert (sent[each.key] > each.at) is waits, (name, change, quiet, each.at)
            assert sent[each.key] - each.at < LATEST
        assert stored(actor, "HeldDelivery") == []
        assert PENDING not in {delivery.state for delivery in stored(actor, "Delivery")}


def _quiet_member(name: str, number: int, quiet: QuietHours) -> Actor:
    actor = Actor(f"{name.replace('/', '.')}.{number}")
    users.upsert_profile(actor, {"nickname": "Ana", "timezone": name})
    device_services.register(actor, "fcm", f"the phone of {actor.user_id}")
    services.update_preferences(actor, {"quiet_hours": {"begin": time_text(quiet.begin), "end": time_text(quiet.end)}})
    return actor


@pytest.mark.parametrize("name", SAMPLE)
def test_around_the_latest_changes_of_a_zone_each_reminder_is_sent_once(name):
    changes = changes_of(name)[-3:]
    assert changes
    with new_world() as world:
        for change in changes:
            check(world, name, change)


@cache
def distinct_changes() -> dict[int, list[tuple[str, datetime]]]:
    """By year, the changes of all zones, one zone for those that are alike: at the same instant, by as much, between the same clocks, with
    the same days around. The policy knows of a zone nothing else."""
    found: dict[tuple[datetime, ...], tuple[str, datetime]] = {}
    for name in ZONES:
        zone = ZoneInfo(name)
        for change in changes_of(name):
            around = [change - MINUTE, *(change + days * timedelta(days=1) for days in range(-2, 6))]
            alike = (change, *(instant.astimezone(zone).replace(tzinfo=None) for instant in around))
            found.setdefault(alike, (name, change))
    years: dict[int, list[tuple[str, datetime]]] = {}
    for name, change in found.values():
        years.setdefault(change.year, []).append((name, change))
    return years


@pytest.mark.soak
@pytest.mark.parametrize("year", range(FIRST.year, LAST.year))
def test_around_all_changes_of_all_zones_each_reminder_is_sent_once(year):
    changes = distinct_changes()[year]
    assert len(changes) > 10
    for name, change in changes:
        with new_world() as world:
            check(world, name, change)
