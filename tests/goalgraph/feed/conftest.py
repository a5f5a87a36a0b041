from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import override_settings

from goalgraph import wiring
from tests.fixtures import FakeClock
from tests.goalgraph.feed.world import Fate, Source, fate

FATEFUL = {
    "table": {"BACKEND": "tests.goalgraph.feed.world.FatefulTable"},
    "stream": {"BACKEND": "tests.goalgraph.feed.world.FatefulStream"},
}


@pytest.fixture
def world(memory_world: FakeClock) -> Iterator[FakeClock]:
    """Services in memory whose table and stream are fateful."""
    with override_settings(PORTS=settings.PORTS | FATEFUL, FEED_LEASE_SECONDS=30.0):
        fate.__init__()
        yield wiring.port("clock")
        fate.__init__()


@pytest.fixture
def source(world: FakeClock) -> Source:
    return Source()


@pytest.fixture(name="fate")
def the_fate(world: FakeClock) -> Fate:
    return fate
