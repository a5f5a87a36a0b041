"""Settings that hold everywhere. `local`, `test` and `production` say what differs; secrets come from the environment only."""

from pathlib import Path
from typing import Any

import environ

from goalgraph.logs import LOGGING  # noqa: F401 - Django reads it
from goalgraph.settings.beat import *  # noqa: F403
from goalgraph.settings.billing import *  # noqa: F403
from goalgraph.settings.channels import *  # noqa: F403
from goalgraph.settings.edge import *  # noqa: F403
from goalgraph.settings.feed import *  # noqa: F403
from goalgraph.settings.gamification import *  # noqa: F403
from goalgraph.settings.identity import *  # noqa: F403
from goalgraph.settings.notifications import *  # noqa: F403
from goalgraph.settings.offer_feed import *  # noqa: F403
from goalgraph.settings.offers import *  # noqa: F403
from goalgraph.settings.queues import *  # noqa: F403
from goalgraph.settings.search import *  # noqa: F403

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parents[2]

DEBUG = False
SECRET_KEY = env.str("SECRET_KEY", "")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
"""Secrets. Earlier values of `SECRET_KEY`, newest first: what was signed or encrypted under them still holds. A key with a comma cannot be
listed."""
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
PUBLIC_URL = env.str("PUBLIC_URL", "")
"""Scheme, host and port under which members reach this web service; no slash at the end."""
ALLOWED_ORIGINS = env.list("ALLOWED_ORIGINS", default=[])
"""Scheme, host and port of each browser application that may call the API (CORS) and open a WebSocket."""

ROOT_URLCONF = "goalgraph.urls"
ASGI_APPLICATION = "goalgraph.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("pt-br", "Português (Brasil)"), ("es", "Español")]

INSTALLED_APPS = [
    "goalgraph.backoffice.apps.BackOfficeConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "graphene_django",
    "allauth",
    "allauth.account",
    "allauth.idp.oidc",
    "allauth.mfa",
    "djstripe",
    "goalgraph",
    "users",
    "goals",
    "chat",
    "gamification",
    "notifications",
    "offers",
    "billing",
]

# Django's own middlewares cost a thread hop each under ASGI. `goalgraph.middleware.api` answers the paths of the API by their view at
# once, so that only the HTML pages (admin, sign-in) pay for what stands below it. (admin and allauth insist on finding theirs here.)
MIDDLEWARE = [
    "goalgraph.middleware.trace",
    "goalgraph.middleware.metrics",
    "goalgraph.middleware.api",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "goalgraph.backoffice.middleware.ServiceAway",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES: dict[str, dict[str, Any]] = {"default": env.db_url("DATABASE_URL", "sqlite:///:memory:")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Many processes write one file. A transaction takes the write lock when it begins: one that first reads would be refused at its first
    # write instead of waiting (SQLITE_BUSY_SNAPSHOT, sqlite.org/wal.html). Readers never wait for a writer in WAL.
    DATABASES["default"]["OPTIONS"] = {
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
    }
else:
    # A connection that outlives a request is checked before it is used again. How long it lives, `?conn_max_age=` in the address says.
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES: dict[str, dict[str, Any]] = {
    "default": MEDIA_STORAGE,
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
CONTENT_SECURITY_POLICY["DIRECTIVES"]["img-src"].append(OFFER_MEDIA_ORIGIN)
vars().update(EMAIL_CONFIG)

REDIS_URL = env.str("REDIS_URL", "redis://127.0.0.1:6379/0")
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL, "KEY_PREFIX": "gg"}}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [{"address": REDIS_URL, **LIVE_CONNECTION}],
            # Pub/sub knows no databases, so the database's number is part of every name.
            "prefix": f"gg.live.{REDIS_URL.rpartition('/')[2]}.",
        },
    }
}

GOALGRAPH_TABLE = env.str("GOALGRAPH_TABLE", "gg_core")
AWS_REGION = env.str("AWS_REGION", env.str("AWS_DEFAULT_REGION", "us-east-1"))
AWS_ENDPOINT_URL = env.str("AWS_ENDPOINT_URL", "") or None

GRAPHENE = {"SCHEMA": "goalgraph.graphql.schema.schema", "SCHEMA_OUTPUT": "schema.graphql", "SCHEMA_INDENT": None}

