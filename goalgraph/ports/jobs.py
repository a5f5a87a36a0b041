"""Work to be done soon, elsewhere."""

from typing import Any, Protocol


class Jobs(Protocol):
    def enqueue(self, name: str, **arguments: Any) -> None:
        """Have the task `name` (its dotted path) run with `arguments`, which are plain JSON data.

        A hint, as an announcement is: it never blocks on the network, never raises, and may be lost with the process or with the broker.
        So whoever enqueues has a sweep behind it. The task may run twice, and in any order.
        """
