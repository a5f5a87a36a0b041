"""How long staff stay signed in, and what ends or changes a session."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from goalgraph import wiring
from tests.fixtures import FakeClock
from tests.goalgraph.backoffice.staff import PASSWORD, code_of, give_totp, new_browser, new_staff, sign_in, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("memory_world")]


@pytest.fixture
def staff() -> User:
    return new_staff()


@pytest.fixture
def browser(staff: User) -> Client:
    browser = new_browser()
    sign_in(browser, staff)
    return browser


@pytest.fixture
def clock() -> FakeClock:
    clock = wiring.clock()
    assert isinstance(clock, FakeClock)
    return clock


def inside(browser: Client) -> bool:
    return bool(browser.get("/admin/").status_code == 200)


def test_a_session_that_is_used_lasts_a_working_day_and_no_longer(browser: Client, clock: FakeClock) -> None:
    for _ in range(23):
        clock.advance(minutes=20)
        assert inside(browser)
    clock.advance(minutes=20)

    assert not inside(browser)


def test_a_session_left_alone_ends_after_half_an_hour(browser: Client, clock: FakeClock) -> None:
    clock.advance(minutes=29, seconds=59)
    assert inside(browser)
    clock.advance(minutes=30)

    page = browser.get("/admin/", follow=True)

    assert "Your session has ended" in text_of(page)
    assert not inside(browser)


def test_looking_once_a_minute_does_not_write_the_session_each_time(
    browser: Client, clock: FakeClock, django_assert_max_num_queries: Any
) -> None:
    inside(browser)
    clock.advance(seconds=59)
    with django_assert_max_num_queries(100) as queries:
        inside(browser)

    assert not [query["sql"] for query in queries if "UPDATE" in query["sql"]]


def test_a_session_without_a_beginning_is_given_one(clock: FakeClock, staff: User) -> None:
    browser = new_browser()
    browser.force_login(staff)
    session = browser.session
    del session["staff.since"], session["staff.seen"]
    session.save()

    assert inside(browser)
    clock.advance(minutes=31)
    assert not inside(browser)


def test_a_sign_in_changes_the_key_of_the_session(staff: User) -> None:
    browser = new_browser()
    browser.get("/admin/login/")
    session = browser.session
    session["planted"] = True
    session.save()
    browser.cookies["sessionid"] = planted = session.session_key

    sign_in(browser, staff)

    assert browser.session.session_key != planted
    assert not new_browser_with(planted)


def test_the_second_factor_changes_it_again(staff: User) -> None:
    secret = give_totp(staff)
    browser = new_browser()
    sign_in(browser, staff)
    between = str(browser.session.session_key)

    browser.post("/accounts/2fa/authenticate/", {"code": code_of(secret)})

    assert inside(browser)
    assert browser.session.session_key != between
    assert not new_browser_with(between)


def new_browser_with(session_key: str) -> bool:
    """Whether whoever knows `session_key` is inside."""
    browser = new_browser()
    browser.cookies["sessionid"] = session_key
    return inside(browser)


@pytest.mark.parametrize("page", ["/accounts/password/change/", "/admin/password_change/"])
def test_a_new_password_ends_all_other_sessions(browser: Client, staff: User, page: str) -> None:
    elsewhere = new_browser()
    sign_in(elsewhere, staff)
    assert inside(elsewhere)
    new = "an entirely new passphrase"
    fields = {
        "oldpassword": PASSWORD,
        "old_password": PASSWORD,
        "password1": new,
        "password2": new,
        "new_password1": new,
        "new_password2": new,
    }

    assert browser.post(page, fields).status_code == 302

    assert not inside(elsewhere)
    assert inside(browser)
    assert sign_in(new_browser(), staff, new).status_code == 302


def test_who_is_made_inactive_is_out_at_once(browser: Client, staff: User) -> None:
    staff.is_active = False
    staff.save()

    assert not inside(browser)


def test_who_signs_out_is_out(browser: Client) -> None:
    browser.post("/admin/logout/")

    assert not inside(browser)


def test_the_cookie_ends_with_the_browser(staff: User) -> None:
    browser = new_browser()
    sign_in(browser, staff)
    cookie = browser.cookies["sessionid"]

    assert not cookie["max-age"]
    assert not cookie["expires"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
