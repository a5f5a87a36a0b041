"""`manage.py remove_second_factor`, which ops run where no superuser gets in."""

from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from django.core.management import CommandError, call_command
from django.db import DatabaseError

from goalgraph import wiring
from tests.goalgraph.backoffice.staff import give_recovery_codes, give_totp, has_factor, new_staff
from users.models import StaffAction

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("memory_world")]


def remove(name: str) -> str:
    out = StringIO()
    call_command("remove_second_factor", name, stdout=out)
    return out.getvalue().strip()


def test_it_removes_one_persons_and_leaves_a_record():
    user, other = new_staff(), new_staff()
    for one in (user, other):
        give_totp(one)
        give_recovery_codes(one)

    assert remove(user.username) == f"{user.username} sets up a new second factor at the next sign-in."

    assert not Authenticator.objects.filter(user=user).exists()
    assert has_factor(other)
    record = StaffAction.objects.get()
    assert (record.at, record.staff_id, record.staff_name) == (wiring.clock().now(), 0, "manage.py remove_second_factor")
    assert (record.subject, record.what, record.status) == (f"auth.user {user.pk}", "Removed the second factor.", 200)


def test_where_there_is_none_nothing_is_recorded():
    user = new_staff()

    assert remove(user.username) == f"{user.username} has no second factor."
    assert not StaffAction.objects.exists()


def test_nobody_of_that_name_is_an_error():
    with pytest.raises(CommandError, match="Nobody signs in with that name"):
        remove("nobody-at-all")


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_recorded_is_not_done(monkeypatch: pytest.MonkeyPatch):
    user = new_staff()
    give_totp(user)

    def full(**_: object) -> None:
        raise DatabaseError("disk is full")

    monkeypatch.setattr(StaffAction.objects, "create", full)
    with pytest.raises(DatabaseError):
        remove(user.username)

    assert has_factor(user)
