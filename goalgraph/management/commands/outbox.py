"""`manage.py outbox`: what was sent to members, by channel, out of the delivery log in the table."""

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.ids import is_id
from notifications import delivery_repository as repository
from notifications.domain import CHANNELS, IN_APP
from notifications.items import Delivery, Notification

_TITLE = 60


@dataclass(frozen=True, slots=True)
class Line:
    at: datetime
    user_id: str
    channel: str
    kind: str
    state: str
    title: str

    def cells(self) -> tuple[str, ...]:
        title = self.title if len(self.title) <= _TITLE else self.title[: _TITLE - 1] + "…"
        return (f"{self.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}", self.user_id, self.channel, self.kind, self.state, title)


HEAD = ("time (UTC)", "user", "channel", "kind", "state", "title")


class Command(BaseCommand):
    help = "Lists what was sent to members, by channel, the newest last: of one day, or all that is kept for one member."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--user", metavar="ID", help="only this member; also what was held, dropped or failed, with the reason")
        parser.add_argument("--channel", choices=CHANNELS, help="only this channel")
        parser.add_argument("--day", metavar="YYYY-MM-DD", help="only this day (UTC); without --user today")
        parser.add_argument("--tenant", metavar="ID", help="of a company tenant instead of the open platform")

    def handle(self, *args: Any, **options: Any) -> None:
        actor, day = replace(SYSTEM, tenant_id=options["tenant"]), _day(options["day"])
        if options["user"] is None:
            day = day or wiring.clock().now().date()
            found = list(_of_day(actor, day))
        elif is_id(options["user"]):
            found = list(_of_member(actor, options["user"]))
        else:
            raise CommandError("That is no user id.")
        lines = sorted(
            (line for line in found if options["channel"] in (None, line.channel) and day in (None, line.at.astimezone(UTC).date())),
            key=lambda line: (line.at, line.user_id, line.channel),
        )
        if lines:
            self._show(lines)
        else:
            self.stdout.write(f"Nothing was sent{_where(options, day)}.")

    def _show(self, lines: Sequence[Line]) -> None:
        rows = [HEAD, *(line.cells() for line in lines)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD) - 1)]
        for row in rows:
            self.stdout.write("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip())
        by_channel = {channel: sum(line.channel == channel and line.state == "sent" for line in lines) for channel in CHANNELS}
        self.stdout.write("\nsent: " + ", ".join(f"{count} {channel}" for channel, count in by_channel.items() if count))


def _of_day(actor: Actor, day: date) -> Iterator[Line]:
    midnight = datetime.combine(day, time(), UTC)
    for shard in range(settings.NOTIFICATION_SHARDS):
        found = repository.outbox(actor, midnight, shard)
        deliveries = [item for item in found if isinstance(item, Delivery)]
        yield from (_shown(item) for item in found if isinstance(item, Notification))
        yield from map(_delivered, deliveries, repository.notes_of(actor, deliveries))


def _of_member(actor: Actor, user_id: str) -> Iterator[Line]:
    deliveries = repository.deliveries_of(actor, user_id)
    yield from map(_shown, repository.shown_to(actor, user_id))
    yield from map(_delivered, deliveries, repository.notes_of(actor, deliveries))


def _shown(note: Notification) -> Line:
    return Line(note.happened_at, note.user_id, IN_APP, note.kind, "sent", note.title)


def _delivered(delivery: Delivery, note: Notification | None) -> Line:
    state = delivery.state if delivery.reason is None else f"{delivery.state} ({delivery.reason})"
    title = note.title if note is not None else ""
    return Line(delivery.sent_at or delivery.updated_at, delivery.user_id, delivery.channel, delivery.kind, state, title)


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise CommandError("Give the day as YYYY-MM-DD.") from error


def _where(options: dict[str, Any], day: date | None) -> str:
    parts = [
        f" to {options['user']}" if options["user"] else "",
        f" by {options['channel']}" if options["channel"] else "",
        f" on {day} (UTC)" if day else "",
    ]
    return "".join(parts)
