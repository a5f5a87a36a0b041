"""How a notification looks as an e-mail: text and HTML, in the member's language, with one-click unsubscribe (RFC 8058)."""

import hashlib
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from goalgraph.auth.actor import Actor
from notifications import unsubscribing
from notifications.domain import ALL, KINDS
from notifications.items import Delivery, Notification
from notifications.mail_texts import frame, what
from notifications.services import Recipient

PAGES = "/notifications"
"""Below this address stand the pages that e-mails lead to."""


def link_of(note: Notification) -> str:
    """Where the application shows a notification, and leads on to what it is about."""
    return f"{settings.APP_URL or settings.PUBLIC_URL}/notifications/{note.note_id}"


def of_note(actor: Actor, delivery: Delivery, note: Notification, recipient: Recipient) -> EmailMultiAlternatives:
    """The message for `recipient`, who has an address. It is the same each time but for its date."""
    language, about = recipient.language, what(recipient.language, note.kind)
    headers: dict[str, str] = {}
    facts: dict[str, Any] = {
        "title": note.title,
        "body": note.body,
        "button": frame(language, "open"),
        "url": link_of(note),
        "why": frame(language, "why_critical" if _fixed(note.kind) else "why", what=about),
    }
    if not _fixed(note.kind):
        address = _unsubscribe_link(actor, note.user_id, note.kind)
        facts |= {"unsubscribe": frame(language, "unsubscribe"), "unsubscribe_url": address}
        facts |= {"unsubscribe_all": frame(language, "unsubscribe_all"), "unsubscribe_all_url": _unsubscribe_link(actor, note.user_id, ALL)}
        headers = {"List-Unsubscribe": f"<{address}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    return _message(str(recipient.email), language, delivery.dedupe_key, facts, headers)


def of_claim(address: str, language: str, token: str, key: str) -> EmailMultiAlternatives:
    """The message that lets somebody prove that an address is theirs."""
    facts = {
        "title": frame(language, "confirm_subject"),
        "body": frame(language, "confirm_body"),
        "button": frame(language, "confirm_button"),
        "url": f"{settings.PUBLIC_URL}{PAGES}/confirm/{token}",
        "why": frame(language, "confirm_why"),
    }
    return _message(address, language, key, facts, {})


def _unsubscribe_link(actor: Actor, user_id: str, kind: str) -> str:
    token = unsubscribing.token(tenant_id=actor.tenant_id, user_id=user_id, kind=kind)
    return f"{settings.PUBLIC_URL}{PAGES}/unsubscribe/{token}"


def _fixed(kind: str) -> bool:
    """Whether e-mails of this kind cannot be turned off."""
    return "off" not in KINDS[kind].allowed("email")


def _message(address: str, language: str, key: str, facts: dict[str, Any], headers: dict[str, str]) -> EmailMultiAlternatives:
    shown = {**facts, "language": language}
    message = EmailMultiAlternatives(
        subject=facts["title"],
        body=render_to_string("notifications/email/message.txt", shown),
        from_email=settings.MAIL_FROM,
        to=[address],
        headers={
            "Message-ID": f"<{hashlib.blake2b(key.encode(), digest_size=16).hexdigest()}@{_domain()}>",
            "X-Entity-Ref-ID": key,
            "Auto-Submitted": "auto-generated",  # RFC 3834, section 5
            **headers,
        },
    )
    message.attach_alternative(render_to_string("notifications/email/message.html", shown), "text/html")
    return message


def _domain() -> str:
    return parseaddr(settings.MAIL_FROM)[1].rpartition("@")[2] or "localhost"
