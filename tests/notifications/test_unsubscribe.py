"""The pages that e-mails lead to: one click unsubscribes (RFC 8058), one confirms an address."""

import asyncio
import re
from typing import Any

import pytest
from django.core import signing
from django.http import HttpResponse
from django.test import AsyncClient, override_settings

from goalgraph.auth.actor import SYSTEM, Actor
from notifications import mail_texts, services, unsubscribing
from notifications.delivery_services import deliver
from notifications.domain import KINDS
from tests.fixtures import new_user
from tests.notifications.delivery_world import reachable, set_email, stored_preferences, task_of, told
from users import services as users

pytestmark = pytest.mark.usefixtures("memory_world")

ONE_CLICK = {"data": "List-Unsubscribe=One-Click", "content_type": "application/x-www-form-urlencoded"}


def ask(method: str, path: str, **more: Any) -> HttpResponse:
    """As a mail service does: without cookies, and though CSRF is checked."""
    client = AsyncClient(enforce_csrf_checks=True)
    return asyncio.run(getattr(client, method)(path, **more))


def link(member: Actor, kind: str = "reminder") -> str:
    token = unsubscribing.token(tenant_id=member.tenant_id, user_id=member.user_id, kind=kind)
    return f"/notifications/unsubscribe/{token}"


def wish(member: Actor, kind: str = "reminder", channel: str = "email") -> str:
    return services.wishes(stored_preferences(member)).of(kind, channel)


def test_one_click_unsubscribes_and_a_second_one_changes_nothing():
    member = reachable(new_user())
    for _ in range(2):
        response = ask("post", link(member), **ONE_CLICK)
        assert response.status_code == 200
        assert not response.cookies
        assert wish(member) == "off"
    assert wish(member, "digest") == wish(member, channel="push") == "now"


def test_opening_the_link_changes_nothing_and_shows_a_button():
    member = reachable(new_user())
    users.upsert_profile(member, {"language": "pt-BR"})
    response = ask("get", link(member))
    html = response.content.decode()

    assert wish(member) == "now"
    assert '<html lang="pt-BR">' in html
    assert f'<button type="submit">{mail_texts.frame("pt-BR", "unsubscribe_button")}</button>' in html
    assert '<form method="post">' in html
    assert "no-store" in response.headers["Cache-Control"]
    assert ask("post", link(member)).status_code == 200
    assert wish(member) == "off"


def test_the_pages_hold_nothing_that_their_policy_forbids():
    for response in (ask("get", link(new_user())), ask("get", "/notifications/confirm/nonsense")):
        html = response.content.decode()
        assert "script-src 'self'" in response.headers["Content-Security-Policy"]
        for forbidden in ("<script", "<style", "style=", "onclick", "http:"):
            assert forbidden not in html


def test_who_turns_it_on_again_is_written_to_again():
    member = reachable(new_user())
    ask("post", link(member), **ONE_CLICK)
    services.update_preferences(member, {"kinds": [{"kind": "reminder", "email": "now"}]})
    assert wish(member) == "now"


def test_the_other_link_of_a_mail_ends_all_that_can_be_turned_off(mailoutbox):
    member = reachable(new_user())
    task = task_of(member)
    deliver(SYSTEM, member.user_id, told(member, "reminder", subject=task.id), "email")
    of_kind, of_all = ("/notifications/unsubscribe/" + found for found in re.findall(r"/unsubscribe/(\S+)", mailoutbox[-1].body))

    page = ask("get", of_all).content.decode()
    assert mail_texts.what("en", "all") in page
    for _ in range(2):
        assert ask("post", of_all, **ONE_CLICK).status_code == 200
        on = {kind for kind in KINDS if wish(member, kind) != "off"}
        assert on == {kind for kind in KINDS if KINDS[kind].critical}
    assert all(wish(member, kind, "push") == KINDS[kind].defaults["push"] for kind in KINDS)
    assert ask("post", of_kind, **ONE_CLICK).status_code == 200


