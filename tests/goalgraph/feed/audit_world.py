"""What the tests of the audit log stand on: changes, a log in memory, and what stands in it."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from goalgraph import wiring
from goalgraph.adapters.audit_log import MemoryAuditLog
from goalgraph.auth.actor import Actor
from goalgraph.feed.audit import AuditTrail
from goalgraph.feed.audit_verification import Report, verify
from goalgraph.feed.changes import Change
from goalgraph.table import table
from tests.contracts.table_items import Probe
from tests.fixtures import new_user
from tests.streams import StreamingWorld

SHARD = "shardId-00000001877000000000-0a1b2c3d"
OTHER = "shardId-00000001877000000000-4e5f6a7b"


def new_shard() -> str:
    return f"shardId-{uuid.uuid4().hex}"


def log() -> MemoryAuditLog:
    found = wiring.audit_log()
    assert isinstance(found, MemoryAuditLog)
    return found


def made(world: StreamingWorld, count: int, actor: Actor | None = None) -> list[Change]:
    """So many changes, each of an item of its own."""
    actor = actor or new_user()
    before = len(world.table.records)
    for number in range(count):
        world.clock.advance(seconds=1)
        table(actor).put(Probe(owner_id=actor.user_id, probe_id=f"p{number}", text_value=f"what {actor.user_id} wrote"))
    return world.changes()[before:]


def write(world: StreamingWorld, *sizes: int, shard: str = SHARD) -> list[Change]:
    """A chain with an object of each of these many lines."""
    changes = [made(world, size) for size in sizes]
    for batch in changes:
        AuditTrail().take(shard, batch)
    return [change for batch in changes for change in batch]


def keys_of(shard: str = SHARD) -> list[str]:
    return [key for key in log().keys("audit/") if f"/{shard}/" in key]


def report(shard: str = SHARD) -> Report:
    (found,) = verify(chain_id=shard)
    return found


def faults(shard: str = SHARD) -> list[str]:
    return report(shard).faults


def counted(shard: str = SHARD) -> list[str]:
    """The sequences of the lines that the chain leads to, in their order."""
    left_out = {remark.split()[1] for remark in report(shard).remarks}
    bodies = [log().objects[key] for key in keys_of(shard) if key.rpartition("/")[2] not in left_out]
    return [line["sequence"] for body in bodies for line in lines(body)]


def lines(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines()]


def sequences(changes: Sequence[Change]) -> list[str]:
    return [change.sequence for change in changes]
