"""The record of what staff did: that it is there for every change and every look at a member, and that it stays as it is."""

import string
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.backoffice import audit
from tests.goalgraph.backoffice.staff import PASSWORD, admin_addresses, code_of, give_totp, new_browser, new_staff, sign_in, wrong_code
from users import services as users
from users.models import AppendOnly, StaffAction

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("memory_world")]


@pytest.fixture
def chief() -> User:
    return new_staff(is_superuser=True)


@pytest.fixture
def browser(chief: User) -> Client:
    browser = new_browser()
    browser.force_login(chief)
    return browser


def pages() -> list[StaffAction]:
    """The records of pages, oldest first; those of sign-ins left out."""
    return list(StaffAction.objects.exclude(method="").order_by("id"))


def words() -> list[str]:
    """What the records of sign-ins say, oldest first."""
    return list(StaffAction.objects.filter(method="").order_by("id").values_list("what", flat=True))


# Changes -----------------------------------------------------------------------------------------------------------------------------


def test_a_change_leaves_one_record_that_says_who_what_and_when(browser: Client, chief: User) -> None:
    group = Group.objects.create(name="Old name")

    answer = browser.post(f"/admin/auth/group/{group.pk}/change/?secret=1", {"name": "New name", "permissions": []})

    assert answer.status_code == 302
    (record,) = pages()
    assert (record.staff_id, record.staff_name) == (chief.pk, chief.username)
    assert record.at == wiring.clock().now()
    assert (record.method, record.path, record.view) == ("POST", f"/admin/auth/group/{group.pk}/change/", "admin:auth_group_change")
    assert (record.subject, record.what, record.status) == (f"auth.group {group.pk}", "Changed Name.", 302)
    assert record.trace_id == answer["X-Trace-Id"]
    assert record.address.startswith("10.")
    assert record.address.endswith(".0/24")


def test_an_addition_names_what_was_added(browser: Client) -> None:
    browser.post("/admin/auth/group/add/", {"name": "Newcomers"})

    (record,) = pages()
    assert (record.subject, record.what) == (f"auth.group {Group.objects.get(name='Newcomers').pk}", "Added.")


def test_a_bulk_action_names_each(browser: Client) -> None:
    people = [new_staff(), new_staff()]
    for person in people:
        give_totp(person)

    browser.post("/admin/auth/user/", {"action": "remove_second_factor", "_selected_action": [person.pk for person in people]})

    (record,) = pages()
    assert set(record.subject.split(", ")) == {f"auth.user {person.pk}" for person in people}
    assert record.what == "Removed the second factor."


def test_every_address_of_the_back_office_leaves_one_record_for_each_change(browser: Client) -> None:
    browser.raise_request_exception = False  # what is no form of theirs, some pages fail on
    addresses = sorted(set(admin_addresses()) - {"/admin/login/", "/admin/logout/"})
    for address in addresses:
        before = len(pages())
        browser.post(address)
        assert len(pages()) == before + 1, address

    assert len(addresses) > 60
    assert not StaffAction.objects.filter(status=None).exists()


@pytest.mark.parametrize(
    ("address", "fields", "status"),
    [
        ("/admin/auth/group/add/", {}, 200),  # the form again, with what is wrong
        ("/admin/auth/user/", {"action": "no_such_action", "_selected_action": ["1"]}, 302),
        ("/admin/auth/group/999/change/", {"name": "x"}, 302),
        ("/admin/nowhere/", {}, 404),
        ("/admin/users/staffaction/add/", {}, 403),
        ("/admin/users/member/", {}, 405),
    ],
)
def test_what_came_to_nothing_is_recorded_too(browser: Client, address: str, fields: dict[str, Any], status: int) -> None:
    assert browser.post(address, fields).status_code == status

    (record,) = pages()
    assert (record.path, record.status) == (address, status)


def test_what_staff_may_not_do_is_recorded(chief: User) -> None:
    browser = new_browser()
    nobody_much = new_staff()
    browser.force_login(nobody_much)

    assert browser.post(f"/admin/auth/user/{chief.pk}/change/", {"is_superuser": ""}).status_code == 403

    (record,) = pages()
    assert (record.staff_name, record.subject, record.status) == (nobody_much.username, str(chief.pk), 403)


