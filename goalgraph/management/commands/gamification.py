"""`manage.py gamification`: what to do when a member's points or streak are not what they should be (docs/gamification.md).

`rebuild --user ID` makes days, ledger and sums anew from what is known of each event. `repair --user ID` looks for completions of which
nothing is known, and gives them.
"""

from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from gamification import rebuild_services
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.feed.changes import Change
from goalgraph.feed.events import Event
from goals import services as goals
from goals import task_services as tasks
from goals.domain import DONE, OPEN
from goals.events import task_events
from goals.items import Task


class Command(BaseCommand):
    help = "Repairs a member's points, levels and streak, and says what it found. Safe to repeat, also in operation."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "action",
            choices=["rebuild", "repair"],
            help="rebuild: make the sums anew from the kept events; repair: give what was done in the member's goals and never came",
        )
        parser.add_argument("--user", required=True, metavar="ID", help="whose")
        parser.add_argument("--tenant", metavar="ID", help="the company tenant they belong to")
        parser.add_argument("--dry-run", action="store_true", help="say what differs and change nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        platform = Actor(user_id=SYSTEM.user_id, tenant_id=options["tenant"], scopes=SYSTEM.scopes)
        work = self._rebuild if options["action"] == "rebuild" else self._repair
        work(platform, options["user"], dry_run=options["dry_run"])

    def _rebuild(self, platform: Actor, user_id: str, *, dry_run: bool) -> None:
        found = rebuild_services.rebuild(platform, user_id, dry_run=dry_run)
        for difference in found:
            self.stdout.write(f"  {difference.what}: {difference.was} -> {difference.now}")
        self.stdout.write(f"  {len(found)} differences{_unwritten(dry_run)}")

    def _repair(self, platform: Actor, user_id: str, *, dry_run: bool) -> None:
        told = list(completions(Actor(user_id=user_id, tenant_id=platform.tenant_id)))
        missing = rebuild_services.repair(platform, told, dry_run=dry_run)
        for event in missing:
            self.stdout.write(f"  {event.data['taskId']}, done by {event.data['doneBy']} at {event.data['doneAt']}")
        self.stdout.write(f"  {len(missing)} of {len(told)} completions never came{_unwritten(dry_run)}")


def completions(member: Actor) -> Iterator[Event]:
    """The event of each task of the member's own goals that is done, whoever did it, as the change feed tells it."""
    for goal in goals.goals_of(member, member.user_id, archived=True):
        for task in tasks.tasks(member, goal.id):
            if task.status == DONE:
                yield from (event for event in task_events(_becoming_done(member, task)) if event.type == "task.completed")


def _becoming_done(member: Actor, task: Task) -> Change:
    """What the stream would have told. The event's own id may be another one; gamification goes by that of the completion."""
    before = task.copy()
    before.status = OPEN
    return Change("MODIFY", task.key(), member.tenant_id, before, task, sequence="", at=task.updated_at)


def _unwritten(dry_run: bool) -> str:
    return ", nothing written" if dry_run else ""
