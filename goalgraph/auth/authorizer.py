"""The Lambda authorizer: the API's verifier in front of API Gateway and AppSync.

`handler` answers three events, told apart by their shape:
- API Gateway TOKEN (`authorizationToken`) and REQUEST (`headers`; payload formats 1.0 and 2.0, and WebSocket APIs): an IAM policy,
- AppSync (`authorizationToken` and `requestContext.apiId`): `isAuthorized` with a `resolverContext`.

An allow carries `sub`, `email`, `tier` and `scope` as strings. A bad token, a malformed event, an issuer that is down or a missing setting
is a deny, never an exception: API Gateway would answer those with 500. Configured by `OIDC_ISSUER`, `OIDC_AUDIENCE` and `OIDC_CLAIMS`
(default `cognito`) in the environment. No Django here. Sources: AWS, "Output from an API Gateway Lambda authorizer" and "AWS_LAMBDA
authorization" in AppSync.
"""

import logging
import os
import re
import time
from collections.abc import Mapping
from functools import cache
from typing import Any

from goalgraph.auth.actor import Actor
from goalgraph.auth.claims import claim_map
from goalgraph.auth.jwks import RemoteKeys
from goalgraph.auth.verifier import Verifier
from goalgraph.errors import Unauthenticated

logger = logging.getLogger(__name__)

MAX_CACHE_SECONDS = 300
_BEARER = re.compile(r"bearer +(\S+)", re.ASCII | re.IGNORECASE)
_STAGE_ARN = re.compile(r"(arn:aws[a-z-]*:execute-api:[a-z0-9-]+:[0-9]*:[A-Za-z0-9]+/[^/*]+)/.*", re.ASCII | re.DOTALL)


def handler(event: Any, _context: object = None) -> dict[str, Any]:
    """The answer to one authorizer event, in the shape its sender expects. Never raises."""
    actor = _actor(event)
    return _appsync(actor) if _is_appsync(event) else _policy(actor, _arn(event))


@cache
def verifier() -> Verifier:
    """The function instance's verifier; a warm instance keeps its keys. Raises KeyError or ValueError on a missing or wrong setting."""
    issuer = os.environ["OIDC_ISSUER"]
    audience = [name.strip() for name in os.environ["OIDC_AUDIENCE"].split(",") if name.strip()]
    claims = claim_map(os.environ.get("OIDC_CLAIMS", "cognito"))
    return Verifier(issuer=issuer, audience=audience, claims=claims, keys=RemoteKeys(issuer))


def _actor(event: Any) -> Actor | None:
    try:
        return verifier().verify(_token(event))
    except Unauthenticated:
        return None
    except Exception:
        # Whatever it is, the answer to the caller is a deny; the log says why.
        logger.exception("authorizer failed")
        return None


def _token(event: Any) -> str:
    """The bearer token of an event. AppSync and the console may leave the word Bearer out. Raises Unauthenticated when there is none."""
    if not isinstance(event, Mapping):
        raise Unauthenticated
    value = event.get("authorizationToken")
    if value is None:
        value = _header(event.get("headers"))
    if not isinstance(value, str):
        raise Unauthenticated
    bearer = _BEARER.fullmatch(value.strip(" "))
    return bearer[1] if bearer else value


def _header(headers: Any) -> Any:
    """The one `Authorization` header, in whatever case it was sent; two that differ in case are none."""
    if not isinstance(headers, Mapping):
        return None
    found = [value for name, value in headers.items() if isinstance(name, str) and name.lower() == "authorization"]
    return found[0] if len(found) == 1 else None


def _is_appsync(event: Any) -> bool:
    if not isinstance(event, Mapping) or "type" in event:
        return False
    context = event.get("requestContext")
    return "authorizationToken" in event and isinstance(context, Mapping) and "apiId" in context


def _arn(event: Any) -> str | None:
    value = (event.get("methodArn") or event.get("routeArn")) if isinstance(event, Mapping) else None
    return value if isinstance(value, str) else None


def _policy(actor: Actor | None, arn: str | None) -> dict[str, Any]:
    """API Gateway caches a policy by token for all methods of a stage, so an allow covers the stage, and a deny covers everything."""
    stage = _STAGE_ARN.fullmatch(arn or "")
    if actor is None or stage is None:
        return {"principalId": "anonymous", "policyDocument": _statement("Deny", "*"), "context": {}}
    return {"principalId": actor.user_id, "policyDocument": _statement("Allow", f"{stage[1]}/*"), "context": _strings(actor)}


def _statement(effect: str, resource: str) -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _appsync(actor: Actor | None) -> dict[str, Any]:
    """AppSync takes how long to cache the answer along with it, so it never outlives the token."""
    if actor is None:
        return {"isAuthorized": False, "resolverContext": {}, "deniedFields": [], "ttlOverride": 0}
    left = int((actor.expires_at or 0) - time.time())
    ttl = max(0, min(MAX_CACHE_SECONDS, left))
    return {"isAuthorized": True, "resolverContext": _strings(actor), "deniedFields": [], "ttlOverride": ttl}


def _strings(actor: Actor) -> dict[str, str]:
    """API Gateway and AppSync pass on flat values only."""
    return {"sub": actor.user_id, "email": actor.email or "", "tier": actor.tier, "scope": " ".join(sorted(actor.scopes))}
