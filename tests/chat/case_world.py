"""What the tests of the moderators' desk share: staff, a room with something to look at, and the feed that tells the desk."""

from typing import Any, ClassVar

from django.contrib.auth.models import Permission, User

from chat import case_rows, services
from chat import message_services as messages
from chat import moderation_repository as cases
from chat.events import TRANSLATORS
from chat.items import Message
from chat.models import Case
from chat.moderation_domain import Act
from chat.moderation_services import report
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.feed.events import Event
from goalgraph.table.port import Key, Raw, RawPage, Span, TableUnavailable
from tests.chat.world import members
from tests.streams import StreamingTable, changes_since

RUDE = "You stupid motherfucker"
CRY = "I want to die"


class AwayTable(StreamingTable):
    """A table in memory that fails where somebody asks about some rooms."""

    rooms: ClassVar[set[str]] = set()
    error: ClassVar[BaseException] = TableUnavailable("gone")

    def _answer(self, pk: str) -> None:
        if any(room in pk for room in self.rooms):
            raise self.error

    def get(self, key: Key, **how: Any) -> Raw | None:
        self._answer(key.pk)
        return super().get(key, **how)

    def query(self, span: Span, **how: Any) -> RawPage:
        self._answer(span.pk)
        return super().query(span, **how)


def staff(username: str, *permissions: str, superuser: bool = False) -> User:
    """Somebody of the staff with permissions of `chat`."""
    user = User.objects.create_user(username, password="a long pass phrase", is_staff=True, is_superuser=superuser)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions, content_type__app_label="chat"))
    return User.objects.get(pk=user.pk)


def moderator(username: str = "mona") -> User:
    return staff(username, "view_case", "view_urgentcase", "act_on_case")


def head_moderator(username: str = "olga") -> User:
    return staff(username, "view_case", "view_urgentcase", "act_on_case", "act_on_escalated_case")


def hall(count: int = 4) -> tuple[list[Actor], str]:
    """So many people in a room."""
    people = members(count)
    return people, services.open_room(people[0], [other.user_id for other in people[1:]], title="Hall").id


def told() -> list[Event]:
    """What the feed tells since it was last asked."""
    known = [change for change in changes_since() if type(change.item).__name__ in TRANSLATORS]
    return [event for change in known for event in TRANSLATORS[type(change.item).__name__](change)]


def follow() -> None:
    """The desk learns what the feed tells."""
    for event in told():
        if event.type == "case.changed":
            case_rows.project(event.system, event.data["roomId"], event.data["seq"])


def reported(people: list[Actor], room_id: str, text: str = RUDE, *, by: int = 1) -> tuple[Message, Case]:
    """A message of the first that so many of the others reported, and its case as the desk has it."""
    sent = messages.send(people[0], room_id, text)
    for reporter in people[1 : 1 + by]:
        report(reporter, sent.id, "Rude")
    follow()
    return sent, Case.objects.get(room_id=room_id, seq=sent.seq)


def urgent(case: Case) -> Case:
    """The same case, as one in which somebody may need help: in the table and at the desk."""
    item = cases.case(SYSTEM, case.room_id, case.seq).copy()
    item.urgent = True
    cases.save_case(SYSTEM, item)
    follow()
    return Case.objects.get(pk=case.pk)


def wanted(action: str, reason: str = "Seen by us", **more: object) -> Act:
    """`action` with what it needs."""
    needs = {"mute": {"minutes": 60}, "suspend": {"days": 7}}.get(action, {})
    return Act(action, reason, **(needs | more))


def text_of(reader: Actor, message: Message) -> tuple[str, str]:
    """What a member reads: the text and the state."""
    found = next(each for each in messages.history(reader, message.room_id) if each.id == message.id)
    return found.text, found.state
