"""The services under the tests: one AWS emulator and one Redis for the whole run, on free ports.

Loaded by `-p tests.services`, which comes before pytest-django reads Django's settings; a `conftest.py` would come after. Under xdist
the controller starts them and its workers inherit their addresses. Each worker has an AWS account of its own in the emulator (a
12-digit access key is one) and a Redis database of its own, so workers never see each other's data. (Redis pub/sub knows no databases.)
"""

import os

import pytest

from goalgraph.adapters.local.embedded import EmbeddedServices, ServiceError


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        if early_config.known_args_namespace.help or early_config.known_args_namespace.version:
            return
        _start(early_config)
    _separate(int(worker.removeprefix("gw")) + 1 if worker else 0)


def _start(config: pytest.Config) -> None:
    try:
        services = EmbeddedServices.start()
    except ServiceError as error:
        raise pytest.UsageError(str(error)) from error
    config.add_cleanup(services.stop)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"):
        os.environ.pop(name, None)
    os.environ.update(
        AWS_ENDPOINT_URL=services.aws_endpoint_url,
        AWS_SECRET_ACCESS_KEY="local",
        AWS_REGION="us-east-1",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        REDIS_URL=f"{services.redis_url}/0",
        OIDC_ISSUER="http://testserver",
    )
    os.environ.setdefault("DATABASE_URL", "sqlite://:memory:")


def _separate(number: int) -> None:
    """Give this process its own AWS account and Redis database."""
    os.environ["AWS_ACCESS_KEY_ID"] = f"{number:012d}"
    os.environ["REDIS_URL"] = f"{os.environ['REDIS_URL'].rpartition('/')[0]}/{number}"
