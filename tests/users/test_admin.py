"""The look-up of members in the back office, through the admin's own addresses: who may, what they see, that nothing can be changed."""

import logging
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from gamification.items import GameAggregate
from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.errors import Forbidden, NotFound
from goalgraph.table import table
from goalgraph.table.metering import metered
from goals import services as goals
from goals import staff_services
from goals import task_services as tasks
from users import services as users
from users.admin import LOOKED_UP
from users.models import Member
from users.staff_services import staff_actor

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("memory_world", "static_files")]

FORM = "/admin/users/member/"
ANA = "/admin/users/member/ana/change/"
SUPPORT = staff_actor("support")


@pytest.fixture
def static_files(settings: Any) -> None:
    settings.WHITENOISE_AUTOREFRESH = True  # nothing is collected under test


def browser_of(role: str) -> Client:
    """A browser: `support` may look up, `moderator` is staff without that permission, `member` is no staff, `nobody` is not signed in."""
    client = Client()
    if role == "nobody":
        return client
    create = get_user_model().objects
    user = create.create_superuser(role) if role == "admin" else create.create_user(role, is_staff=role != "member")
    if role == "support":
        user.user_permissions.add(Permission.objects.get(codename="view_member", content_type__app_label="users"))
    client.force_login(user)
    return client


@pytest.fixture
def support() -> Client:
    return browser_of("support")


def ana(**more: Any) -> Actor:
    """Ana, with a profile, a public goal of one open and one done task, and a private goal."""
    actor = Actor(user_id="ana", **more)
    users.upsert_profile(
        actor, {"nickname": "Ana Nickname", "bio": "Likes hills", "timezone": "America/Sao_Paulo", "visibility": "private"}
    )
    public = goals.create_goal(actor, {"title": "Run a marathon", "visibility": "public", "tags": ["running"]})
    due = wiring.clock().now() + timedelta(days=1)
    tasks.add_task(actor, public.id, {"title": "Run ten miles", "due_at": due, "reminders": [{"minutes_before": 90}]})
    tasks.mark_task_done(actor, tasks.add_task(actor, public.id, {"title": "Buy shoes"}).id)
    goals.create_goal(actor, {"title": "Quit my job", "visibility": "private"})
    return actor


