"""Work to be done soon, elsewhere."""

from typing import Any, Protocol


class JobsUnavailable(Exception):
    """The broker did not take a task, after some tries. It may have one of them all the same."""


class Jobs(Protocol):
    """A task is named by its dotted path; its arguments are plain JSON data. It may run twice, and tasks run in any order."""

    def enqueue(self, name: str, **arguments: Any) -> None:
        """Have the task `name` run with `arguments`.

        A hint, as an announcement is: it never blocks on the network, never raises, and may be lost with the process or with the broker.
        So whoever enqueues has a sweep behind it.
        """

    def send(self, name: str, queue: str, **arguments: Any) -> None:
        """Have the task `name` run with `arguments`, for certain: returns when the broker has it in `queue`, one of `settings.QUEUE_NAMES`.

        It blocks on the network, so whoever sends much sends from several threads. Raises JobsUnavailable.
        """
