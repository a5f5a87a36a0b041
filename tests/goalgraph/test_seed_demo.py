"""`manage.py seed_demo`: what it loads, that it loads it once, and that it leaves alone what a person has touched."""

import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from allauth.idp.oidc.models import Client as OidcClient
from django.conf import settings
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.test import Client, override_settings

from chat import message_services as messages
from chat import moderation_services as moderation
from chat import services as rooms
from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import NotFound
from goalgraph.table.memory import MemoryTable
from goals import services as goals
from goals import task_services as tasks
from goals.domain import DONE, OPEN
from offers import authoring_services as authoring
from offers import stats_services
from offers.models import Membership, Offer
from users import services as users
from users.staff_services import staff_actor

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("memory_world", "closed_network")]

MEMBERS = ("ana", "bruno", "carla")
STAFF = ("admin", "moderator", "partner", "partner2", "support")


LOCAL_LINKS = {"link_checker": {"BACKEND": "goalgraph.adapters.link_checker.ShapeLinkChecker"}}


@pytest.fixture
def closed_network(settings: Any, memory_world: None, tmp_path: Any) -> None:
    """Addresses are read and not asked, as in local settings, and pictures are files."""
    settings.PORTS = settings.PORTS | LOCAL_LINKS
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    }


def seed() -> str:
    said = io.StringIO()
    call_command("seed_demo", stdout=said)
    return said.getvalue()


def stored() -> dict[Any, Any]:
    """All that the table holds."""
    adapter = wiring.table_adapter()
    assert isinstance(adapter, MemoryTable)
    return {key: dict(raw) for key, raw in adapter._items.items()}


def sign_ins() -> list[tuple[Any, ...]]:
    return sorted(get_user_model().objects.values_list("username", "password", "email", "is_staff", "is_superuser", "is_active"))


def goals_of(user_id: str) -> list[Any]:
    return goals.goals_of(Actor(user_id=user_id), user_id)


def tasks_of(user_id: str) -> list[Any]:
    return [task for goal in goals_of(user_id) for task in tasks.tasks(Actor(user_id=user_id), goal.id)]


@pytest.mark.parametrize("user_id", MEMBERS)
def test_members_have_a_profile_goals_and_tasks_in_all_states(user_id: str) -> None:
    seed()
    actor, now = Actor(user_id=user_id), wiring.clock().now()
    profile, planned = users.me(actor), tasks_of(user_id)

    assert profile.nickname == user_id.capitalize()
    assert profile.timezone != "UTC"
    assert profile.tags
    assert {task.status for task in planned} == {OPEN, DONE}
    dated = [task for task in planned if task.due_at and task.status == OPEN]
    assert all(now < task.due_at < now + timedelta(days=60) for task in dated)
    assert any(task.reminders for task in dated)
    agenda = [entry.id for entry in goals.home(actor).agenda if entry.owner_id == user_id]
    assert sorted(agenda) == sorted(task.id for task in planned if task.status == OPEN)


def test_members_differ_in_who_may_see_what() -> None:
    seed()
    dora = Actor(user_id="dora")

    assert [goal.title for goal in goals.goals_of(dora, "ana")] == ["Run a half marathon", "Hold a conversation in Spanish"]
    assert len(goals_of("ana")) == 3
    assert len(goals.goals_of(dora, "bruno")) == 2
    with pytest.raises(NotFound):
        users.user(dora, "carla")
    shared = [entry.title for entry in tasks.assigned(Actor(user_id="bruno"), limit=10).items if entry.owner_id == "ana"]
    assert shared == ["Run ten kilometres with Bruno"]


def test_ana_and_bruno_have_a_room_in_which_they_have_written() -> None:
    seed()
    room, _club = rooms.rooms_page(Actor(user_id="ana"), limit=10).items

    written = messages.history(Actor(user_id="bruno"), room.id)
    assert [(message.seq, message.sender_id) for message in written][:2] == [(1, "ana"), (2, "bruno")]
    assert {member.user_id for member in rooms.members(Actor(user_id="ana"), room)} == {"ana", "bruno"}


