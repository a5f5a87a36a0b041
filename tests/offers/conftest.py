"""What tests of the back office's offers begin with."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import override_settings

from goalgraph import wiring
from offers.models import Company
from tests.fixtures import FakeClock
from tests.offers.backoffice_world import company, partner, staff


@pytest.fixture
def world(memory_world: FakeClock) -> Iterator[FakeClock]:
    """No address is asked and no bucket is written."""
    ports = {"link_checker": {"BACKEND": "tests.offers.backoffice_world.FakeLinkChecker"}}
    storages = settings.STORAGES | {"default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}
    with override_settings(PORTS=settings.PORTS | ports, STORAGES=storages):
        yield wiring.port("clock")


@pytest.fixture
def runwell() -> Company:
    return company("Runwell")


@pytest.fixture
def owner(runwell: Company) -> User:
    return partner("partner", runwell)


@pytest.fixture
def reviewer() -> User:
    return staff("moderator", "moderator")
