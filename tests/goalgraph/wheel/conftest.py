from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings

from goalgraph.wheel import registry
from tests.goalgraph.wheel.world import FREE, PREMIUM, Wheel, new_wheel


@pytest.fixture
def wheel(memory_world: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wheel]:
    """A wheel of three shards on an empty table in memory."""
    ports = settings.PORTS | {"jobs": {"BACKEND": "tests.goalgraph.wheel.world.Queues"}}
    with override_settings(PORTS=ports, DUE_SHARDS=FREE, DUE_PRIORITY_SHARDS=PREMIUM):
        wheel = new_wheel()
        monkeypatch.setattr(registry, "turns", lambda: wheel.turns)
        yield wheel
