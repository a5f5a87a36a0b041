"""One effect for one key: a client that is unsure whether its request arrived sends it again with the same `Idempotency-Key`.

Follows the IETF draft draft-ietf-httpapi-idempotency-key-header-07. The first request claims the key with a conditional write; those that
come meanwhile wait for its answer; later ones get the stored bytes. A claim is a lease: when its process dies, the next request
takes over after `LEASE` seconds. Between an effect and the storing of its answer there is a moment in which a crash leaves the effect
without an answer. So the record keeps a seed from which all ids of the request follow, in each attempt (`Context.new_id`): what a first
attempt made is found by the second one.

Transient refusals (`TRANSIENT`) are not stored, so that the same key may succeed later, unless a part of the request succeeded.
"""

import hashlib
import logging
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Conflict, Invalid
from goalgraph.graphql.items import IdempotencyRecord
from goalgraph.ids import is_id, new_id
from goalgraph.table import table
from goalgraph.table.port import ConditionFailed, TableError
from goalgraph.table.table import Table, seconds

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
KEPT = timedelta(hours=24)
MAX_ANSWER = 6 * 1024
"""Bytes, compressed: with the rest of the record within the table's 8 KB."""
TRANSIENT = frozenset({"INTERNAL", "RATE_LIMITED", "UNAUTHENTICATED", "CONFLICT"})

_KEY = re.compile(r"[\x20-\x7e]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Answer:
    """The bytes that go to the client, and whether they are final: one that is not may turn out differently when asked again."""

    status: int
    body: bytes
    final: bool = True


class InProgress(Exception):
    """Another request with the same key is being worked on. Ask again in a moment."""


def check_key(key: str | None) -> str | None:
    """The key as it came, None where there was none. Raises Invalid unless it is 1 to 128 printable ASCII characters."""
    if key is None or _KEY.fullmatch(key):
        return key
    raise Invalid("An idempotency key has 1 to 128 printable ASCII characters.", field="Idempotency-Key")


def once(actor: Actor, key: str, fingerprint: str, work: Callable[[str], Answer]) -> Answer:
    """Run `work` on the seed of its ids, or return what it answered before to the same `key`.

    Raises InProgress while another request holds the key, and Conflict when the key was used for something else, or when the answer was
    too large to keep. May block on the table: not on the event loop.
    """
    items = table(actor)
    record = _claim(items, _new(actor, key, fingerprint))
    if record.status is not None:
        return _replay(record)
    try:
        answer = work(record.seed)
    except BaseException:
        _release(items, record)
        raise
    if answer.final:
        _store(items, record, answer)
    else:
        _release(items, record)
    return answer


def _new(actor: Actor, key: str, fingerprint: str) -> IdempotencyRecord:
    now = wiring.clock().now()
    return IdempotencyRecord(
        owner_id=actor.user_id,
        key_name=key if is_id(key) else f"sha256-{hashlib.sha256(key.encode()).hexdigest()}",
        fingerprint=fingerprint,
        seed=new_id(),
        leased_until=seconds(now + LEASE),
        ttl=seconds(now + KEPT),
    )


def _claim(items: Table, wanted: IdempotencyRecord) -> IdempotencyRecord:
    """The record, claimed for us or answered already. Raises InProgress or Conflict."""
    try:
        return _stored(items.put(wanted))
    except ConditionFailed as error:
        found = _stored(error.current)
    if found.fingerprint != wanted.fingerprint:
        raise Conflict("This idempotency key was used for another request.", field="Idempotency-Key")
    if found.status is not None:
        return found
    if int(found.leased_until) > seconds(wiring.clock().now()):
        raise InProgress
    logger.warning("an idempotency key is taken over from a request that never ended")
    found.leased_until = wanted.leased_until
    try:
        return _stored(items.put(found))
    except ConditionFailed:
        raise InProgress from None


def _stored(item: object) -> IdempotencyRecord:
    if not isinstance(item, IdempotencyRecord):
        raise InProgress  # it was there and is gone: another request released it just now
    return item


def _replay(record: IdempotencyRecord) -> Answer:
    if record.answer is None:
        raise Conflict("This was done already, but its answer was too large to keep. Read the result.")
    return Answer(int(record.status), zlib.decompress(record.answer))


def _store(items: Table, record: IdempotencyRecord, answer: Answer) -> None:
    packed = zlib.compress(answer.body)
    record.status = answer.status
    record.answer = packed if len(packed) <= MAX_ANSWER else None
    try:
        items.put(record)
    except ConditionFailed:
        logger.warning("a request outlived its lease on an idempotency key")
    except TableError:
        # The effect is there, so the client gets its answer; a repeated request will wait for the lease to end.
        logger.exception("an answer was not stored under its idempotency key")


def _release(items: Table, record: IdempotencyRecord) -> None:
    """Give the key back; the record stays, with the seed. Where that fails too, the lease runs out by itself."""
    record.leased_until = 0
    try:
        items.put(record)
    except Exception:
        logger.warning("an idempotency key was not released", exc_info=True)
