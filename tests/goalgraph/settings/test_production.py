"""Production settings: what they refuse, and what they make of the answers."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.test import override_settings

from goalgraph.handler import Handler

ROOT = Path(__file__).resolve().parents[3]
GOOD = {
    "SECRET_KEY": "k9!vT2#qLw8zR5&yBn3^mXc7*Jd1%Hf6@Gs4(Pa0)Ue-Io_Ty+Wr=Ql",
    "DATABASE_URL": "sqlite:////nonexistent/goalgraph.sqlite3",
    "REDIS_URL": "rediss://redis.example.org:6379/0",
    "SQS_QUEUES_URL": "https://sqs.us-east-1.amazonaws.com/123456789012",
    "AUDIT_BUCKET": "goalgraph-audit.example.org",
    "OIDC_ISSUER": "https://id.example.org",
    "OIDC_AUDIENCE": "goalgraph",
    "ALLOWED_HOSTS": "api.example.org",
    "PUBLIC_URL": "https://api.example.org",
    "EMAIL_URL": "smtp+tls://user:password@mail.example.org:587",
    "MAIL_FROM": "GoalGraph <hello@example.org>",
    "STRIPE_SECRET_KEY": "rk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "STRIPE_WEBHOOK_SECRETS": "whsec_newerMfKQ9r8GKYqrTwjUPD8I,whsec_olderMfKQ9r8GKYqrTwjUPD8I",
    "STRIPE_WEBHOOK_UUID": "0d3f7f1c-6a52-4c55-8d62-6d8b6f1e2a43",
    "OFFER_MEDIA_BUCKET": "goalgraph-media.example.org",
}


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`manage.py` in production settings, with nothing in its environment but `environment`."""
    env = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "goalgraph.settings.production"} | environment
    return subprocess.run([sys.executable, "manage.py", *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def refused(**environment: str) -> set[str]:
    """The settings that production names when it does not start."""
    code = "import goalgraph.settings.production"
    env = {"PATH": os.environ["PATH"]} | environment
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1)
    return {line[2:].partition(":")[0] for line in done.stderr.splitlines() if line.startswith("- ")}


def test_all_that_is_missing_is_named_at_once() -> None:
    assert refused() == set(GOOD)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "short"),
        ("SECRET_KEY", "a" * 80),
        ("SECRET_KEY", "django-insecure-k9!vT2#qLw8zR5&yBn3^mXc7*Jd1%Hf6@Gs4(Pa0)Ue"),
        ("SECRET_KEY", "local-only-and-known-to-everybody-so-never-for-the-open-network"),
        ("DATABASE_URL", "sqlite://:memory:"),
        ("OIDC_ISSUER", "http://id.example.org"),
        ("ALLOWED_HOSTS", "*"),
        ("PUBLIC_URL", "http://api.example.org"),
        ("PUBLIC_URL", "https://api.example.org/"),
        ("EMAIL_URL", "consolemail://"),
        ("ALLOWED_ORIGINS", "https://app.example.org,http://app.example.org"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("CELERY_BROKER_URL", "memory://"),
        ("METRICS_TOKEN", "short"),
        ("MAIL_FROM", "GoalGraph <hello@goalgraph.example>"),
        ("MAIL_FROM", "GoalGraph"),
        ("APP_URL", "http://app.example.org"),
        ("STAFF_MFA_REQUIRED", "false"),
        ("TIER_FROM_TOKEN", "true"),
        ("STRIPE_SECRET_KEY", "pk_live_4eC39HqLyjWDarjtT1zdp7dc"),
        ("STRIPE_SECRET_KEY", "sk_test_knownToEverybodyForTestsOnly"),
        ("STRIPE_SECRET_KEY", "sk_test_4eC39HqLyjWDarjtT1zdp7dc"),
        ("SECRET_KEY_FALLBACKS", "short"),
        ("STRIPE_API_BASE", "http://127.0.0.1:38000"),
        ("STRIPE_WEBHOOK_SECRETS", "whsec_local"),
        ("STRIPE_WEBHOOK_UUID", "00000000-0000-0000-0000-000000000000"),
        ("OFFER_MEDIA_URL", "http://media.example.org"),
        ("SNS_APNS_APPLICATION", "goalgraph"),
        ("SNS_FCM_APPLICATION", "arn:aws:sns:us-east-1:123456789012:topic"),
    ],
)
def test_a_weak_value_is_refused_by_name(name: str, value: str) -> None:
    assert refused(**(GOOD | {name: value})) == {name}


SECRETS = ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS", "STRIPE_WEBHOOK_UUID", "VAPID_PRIVATE_KEY", "SECRET_KEY")


