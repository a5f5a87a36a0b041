"""The sign-in of staff, through its pages: who comes in, the second factor, the lock after five failures."""

import logging
import os
import re
from io import StringIO
from typing import Any

import pytest
from allauth.core.internal import ratelimit
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from redis.exceptions import ConnectionError as RedisAway

from tests.goalgraph.backoffice.staff import (
    PASSWORD,
    admin_addresses,
    code_of,
    give_recovery_codes,
    give_totp,
    has_factor,
    new_browser,
    new_staff,
    sign_in,
    text_of,
    wrong_code,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("memory_world")]
SET_UP, CONFIRM = "/accounts/2fa/totp/activate/", "/accounts/2fa/reauthenticate/"


@pytest.fixture
def browser() -> Client:
    return new_browser()


def inside(browser: Client) -> bool:
    return bool(browser.get("/admin/").status_code == 200)


# Who may sign in ---------------------------------------------------------------------------------------------------------------------


def test_staff_come_in_and_land_where_they_wanted_to_go(browser: Client) -> None:
    answer = sign_in(browser, new_staff(), after="/admin/password_change/")

    assert (answer.status_code, answer["Location"]) == (302, "/admin/password_change/")
    assert inside(browser)


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_nobody_is_sent_elsewhere(browser: Client, target: str) -> None:
    assert sign_in(browser, new_staff(), after=target)["Location"] == "/admin/"


def test_a_member_is_told_what_a_wrong_password_is_told(browser: Client) -> None:
    staff, member = new_staff(), new_staff(is_staff=False)

    wrong, right = sign_in(browser, staff, "wrong"), sign_in(browser, member)

    assert not inside(browser)
    said = [re.search(r'class="errornote"[^>]*>([^<]+)', page.content.decode()) for page in (wrong, right)]
    assert said[0]
    assert said[1]
    assert said[0][1] == said[1][1]


def test_who_left_does_not_come_in(browser: Client) -> None:
    answer = sign_in(browser, new_staff(is_active=False))

    assert answer.status_code == 200
    assert not inside(browser)


def test_a_member_who_is_signed_in_may_sign_in_as_staff(browser: Client) -> None:
    browser.force_login(new_staff(is_staff=False))
    assert browser.get("/admin/", follow=True).status_code == 200

    assert sign_in(browser, new_staff())["Location"] == "/admin/"
    assert inside(browser)


def test_a_sign_in_without_the_form_is_refused() -> None:
    browser = new_browser(enforce_csrf_checks=True)
    assert sign_in(browser, new_staff()).status_code == 403


# The second factor -------------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("mfa_required")
def test_without_a_second_factor_no_page_is_reached(browser: Client) -> None:
    """Not even by a superuser, on any address, by any method."""
    sign_in(browser, new_staff(is_superuser=True))
    addresses = set(admin_addresses()) - {"/admin/login/", "/admin/logout/"}
    assert {"/admin/", "/admin/users/member/", "/admin/auth/user/1/change/", "/admin/jsi18n/", "/admin/autocomplete/"} <= addresses

    for address in addresses:
        for answer in (browser.get(address), browser.post(address)):
            assert answer.status_code == 302, address
            assert answer["Location"].startswith("/admin/login/?next="), address


@pytest.mark.usefixtures("mfa_required")
def test_the_way_in_leads_over_the_set_up(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transaction, "on_commit", lambda done, **_: done())  # a test's own transaction is never committed
    user = new_staff()
    where = sign_in(browser, user, after="/admin/password_change/")
    assert where["Location"] == "/admin/password_change/"
    page = browser.get(where["Location"], follow=True)
    assert page.redirect_chain[-1][0].startswith("/accounts/reauthenticate/?next=%2Faccounts%2F2fa%2Ftotp%2Factivate%2F")

    page = browser.post(page.redirect_chain[-1][0], {"password": PASSWORD}, follow=True)
    secret = re.search(r'id="authenticator_secret">(\w+)<', page.content.decode())
    assert secret
    before = browser.session.session_key
    page = browser.post(SET_UP, {"code": code_of(secret[1])}, follow=True)

    assert has_factor(user)
    assert page.redirect_chain[-1][0] == "/accounts/2fa/recovery-codes/"
    assert browser.session.session_key != before
    assert inside(browser)


@pytest.mark.usefixtures("mfa_required")
def test_a_wrong_code_sets_nothing_up(browser: Client) -> None:
    user = new_staff()
    sign_in(browser, user)
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    page = browser.get(SET_UP)
    secret = re.search(r'id="authenticator_secret">(\w+)<', page.content.decode())
    assert secret

    page = browser.post(SET_UP, {"code": wrong_code(secret[1])})

    assert "Incorrect code" in text_of(page)
    assert not has_factor(user)
    assert not inside(browser)


