"""The embedded issuer from outside: discovery, sign-in, consent, code with PKCE, tokens, and their way through the verifier."""

import base64
import hashlib
import re
import secrets
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.test import Client as Browser
from django.test import override_settings

from goalgraph.adapters.local.issuer import CLIENT_ID, DEMO_PASSWORD, DemoUser, ensure_demo_identity, mint_access_token
from goalgraph.adapters.local.issuer_keys import signing_keys
from goalgraph.auth.access import actor_from_authorization, verifier
from goalgraph.auth.actor import Actor
from goalgraph.auth.claims import ClaimMap
from goalgraph.auth.jwks import RemoteKeys
from goalgraph.auth.verifier import Verifier
from goalgraph.errors import Unauthenticated

CALLBACK = "http://127.0.0.1:8000/callback"
USERS = [
    DemoUser("ana", "ana@example.com", tier="premium"),
    DemoUser("bruno", "bruno@example.com"),
    DemoUser("moderator", staff=True),
    DemoUser("admin", superuser=True),
]

pytestmark = [pytest.mark.django_db, pytest.mark.urls("goalgraph.auth.issuer_urls")]


@pytest.fixture
def identity() -> None:
    ensure_demo_identity(USERS, [CALLBACK])


@pytest.fixture
def browser(identity: None, settings: Any) -> Browser:
    settings.WHITENOISE_AUTOREFRESH = True  # no collected static files under test
    return Browser(enforce_csrf_checks=True)


class SignIn:
    """One run of the authorization code flow (RFC 6749, section 4.1) with PKCE (RFC 7636), as a browser and a client make it."""

    def __init__(self, browser: Browser, **changes: Any) -> None:
        self.browser = browser
        self.secret = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.secret.encode()).digest()).rstrip(b"=").decode()
        request = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": CALLBACK,
            "scope": "openid profile email goalgraph",
            "state": "a-state",
            "nonce": "a-nonce",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        self.request = {name: value for name, value in (request | changes).items() if value is not ...}

    def form(self, page: Any, **fields: Any) -> dict[str, Any]:
        """The hidden fields of the page's form, with `fields`."""
        text = page.content.decode()
        hidden = {m[1]: m[2] for m in re.finditer(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text)}
        return hidden | fields

    def consent_page(self, username: str = "ana", password: str = DEMO_PASSWORD) -> Any:
        page = self.browser.get("/identity/o/authorize", self.request)
        assert page.status_code == 302
        assert page["Location"].startswith("/accounts/login/?next=")
        page = self.browser.get(page["Location"])
        done = self.browser.post(
            "/accounts/login/", self.form(page, login=username, password=password, next=page.context["redirect_field_value"])
        )
        return self.browser.get(done["Location"]) if done.status_code == 302 else done

    def code(self, **who: str) -> str:
        page = self.consent_page(**who)
        request = re.search(r'name="request" value="([^"]+)"', page.content.decode())
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.content.decode())
        assert request
        assert token
        fields = {"request": request[1], "csrfmiddlewaretoken": token[1], "scopes": self.request["scope"].split(), "action": "grant"}
        done = self.browser.post("/identity/o/authorize", fields)
        assert done.status_code == 302, done.content
        assert done["Location"].startswith(CALLBACK + "?")
        answer = parse_qs(urlsplit(done["Location"]).query)
        assert answer["state"] == ["a-state"]
        return answer["code"][0]

    def exchange(self, code: str, /, **changes: Any) -> Any:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "client_id": CLIENT_ID,
            "code_verifier": self.secret,
        }
        return Browser().post("/identity/o/api/token", {name: value for name, value in (fields | changes).items() if value is not ...})


def test_a_member_signs_in_with_code_and_pkce_and_gets_an_access_token(browser: Browser) -> None:
    flow = SignIn(browser)
    answer = flow.exchange(flow.code())
    assert answer.status_code == 200, answer.content
    body = answer.json()
    actor = actor_from_authorization(f"Bearer {body['access_token']}")
    claims = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert actor == Actor(
        user_id="ana",
        tier="premium",
        scopes=frozenset({"openid", "profile", "email", "goalgraph"}),
        email="ana@example.com",
        expires_at=claims["exp"],
    )
    assert (claims["iss"], claims["aud"], claims["client_id"]) == ("http://testserver", "goalgraph", CLIENT_ID)
    assert jwt.decode(body["id_token"], options={"verify_signature": False})["sub"] == "ana"
    with pytest.raises(Unauthenticated):
        actor_from_authorization(f"Bearer {body['id_token']}")
    with pytest.raises(Unauthenticated):
        actor_from_authorization(f"Bearer {body['refresh_token']}")


