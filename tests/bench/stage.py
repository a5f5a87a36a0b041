"""What benchmarks stand on: the embedded services, our settings, a member with data in the table, and web processes."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import django
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from goalgraph.adapters.local.embedded import EmbeddedServices, free_port
from goalgraph.auth.actor import Actor
from tests.bench.servers import Server, serve

ISSUER = "http://issuer.localhost"
"""Names the tokens' issuer. Nobody asks it anything: its keys are in the environment."""
MEMBER = "ana"


@dataclass(frozen=True)
class Options:
    rounds: int = 7
    requests: int = 150
    profile: bool = False


@dataclass
class Stage:
    """Use `Stage.open()`. Services and processes end with it."""

    options: Options
    scratch: Path
    services: EmbeddedServices
    public_key: str
    _exits: ExitStack = field(default_factory=ExitStack)

    @classmethod
    @contextmanager
    def open(cls, options: Options) -> Iterator[Self]:
        """Start the services and load Django. Raises ServiceError."""
        with TemporaryDirectory(prefix="goalgraph-bench-") as scratch, EmbeddedServices.start() as services, ExitStack() as exits:
            private_key, public_key = _key_pair()
            os.environ.update(_environment(services, private_key))
            django.setup(set_prefix=False)
            yield cls(options, Path(scratch), services, public_key, exits)

    @cached_property
    def token(self) -> str:
        """The member's access token."""
        from goalgraph.adapters.local.issuer import mint_access_token

        return mint_access_token(MEMBER)

    @cached_property
    def member(self) -> Actor:
        """Whose data lie in the table: a profile, 5 goals of 10 open tasks each, an aggregate."""
        from tests.bench.world import seed

        return seed(MEMBER)

    def serve(self, name: str, arguments: list[str], environment: Mapping[str, str] | None = None) -> Server:
        """Run a web process until the stage closes: `python -m <arguments>`, in which `{port}` stands for its port."""
        port = free_port()
        command = [sys.executable, "-m", *(word.replace("{port}", str(port)) for word in arguments)]
        return self._exits.enter_context(serve(name, command, port, {**os.environ, **(environment or {})}, self.scratch))


def uvicorn(application: str) -> list[str]:
    """The web process as the Procfile starts it."""
    options = "--lifespan off --no-access-log --log-level warning"
    return ["uvicorn", application, "--host", "127.0.0.1", "--port", "{port}", *options.split()]


def _environment(services: EmbeddedServices, private_key: str) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "tests.bench.settings",
        "DATABASE_URL": "sqlite://:memory:",
        "AWS_ENDPOINT_URL": services.aws_endpoint_url,
        "AWS_ACCESS_KEY_ID": "000000000000",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "REDIS_URL": f"{services.redis_url}/0",
        "OIDC_ISSUER": ISSUER,
        "ISSUER_PRIVATE_KEYS": private_key,
        # The member is asked for on every request, but must never run out of points here.
        "RATE_LIMIT_BURST": str(10**9),
    }


def _key_pair() -> tuple[str, str]:
    """A new RSA key as PEM: private, public."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()
