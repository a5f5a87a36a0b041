"""Settings of `make run`: everything embedded, on loopback, with data under GOALGRAPH_HOME. Never for the open network."""

import os
from pathlib import Path

import environ

environ.Env.read_env(Path(__file__).resolve().parents[2] / ".env")  # what the environment sets goes before it

PORT = int(os.environ.get("PORT", "8000"))
HOME = Path(os.environ.get("GOALGRAPH_HOME", ".local")).resolve()

# The embedded services' ports follow from PORT, so that two instances run side by side.
_step = 10_000 if PORT < 35_000 else -10_000
EMULATOR_PORT, REDIS_PORT, STRIPE_PORT = PORT + _step, PORT + 2 * _step, PORT + 3 * _step

_defaults = {
    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{EMULATOR_PORT}",
    "AWS_ACCESS_KEY_ID": "000000000000",
    "AWS_SECRET_ACCESS_KEY": "local",
    "REDIS_URL": f"redis://127.0.0.1:{REDIS_PORT}/0",
    "DATABASE_URL": f"sqlite:///{HOME / 'db.sqlite3'}",
    "OIDC_ISSUER": f"http://127.0.0.1:{PORT}",
    "STRIPE_API_BASE": f"http://127.0.0.1:{STRIPE_PORT}",
    "STRIPE_SECRET_KEY": "sk_test_GoalGraphLocalNoMoneyMoves",
    "STRIPE_WEBHOOK_SECRETS": "whsec_local",
    "STRIPE_WEBHOOK_UUID": "5f0c1d9e-7a34-4b58-9c62-3e8d10b7a2f4",
    "TIER_FROM_TOKEN": "true",
    "OFFER_MIN_COHORT": "1",  # the demo has three members; elsewhere it takes ten to be shown
    "EMAIL_URL": "ses://",
    "SMS_ENABLED": "true",
    "VAPID_PRIVATE_KEY": "bG9jYWwtb25seS1hbmQta25vd24tdG8tZXZlcnlib2Q",
    "VAPID_SUBJECT": "mailto:local@goalgraph.example",
    "LOG_EXCEPTION_TEXT": "1",
    "RATE_LIMIT_BURST": "100000",
    "RATE_LIMIT_PER_SECOND": "10000",
}
for _name, _value in _defaults.items():
    os.environ.setdefault(_name, _value)

from goalgraph.settings.base import *  # noqa: F403

DEBUG = True
SECRET_KEY = "local-only-and-known-to-everybody-so-never-for-the-open-network"
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
PUBLIC_URL = f"http://127.0.0.1:{PORT}"
ALLOWED_ORIGINS = [PUBLIC_URL, f"http://localhost:{PORT}"]
CORS_ALLOWED_ORIGINS = ALLOWED_ORIGINS
STAFF_MFA_REQUIRED = False
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    MIGRATION_MODULES = {"djstripe": None}  # `migrate --run-syncdb` makes its tables as they are now: its migrations take a minute
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = True  # http://localhost; at 127.0.0.1 browsers allow no security keys
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_USE_FINDERS = True
PORTS["link_checker"] = {"BACKEND": "goalgraph.adapters.link_checker.ShapeLinkChecker"}
"""Reads an offer's address without asking anybody: the network may be closed here, and the demo's companies have no web site."""
