"""A ledger as the things that happened, one by one: for tests, which change their order, lose some, and take some back."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime

from gamification.domain import DaysOff, Ledger, Page, Rest, ledger_of


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: `what` is done, undone, freeze or rest. `weekdays` comes with rest, which holds from `day` on."""

    day: date
    what: str
    zone: str
    at: datetime
    premium: bool = False
    weekdays: tuple[int, ...] = ()


def posted(entries: Iterable[Entry]) -> Ledger:
    """The ledger that entries make, in whatever order they come. A thing that is undone is the same entry but for `what`."""
    pages: dict[date, Page] = {}
    off = DaysOff()
    for entry in entries:
        match entry.what:
            case "freeze":
                off = replace(off, freezes=off.freezes | {entry.day})
            case "rest":
                off = off.with_rest(Rest(entry.day, entry.at, entry.weekdays))
            case "done":
                page = pages.get(entry.day, Page()).noted(entry.at, entry.zone, premium=entry.premium)
                pages[entry.day] = page.counted(+1)
            case _:
                pages[entry.day] = pages.get(entry.day, Page()).counted(-1)
    return ledger_of(pages, off)
