"""Who may sign in and how a token is checked: `OIDC_*` for the API's verifier, the rest for the embedded issuer and its sign-in pages.

Read by `settings/base.py` before anything else, so it needs nothing but the environment. See `docs/identity.md`.
"""

from pathlib import Path

import environ

_env = environ.Env()

OIDC_ISSUER = _env.str("OIDC_ISSUER", "")
"""The `iss` of every accepted token, exactly as the issuer spells it. The embedded issuer is meant when it equals `PUBLIC_URL`."""
OIDC_AUDIENCE = _env.list("OIDC_AUDIENCE", default=["goalgraph"])
"""What a token's `aud` (or `client_id`, where the issuer sets no `aud`) may be; several are separated by commas."""
OIDC_CLAIMS = _env.str("OIDC_CLAIMS", "embedded")
"""How the issuer spells its claims: `embedded`, `cognito`, `firebase` or `entra` (goalgraph/auth/claims.py)."""

STAFF_MFA_REQUIRED = _env.bool("STAFF_MFA_REQUIRED", default=True)
"""Whether staff need a second factor: without one they reach the page that sets one up and nothing else."""
STAFF_SESSION_SECONDS = 8 * 3600
"""How long staff stay signed in: a working day."""
STAFF_IDLE_SECONDS = _env.int("STAFF_IDLE_SECONDS", 30 * 60)
"""After how long without a request staff are signed out."""
SESSION_COOKIE_AGE = STAFF_SESSION_SECONDS
ACCOUNT_SESSION_REMEMBER = False  # the cookie ends with the browser at the latest

ISSUER_PRIVATE_KEYS = _env.str("ISSUER_PRIVATE_KEYS", "", multiline=True)
"""The embedded issuer's RSA keys as PEM, newest first. A secret. Empty: keys live in `ISSUER_KEYS_DIR`, the first made on first use."""
ISSUER_KEYS_DIR: Path | None = Path(_env.str("GOALGRAPH_HOME", ".local")).resolve() / "issuer-keys"
"""None keeps the keys in the memory of one process, for tests."""

AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/graphql"

ACCOUNT_ADAPTER = "goalgraph.adapters.local.issuer_pages.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_REDIRECT_URL = LOGIN_URL
ACCOUNT_RATE_LIMITS = {"login": "120/m/ip", "login_failed": "50/15m/ip,5/15m/key"}
"""Sign-ins from one address; failed passwords, and failed codes of one person: five lock the name for the rest of 15 minutes, from wherever
it is tried."""
ALLAUTH_TRUSTED_PROXY_COUNT = _env.int("TRUSTED_PROXIES", 0)
"""How many proxies of ours stand in front and add to `X-Forwarded-For`. Too few, and all clients count as one address,
whose 50 failed passwords lock everybody out: production refuses to start with 0 behind a proxy (`PROXY_SSL_HEADER`)."""

MFA_ADAPTER = "goalgraph.backoffice.second_factor.SecondFactorAdapter"
MFA_FORMS = {
    "authenticate": "goalgraph.backoffice.second_factor_forms.AuthenticateForm",
    "reauthenticate": "goalgraph.backoffice.second_factor_forms.ReauthenticateForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "GoalGraph"
MFA_ALLOW_UNVERIFIED_EMAIL = True  # nobody signs in by an e-mail address here

IDP_OIDC_ADAPTER = "goalgraph.adapters.local.issuer.IssuerAdapter"
IDP_OIDC_ACCESS_TOKEN_FORMAT = "jwt"
IDP_OIDC_ACCESS_TOKEN_EXPIRES_IN = 3600
IDP_OIDC_REFRESH_TOKEN_EXPIRES_IN = 30 * 24 * 3600
IDP_OIDC_JWKS_CACHE_CONTROL = 60
