"""The HTTP edge: how large and how frequent requests may be, and which schema answers them. See `docs/api.md`.

Read by `settings/base.py`; needs nothing but the environment.
"""

from typing import Any

import environ

_env = environ.Env()

GRAPHQL_SCHEMA = "goalgraph.graphql.schema.schema"
GRAPHQL_THREADS = _env.int("GRAPHQL_THREADS", 16)
"""Threads of a process that execute requests. They mostly wait for the table: measured, 16 serve a third more than 4, and 32 no more."""
GRAPHQL_LIMITS: dict[str, int] = {}
"""Overrides of `goalgraph.graphql.limits.Limits`, by name."""
GRAPHQL_CACHED_DOCUMENTS = 1000

REQUEST_MAX_BYTES = 256 * 1024
"""The largest body of an API request."""

RATE_LIMIT_BURST = _env.int("RATE_LIMIT_BURST", 20_000)
"""Cost points that a member may spend at once; 0 turns the limit off. A typical screen costs 10 to 200."""
RATE_LIMIT_PER_SECOND = _env.float("RATE_LIMIT_PER_SECOND", 500.0)
"""Cost points that come back each second."""

METRICS_TOKEN = _env.str("METRICS_TOKEN", "")
"""Where set, `/metrics` wants it as a bearer token."""

SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]
"""Load balancers and scrapers ask these over plain HTTP from inside."""
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

_SELF = "'self'"
CONTENT_SECURITY_POLICY: dict[str, Any] = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": [_SELF],
        "style-src": [_SELF],
        "img-src": [_SELF, "data:"],
        "font-src": [_SELF],
        "connect-src": [_SELF],
        "form-action": [_SELF],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
"""For the HTML pages; API answers carry a stricter one of their own."""
