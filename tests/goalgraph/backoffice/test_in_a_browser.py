"""The second factor in headless Chromium: an authenticator app and a security key, under the pages' own policy."""

import importlib
import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from tests.e2e.browser import People, people
from tests.goalgraph.backoffice.staff import PASSWORD, code_of, has_factor, new_staff

pytestmark = pytest.mark.usefixtures("memory_world", "mfa_required")


@pytest.fixture
def groups_stay(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A test that commits empties the database when it ends, and with it what the migrations put there."""
    make_groups = importlib.import_module("users.migrations.0003_groups").make_groups
    with django_db_blocker.unblock():
        make_groups(apps, connection.schema_editor())
    yield
    with django_db_blocker.unblock():
        ContentType.objects.clear_cache()
        make_groups(apps, connection.schema_editor())


@pytest.fixture
def crowd(groups_stay: None, transactional_db: None, live_server: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[People]:
    settings.MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True  # http://localhost
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright's loop runs in this thread
    with people(live_server.url) as crowd:
        yield crowd


@pytest.fixture
def staff(crowd: People) -> User:
    return new_staff("support")


def signed_in(crowd: People, staff: User) -> Any:
    """With the password; the second factor comes next."""
    page = crowd.person()
    page.goto("/admin/")
    page.get_by_label("Username").fill(staff.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    return page


def test_an_authenticator_app_is_set_up_and_asked_for(crowd: People, staff: User) -> None:
    page = signed_in(crowd, staff)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    picture = page.locator("img.qr")
    assert picture.evaluate("image => image.complete && image.naturalWidth > 0"), "the policy lets the QR code be seen"
    page.get_by_text("Authenticator secret").click()
    secret = page.locator("#authenticator_secret").inner_text()
    page.get_by_label("Authenticator code").fill(code_of(secret))
    page.get_by_role("button", name="Activate").click()
    codes = page.get_by_label("Unused codes").input_value().split()
    assert len(codes) == 10
    page.get_by_role("link", name="Back office").click()
    page.get_by_role("link", name="Members", exact=True).first.wait_for()

    page = signed_in(crowd, staff)
    page.get_by_label("Code").fill(codes[0])
    page.get_by_role("button", name="Sign In").click()
    page.get_by_role("link", name="Members", exact=True).first.wait_for()
    assert policy_complaints(crowd) == []


def test_a_security_key_is_set_up_and_asked_for(crowd: People, staff: User) -> None:
    page = signed_in(crowd, staff)
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    key = {"protocol": "ctap2", "transport": "usb", "hasUserVerification": True, "isUserVerified": True}
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": {**key, "automaticPresenceSimulation": True}})
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("link", name="Use a security key").click()
    page.get_by_label("Name").fill("Key on my ring")
    page.get_by_role("button", name="Add").click()
    page.get_by_label("Unused codes").wait_for()
    page.get_by_role("link", name="Back office").click()
    page.get_by_role("link", name="Members", exact=True).first.wait_for()

    page.context.clear_cookies()
    page.goto("/admin/")
    page.get_by_label("Username").fill(staff.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Use a security key").click()
    page.get_by_role("link", name="Members", exact=True).first.wait_for()
    assert not has_factor(staff), "no authenticator app was needed"
    assert policy_complaints(crowd) == []


def policy_complaints(crowd: People) -> list[str]:
    """What the browsers' consoles say, but for an icon that nobody has."""
    return [one for one in crowd.complaints if "404 (Not Found)" not in one]
