"""What every test stands on: the services (`tests/services.py`), fixtures (`fixtures.py`, `streams.py`, `stripe.py`), and Hypothesis."""

import os

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.fixtures", "tests.streams", "tests.stripe"]

settings.register_profile(
    "goalgraph",
    deadline=None,  # other workers share the machine
    derandomize=os.environ.get("CI") == "true",  # a build fails for its change, not for its luck; people at work explore
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("goalgraph")


def pytest_configure(config: pytest.Config) -> None:
    if not config.pluginmanager.hasplugin("tests.services"):
        raise pytest.UsageError("The tests need their services: pass `-p tests.services`, or put it back into addopts in pyproject.toml.")
