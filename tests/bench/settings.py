"""Settings of GoalGraph's processes under a benchmark: those of every deployment, with DEBUG off; `stage.py` sets the environment."""

from goalgraph.settings.base import *  # noqa: F403

SECRET_KEY = "bench-only-secret-key-that-guards-nothing-at-all-0123456789"
ALLOWED_HOSTS = ["127.0.0.1"]
PUBLIC_URL = OIDC_ISSUER  # noqa: F405 - the embedded issuer's tokens, its keys from the environment
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
