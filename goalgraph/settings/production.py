"""Settings of production. They refuse to start on a missing, default or weak value, and name every such value at once."""

import base64
import re
import uuid
from email.utils import parseaddr
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from goalgraph.settings.base import *  # noqa: F403

DEBUG = False

PROXY_SSL_HEADER = env.str("PROXY_SSL_HEADER", "")
"""The header in which the proxy in front says `https`, such as X-Forwarded-Proto. Only for a proxy that removes a client's own."""
STRIPE_TEST_MODE = env.bool("STRIPE_TEST_MODE", default=False)
"""For a staging system: Stripe's test mode, where test cards buy and no money moves. Then a key of live mode is refused."""

PUBLISHED = frozenset(
    {
        "sk_test_GoalGraphLocalNoMoneyMoves",
        "sk_test_knownToEverybodyForTestsOnly",
        "5f0c1d9e-7a34-4b58-9c62-3e8d10b7a2f4",
        "7f1c9a52-6b0e-4d3f-9a64-0c6f2f1f3b5d",
        "bG9jYWwtb25seS1hbmQta25vd24tdG8tZXZlcnlib2Q",
    }
)
"""What local settings and tests use in the place of secrets. It has the right form, and stands in the repository for everybody to read."""


def _weak_secret(value: str) -> bool:
    """The bounds of Django's own check security.W009, and the words that people leave in examples."""
    known = ("local-only", "test-only", "django-insecure-", "change", "secret", "example")
    return len(value) < 50 or len(set(value)) < 10 or value.lower().startswith(known)


