"""`manage.py audit verify`: whether the audit log is as it was written."""

import re
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from goalgraph.feed.audit_verification import Report, verify
from goalgraph.ids import is_id
from goalgraph.ports.audit_log import AuditLogUnavailable
from goalgraph.table.port import TableError

_MONTH = re.compile(r"\d{4}(0[1-9]|1[0-2])", re.ASCII)
_EVERY = 100
"""Objects between two words on how far it is."""


class Command(BaseCommand):
    help = "Reads the audit log back, and says in words where it is not as it was written. Changes nothing. Exit code 1 on a fault."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        verifying = commands.add_parser("verify", help="compare each line with the next one, and the last ones with the table")
        verifying.add_argument("--month", metavar="YYYYMM", help="only the chains that began in this month (UTC)")
        verifying.add_argument("--chain", metavar="ID", help="only this chain: a shard of the table's stream")

    def handle(self, *args: Any, **options: Any) -> None:
        month, chain_id = options["month"], options["chain"]
        if month is not None and not _MONTH.fullmatch(month):
            raise CommandError("A month is written as YYYYMM, such as 202707.")
        if chain_id is not None and not is_id(chain_id):
            raise CommandError("This is no id of a chain.")
        count = faults = 0
        try:
            for report in verify(month=month, chain_id=chain_id, progress=self._say_how_far):
                count += 1
                faults += len(report.faults)
                self._say(report)
        except (AuditLogUnavailable, TableError) as error:
            raise CommandError(f"The log or the table does not answer, so nothing is known of the rest: {error}") from error
        if faults:
            self.stdout.write(self.style.ERROR(f"\n{faults} faults: the audit log is not as it was written."))
            raise SystemExit(1)
        self.stdout.write(f"\n{count} chain{'s, each' if count > 1 else ','} as it was written." if count else "There is no chain yet.")

    def _say(self, report: Report) -> None:
        said = f"{len(report.faults)} faults" if report.faults else "as it was written"
        style = self.style.ERROR if report.faults else self.style.SUCCESS
        self.stdout.write(f"{style(report.chain_id)}: {report.objects} objects, {report.lines} lines, {said}")
        for fault in report.faults:
            self.stdout.write(f"  fault: {fault}")
        for remark in report.remarks:
            self.stdout.write(f"  note: {remark}")

    def _say_how_far(self, done: int, all_of_them: int) -> None:
        if done % _EVERY == 0:
            self.stdout.write(f"  {done} of {all_of_them} objects")
            self.stdout.flush()