@pytest.mark.parametrize("required", [True, False])
def test_whoever_has_a_second_factor_is_asked_for_it_at_every_sign_in(browser: Client, settings: Any, required: bool) -> None:
    settings.STAFF_MFA_REQUIRED = required
    user = new_staff()
    secret = give_totp(user)

    answer = sign_in(browser, user, after="/admin/password_change/")

    assert answer["Location"] == "/accounts/2fa/authenticate/"
    assert not inside(browser)
    assert browser.post(answer["Location"], {"code": wrong_code(secret)}).status_code == 200
    assert not inside(browser)
    assert browser.post(answer["Location"], {"code": code_of(secret)})["Location"] == "/admin/password_change/"
    assert inside(browser)


def test_a_code_is_good_once() -> None:
    user = new_staff()
    code = code_of(give_totp(user))
    first, second = new_browser(), new_browser()
    for browser in (first, second):
        sign_in(browser, user)
        browser.post("/accounts/2fa/authenticate/", {"code": code})

    assert inside(first)
    assert not inside(second)


@pytest.mark.usefixtures("mfa_required")
def test_a_recovery_code_opens_once() -> None:
    user = new_staff()
    give_totp(user)
    code, *_others = give_recovery_codes(user)
    first, second = new_browser(), new_browser()
    for browser in (first, second):
        sign_in(browser, user)
        browser.post("/accounts/2fa/authenticate/", {"code": code})

    assert inside(first)
    assert not inside(second)


@pytest.mark.usefixtures("mfa_required")
def test_a_session_from_before_is_asked_for_the_factor_and_goes_on(browser: Client) -> None:
    user = new_staff()
    secret = give_totp(user)
    browser.force_login(user)  # as one that began when no second factor was required

    page = browser.get("/admin/password_change/", follow=True)
    assert page.redirect_chain[-1][0] == f"{CONFIRM}?next=%2Fadmin%2Fpassword_change%2F"
    before = browser.session.session_key
    answer = browser.post(CONFIRM, {"code": code_of(secret), "next": "/admin/password_change/"})

    assert answer["Location"] == "/admin/password_change/"
    assert browser.session.session_key != before
    assert inside(browser)


@pytest.mark.usefixtures("mfa_required")
def test_recovery_codes_alone_are_no_second_factor(browser: Client) -> None:
    user = new_staff()
    give_recovery_codes(user)
    sign_in(browser, user)

    assert browser.get("/admin/", follow=True).redirect_chain[-1][0].startswith("/accounts/reauthenticate/")


@pytest.mark.usefixtures("mfa_required")
def test_an_administrator_removes_the_factor_of_a_lost_device(browser: Client) -> None:
    user, chief = new_staff(), new_staff(is_superuser=True)
    give_totp(user)
    give_recovery_codes(user)
    secret = give_totp(chief)
    sign_in(browser, chief)
    browser.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})

    browser.post("/admin/auth/user/", {"action": "remove_second_factor", "_selected_action": [user.pk]})

    assert not has_factor(user)
    theirs = new_browser()
    assert sign_in(theirs, user)["Location"] == "/admin/"
    assert not inside(theirs)


def test_the_secret_is_not_readable_in_the_database() -> None:
    user = new_staff()
    secret = give_totp(user)
    stored = user.authenticator_set.get(type="totp")

    assert secret not in str(stored.data)
    assert stored.wrap().validate_code(code_of(secret))


def test_a_secret_outlives_a_change_of_the_secret_key(settings: Any) -> None:
    user = new_staff()
    secret = give_totp(user)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another secret key of this test, which is long enough"

    assert user.authenticator_set.get(type="totp").wrap().validate_code(code_of(secret))


def test_a_factor_that_cannot_be_read_is_named_and_can_be_removed(browser: Client, settings: Any) -> None:
    """`SECRET_KEY` changed, and nobody kept the old one."""
    user = new_staff()
    secret = give_totp(user)
    give_recovery_codes(user)
    settings.SECRET_KEY = "another secret key of this test, which is long enough"
    where = sign_in(browser, user)["Location"]

    page = browser.post(where, {"code": code_of(secret)})

    assert page.status_code == 200
    assert "cannot be read any more" in text_of(page)
    assert not inside(browser)
    call_command("remove_second_factor", user.username, stdout=StringIO())
    assert sign_in(new_browser(), user)["Location"] == "/admin/"


def test_no_page_shows_what_is_secret_of_a_factor(browser: Client) -> None:
    assert not any("authenticator" in address for address in admin_addresses())
    assert all(model._meta.model_name != "authenticator" for model in admin.site._registry)


