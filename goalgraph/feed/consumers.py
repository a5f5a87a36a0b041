"""Who reads the feed. Each consumer has checkpoints of its own, so one that is held up holds up nobody else."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Protocol

from goalgraph.feed.changes import Change


class Consumer(Protocol):
    """`name` is part of its checkpoints' keys, so it never changes."""

    name: str

    def take(self, shard_id: str, changes: Sequence[Change]) -> None:
        """Do what is to be done with `changes`, which follow in a shard on those of the call before.

        When it returns, they are not shown again; when it raises, they are, and after a crash as well. So it may see changes twice, and
        from a place further back. A key's changes always come in their order. Two processes may hand over the same ones at once, for the
        moment in which a slow one does not know that it lost its shard.
        """


@cache
def consumers() -> Mapping[str, Consumer]:
    """By their names."""
    from goalgraph.feed.audit import AuditTrail
    from goalgraph.feed.dispatch import Dispatch

    every: tuple[Consumer, ...] = (Dispatch(), AuditTrail())
    return {consumer.name: consumer for consumer in every}