@pytest.mark.parametrize("settings", ["local", "test"])
@pytest.mark.parametrize("test_mode", ["true", "false"])
def test_no_secret_of_local_settings_or_tests_is_good_in_production(settings: str, test_mode: str) -> None:
    """They stand in the repository, so everybody has them."""
    value = "getattr(s, '_defaults', {}).get(name) or getattr(s, name)"  # a developer's .env may say something else
    code = f"import json, goalgraph.settings.{settings} as s; print(json.dumps([{value} for name in {SECRETS}]))"
    env = {"PATH": os.environ["PATH"], "GOALGRAPH_HOME": "/nonexistent"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    published = {
        name: ",".join(value) if isinstance(value, list) else value for name, value in zip(SECRETS, json.loads(done.stdout), strict=True)
    }
    given = {name: value for name, value in published.items() if value}

    assert len(given) >= 4
    assert refused(**(GOOD | {"VAPID_SUBJECT": "mailto:ops@example.org", "STRIPE_TEST_MODE": test_mode} | given)) == set(given)


@pytest.mark.parametrize(
    ("test_mode", "key", "found"),
    [
        ("true", "sk_test_4eC39HqLyjWDarjtT1zdp7dc", set()),
        ("true", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", {"STRIPE_SECRET_KEY"}),
        ("false", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", set()),
    ],
)
def test_a_staging_system_says_that_no_money_moves(test_mode: str, key: str, found: set[str]) -> None:
    assert refused(**(GOOD | {"STRIPE_SECRET_KEY": key, "STRIPE_TEST_MODE": test_mode})) == found


def test_behind_a_proxy_clients_are_told_apart() -> None:
    assert refused(**GOOD, PROXY_SSL_HEADER="X-Forwarded-Proto") == {"TRUSTED_PROXIES"}
    assert refused(**GOOD, PROXY_SSL_HEADER="X-Forwarded-Proto", TRUSTED_PROXIES="0") == {"TRUSTED_PROXIES"}
    assert refused(**GOOD, PROXY_SSL_HEADER="X-Forwarded-Proto", TRUSTED_PROXIES="1") == set()


def test_earlier_secret_keys_are_read() -> None:
    older = [f"{number}{GOOD['SECRET_KEY']}" for number in (1, 2)]
    done = manage(
        "shell",
        "-v0",
        "-c",
        "from django.conf import settings; print(settings.SECRET_KEY_FALLBACKS)",
        **GOOD,
        SECRET_KEY_FALLBACKS=",".join(older),
    )
    assert done.stdout.strip() == str(older), done.stderr


def test_each_setting_of_the_environment_stands_in_the_example() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "goalgraph" / "settings").glob("*.py"))
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_0-9]+)"', sources)) - {"AWS_DEFAULT_REGION"}  # which is the SDK's
    shown = set(re.findall(r"^# ([A-Z_0-9]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert len(read) > 50
    assert read - shown == set()


def test_web_push_needs_a_key_of_its_kind_and_somebody_to_turn_to() -> None:
    key = "q9JYbJ4eYH6L1ZbX2lHq8m3o0dW7cVtK5uR1sPzXyE4"
    assert refused(**GOOD, VAPID_PRIVATE_KEY="short") == {"VAPID_PRIVATE_KEY", "VAPID_SUBJECT"}
    assert refused(**GOOD, VAPID_PRIVATE_KEY=key) == {"VAPID_SUBJECT"}
    assert refused(**GOOD, VAPID_PRIVATE_KEY=key, VAPID_SUBJECT="mailto:ops@example.org") == set()


@pytest.mark.parametrize("url", ["ses://", "anymail://postmark", "smtp+ssl://user:password@mail.example.org:465"])
def test_any_mail_service_is_named_by_an_address(url: str) -> None:
    assert refused(**(GOOD | {"EMAIL_URL": url})) == set()


def test_an_embedded_issuer_needs_keys_of_its_own() -> None:
    assert refused(**(GOOD | {"OIDC_ISSUER": GOOD["PUBLIC_URL"]})) == {"ISSUER_PRIVATE_KEYS"}


def test_the_values_themselves_are_never_printed() -> None:
    done = manage("check", **(GOOD | {"METRICS_TOKEN": "hunter2", "PUBLIC_URL": "x"}))
    assert done.returncode == 1
    assert "hunter2" not in done.stderr
    assert GOOD["SECRET_KEY"] not in done.stderr


def test_djangos_deployment_check_has_nothing_to_say() -> None:
    done = manage("check", "--deploy", "--fail-level", "WARNING", **GOOD)
    assert done.returncode == 0, done.stderr
    assert "0 silenced" in done.stdout + done.stderr


def answer(url: str, **headers: str) -> httpx.Response:
    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(Handler())) as client:
            return await client.get(url, headers=headers)

    return asyncio.run(get())


@pytest.fixture
def strict_transport() -> Iterator[None]:
    with override_settings(
        SECURE_SSL_REDIRECT=True,
        SECURE_HSTS_SECONDS=60,
        SECURE_HSTS_INCLUDE_SUBDOMAINS=True,
        SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    ):
        yield


@pytest.mark.usefixtures("strict_transport")
class TestTransport:
    def test_plain_http_is_sent_to_https(self) -> None:
        response = answer("http://testserver/me")
        assert response.status_code == 301
        assert response.headers["Location"] == "https://testserver/me"

    def test_https_is_to_be_kept(self) -> None:
        for response in (answer("https://testserver/healthz"), answer("http://testserver/healthz", **{"X-Forwarded-Proto": "https"})):
            assert response.headers["Strict-Transport-Security"] == "max-age=60; includeSubDomains"

    @pytest.mark.parametrize("path", ["/healthz", "/metrics"])
    def test_what_load_balancers_ask_is_answered_over_plain_http(self, path: str) -> None:
        assert answer(f"http://testserver{path}").status_code == 200

    def test_a_foreign_host_name_is_refused(self) -> None:
        assert answer("http://evil.example/me").status_code == 400
