"""The worker of `bench_reminders.py`, and what it does for each reminder: one transaction that stores that somebody was told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pynamodb.attributes import UnicodeAttribute

from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.celery import app
from goalgraph.table import table
from goalgraph.table.items import CoreItem
from goalgraph.table.port import Key
from goalgraph.table.table import Delete, Put
from goalgraph.wheel import registry


class Told(CoreItem, discriminator="BenchTold"):
    run = UnicodeAttribute()
    name = UnicodeAttribute()

    def key(self) -> Key:
        return Key(f"TOLD#{self.run}", self.name)


def turn(actor: Actor, entries: Sequence[Any], now: datetime) -> None:
    """Of the due wheel. It takes the entry out of its bucket as well."""
    for entry in entries:
        told = Told(run=entry.reminder_id, name=entry.task_id)
        table(actor).transact([Delete(entry.key(), item=entry), Put(told, overwrite=True)])


@app.task(name="tests.bench.remind")
def remind(run: str, name: str) -> None:
    """Of a task with an `eta`."""
    table(SYSTEM).transact([Put(Told(run=run, name=name), overwrite=True)])


registry.turns = lambda: {"DueEntry": turn}  # type: ignore[assignment]