def test_everybody_signs_in_and_staff_are_who_they_should_be() -> None:
    seed()
    users_by_name = {user.username: user for user in get_user_model().objects.all()}

    assert set(users_by_name) == {*MEMBERS, *STAFF}
    assert all(authenticate(username=name, password="goalgraph-demo") for name in users_by_name)
    assert {name for name, user in users_by_name.items() if user.is_staff} == set(STAFF)
    assert {name for name, user in users_by_name.items() if user.is_superuser} == {"admin"}
    assert {name for name, user in users_by_name.items() if user.has_perm("users.view_member")} == {"admin", "support"}
    assert {name for name, user in users_by_name.items() if user.has_perm("chat.act_on_case")} == {"admin", "moderator"}
    assert {name for name, user in users_by_name.items() if user.has_perm("offers.add_offer")} == {"admin", "partner", "partner2"}
    assert {name for name, user in users_by_name.items() if user.has_perm("offers.review_offer")} == {"admin", "moderator"}
    assert OidcClient.objects.get(id="goalgraph-web").get_redirect_uris() == ["http://testserver/callback", "https://app.example/callback"]


def test_companies_have_an_owner_live_offers_and_figures_to_draw() -> None:
    seed()
    today = wiring.clock().now().date()

    owners = {(one.company.name, one.user.username, one.role) for one in Membership.objects.all()}
    assert owners == {("Runwell", "partner", "owner"), ("Lingua", "partner2", "owner")}
    for company, tags in {"Runwell": {"running", "health"}, "Lingua": {"spanish", "english", "languages"}}.items():
        offers = Offer.objects.filter(company__name=company)
        assert 2 <= len(offers) <= 3
        assert {offer.state for offer in offers} == {"live"}
        assert {tag for offer in offers for tag in offer.tags} == tags
        for offer in offers:
            assert offer.published_rev == offer.rev
            assert offer.image
            figures = stats_services.days(offer.pk, today - timedelta(days=13), today)
            assert not any(day.hidden for day in figures)
            assert sum(day.clicks or 0 for day in figures) > 0


def test_a_deleted_figure_or_a_changed_offer_is_not_made_again() -> None:
    seed()
    partner = get_user_model().objects.get(username="partner")
    offer = Offer.objects.filter(company__name="Runwell")[0]
    authoring.edit_offer(partner, offer.pk, title="A title of my own")
    authoring.archive(partner, Offer.objects.filter(company__name="Runwell").exclude(pk=offer.pk)[0].pk)

    assert "Runwell" in seed(), "the offer of the old title is missing"
    before = sorted(Offer.objects.values_list("pk", "rev", "state"))
    assert "Nothing was changed." in seed()
    assert sorted(Offer.objects.values_list("pk", "rev", "state")) == before


def test_the_moderators_have_something_to_do() -> None:
    seed()
    _room, club = rooms.rooms_page(Actor(user_id="ana"), limit=10).items
    moderation.review_room(moderation.platform(None), club.id, 3)

    cases = moderation.queue_page(staff_actor("moderator"), limit=10).items
    assert {case.sender_id for case in cases} == {"bruno"}
    assert {reason.partition(":")[0] for case in cases for reason in case.reasons} == {"email", "profanity"}
    assert sorted(int(case.reports) for case in cases) == [0, 1]


def test_support_finds_ana_at_the_back_office(settings: Any) -> None:
    settings.WHITENOISE_AUTOREFRESH = True
    seed()
    browser = Client()
    browser.post("/admin/login/?next=/admin/users/member/", {"username": "support", "password": "goalgraph-demo"})

    page = browser.get("/admin/users/member/", {"user": "ana"})

    assert page.status_code == 200
    assert "Save for a sabbatical" in page.content.decode()


def test_a_second_run_changes_nothing_and_says_so() -> None:
    first = seed()
    before = stored(), sign_ins()

    second = seed()

    assert "ana, with 3 goals and 11 tasks." in first
    assert "admin" in first
    assert "goalgraph-demo" in first
    assert second == "  The demo data is there already. Nothing was changed.\n"
    assert (stored(), sign_ins()) == before


