"""The HTTP edge: how large and how frequent requests may be, and which schema answers them. See `docs/api.md`.

Read by `settings/base.py`; needs nothing but the environment.
"""

from typing import Any

import environ
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

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

WS_MAX_MESSAGE_BYTES = 64 * 1024
"""The largest message that a WebSocket takes. The Procfile tells uvicorn the same."""
WS_INIT_SECONDS = 10.0
"""How long a WebSocket may stay without `connection_init`."""
WS_OPERATIONS = 100
"""Operations that one WebSocket may have open at once."""
WS_MESSAGES_PER_SECOND = 200
"""Messages that one WebSocket may send within about a second. A client that resumes sends all its subscriptions at once."""
WS_KEEP_ALIVE_SECONDS = 20.0
"""How often clients of the older protocol are sent `ka`. The newer one has the WebSocket's own ping."""
WS_QUEUED_FRAMES = 512
WS_QUEUED_BYTES = 256 * 1024
"""What may wait for a reader that reads slowly, beyond the server's own buffer. More than either, and it is closed."""
WS_STALLED_SECONDS = 6.0
"""How long a reader may read nothing while something waits for it."""

LIVE_SWEEP_SECONDS = _env.float("LIVE_SWEEP_SECONDS", 30.0)
"""How often each followed topic is compared to its log, which heals a hint that nobody published."""
LIVE_RECHECK_SECONDS = _env.float("LIVE_RECHECK_SECONDS", 300.0)
"""How often a stream asks whether its member may still follow it."""
LIVE_READS_PER_SECOND = _env.float("LIVE_READS_PER_SECOND", 100.0)
"""The most that both may read in a process; with many topics and streams their rounds take longer."""
LIVE_CONNECTION: dict[str, Any] = {
    "socket_connect_timeout": 1.0,
    "socket_timeout": 5.0,
    "socket_keepalive": True,
    "retry": Retry(NoBackoff(), 0),
}
"""How the channel layer's connections behave. redis-py's own retries would wait for many seconds, with everybody behind them; ours are
in the hub and in the `live` port."""

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
