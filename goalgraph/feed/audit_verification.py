"""Reads the audit log back and says in words where it is not as it was written (docs/audit.md).

A chain is walked from its head, which stands in the table, back to its beginning: a line is what it was when the line after it names its
hash, the last one when the head does. The walk holds one object at a time, so a chain may have any length.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM
from goalgraph.feed.audit import head_of
from goalgraph.feed.audit_items import AuditHead
from goalgraph.feed.audit_lines import ROOT, Line, ObjectName, folder, genesis, lines_of
from goalgraph.ports.audit_log import AuditLog
from goalgraph.table import keys, table

_PAGE = 500

Progress = Callable[[int, int], None]
"""Is told, now and then, how many objects of how many are read."""


@dataclass(slots=True)
class Report:
    """What was found in one chain. `faults` say that somebody changed the log; `remarks` tell what is there and does not count."""

    chain_id: str
    objects: int = 0
    lines: int = 0
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def verify(*, month: str | None = None, chain_id: str | None = None, progress: Progress = lambda _done, _all: None) -> Iterator[Report]:
    """A report for each chain that began in `month` (YYYYMM), the one chain `chain_id`, or all. Raises AuditLogUnavailable, TableError."""
    if chain_id is not None:
        yield _report(chain_id, progress)
        return
    prefix = ROOT if month is None else f"{ROOT}{month[:4]}/{month[4:]}/"
    # The log before the table: a chain is in the table before it has an object, so what is in the log by now is known by then.
    folders = {key.rpartition("/")[0] + "/" for key in wiring.audit_log().keys(prefix)}
    for known in _chains(month):
        report = _report(known, progress)
        if (head := head_of(known)) is not None:
            folders.discard(_folder(head))
        yield report
    for stray in sorted(folders):
        yield Report(stray, faults=["the log holds objects of a chain that the table does not know"])


def _chains(month: str | None) -> Iterator[str]:
    after = None
    while True:
        page = table(SYSTEM).query(keys.audit_chains_of(month), limit=_PAGE, after=after, consistent=True)
        yield from (item.chain_id for item in page.items)
        if not page.has_more:
            return
        after = page.cursors[-1]


def _report(chain_id: str, progress: Progress) -> Report:
    head = head_of(chain_id)
    if head is None:
        return Report(chain_id, faults=["the table does not know how far the chain goes: its head is gone"])
    return _Examination(head, wiring.audit_log(), progress).report


def _folder(head: AuditHead) -> str:
    return folder(head.chain_id, head.began_at)


class _Examination:
    """Of one chain. The head is read before the log, so what was written meanwhile is beyond it and does not count yet."""

    def __init__(self, head: AuditHead, log: AuditLog, progress: Progress) -> None:
        self._log = log
        self._folder = _folder(head)
        self._genesis = genesis(head.chain_id)
        self.report = Report(head.chain_id, objects=int(head.objects), lines=int(head.lines))
        walk = _Walk(int(head.lines), head.last_hash)
        self._ends: dict[int, set[str]] = {0: {self._genesis}}
        """The hashes on which the object after each number may build."""
        spare = self._walked(walk, int(head.objects), progress)
        walk.back(Line(0, "", self._genesis))
        self.report.faults += walk.conclusion()
        for name in sorted(spare, key=lambda name: (name.number, name.hash)):
            self._judge_spare(name)

    def _walked(self, walk: "_Walk", count: int, progress: Progress) -> list[ObjectName]:
        """Walk the objects from the last to the first. Returns those that are not of the chain."""
        there = self._listed()
        for number in range(count, 0, -1):
            candidates = there.get(number, [])
            name = next((name for name in candidates if name.hash == walk.wanted), candidates[0] if candidates else None)
            if name is None:
                self.report.faults.append(f"object {number} is missing")
                continue
            candidates.remove(name)
            self._ends[number] = {name.hash}
            self._walk_object(walk, name)
            progress(count - number + 1, count)
        return [name for names in there.values() for name in names]

    def _listed(self) -> dict[int, list[ObjectName]]:
        there: dict[int, list[ObjectName]] = {}
        for key in self._log.keys(self._folder):
            name = ObjectName.parse(key.removeprefix(self._folder))
            if name is None:
                self.report.faults.append(f"{key} is no object of this log")
            else:
                there.setdefault(name.number, []).append(name)
        return there

    def _lines(self, name: ObjectName) -> list[Line | None]:
        return lines_of(self._log.read(f"{self._folder}{name}") or b"")

    def _walk_object(self, walk: "_Walk", name: ObjectName) -> None:
        lines = self._lines(name)
        last = lines[-1] if lines else None
        if last is None or last.hash != name.hash:
            self.report.faults.append(f"object {name.number} does not end as its name says")
        for line in reversed(lines):
            walk.back(line)

    def _judge_spare(self, name: ObjectName) -> None:
        """One that fits behind the chain is of a writer that died, or is at it now; anything else was put there by somebody else."""
        lines = self._lines(name)
        first, last = (lines[0], lines[-1]) if lines else (None, None)
        if first is None or last is None or last.hash != name.hash or first.prev not in self._ends.get(name.number - 1, ()):
            self.report.faults.append(f"object {name} is not linked to the chain: no writer of ours put it there")
            return
        walk = _Walk(last.number, last.hash)
        for line in reversed(lines):
            walk.back(line)
        walk.back(Line(first.number - 1, "", first.prev))
        if faults := walk.conclusion():
            self.report.faults += [f"object {name}, which is not of the chain: {fault}" for fault in faults]
        else:
            self._ends.setdefault(name.number, set()).add(name.hash)
            self.report.remarks.append(f"object {name} does not count: its writer died before the chain moved on, or has yet to move it")


class _Walk:
    """Goes back over lines and compares each with the one after it, from the end that `lines` and `last_hash` tell."""

    def __init__(self, lines: int, last_hash: str) -> None:
        self._count = lines
        self._after: Line | None = Line(lines + 1, last_hash, "")
        self._after_holds = True
        """Whether the line after is as it was written. (It may be told to be edited, with what it says of the line before it.)"""
        self._faults: list[str] = []
        self._gaps: list[tuple[int, int]] = []
        self._runs: list[tuple[int, int]] = []
        """Stretches of line numbers that were met, and the ones that were not met where they should stand."""

    @property
    def wanted(self) -> str | None:
        """The hash of the line that has to come next; None where it is not known."""
        return self._after.prev if self._after else None

    def back(self, line: Line | None) -> None:
        if line is None:
            place = f"before line {self._after.number}" if self._after else "beside it"
            self._faults.append(f"what stands {place} is no line of this log: it was edited")
        else:
            self._after_holds = self._compare(line, self._after)
            self._meet(line.number)
        self._after = line

    def _compare(self, line: Line, after: Line | None) -> bool:
        """Whether `line` is as it was written, as far as the line after it can tell."""
        if after is None or line.hash == after.prev:
            return True
        gap = after.number - line.number
        if gap == 1:
            if self._after_holds:
                self._faults.append(f"line {line.number} was edited" if line.number else "the first line does not begin this chain")
            return not self._after_holds
        if gap > 1:
            self._gaps.append((line.number + 1, after.number - 1))
        elif after.number > self._count:
            self._faults.append(f"line {line.number} stands behind the end of the chain")
        else:
            self._faults.append(f"line {line.number} stands before line {after.number}: the order was changed")
        return True

    def _meet(self, number: int) -> None:
        if self._runs and self._runs[-1][0] == number + 1:
            self._runs[-1] = (number, self._runs[-1][1])
        else:
            self._runs.append((number, number))

    def conclusion(self) -> list[str]:
        """All that was found. What is not in its place is missing only if it is in no other place."""
        missing = [gap for gap in self._gaps if not any(first <= gap[0] and gap[1] <= last for first, last in self._runs)]
        return self._faults + [self._missing(*gap) for gap in sorted(missing)]

    def _missing(self, first: int, last: int) -> str:
        what = f"line {first} is missing" if first == last else f"lines {first} to {last} are missing"
        return f"{what}: the end of the chain was cut off" if last == self._count else what
