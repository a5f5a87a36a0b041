"""The link by which a member turns off e-mails of a kind, or all, with one click, without signing in (RFC 8058).

It holds who, where and what, signed. It does not expire: an old e-mail's link must work as well. Who has it can do no more than turn
these e-mails off.
"""

from dataclasses import dataclass, replace

from django.core import signing

from goalgraph.auth.actor import SYSTEM
from notifications import services
from notifications.domain import ALL, KINDS

_SALT = "notifications.unsubscribe"
_MOST = 1024


@dataclass(frozen=True, slots=True)
class Subscription:
    """`kind` of e-mails to a member; or `ALL` of them, but for those that are critical."""

    tenant_id: str | None
    user_id: str
    kind: str


def token(*, tenant_id: str | None, user_id: str, kind: str) -> str:
    """The same each time, as long as SECRET_KEY is."""
    return signing.Signer(salt=_SALT).sign_object([tenant_id, user_id, kind])


def read(token: str) -> Subscription | None:
    """What a token of ours is for; None for any other text, and for a kind that is no more."""
    if len(token) > _MOST:
        return None
    try:
        tenant_id, user_id, kind = signing.Signer(salt=_SALT).unsign_object(token)
    except (signing.BadSignature, ValueError):
        return None
    return Subscription(tenant_id, user_id, kind) if kind in (ALL, *KINDS) else None


def unsubscribe(subscription: Subscription) -> None:
    """No more e-mails of this kind, or of all. Repeating it changes nothing; the member may turn them on again. Raises Conflict."""
    services.unsubscribe(replace(SYSTEM, tenant_id=subscription.tenant_id), subscription.user_id, subscription.kind, "email")


def language_of(subscription: Subscription) -> str:
    """The member's own."""
    actor = replace(SYSTEM, tenant_id=subscription.tenant_id)
    return services.recipients(actor, [subscription.user_id])[subscription.user_id].language
