"""Settings of billing: how Stripe is reached, whose webhooks are believed, how long an unpaid plan still holds (docs/billing.md).

Read by `settings/base.py`; needs nothing but the environment.
"""

import environ

_env = environ.Env()

STRIPE_SECRET_KEY = _env.str("STRIPE_SECRET_KEY", "")
"""A secret. dj-stripe wants it in Stripe's own form: sk_live_ or rk_live_ (sk_test_ for test mode) and 24 letters and digits or more."""
STRIPE_API_BASE = _env.str("STRIPE_API_BASE", "") or "https://api.stripe.com"
STRIPE_API_VERSION = "2026-05-27.dahlia"
"""The version that dj-stripe 2.11 was made for."""
STRIPE_WEBHOOK_UUID = _env.str("STRIPE_WEBHOOK_UUID", "")
"""The last part of the webhook's address, `/stripe/webhook/<uuid>`. Empty: there is no webhook."""
STRIPE_WEBHOOK_SECRETS = _env.list("STRIPE_WEBHOOK_SECRETS", default=[])
"""Secrets. The endpoint's signing secrets, newest first; all of them are accepted, so that one can be replaced without a gap."""
STRIPE_WEBHOOK_TOLERANCE = 300
"""Seconds by which a signature may be old, or ahead of our clock."""
STRIPE_WEBHOOK_MAX_BYTES = 512 * 1024
STRIPE_TIMEOUT = _env.float("STRIPE_TIMEOUT", 10.0)
"""Seconds that we wait for an answer of Stripe's."""

DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
DJSTRIPE_SUBSCRIBER_CUSTOMER_KEY = ""
"""Members are no rows of SQL, so dj-stripe's customers lead to none."""

BILLING_GRACE_DAYS = _env.int("BILLING_GRACE_DAYS", 7)
"""For how long after a period began that nobody paid a plan still holds."""
BILLING_EVENTS_BACK_DAYS = _env.int("BILLING_EVENTS_BACK_DAYS", 3)
"""How far back the nightly repair looks for events that never came. Stripe keeps them for 30 days."""

STANDING_SECONDS = _env.float("STANDING_SECONDS", 3.0)
"""How old may be what a process knows of a member's plan and sanctions."""
TIER_FROM_TOKEN = _env.bool("TIER_FROM_TOKEN", default=False)
"""Whether the token's tier counts for a member of whom billing knows nothing. For local settings and tests."""
