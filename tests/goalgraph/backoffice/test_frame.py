"""What every page of the back office has in common: the policy it runs under, whom it names, and that nothing is deleted."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.test import Client

from goalgraph import wiring
from offers.models import Company, Membership
from tests.goalgraph.backoffice.staff import (
    PASSWORD,
    admin_addresses,
    give_recovery_codes,
    give_totp,
    new_browser,
    new_staff,
    sign_in,
    text_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("memory_world")]
ACCOUNT_PAGES = [
    "/accounts/2fa/",
    "/accounts/2fa/recovery-codes/",
    "/accounts/2fa/recovery-codes/generate/",
    "/accounts/2fa/reauthenticate/",
    "/accounts/2fa/totp/deactivate/",
    "/accounts/2fa/webauthn/",
    "/accounts/2fa/webauthn/add/",
    "/accounts/password/change/",
    "/accounts/reauthenticate/",
    "/accounts/logout/",
]


@pytest.fixture
def chief() -> User:
    return new_staff(is_superuser=True)


@pytest.fixture
def browser(chief: User) -> Client:
    """Signed in, and confirmed a moment ago."""
    browser = new_browser()
    sign_in(browser, chief)
    browser.post("/accounts/reauthenticate/", {"password": PASSWORD})
    return browser


class Offences(HTMLParser):
    """What of a page the policy would block, or would fetch from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._tag = "" if tag == "script" and ("src" in values or values.get("type") == "application/json") else tag
        self.found += [f"{name} on <{tag}>" for name in values if name == "style" or name.startswith("on")]
        for name in ("src", "href"):
            value = values.get(name) or ""
            if tag in ("script", "link", "img") and not re.match(r"/static/|/admin/jsi18n/|data:image/", value) and name in values:
                self.found.append(f"<{tag}> from {value}")
        if tag == "style":
            self.found.append("<style>")

    def handle_data(self, data: str) -> None:
        if self._tag == "script" and data.strip():
            self.found.append(f"script {data.strip()[:40]}")


def offences(page: Any) -> list[str]:
    parser = Offences()
    parser.feed(page.content.decode())
    return parser.found


def check_policy(page: Any) -> None:
    directives = dict(part.strip().split(" ", 1) for part in page["Content-Security-Policy"].split(";"))
    assert directives["script-src"] == directives["style-src"] == "'self'"
    assert directives["default-src"] == directives["base-uri"] == directives["frame-ancestors"] == "'none'"
    assert "unsafe" not in page["Content-Security-Policy"]
    assert page["X-Frame-Options"] == "DENY"
    assert offences(page) == []


def test_every_page_of_the_back_office_keeps_to_the_policy(browser: Client) -> None:
    seen = 0
    for address in sorted(set(admin_addresses()) - {"/admin/logout/"}):
        page = browser.get(address)
        if page["Content-Type"].startswith("text/html") and page.status_code != 302:
            check_policy(page)
            seen += 1

    assert seen > 30


@pytest.mark.parametrize("address", ["/admin/", "/admin/password_change/", "/admin/nowhere/", *ACCOUNT_PAGES])
def test_every_other_page_keeps_to_the_policy(browser: Client, chief: User, address: str) -> None:
    give_totp(chief)
    give_recovery_codes(chief)
    page = browser.get(address, follow=True)

    assert page.status_code in (200, 404)
    check_policy(page)


@pytest.mark.parametrize("address", ["/admin/login/", "/admin/", "/accounts/login/", "/accounts/2fa/authenticate/"])
def test_the_pages_before_the_sign_in_keep_to_it_too(address: str) -> None:
    user, browser = new_staff(), new_browser()
    check_policy(browser.get(address, follow=True))
    give_totp(user)
    sign_in(browser, user)
    check_policy(browser.get("/accounts/2fa/authenticate/"))


def test_the_set_up_keeps_to_it(browser: Client) -> None:
    page = browser.get("/accounts/2fa/totp/activate/")

    assert page.status_code == 200
    check_policy(page)


