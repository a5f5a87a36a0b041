"""The single table. `table(actor)` is the way in; `goalgraph.table.keys` shows what lies in it."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Conflict
from goalgraph.table.port import ConditionFailed, TransactionCanceled
from goalgraph.table.table import Table

T = TypeVar("T")


def table(actor: Actor) -> Table:
    """The table in the hands of `actor`."""
    return Table(wiring.table_adapter(), actor, wiring.clock())


def settled(attempt: Callable[[], T], *, tries: int = 16) -> T:
    """`until_won` for a use case. Raises Conflict when others keep winning."""
    try:
        return until_won(attempt, tries=tries)
    except (ConditionFailed, TransactionCanceled) as error:
        raise Conflict from error


def until_won(attempt: Callable[[], T], *, tries: int = 16) -> T:
    """Run a read-check-write again while somebody else wrote in between, with random pauses that grow to half a second.

    `attempt` reads afresh each time and raises what its last write raised. Raises the last ConditionFailed or TransactionCanceled when
    `tries` are used up.
    """
    for turn in range(1, tries):
        try:
            return attempt()
        except (ConditionFailed, TransactionCanceled):
            time.sleep(random.uniform(0, min(0.5, 0.002 * 2**turn)))  # noqa: S311 - spreads load, guards nothing
    return attempt()