PORTS: dict[str, dict[str, Any]] = {
    "audit_log": {"BACKEND": "goalgraph.adapters.audit_log.S3AuditLog", "OPTIONS": {"bucket": AUDIT_BUCKET, "region": AWS_REGION}},
    "clock": {"BACKEND": "goalgraph.ports.clock.SystemClock"},
    **CHANNEL_PORTS,
    "event_bus": {"BACKEND": "goalgraph.adapters.events.EventBridgeBus", "OPTIONS": {"name": EVENT_BUS_NAME, "region": AWS_REGION}},
    "jobs": {"BACKEND": "goalgraph.adapters.jobs.CeleryJobs"},
    "leaderboards": {"BACKEND": "goalgraph.adapters.leaderboards.RedisLeaderboards", "OPTIONS": {"url": REDIS_URL}},
    "link_checker": {"BACKEND": "goalgraph.adapters.link_checker.PublicLinkChecker"},
    "live": {"BACKEND": "goalgraph.adapters.live.ChannelsLive"},
    "moderator": {"BACKEND": "goalgraph.adapters.moderation.rules.RulesModerator"},
    "payments": {
        "BACKEND": "goalgraph.adapters.stripe.StripePayments",
        "OPTIONS": {
            "api_key": STRIPE_SECRET_KEY,
            "api_base": STRIPE_API_BASE,
            "version": STRIPE_API_VERSION,
            "secrets": STRIPE_WEBHOOK_SECRETS,
            "tolerance": STRIPE_WEBHOOK_TOLERANCE,
            "timeout": STRIPE_TIMEOUT,
        },
    },
    "presence": {
        "BACKEND": "goalgraph.adapters.presence.RedisPresence",
        "OPTIONS": {"url": REDIS_URL, "seconds": env.float("LIVE_PRESENCE_SECONDS", 60.0)},
    },
    "search": SEARCH_PORT,
    "stream": {
        "BACKEND": "goalgraph.adapters.streams.DynamoStream",
        "OPTIONS": {"table": GOALGRAPH_TABLE, "region": AWS_REGION, "endpoint_url": AWS_ENDPOINT_URL},
    },
    "table": {
        "BACKEND": "goalgraph.table.dynamodb.DynamoTable",
        "OPTIONS": {"name": GOALGRAPH_TABLE, "region": AWS_REGION, "endpoint_url": AWS_ENDPOINT_URL},
    },
}

CORS_ALLOWED_ORIGINS = ALLOWED_ORIGINS
CORS_ALLOW_HEADERS = ("accept", "authorization", "content-type", "idempotency-key", "traceparent", "x-trace-id")
CORS_EXPOSE_HEADERS = ("retry-after", "x-trace-id")
CORS_URLS_REGEX = r"^/(graphql|me|profile|uploads)$"

FEED_LEASE_SECONDS = env.float("FEED_LEASE_SECONDS", 20.0)
"""How long a shard of the change feed stays with a process that does not answer any more."""
FEED_METRICS = env.str("FEED_METRICS", "")
"""Where `manage.py feed` shows its metrics to Prometheus, such as 127.0.0.1:9100; empty: nowhere."""

DUE_SHARDS = env.int("DUE_SHARDS", 16)
"""Over how many partitions each minute of the due wheel is spread. A task keeps the shard it was given."""
DUE_PRIORITY_SHARDS = env.int("DUE_PRIORITY_SHARDS", 4)
"""How many more of them, numbered after the others, are for premium members."""
REMINDER_EXPIRES_HOURS = env.int("REMINDER_EXPIRES_HOURS", 24)
"""How late a reminder may be and still be sent. Later it is recorded as expired."""
TENANTS = env.list("TENANTS", default=[])
"""The ids of the company tenants, whose partitions sweeps go through as well."""

CHAT_RETENTION_DAYS = env.int("CHAT_RETENTION_DAYS", 365)
"""How long messages are kept."""

CONNECTION_REQUESTS_PER_DAY = env.int("CONNECTION_REQUESTS_PER_DAY", 50)
"""Members whom one may ask to connect on one day (UTC)."""

LEADERBOARD_SHARDS = env.int("LEADERBOARD_SHARDS", 16)
"""Over how many partitions the aggregates of a season are spread by score. An aggregate keeps the shard it was given."""

MODERATION_RETENTION_DAYS = env.int("MODERATION_RETENTION_DAYS", 365)
"""How long a moderation case, with what it quotes, is kept after it last changed."""
MODERATION_AUTO_HIDE = env.float("MODERATION_AUTO_HIDE", 0.9)
"""The score from which reports hide a message until moderators decide; above 1: never."""
REPORTS_PER_DAY = env.int("REPORTS_PER_DAY", 50)
"""Messages that a member may report on one day (UTC)."""
