from typing import Any

import pytest

from goalgraph import wiring
from tests.billing.world import MEMORY, World, at, plans_made
from tests.fixtures import FakeClock
from tests.stripe import StripeFake


@pytest.fixture
def world(stripe_fake: StripeFake, settings: Any, transactional_db: None) -> World:
    """Billing on a table in memory, on SQL, and on Stripe's stand-in with our plans in it."""
    payments = settings.PORTS["payments"]
    once = payments | {"OPTIONS": payments["OPTIONS"] | {"retries": 0}}
    settings.PORTS = settings.PORTS | MEMORY | {"payments": once}
    settings.STANDING_SECONDS = 0
    settings.TIER_FROM_TOKEN = False
    clock = wiring.clock()
    assert isinstance(clock, FakeClock)
    at(clock)
    plans_made()
    return World(stripe_fake, clock)
