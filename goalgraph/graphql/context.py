"""What resolvers find in `info.context`."""

from dataclasses import dataclass, field
from typing import Any

from goalgraph import ids
from goalgraph.auth.actor import Actor


@dataclass(slots=True)
class Context:
    """One per operation. `actor` is who asks; `seed` comes with an idempotency key; `cache` is for what resolvers of the same operation
    share, such as data loaders."""

    actor: Actor
    seed: str | None = None
    cache: dict[Any, Any] = field(default_factory=dict)
    _made: int = field(default=0, init=False)

    def new_id(self) -> str | None:
        """An id for what the operation makes; None without an idempotency key. A request that is repeated with its key gets the same ids in
        the same order, so what a first attempt made before it died is found, and not made again."""
        if self.seed is None:
            return None
        self._made += 1
        return ids.derived_id(self.seed, self._made - 1)