def test_what_is_critical_stays_on():
    member = reachable(new_user())
    assert ask("post", link(member, "security"), **ONE_CLICK).status_code == 200
    assert wish(member, "security") == "now"


def test_each_tenant_is_its_own():
    there, here = Actor(user_id="ana", tenant_id="acme"), Actor(user_id="ana")
    ask("post", link(there), **ONE_CLICK)
    assert (wish(there), wish(here)) == ("off", "now")


@pytest.mark.parametrize(
    "token",
    [
        "nonsense",
        "x" * 2000,
        "%00",
        signing.dumps([None, "ana", "reminder"]),
        signing.Signer(salt="notifications.confirm").sign_object([None, "ana", "reminder"]),
        signing.Signer(salt="notifications.unsubscribe").sign_object([None, "ana", "no such kind"]),
        signing.Signer(key="somebody else's", salt="notifications.unsubscribe").sign_object([None, "ana", "reminder"]),
    ],
    ids=["nonsense", "long", "nul", "unsalted", "for another page", "no such kind", "by another key"],
)
def test_a_link_that_is_not_ours_does_nothing(token: str):
    member = Actor(user_id="ana")
    for method in ("get", "post"):
        assert ask(method, f"/notifications/unsubscribe/{token}").status_code == 404
    assert all(wish(member, kind) == KINDS[kind].defaults["email"] for kind in KINDS)


def test_a_page_that_does_not_work_speaks_the_browsers_language():
    response = ask("get", "/notifications/unsubscribe/nonsense", headers={"accept-language": "pt-BR,pt;q=0.9"})
    assert mail_texts.frame("pt-BR", "invalid_title") in response.content.decode()


def test_other_methods_are_refused():
    for method in ("put", "delete", "patch"):
        assert ask(method, link(new_user())).status_code == 405


def test_a_secret_that_was_changed_still_opens_old_links():
    member = reachable(new_user())
    with override_settings(SECRET_KEY="an older one" * 5):
        old = link(member)
    assert ask("get", old).status_code == 404
    with override_settings(SECRET_KEY_FALLBACKS=["an older one" * 5]):
        assert ask("post", old).status_code == 200
    assert wish(member) == "off"


def confirmation(mailoutbox) -> str:
    """The path that the last mail leads to."""
    return "/notifications/confirm/" + mailoutbox[-1].body.partition("/notifications/confirm/")[2].split()[0]


def test_an_address_is_confirmed_by_the_button_and_not_by_opening_the_link(mailoutbox):
    member = new_user()
    set_email(member, "ana@Example.ORG")
    path = confirmation(mailoutbox)

    page = ask("get", path)
    assert "ana@example.org" in page.content.decode()
    assert stored_preferences(member).email is None
    for _ in range(2):
        assert ask("post", path).status_code == 200
        assert stored_preferences(member).email == "ana@example.org"


def test_a_link_for_an_address_that_was_replaced_does_not_work(mailoutbox, memory_world):
    member = new_user()
    set_email(member, "old@example.org")
    old = confirmation(mailoutbox)
    set_email(member, "new@example.org")
    assert [ask(method, old).status_code for method in ("get", "post")] == [404, 404]
    assert ask("post", confirmation(mailoutbox)).status_code == 200
    set_email(member, None)
    assert ask("post", confirmation(mailoutbox)).status_code == 404
    assert stored_preferences(member).email is None


def test_a_link_expires_after_a_day(mailoutbox, memory_world):
    member = new_user()
    set_email(member, "ana@example.org")
    memory_world.advance(days=1, seconds=1)
    assert ask("post", confirmation(mailoutbox)).status_code == 404
    assert stored_preferences(member).email is None


def test_an_unsubscribe_link_confirms_nothing():
    token = unsubscribing.token(tenant_id=None, user_id=SYSTEM.user_id, kind="reminder")
    assert ask("post", f"/notifications/confirm/{token}").status_code == 404