def test_a_refresh_token_gives_a_new_access_token_once(browser: Browser) -> None:
    flow = SignIn(browser)
    refresh = flow.exchange(flow.code(username="bruno")).json()["refresh_token"]
    fields = {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": CLIENT_ID}
    first, second = (Browser().post("/identity/o/api/token", fields) for _ in range(2))
    actor = actor_from_authorization(f"Bearer {first.json()['access_token']}")
    assert (actor.user_id, actor.tier) == ("bruno", "free")
    assert second.status_code == 400


def test_a_narrow_scope_leaves_the_email_out(browser: Browser) -> None:
    flow = SignIn(browser, scope="openid goalgraph")
    actor = actor_from_authorization("Bearer " + flow.exchange(flow.code()).json()["access_token"])
    assert (actor.scopes, actor.email) == (frozenset({"openid", "goalgraph"}), None)


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "x" * 64},
        {"code_verifier": ...},
        {"redirect_uri": "http://127.0.0.1:8000/other"},
        {"client_id": "somebody"},
        {"code": "guess"},
    ],
    ids=repr,
)
def test_a_code_is_worth_nothing_to_somebody_else(changes: dict[str, Any], browser: Browser) -> None:
    flow = SignIn(browser)
    answer = flow.exchange(flow.code(), **changes)
    assert answer.status_code in {400, 401}
    assert "access_token" not in answer.json()


def test_a_code_is_good_for_one_exchange(browser: Browser) -> None:
    flow = SignIn(browser)
    code = flow.code()
    assert flow.exchange(code).status_code == 200
    assert flow.exchange(code).status_code == 400


@pytest.mark.parametrize(
    "changes", [{"code_challenge": ..., "code_challenge_method": ...}, {"scope": "openid system"}, {"response_type": "token"}], ids=repr
)
def test_a_request_that_the_client_may_not_make_goes_back_with_an_error(changes: dict[str, Any], browser: Browser) -> None:
    page = SignIn(browser, **changes).consent_page()
    assert page.status_code == 302
    assert page["Location"].startswith(CALLBACK)
    assert "error=" in page["Location"]


@pytest.mark.parametrize("changes", [{"redirect_uri": "https://evil.example/callback"}, {"client_id": "somebody"}], ids=repr)
def test_a_stranger_is_not_redirected_to(changes: dict[str, Any], browser: Browser) -> None:
    page = SignIn(browser, **changes).consent_page()
    assert page.status_code == 200
    assert b'name="request"' not in page.content


def test_a_wrong_password_stays_at_the_form(browser: Browser) -> None:
    page = SignIn(browser).consent_page(password="wrong")
    assert page.status_code == 200
    assert b'name="password"' in page.content
    assert "_auth_user_id" not in browser.session


def test_the_consent_page_lets_the_browser_go_back_to_the_client(browser: Browser) -> None:
    page = SignIn(browser).consent_page()
    assert "form-action" not in page["Content-Security-Policy"]
    assert "default-src 'none'" in page["Content-Security-Policy"]
    assert "form-action 'self'" in browser.get("/accounts/logout/")["Content-Security-Policy"]


def test_the_discovery_document_and_the_keys_serve_any_verifier(browser: Browser) -> None:
    mint_access_token("ana")  # there is a key now, whichever test came first
    signing_keys().rotate()
    keys = RemoteKeys("http://testserver", fetch=lambda url: browser.get(urlsplit(url).path).json())
    remote = Verifier(issuer="http://testserver", audience=["goalgraph"], claims=ClaimMap(), keys=keys)
    assert remote.verify(mint_access_token("ana")).user_id == "ana"
    published = browser.get("/.well-known/jwks.json").json()["keys"]
    assert [key["kid"] for key in published] == [key.kid for key in signing_keys().all()]
    assert len(published) >= 2
    assert not {"d", "p", "q"} & {member for key in published for member in key}
    document = browser.get("/.well-known/openid-configuration").json()
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert "goalgraph" in document["scopes_supported"]


def test_the_issuer_does_not_take_its_name_from_the_host_header(browser: Browser) -> None:
    assert browser.get("/.well-known/openid-configuration", headers={"host": "localhost"}).json()["issuer"] == "http://testserver"


def test_tokens_signed_before_a_rotation_stay_valid(identity: None) -> None:
    before = mint_access_token("ana")
    signing_keys().rotate()
    after = mint_access_token("ana")
    assert jwt.get_unverified_header(before)["kid"] != jwt.get_unverified_header(after)["kid"]
    assert {actor_from_authorization(f"Bearer {token}").user_id for token in (before, after)} == {"ana"}


