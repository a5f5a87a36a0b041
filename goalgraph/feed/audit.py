"""The audit log: every change of an item as one line, chained (docs/audit.md, docs/adr/0012-audit-and-events.md).

A consumer of the feed. Each shard of the stream has a chain of its own, for a chain has one order, and so has a shard.
"""

from collections.abc import Sequence
from datetime import datetime

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM
from goalgraph.feed.audit_items import AuditChain, AuditHead
from goalgraph.feed.audit_lines import ObjectName, folder, genesis, month_of, written
from goalgraph.feed.changes import Change
from goalgraph.table import keys, table, until_won
from goalgraph.table.table import Put

LEFT_OUT = (*keys.OF_THE_FEED, "WHEEL", "IDEM#")
"""How the partitions begin that hold nobody's data: checkpoints, watermarks, leases, answers kept for a repeated request."""


class AuditTrail:
    """Writes what it takes into the log, each change once, though it may be given it again, by several at once, and in other batches.

    The object comes first and the head of the chain after it, on the condition that nobody else moved it. Who dies in between leaves an
    object that the chain does not lead to and that does not count; the changes come again, and are written anew.
    """

    name = "audit"

    def take(self, shard_id: str, changes: Sequence[Change]) -> None:
        """`changes` of a shard, in its order. Raises AuditLogUnavailable, TableError; give the same changes again then.

        What is in the chain already is told by its place in the shard, so what names no shard cannot be taken (ValueError): Lambda does
        not say from which one its records are, and their places in several of them do not compare.
        """
        if not shard_id.startswith("shard"):
            raise ValueError("the audit log is written by shard: run `manage.py feed` for it, and no Lambda function")
        kept = [change for change in changes if not change.key.pk.startswith(LEFT_OUT)]
        if kept:
            until_won(lambda: _append(shard_id, kept))


def head_of(chain_id: str) -> AuditHead | None:
    head = table(SYSTEM).get(keys.audit_head(chain_id), consistent=True)
    assert head is None or isinstance(head, AuditHead)
    return head


def _append(chain_id: str, changes: Sequence[Change]) -> None:
    head = head_of(chain_id) or _begun(chain_id, changes[0].at)
    new = [change for change in changes if int(change.sequence) > int(head.last_sequence)]
    if not new:
        return
    body, last_hash = written(new, number=int(head.lines) + 1, prev=head.last_hash)
    name = ObjectName(int(head.objects) + 1, last_hash)
    wiring.audit_log().append(f"{folder(chain_id, head.began_at)}{name}", body)
    head.objects, head.lines = name.number, int(head.lines) + len(new)
    head.last_hash, head.last_sequence = last_hash, new[-1].sequence
    table(SYSTEM).put(head)


def _begun(chain_id: str, at: datetime) -> AuditHead:
    """The head is there before the first object: no object of ours is ever without one."""
    head = AuditHead(chain_id=chain_id, began_at=at, last_hash=genesis(chain_id))
    table(SYSTEM).transact([Put(head), Put(AuditChain(chain_id=chain_id, month=month_of(at)))])
    stored = head_of(chain_id)
    assert stored is not None
    return stored