def test_nothing_of_the_form_is_kept(browser: Client, chief: User) -> None:
    browser.post(f"/admin/auth/user/{chief.pk}/password/", {"password1": "hunter2hunter2", "password2": "hunter2hunter2", "x": "hunter2"})

    assert "hunter2" not in str(list(StaffAction.objects.values()))


def test_somebody_who_is_not_signed_in_leaves_no_record() -> None:
    assert new_browser().post("/admin/auth/group/add/", {"name": "x"}).status_code == 302

    assert pages() == []


def test_nothing_is_done_that_cannot_be_recorded(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: Any) -> None:
        raise DatabaseError("disk is full")

    monkeypatch.setattr(StaffAction.objects, "create", full)
    with pytest.raises(DatabaseError):
        browser.post("/admin/auth/group/add/", {"name": "Unrecorded"})

    assert not Group.objects.filter(name="Unrecorded").exists()


class Died(BaseException):
    """Stands for the end of the process: nothing handles it."""


def dying(_request: HttpRequest) -> HttpResponse:
    raise Died


def failing(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError


def forbidding(_request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


@pytest.mark.parametrize(
    ("view", "error", "status"), [(dying, Died, None), (failing, RuntimeError, 500), (forbidding, PermissionDenied, 403)]
)
def test_a_page_that_died_or_failed_stands_in_the_record(chief: User, view: Any, error: type[BaseException], status: int | None) -> None:
    request = RequestFactory().post("/admin/dying/")
    request.user = chief
    with pytest.raises(error):
        audit.recorded(view)(request)

    (record,) = pages()
    assert (record.path, record.status) == ("/admin/dying/", status)


# Looks -------------------------------------------------------------------------------------------------------------------------------


def test_a_look_at_a_member_is_recorded_with_the_member(browser: Client) -> None:
    users.upsert_profile(Actor(user_id="ana"), {"nickname": "Ana"})

    browser.get("/admin/users/member/", {"user": "ana"})

    (record,) = pages()
    assert (record.method, record.path, record.subject, record.what) == ("GET", "/admin/users/member/", "users.member ana", "Looked up.")


def test_a_look_for_nobody_does_not_keep_what_was_typed(browser: Client) -> None:
    browser.get("/admin/users/member/", {"user": "somebodys-password"})

    (record,) = pages()
    assert record.status == 404
    assert "somebodys-password" not in str(list(StaffAction.objects.values()))


@pytest.mark.parametrize("address", ["/admin/", "/admin/auth/group/", "/admin/auth/user/", "/admin/jsi18n/"])
def test_pages_without_members_may_be_read_without_a_record(browser: Client, address: str) -> None:
    assert browser.get(address).status_code == 200

    assert pages() == []


# Sign-ins ----------------------------------------------------------------------------------------------------------------------------


def test_sign_ins_and_second_factors_are_recorded(django_capture_on_commit_callbacks: Any) -> None:
    user, browser = new_staff(), new_browser()
    secret = give_totp(user)
    sign_in(browser, user)
    assert words() == []
    browser.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    with django_capture_on_commit_callbacks(execute=True):
        browser.post("/accounts/2fa/recovery-codes/generate/")
    browser.post("/accounts/2fa/totp/deactivate/")
    browser.post("/admin/logout/")

    assert words() == [
        "Signed in.",
        "Made new recovery codes.",
        "Removed a second factor: TOTP Authenticator.",
        "Removed a second factor: Recovery codes.",
        "Signed out.",
    ]


def test_each_wrong_code_is_recorded() -> None:
    user, browser = new_staff(), new_browser()
    secret = give_totp(user)
    where = sign_in(browser, user)["Location"]
    for _ in range(2):
        browser.post(where, {"code": wrong_code(secret)})
    browser.post(where, {"code": code_of(secret)})
    browser.post("/accounts/2fa/reauthenticate/", {"code": wrong_code(secret)})

    failed = "Failed at the second factor."
    assert words() == [failed, failed, "Signed in.", failed]
    first = StaffAction.objects.order_by("id")[0]
    assert (first.staff_id, first.staff_name) == (user.pk, user.username)
    assert first.address.endswith(".0/24")


def test_wrong_codes_of_members_are_nobodys_business_here() -> None:
    member, browser = new_staff(is_staff=False), new_browser()
    secret = give_totp(member)
    where = browser.post("/accounts/login/", {"login": member.username, "password": PASSWORD})["Location"]
    assert "Incorrect code" in browser.post(where, {"code": wrong_code(secret)}).content.decode()

    assert not StaffAction.objects.exists()


def test_members_who_sign_in_are_nobodys_business_here() -> None:
    browser = new_browser()
    member = new_staff(is_staff=False)
    browser.post("/accounts/login/", {"login": member.username, "password": PASSWORD})
    browser.post("/accounts/logout/")

    assert not StaffAction.objects.exists()


# Append-only -------------------------------------------------------------------------------------------------------------------------


def new_record(**facts: Any) -> StaffAction:
    return StaffAction.objects.create(at=wiring.clock().now(), staff_id=1, staff_name="admin", **facts)


def test_a_record_is_never_changed_or_deleted() -> None:
    record = new_record(what="Looked up.", status=200)
    record.what = "Nothing."
    for attempt in (
        record.save,
        record.delete,
        lambda: StaffAction.objects.update(what="Nothing."),
        lambda: StaffAction.objects.all().delete(),
        lambda: StaffAction.objects.bulk_update([record], ["what"]),
        lambda: StaffAction.objects.update_or_create(pk=record.pk, defaults={"what": "Nothing."}),
    ):
        with pytest.raises(AppendOnly):
            attempt()  # type: ignore[operator]

    assert StaffAction.objects.get().what == "Looked up."


def test_the_end_of_a_record_is_written_once() -> None:
    record, other = new_record(), new_record()
    record.close(status=302, what="Changed Title.")
    record.close(status=500, what="Something else.")

    assert list(StaffAction.objects.filter(pk=record.pk).values_list("status", "what")) == [(302, "Changed Title.")]
    assert StaffAction.objects.get(pk=other.pk).status is None


def test_a_record_outlives_its_user() -> None:
    user, browser = new_staff(), new_browser()
    sign_in(browser, user)
    name = user.username
    user.delete()

    assert StaffAction.objects.get().staff_name == name


# The list ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("groups", "status"), [(("ops",), 200), (("support", "moderator", "partner"), 403), ((), 403)])
def test_the_list_is_for_ops(groups: tuple[str, ...], status: int) -> None:
    browser = new_browser()
    browser.force_login(new_staff(*groups))
    new_record(what="Looked up.", method="GET", view="admin:users_member_changelist", status=200)

    assert browser.get("/admin/users/staffaction/?q=admin&method=GET").status_code == status
    assert browser.get(f"/admin/users/staffaction/{StaffAction.objects.order_by('id')[1].pk}/change/").status_code == status


def test_nobody_writes_in_the_list(browser: Client) -> None:
    record = new_record(what="Looked up.")
    for address in (f"/admin/users/staffaction/{record.pk}/change/", f"/admin/users/staffaction/{record.pk}/delete/"):
        assert browser.post(address, {"what": "Nothing.", "post": "yes"}).status_code == 403
    browser.post("/admin/users/staffaction/", {"action": "delete_selected", "_selected_action": [record.pk], "post": "yes"})

    assert StaffAction.objects.get(pk=record.pk).what == "Looked up."


# Addresses ---------------------------------------------------------------------------------------------------------------------------


@given(address=st.ip_addresses(v=4).map(str))
def test_an_address_is_kept_as_its_network(address: str) -> None:
    network = audit.network_of(address)

    assert network == f"{address.rpartition('.')[0]}.0/24"


@given(address=st.ip_addresses(v=6).map(str))
def test_a_long_address_is_kept_as_its_network(address: str) -> None:
    network = audit.network_of(address)

    assert network.endswith("/48")
    assert audit.network_of(network.removesuffix("/48")) == network
    assert len(network) <= StaffAction._meta.get_field("address").max_length


@given(text=st.text(alphabet=string.ascii_letters + " /,;"))
def test_what_is_no_address_is_not_kept(text: str) -> None:
    assert audit.network_of(text) == ""