@pytest.mark.parametrize("username", ["system", "a#b", "_ana", "a b", "\u0430na", "a" * 129])
def test_a_username_that_cannot_be_a_user_id_cannot_sign_up(username: str, browser: Browser) -> None:
    assert sign_up(browser, username).status_code == 200
    assert not get_user_model().objects.filter(username=username).exists()


def test_anybody_else_can(browser: Browser) -> None:
    assert sign_up(browser, "dora.2").status_code == 302
    assert get_user_model().objects.filter(username="dora.2").exists()


def sign_up(browser: Browser, username: str) -> Any:
    browser.get("/accounts/signup/")
    password = "correct horse battery"
    token = browser.cookies["csrftoken"].value
    return browser.post(
        "/accounts/signup/", {"username": username, "password1": password, "password2": password, "csrfmiddlewaretoken": token}
    )


def test_demo_identity_can_be_made_again(identity: None) -> None:
    ensure_demo_identity([DemoUser("ana", "ana@example.com"), *USERS[1:]], [CALLBACK, "http://localhost:3000/callback"])
    users = {user.username: user for user in get_user_model().objects.all()}
    assert set(users) == {"ana", "bruno", "moderator", "admin"}
    assert all(user.check_password(DEMO_PASSWORD) for user in users.values())
    assert {name for name, user in users.items() if user.is_staff} == {"moderator", "admin"}
    assert {name for name, user in users.items() if user.is_superuser} == {"admin"}
    assert not users["ana"].groups.exists(), "no longer premium"


def test_a_browser_application_of_the_client_may_call_the_token_endpoint(browser: Browser) -> None:
    flow = SignIn(browser)
    fields = {
        "grant_type": "authorization_code",
        "code": flow.code(),
        "redirect_uri": CALLBACK,
        "client_id": CLIENT_ID,
        "code_verifier": flow.secret,
    }
    answer = Browser().post("/identity/o/api/token", fields, headers={"origin": "http://127.0.0.1:8000"})
    assert answer["Access-Control-Allow-Origin"] == "http://127.0.0.1:8000"
    flow = SignIn(browser := Browser())
    fields |= {"code": flow.code(), "code_verifier": flow.secret}
    answer = Browser().post("/identity/o/api/token", fields, headers={"origin": "http://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer


@pytest.mark.parametrize(
    "arguments",
    [{"user_id": "a#b"}, {"user_id": ""}, {"user_id": "system"}, {"tier": "gold"}, {"minutes": 0}, {"minutes": 1441}],
    ids=repr,
)
def test_no_token_is_minted_that_the_verifier_would_refuse(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"user id|tier|minutes"):
        mint_access_token(**{"user_id": "ana"} | arguments)


def test_a_minted_token_says_what_it_was_told() -> None:
    token = mint_access_token("dora", tier="premium", tenant_id="acme", entitlements=["coach"], scopes=["goalgraph", "email"], minutes=5)
    actor = actor_from_authorization(f"Bearer {token}")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["exp"] - claims["iat"] == 300
    assert actor == Actor(
        user_id="dora",
        tenant_id="acme",
        tier="premium",
        entitlements=frozenset({"coach"}),
        scopes=frozenset({"goalgraph", "email"}),
        expires_at=claims["exp"],
    )


@pytest.mark.parametrize(
    "settings",
    [{"OIDC_ISSUER": "https://id.example"}, {"OIDC_ISSUER": "https://id.example", "PUBLIC_URL": "https://id.example"}, {"OIDC_ISSUER": ""}],
)
def test_outside_local_settings_nothing_is_minted_or_made(settings: dict[str, str]) -> None:
    with override_settings(**settings):
        with pytest.raises(ImproperlyConfigured):
            mint_access_token("ana")
        with pytest.raises(ImproperlyConfigured):
            ensure_demo_identity(USERS, [CALLBACK])
    assert not get_user_model().objects.exists()


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YW5hOmFuYQ==", "Token x", "Bearer x.y.z"], ids=repr)
def test_no_good_authorization_header_is_unauthenticated(header: str | None) -> None:
    with pytest.raises(Unauthenticated):
        actor_from_authorization(header)


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_the_scheme_is_read_in_any_case(scheme: str) -> None:
    assert actor_from_authorization(scheme + mint_access_token("ana")).user_id == "ana"


def test_the_verifier_follows_the_settings() -> None:
    token = mint_access_token("ana")
    assert actor_from_authorization(f"Bearer {token}").user_id == "ana"
    with override_settings(OIDC_AUDIENCE=["another"]), pytest.raises(Unauthenticated):
        actor_from_authorization(f"Bearer {token}")
    assert verifier() is verifier()
    assert django_settings.OIDC_AUDIENCE == ["goalgraph"]
