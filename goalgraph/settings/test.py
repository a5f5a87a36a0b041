"""Settings of the test suite. `tests/conftest.py` starts the services and sets their addresses before this module is read."""

from goalgraph.settings.base import *  # noqa: F403

SECRET_KEY = "test-only-secret-key-that-guards-nothing-at-all-0123456789"
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
PUBLIC_URL = "http://testserver"
ISSUER_KEYS_DIR = None  # in memory
ALLOWED_ORIGINS = ["http://testserver", "https://app.example"]
CORS_ALLOWED_ORIGINS = ALLOWED_ORIGINS
STAFF_MFA_REQUIRED = False
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
WHITENOISE_AUTOREFRESH = True
PORTS["jobs"] = {"BACKEND": "goalgraph.adapters.jobs.RecordingJobs"}
