"""`manage.py sweep_due`: turn the due wheel by hand."""

from dataclasses import replace
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.ports.jobs import JobsUnavailable
from goalgraph.table.port import TableUnavailable
from goalgraph.wheel import sweeping
from goalgraph.wheel.repository import Bucket


class Command(BaseCommand):
    help = "Has every bucket of the due wheel swept that is due. Safe to repeat, also beside workers and beat."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--now", action="store_true", help="sweep here, in this process; no worker is needed")
        parser.add_argument("--failed", action="store_true", help="try the entries again whose turn failed")

    def handle(self, *args: Any, **options: Any) -> None:
        work = self._failed if options["failed"] else self._due
        try:
            for tenant_id in [None, *settings.TENANTS]:
                work(replace(SYSTEM, tenant_id=tenant_id), now=options["now"])
        except JobsUnavailable as error:
            raise CommandError("The broker takes no tasks. With --now none are needed.") from error
        except TableUnavailable as error:
            raise CommandError("The table does not answer.") from error

    def _due(self, actor: Actor, *, now: bool) -> None:
        if not now:
            self._say(actor, f"{len(sweeping.tick(actor, wiring.clock().now()))} sweeps enqueued")
            return
        buckets = sweeping.due_buckets(actor, wiring.clock().now())
        swept = [sweeping.sweep(actor, bucket, hand_off=False) for bucket in buckets]
        turned, failed = sum(each.turned for each in swept), sum(each.failed for each in swept)
        self._say(actor, f"{turned} entries turned in {len(buckets)} buckets, {failed} failed")

    def _failed(self, actor: Actor, *, now: bool) -> None:
        found = list(sweeping.failed(actor))
        if not now:
            for bucket, sk in found:
                sweeping.send_alone(actor, bucket, sk)
            self._say(actor, f"{len(found)} failed entries enqueued")
            return
        again = sum(not self._turn(actor, bucket, sk) for bucket, sk in found)
        self._say(actor, f"{len(found) - again} failed entries turned, {again} failed again")

    def _turn(self, actor: Actor, bucket: Bucket, sk: str) -> bool:
        try:
            sweeping.turn_one(actor, bucket, sk)
        except TableUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - the others are tried all the same
            self.stderr.write(f"  {bucket.minute:%Y-%m-%d %H:%M} UTC, shard {bucket.shard}, {sk}: {type(error).__name__}")
            return False
        return True

    def _say(self, actor: Actor, what: str) -> None:
        self.stdout.write(f"  {actor.tenant_id or 'open platform'}: {what}")
