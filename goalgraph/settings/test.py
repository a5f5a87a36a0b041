"""Settings of the test suite. `tests/conftest.py` starts the services and sets their addresses before this module is read."""

from goalgraph.settings.base import *  # noqa: F403

SECRET_KEY = "test-only-secret-key-that-guards-nothing-at-all-0123456789"
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
PUBLIC_URL = "http://testserver"
ISSUER_KEYS_DIR = None  # in memory
ALLOWED_ORIGINS = ["http://testserver", "https://app.example"]
CORS_ALLOWED_ORIGINS = ALLOWED_ORIGINS
STAFF_MFA_REQUIRED = False
TIER_FROM_TOKEN = True
STRIPE_SECRET_KEY = "sk_test_knownToEverybodyForTestsOnly"
STRIPE_WEBHOOK_UUID = "7f1c9a52-6b0e-4d3f-9a64-0c6f2f1f3b5d"
STRIPE_WEBHOOK_SECRETS = ["whsec_test_new", "whsec_test_old"]
PORTS["payments"]["OPTIONS"] |= {"api_key": STRIPE_SECRET_KEY, "secrets": STRIPE_WEBHOOK_SECRETS, "api_base": "http://127.0.0.1:9"}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_AUTOREFRESH = True
PORTS["jobs"] = {"BACKEND": "goalgraph.adapters.jobs.RecordingJobs"}
PORTS["search"] = {"BACKEND": "goalgraph.adapters.search.tantivy.TantivySearch"}  # in a folder of the process's own
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    MIGRATION_MODULES = {"djstripe": None}  # its tables are made as they are now: its migrations take 45 s, in each worker