# The lock ----------------------------------------------------------------------------------------------------------------------------


def fail(browser: Client, user: User, times: int) -> Any:
    for _ in range(times):
        answer = sign_in(browser, user, "wrong")
    return answer


def test_five_failures_lock_the_name_for_fifteen_minutes(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    user = new_staff()
    assert fail(browser, user, 5).status_code == 200

    locked = sign_in(browser, user)

    assert locked.status_code == 429
    assert "locked for 15 minutes" in text_of(locked)
    assert sign_in(new_browser(), user).status_code == 429  # from wherever it is tried
    assert sign_in(browser, new_staff()).status_code == 302  # and nobody else
    later = ratelimit.time.time() + 15 * 60
    monkeypatch.setattr(ratelimit.time, "time", lambda: later)
    assert sign_in(browser, user).status_code == 302


def test_a_name_in_other_letters_is_the_same_name(browser: Client) -> None:
    user = new_staff()
    fail(browser, user, 4)
    user.username = user.username.upper()
    fail(browser, user, 1)
    user.username = user.username.lower()

    assert sign_in(browser, user).status_code == 429


def test_success_does_not_use_up_what_is_left(browser: Client) -> None:
    user = new_staff()
    fail(browser, user, 4)
    for _ in range(3):
        sign_in(browser, user)
        browser.logout()

    assert fail(browser, user, 1).status_code == 200
    assert sign_in(browser, user).status_code == 429


def test_wrong_codes_lock_too(browser: Client) -> None:
    user = new_staff()
    secret = give_totp(user)
    sign_in(browser, user)
    for _ in range(5):
        browser.post("/accounts/2fa/authenticate/", {"code": wrong_code(secret)})

    page = browser.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})

    assert "locked for 15 minutes" in text_of(page)
    assert not inside(browser)


def test_an_open_session_is_not_locked_out(browser: Client) -> None:
    user = new_staff()
    sign_in(browser, user)
    fail(new_browser(), user, 6)

    assert inside(browser)


def test_a_failure_is_logged_without_what_was_typed(browser: Client, caplog: pytest.LogCaptureFixture) -> None:
    user = new_staff()
    with caplog.at_level(logging.WARNING, "goalgraph.audit"):
        fail(browser, user, 1)

    (record,) = [record for record in caplog.records if record.message == "staff.sign_in_refused"]
    assert record.data["from"].startswith("10.")  # type: ignore[attr-defined]
    assert record.data["from"].endswith(".0/24")  # type: ignore[attr-defined]
    assert user.username not in str(record.__dict__)


def test_a_lock_is_logged_with_whom_it_concerns(browser: Client, caplog: pytest.LogCaptureFixture) -> None:
    user = new_staff()
    with caplog.at_level(logging.WARNING, "goalgraph.audit"):
        fail(browser, user, 6)

    *before, locked = [record.data for record in caplog.records if record.message == "staff.sign_in_refused"]  # type: ignore[attr-defined]
    assert (locked["locked"], locked["user"]) == (True, user.pk)
    assert not any(data["locked"] or "user" in data for data in before)
    assert user.username not in str([record.__dict__ for record in caplog.records])


def test_a_lock_of_a_name_that_nobody_has_names_nobody(caplog: pytest.LogCaptureFixture) -> None:
    nobody = User(username=f"correct-horse-{os.urandom(4).hex()}")  # a password, typed into the wrong field
    with caplog.at_level(logging.WARNING, "goalgraph.audit"):
        assert fail(new_browser(), nobody, 6).status_code == 429

    assert caplog.records[-1].data["user"] is None  # type: ignore[attr-defined]
    assert nobody.username not in str([record.__dict__ for record in caplog.records])


def test_a_lock_of_the_second_factor_is_logged(browser: Client, caplog: pytest.LogCaptureFixture) -> None:
    user = new_staff()
    secret = give_totp(user)
    where = sign_in(browser, user)["Location"]
    with caplog.at_level(logging.WARNING, "goalgraph.audit"):
        for _ in range(6):
            browser.post(where, {"code": wrong_code(secret)})

    (record,) = [record for record in caplog.records if record.message == "staff.second_factor_locked"]
    assert record.data == {"user": user.pk}  # type: ignore[attr-defined]


def test_without_redis_nobody_signs_in_and_the_page_says_so(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    user = new_staff()
    signed_in = new_browser()
    sign_in(signed_in, user)

    def away(*_: Any, **__: Any) -> None:
        raise RedisAway

    monkeypatch.setattr("django.core.cache.backends.redis.RedisCacheClient.get_client", away)
    answer = sign_in(browser, user)

    assert answer.status_code == 503
    assert "does not answer" in text_of(answer)
    assert not inside(browser)
    assert inside(signed_in)
