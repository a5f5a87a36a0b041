"""The demo data of local settings: members with goals, tasks and rooms, staff, and companies (`demo_offers`). Loaded through the services,
as the people would write it.

What a person has touched is left alone: a Django user who is there already, and a member who has a profile or a goal that is not ours.
A member's profile is written last, so a load that was interrupted goes on where it stopped.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from allauth.idp.oidc.models import Client
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from chat import message_services as messages
from chat import moderation_services as moderation
from chat import services as rooms
from chat.items import Room
from goalgraph import trace, wiring
from goalgraph.adapters.local import demo_offers
from goalgraph.adapters.local.issuer import CLIENT_ID, DEMO_PASSWORD, DemoUser, ensure_demo_identity, is_local
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.errors import NotFound, QuotaExceeded
from goals import services as goals
from goals import task_services as tasks
from notifications import address_services as addresses
from users import connection_services as connections
from users import services as users
from users.domain import ACCEPTED

GROUPS = {"partner": "partner", "partner2": "partner", "moderator": "moderator", "support": "support"}
"""The group of each of the staff; the migrations made them."""
USERS = (
    DemoUser("ana", "ana@example.com"),
    DemoUser("bruno", "bruno@example.com"),
    DemoUser("carla", "carla@example.com"),
    DemoUser("admin", superuser=True),
    DemoUser("partner", staff=True),
    DemoUser("partner2", staff=True),
    DemoUser("moderator", staff=True),
    DemoUser("support", staff=True),
)


@dataclass(frozen=True, slots=True)
class DemoTask:
    """`days` from today and `at` o'clock, in the member's own time zone, is when it is due; without `days` it has no date."""

    title: str
    days: int | None = None
    at: time = time(9)
    done: bool = False
    minutes_before: Sequence[int] = ()
    assignees: Sequence[str] = ()

    def fields(self, today: datetime) -> dict[str, Any]:
        """As `task_services.add_task` takes them; `today` is any time of the day, in the member's time zone."""
        fields: dict[str, Any] = {"title": self.title, "assignees": list(self.assignees)}
        if self.days is not None:
            fields["due_at"] = datetime.combine(today + timedelta(days=self.days), self.at, today.tzinfo)
            fields["reminders"] = [{"minutes_before": minutes} for minutes in self.minutes_before]
        return fields


@dataclass(frozen=True, slots=True)
class DemoGoal:
    title: str
    description: str
    tags: Sequence[str]
    tasks: Sequence[DemoTask]
    visibility: str = "public"

    def fields(self) -> dict[str, Any]:
        """As `services.create_goal` takes them."""
        return {"title": self.title, "description": self.description, "tags": list(self.tags), "visibility": self.visibility}


@dataclass(frozen=True, slots=True)
class DemoMember:
    user_id: str
    profile: dict[str, Any]
    goals: Sequence[DemoGoal]


