"""An access token checked: seen before, seen for the first time, and by PyJWT alone."""

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.conf import settings

from goalgraph.adapters.local.issuer_keys import signing_keys
from goalgraph.auth.claims import claim_map
from goalgraph.auth.verifier import Verifier
from tests.bench.report import Goal, heading, table
from tests.bench.stage import Stage
from tests.bench.timing import cpu_us, rows


def run(stage: Stage) -> list[Goal]:
    heading("verifier: CPU per access token (RS256)")
    remembers, forgets = _verifier(remember_for=30.0), _verifier(remember_for=0.0)
    key = load_pem_public_key(stage.public_key.encode())
    audience, token = settings.OIDC_AUDIENCE, stage.token
    works = {
        "seen before": lambda: remembers.verify(token),
        "first time": lambda: forgets.verify(token),
        "PyJWT's decode": lambda: jwt.decode(token, key, algorithms=["RS256"], audience=audience, issuer=settings.OIDC_ISSUER),
    }
    table(("", "us", "times"), rows(cpu_us(works, calls=500)))
    return []


def _verifier(*, remember_for: float) -> Verifier:
    claims = claim_map(settings.OIDC_CLAIMS)
    return Verifier(
        issuer=settings.OIDC_ISSUER, audience=settings.OIDC_AUDIENCE, claims=claims, keys=signing_keys(), remember_for=remember_for
    )