def text_of(page: Any) -> str:
    """What a reader sees, tags taken out and white space joined."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split())


# Who may -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [FORM, FORM + "?user=ana", ANA])
@pytest.mark.parametrize(("role", "status"), [("admin", 200), ("support", 200), ("moderator", 403), ("member", 302), ("nobody", 302)])
def test_the_look_up_is_for_staff_with_the_permission(role: str, status: int, address: str) -> None:
    ana()

    page = browser_of(role).get(address)

    assert page.status_code == status
    assert status != 302 or page["Location"].startswith("/admin/login/?next=")
    assert status == 200 or b"Ana Nickname" not in page.content


@pytest.mark.parametrize(("role", "listed"), [("admin", True), ("support", True), ("moderator", False)])
def test_the_index_lists_members_for_those_who_may_look_them_up(role: str, listed: bool) -> None:
    page = browser_of(role).get("/admin/")

    assert page.status_code == 200
    assert "GoalGraph back office" in text_of(page)
    assert (f'href="{FORM}"' in page.content.decode()) is listed
    assert f"{FORM}add/" not in page.content.decode()


@pytest.mark.parametrize("scopes", [frozenset(), frozenset({"goalgraph"}), SYSTEM.scopes])
def test_the_service_decides_by_the_actor(scopes: frozenset[str]) -> None:
    member = ana()

    with pytest.raises(Forbidden):
        staff_services.overview(Actor(user_id="support", scopes=scopes), "ana")
    with pytest.raises(Forbidden):
        staff_services.overview(member, "ana")


# Read-only ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["admin", "support"])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("address", [FORM, ANA])
def test_only_reading_is_answered(role: str, method: str, address: str) -> None:
    ana()
    before = staff_services.overview(SUPPORT, "ana").profile

    answer = getattr(browser_of(role), method)(address, {"nickname": "changed", "_save": "1"})

    after = staff_services.overview(SUPPORT, "ana").profile
    assert answer.status_code == 405
    assert before is not None
    assert after is not None
    assert after.attribute_values == before.attribute_values


@pytest.mark.parametrize("page", ["add/", "ana/delete/", "ana/history/", "ana/"])
def test_there_is_no_page_that_could_write(page: str) -> None:
    ana()

    assert browser_of("admin").get(FORM + page).status_code == 404


def test_members_have_the_one_permission_and_no_sql_row(support: Client) -> None:
    ana()
    support.get(ANA)
    kind = ContentType.objects.get_for_model(Member)

    assert [permission.codename for permission in Permission.objects.filter(content_type=kind)] == ["view_member"]
    assert not Member.objects.exists()
    assert browser_of("admin").get(f"/admin/r/{kind.pk}/ana/").status_code == 404


# What is shown -----------------------------------------------------------------------------------------------------------------------


def test_support_sees_a_member_with_private_goals_and_tasks(support: Client) -> None:
    actor = ana()
    users.block(actor, "bruno")
    now = wiring.clock().now()
    streak = {"streak_current": 3, "streak_longest": 21, "streak_day": now.date().isoformat(), "streak_at": now, "streak_zones": ["UTC"]}
    table(actor).put(GameAggregate(owner_id="ana", score=1234, level=7, badges=["early-bird"], **streak))

    shown = text_of(support.get(FORM + "?user=+ana+"))

    for told in (
        "2027-07-02 09:00 Run ten miles Run a marathon",
        *("Ana Nickname", "Likes hills", "America/Sao_Paulo", "Members they blocked 1"),
        *("Run a marathon active public 1 open, 1 done", "Quit my job active private 0 open, 0 done", "Goals (2)"),
        *("Run ten miles open 2027-07-02 09:00 90 min before", "Buy shoes done 2027-07-01 09:00", "Agenda (1)"),
        *("Points of all time 1234", "Level 7", "3 days, longest 21", "early-bird"),
    ):
        assert told in shown
    assert "bruno" not in shown


def test_other_members_still_do_not_see_what_support_sees() -> None:
    ana()

    with pytest.raises(NotFound):
        goals.goals_of(Actor(user_id="bruno"), "ana")


def test_the_tasks_of_an_archived_goal_come_when_asked_for(support: Client) -> None:
    actor = ana()
    goal = goals.goals_of(actor, "ana")[0]
    goals.archive_goal(actor, goal.id)

    closed, opened = support.get(ANA), support.get(ANA, {"goal": goal.goal_id})

    assert "Run a marathon archived public 1 open, 1 done" in text_of(closed)
    assert "Run ten miles" not in text_of(closed)
    assert f"{ANA}?goal={goal.goal_id}#goal-{goal.goal_id}" in closed.content.decode()
    assert "Run ten miles" in text_of(opened)


def test_a_member_without_a_profile_is_shown_too(support: Client) -> None:
    goals.create_goal(Actor(user_id="dora"), {"title": "Begin somewhere"})
    users.block(Actor(user_id="emil"), "dora")

    assert "This member has not written a profile." in text_of(support.get(FORM, {"user": "dora"}))
    assert "Members they blocked 1" in text_of(support.get(FORM, {"user": "emil"}))


def test_nothing_that_a_member_writes_becomes_markup(support: Client) -> None:
    actor, attack = Actor(user_id="ana"), "<script>alert(1)</script><img src=x onerror=alert(2)>"
    users.upsert_profile(actor, {"nickname": "<b>Ana</b>", "bio": f"{attack}\n{attack}", "pronouns": '"><i>'})
    goal = goals.create_goal(actor, {"title": attack, "description": attack})
    tasks.add_task(actor, goal.id, {"title": attack})

    page = support.get(ANA).content.decode()

    assert "&lt;b&gt;Ana&lt;/b&gt;" in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 7, "bio 2, goal 2, task 1, agenda 2"
    assert not re.search(r"<script>|<img|<b>|<i>", page)


def test_what_was_typed_does_not_become_markup(support: Client) -> None:
    page = support.get(FORM, {"user": '"><script>alert(1)</script>', "tenant": "'><b>"}).content.decode()

    assert "<script>alert" not in page
    assert "&quot;&gt;&lt;script&gt;" in page


@pytest.mark.parametrize("address", ["/admin/login/", "/admin/", FORM, ANA, FORM + "?user=nobody"])
def test_pages_live_under_the_content_security_policy(address: str) -> None:
    ana()
    client = Client() if "login" in address else browser_of("support")

    page = client.get(address)

    text = page.content.decode()
    assert "script-src 'self'" in page["Content-Security-Policy"]
    assert "style-src 'self'" in page["Content-Security-Policy"]
    assert "unsafe" not in page["Content-Security-Policy"]
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text))
    assert "GoalGraph back office" in text_of(page)


def test_pages_about_members_are_not_kept(support: Client) -> None:
    ana()

    assert {"no-store", "private"} <= set(re.split(r",\s*", support.get(ANA)["Cache-Control"]))


# Who is not there --------------------------------------------------------------------------------------------------------------------

MALFORMED = [
    *("#", "ana#", "USER#ana", "a b", "ana\x00", "ana\nx", "\u0430na", "<b>"),
    *("../ana", "..", "/", "acme/", "a/b/c", "x" * 129, "x" * 5000),
]


@pytest.mark.parametrize("typed", MALFORMED, ids=repr)
def test_a_malformed_id_and_an_absent_member_look_the_same(typed: str, support: Client) -> None:
    ana()

    malformed, absent = support.get(FORM, {"user": typed}), support.get(FORM, {"user": "nobody"})

    def without_input(page: Any) -> str:
        return re.sub(r'(name="(?:user|tenant|csrfmiddlewaretoken)" value=)"[^"]*"', r"\1", page.content.decode())

    assert malformed.status_code == absent.status_code == 404
    assert "There is no member by that id." in text_of(absent)
    assert without_input(malformed) == without_input(absent)


@given(user=st.text(min_size=1, max_size=40), tenant=st.text(max_size=20))
def test_whatever_is_typed_where_nobody_is_finds_nobody(user: str, tenant: str) -> None:
    with pytest.raises(NotFound):
        staff_services.overview(staff_actor("support", tenant or None), user)


def test_an_empty_form_is_the_form(support: Client) -> None:
    page = support.get(FORM, {"user": " ", "tenant": "acme"})

    assert page.status_code == 200
    assert "There is no member" not in text_of(page)


# Tenants -----------------------------------------------------------------------------------------------------------------------------


def test_a_tenants_members_are_found_in_that_tenant_only(support: Client) -> None:
    ana(tenant_id="acme")

    inside = support.get(FORM, {"user": "ana", "tenant": "acme"})

    assert inside.status_code == 200
    assert "Quit my job" in text_of(inside)
    assert support.get(FORM, {"user": "ana"}).status_code == 404
    assert support.get(FORM, {"user": "ana", "tenant": "other"}).status_code == 404
    assert support.get(FORM, {"user": "ana", "tenant": "acme#"}).status_code == 404


def test_the_admins_recent_actions_lead_back_to_the_member(support: Client) -> None:
    ana(tenant_id="acme")
    support.get(FORM, {"user": "ana", "tenant": "acme"})

    link = re.search(rf'href="({FORM}[^"]+/change/)"', support.get("/admin/").content.decode())

    assert link
    assert "Quit my job" in text_of(support.get(link[1]))


# Who looked --------------------------------------------------------------------------------------------------------------------------


def test_each_look_up_is_recorded_without_what_was_seen(support: Client, caplog: pytest.LogCaptureFixture) -> None:
    ana()
    with caplog.at_level(logging.INFO, logger="goalgraph.audit"):
        page = support.get(ANA, headers={"x-trace-id": "trace-of-the-look-up"})
        support.get(FORM, {"user": "nobody@example.com"})
        support.get(FORM)

    lines = [record for record in caplog.records if record.name == "goalgraph.audit"]
    assert [(line.getMessage(), line.data) for line in lines] == [  # type: ignore[attr-defined]
        ("member.looked_up", {"staff": "support", "member": "ana", "tenant": None})
    ]
    assert page["X-Trace-Id"] == "trace-of-the-look-up"
    entry = LogEntry.objects.get()
    assert (entry.user.get_username(), entry.object_id, entry.object_repr, entry.change_message) == ("support", "ana", "ana", "Looked up.")
    assert entry.action_flag == LOOKED_UP


# What it costs -----------------------------------------------------------------------------------------------------------------------


def test_round_trips_are_bounded_by_the_active_goals() -> None:
    actor = Actor(user_id="ana")
    for number in range(8):
        goal = goals.create_goal(actor, {"title": f"Goal {number}"})
        tasks.add_task(actor, goal.id, {"title": "A task"})
        if number < 3:
            goals.archive_goal(actor, goal.id)

    archived = goals.goals_of(actor, "ana", archived=True)[0]
    with metered() as closed:
        staff_services.overview(SUPPORT, "ana")
    with metered() as opened:
        staff_services.overview(SUPPORT, "ana", opened=archived.goal_id)

    assert (closed.round_trips, opened.round_trips) == (7, 8)


def test_a_look_up_asks_sql_for_the_staff_only(support: Client, django_assert_max_num_queries: Any) -> None:
    """Who they are, what they may, their groups and companies, and the records of the look."""
    ana()
    support.get(ANA)  # content types are kept from now on

    with django_assert_max_num_queries(10):
        support.get(ANA)


def test_no_migration_is_missing() -> None:
    call_command("makemigrations", "users", check=True, dry_run=True, verbosity=0)
