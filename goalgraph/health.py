"""Whether this process can serve: one probe for each service that it needs. `/readyz` and `manage.py doctor` ask them.

A probe's sentence may be read by anybody who reaches `/readyz`: it names the service and the kind of fault, never an address or a name
of ours. `doctor` adds those.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache

from django.conf import settings
from django.db import DatabaseError, connection
from redis import Redis
from redis.exceptions import RedisError

from goalgraph import wiring
from goalgraph.table.port import Key, TableError

PATIENCE = 0.9
"""Seconds after which a service that has not answered counts as silent."""

_NOWHERE = Key("HEALTH", "HEALTH")


@dataclass(frozen=True, slots=True)
class Probe:
    """`run` returns None when all is well, else a sentence that says what is not.

    `once` is for what this process need not ask again after it was well one time.
    """

    name: str
    run: Callable[[], str | None]
    once: bool = False


def probes() -> list[Probe]:
    """What this process needs to serve, under these settings."""
    return [Probe("table", _table), Probe("redis", _redis), Probe("sql", _sql), Probe("issuer", _issuer, once=True)]


def check() -> dict[str, str | None]:
    """Run all probes at once: each one's name with None, or the sentence that says what is wrong. Takes a second at most.

    It blocks, so call it in a thread. A probe that got no answer in time is left running, and is not started again before it ends.
    """
    wiring.table_adapter()  # built once per process; that takes us a while, and is no fault of the table's
    asked = {probe: _start(probe) for probe in probes()}
    wait(asked.values(), timeout=PATIENCE)
    return {probe.name: _outcome(probe, answer) for probe, answer in asked.items()}


def _table() -> str | None:
    """Read an item that never exists: the cheapest call that needs the table, the network and our credentials."""
    try:
        wiring.table_adapter().get(_NOWHERE, consistent=False)
    except TableError as error:
        return f"The table does not answer ({_cause(error)})."
    return None


def _redis() -> str | None:
    try:
        _redis_client(settings.REDIS_URL).ping()
    except RedisError as error:
        return f"Redis does not answer ({_cause(error)})."
    return None


def _sql() -> str | None:
    """The back office, sessions and the embedded issuer stand on it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return f"The SQL database does not answer ({_cause(error)})."
    finally:
        connection.close()  # a connection belongs to its thread, and this thread will not be back soon
    return None


def _issuer() -> str | None:
    """Whether the issuer's keys can be had. Once they could, known keys go on verifying while the issuer is down."""
    from goalgraph.auth.access import issuer_is_embedded
    from goalgraph.auth.jwks import KeysUnavailableError, fetch_json, parse_keys

    if issuer_is_embedded():
        return _embedded_keys()
    try:
        document = fetch_json(settings.OIDC_ISSUER.rstrip("/") + "/.well-known/openid-configuration")
        parse_keys(fetch_json(str(document.get("jwks_uri"))))
    except KeysUnavailableError as error:
        return f"The issuer's keys cannot be fetched ({_cause(error)})."
    return None


def _embedded_keys() -> str | None:
    from goalgraph.adapters.local.issuer_keys import signing_keys

    try:
        signing_keys().all()
    except (OSError, ValueError) as error:
        return f"The embedded issuer's keys cannot be read ({_cause(error)})."
    return None


_pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="health")
_asked: dict[str, Future[str | None]] = {}


def _start(probe: Probe) -> Future[str | None]:
    last = _asked.get(probe.name)
    if last and not last.done():
        return last
    if last and probe.once and _outcome(probe, last) is None:
        return last
    _asked[probe.name] = answer = _pool.submit(probe.run)
    return answer


def _outcome(probe: Probe, answer: Future[str | None]) -> str | None:
    if not answer.done():
        return f"{probe.name} has not answered within {PATIENCE} seconds."
    if error := answer.exception():
        return f"{probe.name} could not be asked ({type(error).__name__})."
    return answer.result()


@cache
def _redis_client(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)


def _cause(error: BaseException) -> str:
    """The kind of fault: DynamoDB's code where it gave one, else the exception's name."""
    reason = error.__cause__ or error
    return str(getattr(reason, "code", None) or type(reason).__name__)