# Somebody who is given a task of another's must be there first: carla, then bruno, then ana.
MEMBERS = (
    DemoMember(
        "carla",
        {
            "nickname": "Carla",
            "language": "es",
            "pronouns": "ella",
            "bio": "Nurse in Madrid. I learn best in company.",
            "tags": ["english", "reading"],
            "timezone": "Europe/Madrid",
            "visibility": "private",
        },
        [
            DemoGoal(
                "Pass the B2 English exam",
                "The exam is in spring. Speaking is what I need most.",
                ["english", "languages"],
                [
                    DemoTask("Take the placement test", done=True),
                    DemoTask("Listen to one podcast a day for a week", days=7, at=time(20)),
                    DemoTask("Book a speaking lesson", days=2, at=time(18, 30), minutes_before=[60]),
                ],
                visibility="private",
            ),
        ],
    ),
    DemoMember(
        "bruno",
        {
            "nickname": "Bruno",
            "language": "pt-BR",
            "pronouns": "ele/dele",
            "bio": "Beginner runner, patient gardener.",
            "tags": ["running", "garden", "english"],
            "timezone": "America/Sao_Paulo",
        },
        [
            DemoGoal(
                "Run five kilometres",
                "Without a walking break.",
                ["running", "health"],
                [
                    DemoTask("Buy running shoes", done=True),
                    DemoTask("Run three kilometres", days=2, at=time(7), minutes_before=[30]),
                    DemoTask("Run five kilometres in the park", days=21, at=time(8)),
                ],
            ),
            DemoGoal(
                "Grow tomatoes on the balcony",
                "Twelve plants, one summer.",
                ["garden"],
                [DemoTask("Sow the seeds", done=True), DemoTask("Repot the seedlings", days=14, at=time(10)), DemoTask("Find bigger pots")],
            ),
        ],
    ),
    DemoMember(
        "ana",
        {
            "nickname": "Ana",
            "language": "en",
            "pronouns": "she/her",
            "bio": "Runs in the morning, learns Spanish in the evening.",
            "tags": ["running", "spanish", "reading"],
            "timezone": "Europe/Lisbon",
        },
        [
            DemoGoal(
                "Run a half marathon",
                "21.1 km in autumn, in under two hours.",
                ["running", "health"],
                [
                    DemoTask("Sign up for the race", done=True),
                    DemoTask("Run eight kilometres", done=True),
                    DemoTask("Run ten kilometres with Bruno", days=1, at=time(7), minutes_before=[60], assignees=["bruno"]),
                    DemoTask("Buy a second pair of shoes", days=5, at=time(12)),
                    DemoTask("Run fifteen kilometres", days=10, at=time(7), minutes_before=[24 * 60, 60]),
                ],
            ),
            DemoGoal(
                "Hold a conversation in Spanish",
                "Half an hour, without switching to English.",
                ["spanish", "languages"],
                [
                    DemoTask("Choose a course", done=True),
                    DemoTask("Learn the first five hundred words", days=6, at=time(19), minutes_before=[15]),
                    DemoTask("Write a page about my week", days=3, at=time(20)),
                    DemoTask("Find a partner to talk with"),
                ],
            ),
            DemoGoal(
                "Save for a sabbatical",
                "Six months of costs.",
                ["money"],
                [DemoTask("List the monthly costs", done=True), DemoTask("Ask the bank about a savings plan", days=4, at=time(11))],
                visibility="private",
            ),
        ],
    ),
)

CONVERSATION = (
    ("ana", "Morning! Ten kilometres on Saturday, are you in?"),
    ("bruno", "In, if we start slowly."),
    ("ana", "Promised. Seven o'clock at the fountain?"),
    ("bruno", "Seven it is. I'll bring water."),
    ("ana", "See you there 🏃"),
)

CLUB_ROOM = "demo-saturday-runs"
CLUB = (
    ("ana", "This room is for everybody who runs on Saturdays."),
    ("bruno", "Write to me at bruno.runs@example.com, I answer faster there."),
    ("bruno", "This training plan is bullshit, honestly."),
)
"""What the automatic moderator flags, so that the moderators' queue is not empty."""
REPORTED = 3
"""The number of the message of the club that ana reports."""


def load() -> Iterator[str]:
    """Load what is missing, with a line about each thing made; no line where nothing was missing.

    Raises ImproperlyConfigured outside local and test settings, and Group.DoesNotExist on a database that was not migrated.
    """
    if not is_local():
        raise ImproperlyConfigured("demo data is for local and test settings only, where OIDC_ISSUER is this service's own http address.")
    trace.start()
    if made := _load_users():
        yield f"Sign-ins made: {', '.join(made)}. The password of each is {DEMO_PASSWORD}."
    for member in MEMBERS:
        if _load_member(member):
            planned = sum(len(goal.tasks) for goal in member.goals)
            yield f"Member made: {member.user_id}, with {len(member.goals)} goals and {planned} tasks."
    if _connect():
        yield "Connected: ana and bruno."
    if _load_club():
        yield "Room made: the club of ana and bruno, with messages for the moderators."
    if _load_conversation():
        yield f"Room made: ana and bruno, with {len(CONVERSATION)} messages."
    yield from demo_offers.load()