def test_what_a_person_changed_or_deleted_stays_so() -> None:
    seed()
    ana = Actor(user_id="ana")
    users.upsert_profile(ana, {"nickname": "Anna", "tags": []})
    first, *others = goals_of("ana")
    goals.update_goal(ana, first.id, {"title": "Run a whole marathon"})
    tasks.delete_task(ana, tasks.tasks(ana, first.id)[0].id)
    for goal in others:
        goals.archive_goal(ana, goal.id)
    admin = get_user_model().objects.get(username="admin")
    admin.set_password("a-password-of-my-own")
    admin.save()
    Group.objects.get(name="support").permissions.clear()
    client = OidcClient.objects.get(id="goalgraph-web")
    client.set_redirect_uris(["http://127.0.0.1:3000/back"])
    client.save()
    before = stored(), sign_ins()

    said = seed()

    assert "Nothing was changed." in said
    assert (stored(), sign_ins()) == before
    assert OidcClient.objects.get(id="goalgraph-web").get_redirect_uris() == ["http://127.0.0.1:3000/back"]
    assert not Group.objects.get(name="support").permissions.exists()


@pytest.mark.parametrize("touch", ["profile", "goal"])
def test_a_member_whom_a_person_already_is_gets_nothing(touch: str) -> None:
    ana = Actor(user_id="ana")
    if touch == "profile":
        users.upsert_profile(ana, {"bio": "I was here first."})
    else:
        goals.create_goal(ana, {"title": "A goal of my own"})

    said = seed()

    assert "ana, with" not in said
    assert "bruno, with" in said
    assert [goal.title for goal in goals_of("ana")] == ([] if touch == "profile" else ["A goal of my own"])


def test_a_deleted_sign_in_comes_back_and_the_others_keep_theirs() -> None:
    seed()
    get_user_model().objects.get(username="support").delete()
    bruno = get_user_model().objects.get(username="bruno")
    bruno.email = "bruno@elsewhere.example"
    bruno.save()

    assert "Sign-ins made: support." in seed()
    assert get_user_model().objects.get(username="bruno").email == "bruno@elsewhere.example"


class Interrupted(Exception):
    pass


class TableThatStops(MemoryTable):
    """Lets so many transactions through, then none."""

    left = 0

    def transact(self, operations: Any, token: str) -> None:
        if type(self).left == 0:
            raise Interrupted
        type(self).left -= 1
        super().transact(operations, token)


@pytest.fixture
def stopping_world() -> Iterator[type[TableThatStops]]:
    clock = {"BACKEND": "tests.fixtures.FakeClock"}
    ports = settings.PORTS | LOCAL_LINKS | {"table": {"BACKEND": f"{__name__}.TableThatStops"}, "clock": clock}
    with override_settings(PORTS=ports):
        yield TableThatStops


@pytest.mark.parametrize("transactions", [0, 1, 2, 5, 11, 25])
def test_a_load_that_was_interrupted_goes_on_where_it_stopped(transactions: int, stopping_world: type[TableThatStops]) -> None:
    stopping_world.left = transactions
    with pytest.raises(Interrupted):
        seed()
    stopping_world.left = 1000

    seed()

    for user_id, (goal_count, task_count, done) in {"ana": (3, 11, 4), "bruno": (2, 6, 2), "carla": (1, 3, 1)}.items():
        planned = tasks_of(user_id)
        assert (len(goals_of(user_id)), len(planned), sum(task.status == DONE for task in planned)) == (goal_count, task_count, done)
    assert "Nothing was changed." in seed()


@pytest.mark.parametrize(
    "values", [{"OIDC_ISSUER": "https://id.example"}, {"OIDC_ISSUER": "https://id.example", "PUBLIC_URL": "https://id.example"}], ids=str
)
def test_production_gets_no_demo_data(values: dict[str, str]) -> None:
    with override_settings(**values), pytest.raises(CommandError, match="No demo data: demo data is for local and test settings only"):
        seed()

    assert stored() == {}
    assert not get_user_model().objects.exists()


def test_a_database_that_was_not_migrated_is_named() -> None:
    Group.objects.all().delete()

    with pytest.raises(CommandError, match=r"manage\.py migrate"):
        seed()

    assert not get_user_model().objects.exists(), "all sign-ins or none"
