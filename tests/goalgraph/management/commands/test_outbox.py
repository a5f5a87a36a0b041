"""`manage.py outbox` as an operator reads it."""

from dataclasses import replace
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from goalgraph.auth.actor import SYSTEM, Actor
from notifications import services
from notifications.delivery_services import deliver
from tests.fixtures import FakeClock, new_user
from tests.notifications.delivery_world import reachable, task_of, told

pytestmark = pytest.mark.usefixtures("memory_world")


def outbox(**options: str) -> list[str]:
    out = StringIO()
    call_command("outbox", stdout=out, **options)
    return out.getvalue().splitlines()


def rows(**options: str) -> list[list[str]]:
    """The cells of the table, without its head and its foot."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in outbox(**options)[1:-2]]


def test_where_nothing_was_sent_it_says_so():
    assert outbox() == ["Nothing was sent on 2027-07-01 (UTC)."]
    assert outbox(user="ana", channel="email") == ["Nothing was sent to ana by email."]


def test_it_lists_what_went_over_each_channel_the_newest_last(memory_world: FakeClock):
    member, other = reachable(new_user()), reachable(new_user(), token="another phone's token")
    task = task_of(member)
    note_id = told(member, "reminder", subject=task.id)
    memory_world.advance(minutes=1)
    deliver(SYSTEM, member.user_id, note_id, "email")
    memory_world.advance(minutes=1)
    told(other)

    found = rows()
    assert [(row[0], row[1], row[2], row[3], row[4]) for row in found] == [
        ("2027-07-01 12:00:00", member.user_id, "in_app", "reminder", "sent"),
        ("2027-07-01 12:01:00", member.user_id, "email", "reminder", "sent"),
        ("2027-07-01 12:02:00", other.user_id, "in_app", "security", "sent"),
    ]
    assert "Run 5 km" in found[1][5]
    assert outbox()[-1] == "sent: 2 in_app, 1 email"
    assert [row[2] for row in rows(channel="email")] == ["email"]
    assert [row[1] for row in rows(user=other.user_id, channel="in_app")] == [other.user_id]


def test_of_one_member_it_also_says_what_was_not_sent_and_why(memory_world: FakeClock):
    member = reachable(new_user())
    note_id = told(member, "reminder", subject=task_of(member).id, not_after=memory_world.now() + timedelta(minutes=5))
    deliver(SYSTEM, member.user_id, note_id, "push")
    memory_world.advance(minutes=6)
    deliver(SYSTEM, member.user_id, note_id, "email")

    found = {row[2]: row[4] for row in rows(user=member.user_id)}
    assert found == {"in_app": "sent", "push": "sent", "email": "dropped (expired)"}
    assert {row[2] for row in rows()} == {"in_app", "push"}


def test_a_day_is_one_of_utc(memory_world: FakeClock):
    member = reachable(new_user())
    told(member)
    memory_world.advance(days=1)
    assert outbox() == ["Nothing was sent on 2027-07-02 (UTC)."]
    assert len(rows(day="2027-07-01")) == 1
    assert outbox(user=member.user_id, day="2027-07-02", channel="in_app") == [
        f"Nothing was sent to {member.user_id} by in_app on 2027-07-02 (UTC)."
    ]


def test_each_tenant_has_its_own():
    member = Actor(user_id="ana", tenant_id="acme")
    told(member, "badge", tenant_id="acme")
    assert outbox()[0].startswith("Nothing")
    assert rows(tenant="acme")[0][1] == "ana"
    assert services.recipients(replace(SYSTEM, tenant_id="acme"), ["ana"])


def test_what_is_no_day_and_no_member_is_said_to_be_none():
    for options in ({"day": "yesterday"}, {"user": "a#b"}):
        with pytest.raises(CommandError):
            outbox(**options)