def _https(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and bool(parts.hostname)


def _mailbox(text: str) -> bool:
    """Whether mails may come from `text`; .example is nobody's (RFC 2606)."""
    local, _, domain = parseaddr(text)[1].rpartition("@")
    return bool(local) and "." in domain and not domain.endswith(".example")


def _vapid_key() -> bool:
    try:
        return (
            VAPID_PRIVATE_KEY not in PUBLISHED
            and len(base64.urlsafe_b64decode(VAPID_PRIVATE_KEY + "=" * (-len(VAPID_PRIVATE_KEY) % 4))) == 32
        )
    except ValueError:
        return False


def _application(platform: str) -> bool:
    arn = SNS_PLATFORM_APPLICATIONS.get(platform)
    return arn is None or bool(re.fullmatch(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:app/[A-Z_]+/[A-Za-z0-9_.-]+", arn))


def _uuid(text: str) -> bool:
    try:
        return text.lower() not in PUBLISHED and uuid.UUID(text).version == 4  # random, so nobody guesses the address
    except ValueError:
        return False


def _stripe_key(text: str) -> bool:
    """dj-stripe's own rule for a secret or restricted key, of the mode that is meant."""
    mode = "test" if STRIPE_TEST_MODE else "live"
    return text not in PUBLISHED and bool(re.fullmatch(rf"[sr]k_{mode}_[A-Za-z0-9]{{24,}}", text))


def _complaints() -> list[str]:
    """A sentence for each setting that production cannot start with."""
    embedded_issuer = bool(OIDC_ISSUER) and OIDC_ISSUER == PUBLIC_URL
    rules = {
        "SECRET_KEY: set at least 50 random characters.": _weak_secret(SECRET_KEY),
        "SECRET_KEY_FALLBACKS: leave it out, or list earlier values of SECRET_KEY.": any(map(_weak_secret, SECRET_KEY_FALLBACKS)),
        "DATABASE_URL: name a database that stays, such as postgres://user:password@host/name.": (
            not env.str("DATABASE_URL", "") or DATABASES["default"].get("NAME") in ("", ":memory:")
        ),
        "REDIS_URL: name the Redis that all processes share.": not env.str("REDIS_URL", ""),
        "CELERY_BROKER_URL: name a broker that keeps tasks, such as sqs://.": CELERY_BROKER_URL.startswith(("memory:", "filesystem:")),
        "SQS_QUEUES_URL: say where the queues are, such as https://sqs.us-east-1.amazonaws.com/123456789012.": (
            CELERY_BROKER_URL.startswith("sqs:") and not _https(SQS_QUEUES_URL)
        ),
        "AUDIT_BUCKET: name the S3 bucket that keeps the audit log.": not env.str("AUDIT_BUCKET", ""),
        "OIDC_ISSUER: give the issuer's https address, exactly as its tokens spell it.": not _https(OIDC_ISSUER),
        "OIDC_AUDIENCE: name the audience, or the client ids, that access tokens are made for.": not env.str("OIDC_AUDIENCE", ""),
        "ISSUER_PRIVATE_KEYS: the embedded issuer needs its own signing keys.": embedded_issuer and not ISSUER_PRIVATE_KEYS,
        "ALLOWED_HOSTS: list the host names that are ours, without *.": not ALLOWED_HOSTS or "*" in ALLOWED_HOSTS,
        "TRUSTED_PROXIES: with PROXY_SSL_HEADER, give the number of our proxies; with 0 all clients count as one address, "
        "and the failed sign-ins of one lock everybody out.": bool(PROXY_SSL_HEADER) and ALLAUTH_TRUSTED_PROXY_COUNT < 1,
        "PUBLIC_URL: give our own https address, without a slash at the end.": not _https(PUBLIC_URL) or PUBLIC_URL.endswith("/"),
        "ALLOWED_ORIGINS: list https origins only.": not all(_https(origin) for origin in ALLOWED_ORIGINS),
        "AWS_ENDPOINT_URL: leave it out, or give an https address; an emulator is not for production.": (
            AWS_ENDPOINT_URL is not None and not _https(AWS_ENDPOINT_URL)
        ),
        "AWS_SECRET_ACCESS_KEY: `local` is the emulator's.": env.str("AWS_SECRET_ACCESS_KEY", "") == "local",
        "EMAIL_URL: name the mail service, such as smtp+tls://user:password@host:587.": (
            EMAIL_CONFIG["EMAIL_BACKEND"].rpartition(".")[0].rpartition(".")[2] in ("console", "dummy", "locmem", "filebased")
        ),
        "MAIL_FROM: say whom members' mails come from, such as GoalGraph <hello@example.com>.": not _mailbox(env.str("MAIL_FROM", "")),
        "APP_URL: leave it out, or give the https address of the application.": bool(APP_URL) and not _https(APP_URL),
        "VAPID_PRIVATE_KEY: leave it out, or give a key of 32 bytes in base64url.": bool(VAPID_PRIVATE_KEY) and not _vapid_key(),
        "VAPID_SUBJECT: push services want a mailto: or https: address of ours.": (
            bool(VAPID_PRIVATE_KEY) and not (_https(VAPID_SUBJECT) or _mailbox(VAPID_SUBJECT.removeprefix("mailto:")))
        ),
        "SNS_APNS_APPLICATION: leave it out, or give the ARN of a platform application.": not _application("apns"),
        "SNS_FCM_APPLICATION: leave it out, or give the ARN of a platform application.": not _application("fcm"),
        "STAFF_MFA_REQUIRED: leave it out; staff need a second factor.": not STAFF_MFA_REQUIRED,
        "TIER_FROM_TOKEN: leave it out; what a member pays for is known by billing alone.": TIER_FROM_TOKEN,
        "STRIPE_SECRET_KEY: give a secret or restricted key of Stripe's live mode, such as rk_live_... "
        "(with STRIPE_TEST_MODE=true, for staging alone, one of its test mode).": not _stripe_key(STRIPE_SECRET_KEY),
        "STRIPE_API_BASE: leave it out, or give an https address; a fake is not for production.": not _https(STRIPE_API_BASE),
        "STRIPE_WEBHOOK_SECRETS: give the endpoint's signing secrets, newest first, each whsec_ and at least 24 characters more.": (
            not STRIPE_WEBHOOK_SECRETS or not all(re.fullmatch(r"whsec_[A-Za-z0-9+/=]{24,}", one) for one in STRIPE_WEBHOOK_SECRETS)
        ),
        "STRIPE_WEBHOOK_UUID: give a random UUID (version 4), the last part of the webhook's address.": not _uuid(STRIPE_WEBHOOK_UUID),
        "OFFER_MEDIA_BUCKET: name the S3 bucket of the pictures of offers.": not env.str("OFFER_MEDIA_BUCKET", ""),
        "OFFER_MEDIA_URL: leave it out, or give the https address of the CDN.": bool(OFFER_MEDIA_URL) and not _https(OFFER_MEDIA_URL),
        "METRICS_TOKEN: leave it out, or set at least 20 characters.": 0 < len(METRICS_TOKEN) < 20,
    }
    return [sentence for sentence, broken in rules.items() if broken]


if _found := _complaints():
    raise ImproperlyConfigured("Production cannot start:\n" + "\n".join(f"- {sentence}" for sentence in _found))

SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True

if PROXY_SSL_HEADER:
    SECURE_PROXY_SSL_HEADER = (f"HTTP_{PROXY_SSL_HEADER.upper().replace('-', '_')}", "https")

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