def test_the_header_says_who_is_signed_in_and_for_which_company() -> None:
    partner, browser = new_staff("partner"), new_browser()
    now = wiring.clock().now()
    Membership.objects.create(user=partner, company=Company.objects.create(name="Runwell", created_at=now), role="owner")
    Membership.objects.create(user=partner, company=Company.objects.create(name="Formerly", created_at=now), role="owner", active=False)
    sign_in(browser, partner)
    header = re.search(r'<div id="user-tools">.*?</div>', browser.get("/admin/").content.decode(), re.DOTALL)

    assert header
    assert re.findall(r"<strong>(.+?)</strong>|chip\">(.+?)<", header[0]) == [
        (partner.username, ""),
        ("", "partner"),
        ("", "Runwell (owner)"),
    ]


@pytest.mark.parametrize(
    ("group", "listed"),
    [
        ("partner", {"Companies", "Memberships", "Offers"}),
        ("moderator", {"Cases", "Urgent cases", "Offers"}),
        ("support", {"Members", "Billing accounts"}),
        (None, set()),
    ],
)
def test_the_index_lists_what_one_may_see_and_no_more(group: str | None, listed: set[str]) -> None:
    browser = new_browser()
    sign_in(browser, new_staff(*([group] if group else [])))
    page = browser.get("/admin/").content.decode()

    assert set(re.findall(r'<th scope="row"[^>]*>\s*<a [^>]*>([^<]+)</a>', page)) == listed


def test_a_keyboard_skips_to_the_content(browser: Client) -> None:
    for address, target in {"/admin/": "content-start", "/accounts/2fa/": "content"}.items():
        page = browser.get(address).content.decode()
        assert re.search(rf'<a [^>]*href="#{target}"', page)
        assert f'id="{target}"' in page


# Nothing is deleted ------------------------------------------------------------------------------------------------------------------


def test_no_page_deletes_not_even_a_librarys_for_a_superuser(browser: Client, chief: User) -> None:
    group = Group.objects.create(name="To stay")
    page = browser.get(f"/admin/auth/group/{group.pk}/change/")

    assert "deletelink" not in page.content.decode()
    for address in (f"/admin/auth/group/{group.pk}/delete/", f"/admin/auth/user/{chief.pk}/delete/"):
        assert browser.post(address, {"post": "yes"}).status_code == 403
    assert group in Group.objects.all()
    request = page.wsgi_request
    for model, pages in admin.site._registry.items():
        assert not pages.has_delete_permission(request), model
        assert "delete_selected" not in pages.get_actions(request), model


# Where the issuer is another ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/accounts/2fa/", 302),
        ("/accounts/password/change/", 302),
        ("/accounts/login/?next=/admin/", 302),
        ("/accounts/signup/", 404),
        ("/accounts/email/", 404),
        ("/accounts/password/reset/", 404),
        ("/.well-known/openid-configuration", 404),
    ],
)
@pytest.mark.urls("tests.goalgraph.backoffice.other_issuer")
def test_with_a_foreign_issuer_only_staff_find_pages_here(address: str, status: int) -> None:
    assert new_browser().get(address).status_code == status


@pytest.mark.urls("tests.goalgraph.backoffice.other_issuer")
def test_with_a_foreign_issuer_staff_sign_in_all_the_same(settings: Any) -> None:
    settings.OIDC_ISSUER = "https://issuer.example"
    settings.STAFF_MFA_REQUIRED = True
    browser = new_browser()
    sign_in(browser, new_staff())
    page = browser.get("/admin/", follow=True)

    assert page.redirect_chain[-1][0].startswith("/accounts/reauthenticate/")
    assert "Sign Up" not in text_of(page)
    page = browser.post("/accounts/reauthenticate/", {"password": PASSWORD, "next": "/accounts/2fa/totp/activate/"}, follow=True)
    assert "scan the QR code" in text_of(page)
    check_policy(page)
