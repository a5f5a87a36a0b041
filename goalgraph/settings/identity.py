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

IDP_OIDC_ADAPTER = "goalgraph.adapters.local.issuer.IssuerAdapter"
IDP_OIDC_ACCESS_TOKEN_FORMAT = "jwt"
IDP_OIDC_ACCESS_TOKEN_EXPIRES_IN = 3600
IDP_OIDC_REFRESH_TOKEN_EXPIRES_IN = 30 * 24 * 3600
IDP_OIDC_JWKS_CACHE_CONTROL = 60
