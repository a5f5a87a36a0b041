import copy
import uuid
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def world(settings: Any) -> None:
    """Failures are counted in Redis by user id, and ids come again in the next test: each test has a cache of its own."""
    settings.CACHES = copy.deepcopy(settings.CACHES)
    settings.CACHES["default"]["KEY_PREFIX"] = uuid.uuid4().hex
    settings.WHITENOISE_AUTOREFRESH = True  # nothing is collected under test


@pytest.fixture
def mfa_required(settings: Any) -> None:
    settings.STAFF_MFA_REQUIRED = True
