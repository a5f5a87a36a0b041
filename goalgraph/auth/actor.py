"""Who is acting. Every service takes an `Actor` first and decides by it what may be seen and done."""

from dataclasses import dataclass, field
from datetime import datetime

PREMIUM = "premium"
"""The tier whose work goes first."""


@dataclass(frozen=True, slots=True)
class Actor:
    """A verified caller.

    `user_id` is the token's subject, `tenant_id` the company tenant the member belongs to (None: the open platform), `tier` is
    `free` or `premium`, `entitlements` are feature names the plan grants, `scopes` come from the token. `expires_at` is the
    token's `exp` in seconds since the epoch (UTC), None for actors that are not behind a token (commands, workers). Until `muted_until`
    moderators let the member write nothing to others.
    """

    user_id: str
    tenant_id: str | None = None
    tier: str = "free"
    entitlements: frozenset[str] = field(default_factory=frozenset)
    scopes: frozenset[str] = field(default_factory=frozenset)
    email: str | None = None
    expires_at: int | None = None
    muted_until: datetime | None = None


SYSTEM = Actor(user_id="system", scopes=frozenset({"system"}))
"""Acts for the platform itself: sweeps, projections, repairs."""
