"""Ports of processes that die. `DIES` in the environment says where: `after_commit` of SQL, `before_table` or `after_table`."""

import os
import signal
from typing import Any

from goalgraph.table.dynamodb import DynamoTable


def die_at(place: str) -> None:
    if os.environ.get("DIES") == place:
        os.kill(os.getpid(), signal.SIGKILL)


class DyingTable(DynamoTable):
    def transact(self, operations: Any, token: str) -> None:
        die_at("before_table")
        super().transact(operations, token)
        die_at("after_table")


class InlineJobs:
    """Does the work where it is enqueued, so right after the commit of SQL."""

    def enqueue(self, name: str, **arguments: Any) -> None:
        from billing import account_services, tasks

        die_at("after_commit")
        assert name == account_services.PROJECT
        tasks.project(**arguments)

    def send(self, name: str, queue: str, **arguments: Any) -> None:
        raise AssertionError(f"nobody sends {name} to {queue} here")