@transaction.atomic
def _load_users() -> list[str]:
    """The names of those who were not there."""
    there = set(get_user_model().objects.values_list("username", flat=True))
    missing = [user for user in USERS if user.username not in there]
    client = Client.objects.filter(id=CLIENT_ID).first()
    if missing or client is None:
        ensure_demo_identity(missing, client.get_redirect_uris() if client else _redirect_uris())
    names = [user.username for user in missing]
    for name in GROUPS.keys() & set(names):
        Group.objects.get(name=GROUPS[name]).user_set.add(get_user_model().objects.get_by_natural_key(name))
    return names


def _redirect_uris() -> list[str]:
    """A browser application under development stands at one of the origins that may call the API."""
    return [f"{origin}/callback" for origin in settings.ALLOWED_ORIGINS]


def _load_member(member: DemoMember) -> bool:
    """Whether anything was made. Goals and tasks are known again by their titles."""
    actor = Actor(user_id=member.user_id)
    ids = {goal.title: goal.id for goal in goals.goals_of(actor, actor.user_id, archived=True)}
    touched = users.me(actor).version is not None or ids.keys() - {goal.title for goal in member.goals}
    if touched:
        return False
    today = wiring.clock().now().astimezone(ZoneInfo(member.profile["timezone"]))
    for goal in member.goals:
        goal_id = ids.get(goal.title) or goals.create_goal(actor, goal.fields()).id
        _load_tasks(actor, goal_id, goal.tasks, today)
    addresses.adopt_email(SYSTEM, actor.user_id, f"{actor.user_id}@example.com")
    users.upsert_profile(actor, member.profile)
    return True


def _connect() -> bool:
    """Whether anything was made."""
    ana, bruno = Actor(user_id="ana"), Actor(user_id="bruno")
    try:
        before = connections.request_connection(ana, "bruno")
        if before.state != ACCEPTED:
            connections.respond_to_connection(bruno, "ana", accept=True)
    except (NotFound, QuotaExceeded):
        return False  # they changed their profiles, or blocked each other
    return before.state != ACCEPTED


def _load_conversation() -> bool:
    """Whether anything was made."""
    try:
        room = rooms.open_room(Actor(user_id="ana"), ["bruno"])
    except (NotFound, QuotaExceeded):
        return False  # they changed their profiles, or blocked each other
    return _write(room, CONVERSATION)


def _load_club() -> bool:
    """Whether anything was made."""
    ana = Actor(user_id="ana")
    try:
        room = rooms.open_room(ana, ["bruno"], title="Saturday runs", room_id=CLUB_ROOM)
    except (NotFound, QuotaExceeded):
        return False
    made = _write(room, CLUB)
    if made:
        reported = messages.history(ana, room.id)[REPORTED - 1]
        moderation.report(ana, reported.id, "Rude to whoever wrote the plan.")
    return made


def _write(room: Room, lines: Sequence[tuple[str, str]]) -> bool:
    """Whether anything was missing. A message has an id of its own, so a load that was interrupted goes on where it ended."""
    if int(room.seq) >= len(lines):
        return False
    for number, (user_id, text) in enumerate(lines):
        messages.send(Actor(user_id=user_id), room.id, text, client_id=f"demo-{number}")
    messages.mark_read(Actor(user_id="bruno"), room.id)
    return True


def _load_tasks(actor: Actor, goal_id: str, planned: Sequence[DemoTask], today: datetime) -> None:
    there = {task.title: task for task in tasks.tasks(actor, goal_id)}
    for demo in planned:
        task = there.get(demo.title) or tasks.add_task(actor, goal_id, demo.fields(today))
        if demo.done:
            tasks.mark_task_done(actor, task.id)
