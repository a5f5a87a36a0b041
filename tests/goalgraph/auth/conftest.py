from collections.abc import Iterator

import pytest

from goalgraph.auth.claims import ClaimMap
from goalgraph.auth.jwks import RemoteKeys
from goalgraph.auth.verifier import Verifier
from tests.goalgraph.auth.issuer import AUDIENCE, FakeIssuer


class Seconds:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def issuer() -> Iterator[FakeIssuer]:
    issuer = FakeIssuer()
    yield issuer
    issuer.close()


@pytest.fixture
def keys(issuer: FakeIssuer, seconds: Seconds) -> RemoteKeys:
    return RemoteKeys(issuer.url, clock=seconds)


@pytest.fixture
def verifier(issuer: FakeIssuer, keys: RemoteKeys) -> Verifier:
    return Verifier(issuer=issuer.url, audience=[AUDIENCE], claims=ClaimMap(), keys=keys)
