"""The e-mail address and the telephone number that a member is written to. Each counts only when the member has proved that it is theirs.

An address is proved by the link that is sent to it, a number by a code. What is answered never tells whether somebody else uses an
address, or has been asked to prove it. Caps for each member and each address keep this from being used to pester people.
"""

import hmac
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta

import phonenumbers
from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.crypto import salted_hmac
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from goalgraph import wiring
from goalgraph.adapters import mail
from goalgraph.auth.actor import PREMIUM, SYSTEM, Actor
from goalgraph.errors import Invalid, QuotaExceeded, RateLimited
from goalgraph.ports.jobs import JobsUnavailable
from goalgraph.ports.sending import Refused
from goalgraph.table import settled
from goalgraph.table.table import Delete, Operation, Put, seconds
from notifications import delivery_repository as repository
from notifications import mails, services
from notifications.items import AddressClaim, AddressQuota, NotificationPreferences
from notifications.mail_texts import frame
from notifications.repository import preferences, save_preferences

EMAIL, SMS = "email", "sms"
SEND_PROOF = "notifications.tasks.send_proof"
PROOFS_PER_MEMBER, PROOFS_PER_ADDRESS = {EMAIL: 5, SMS: 3}, {EMAIL: 3, SMS: 3}
"""On a day (UTC)."""
LINK_AGE = timedelta(days=1)
CODE_AGE = timedelta(minutes=10)
CODE_DIGITS = 6
MAX_TRIES = 5
_LINK_SALT, _CODE_SALT, _DIGEST_SALT = "notifications.confirm", "notifications.code", "notifications.address"
_DIALABLE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)
"""None that cost who writes to them more than a text message does."""


# Asking --------------------------------------------------------------------------------------------------------------------------------


def set_email(actor: Actor, address: str | None) -> NotificationPreferences:
    """Send a link to `address`, with which it becomes the actor's; until then, mails go where they went. None: no more mails, at once.

    Returns the actor's preferences as they are. Raises Invalid, QuotaExceeded, RateLimited, Conflict.
    """
    if address is None:
        return _clear(actor, EMAIL)
    checked = _email(address)
    own = services.preferences(actor)
    if own.email == checked:
        return own
    _ask_for_proof(actor, EMAIL, _claim(actor, EMAIL, checked))
    return own


def set_phone(actor: Actor, number: str | None) -> NotificationPreferences:
    """Send a code to `number`, with which it becomes the actor's (`confirm_phone`). None: no more text messages, at once.

    Returns the actor's preferences as they are. Raises Invalid, QuotaExceeded, RateLimited, Conflict.
    """
    if number is None:
        return _clear(actor, SMS)
    checked = _phone(number)
    own = services.preferences(actor)
    if own.phone == checked:
        return own
    _ask_for_proof(actor, SMS, _claim(actor, SMS, checked))
    return own


def send_proof(actor: Actor, channel: str, nonce: str) -> None:
    """Send the link or code of the actor's claim with this `nonce`; nothing where there is no such claim (any more).

    Safe to repeat. Raises Unavailable where the provider cannot take it now. One that refuses the address is not told of: whether there is
    such a mailbox is nobody's business.
    """
    claimed = repository.claim(actor, actor.user_id, channel)
    if claimed is None or not hmac.compare_digest(claimed.nonce, nonce):
        return
    with suppress(Refused):
        if channel == EMAIL:
            token = signing.dumps([actor.tenant_id, actor.user_id, nonce], salt=_LINK_SALT)
            mail.send(mails.of_claim(claimed.address, _language(actor), token, nonce))
        else:
            wiring.sms().send(claimed.address, frame(_language(actor), "sms_code", code=_code(claimed)), key=nonce)


def _claim(actor: Actor, channel: str, address: str) -> str:
    """Make a new claim in the place of an earlier one, and return its nonce.

    Where the address was asked too often today nothing is sent, and nobody told, for it may have been somebody else who asked. So that the
    time it takes does not tell either, as much is read, written and asked for then: an earlier claim is written as it was, and the nonce is
    nobody's. Raises QuotaExceeded where the actor asked too often.
    """
    now = wiring.clock().now()
    member = _quota(now, f"{channel}-{_digest(actor.tenant_id or '', actor.user_id)}")
    other = _quota(now, f"{channel}-{_digest(address)}")

    def attempt() -> str:
        before, found = repository.claim_and_quotas(actor, channel, (member, other))
        mine, its = (stored or new for stored, new in zip(found, (member, other), strict=True))
        if int(mine.count) >= PROOFS_PER_MEMBER[channel]:
            raise QuotaExceeded("That is enough for today. Try again tomorrow.")
        mine.count = int(mine.count) + 1
        its.count, nonce = int(its.count) + 1, secrets.token_hex(16)
        silent = its.count > PROOFS_PER_ADDRESS[channel]
        claimed = before or AddressClaim(user_id=actor.user_id, owner_id=actor.user_id, channel=channel)
        if before is None or not silent:
            claimed.address, claimed.nonce, claimed.tries = address, secrets.token_hex(16) if silent else nonce, 0
            claimed.ttl = seconds(now + (LINK_AGE if channel == EMAIL else CODE_AGE))
        repository.write(actor, [Put(claimed), Put(mine), Put(its)])
        return nonce

    return settled(attempt)


def _quota(now: datetime, who: str) -> AddressQuota:
    day = datetime.combine(now.date(), time(), UTC)
    return AddressQuota(who=who, day=day, count=0, owner_id="", ttl=seconds(day + timedelta(days=2)))


def _digest(*parts: str) -> str:
    """So that the table does not say who was asked for which address."""
    return salted_hmac(_DIGEST_SALT, "\n".join(parts).casefold(), algorithm="sha256").hexdigest()[:32]


def _ask_for_proof(actor: Actor, channel: str, nonce: str) -> None:
    """Have a worker do it, so that whoever asks cannot tell by the clock, or by an error, what the address is."""
    queue = f"notify{settings.PRIORITY}" if actor.tier == PREMIUM else "notify"
    try:
        wiring.jobs().send(SEND_PROOF, queue=queue, user_id=actor.user_id, channel=channel, nonce=nonce, tenant_id=actor.tenant_id)
    except JobsUnavailable as error:
        raise RateLimited("The message cannot be sent now. Try again in a minute.", retry_after=60) from error


# Proving -------------------------------------------------------------------------------------------------------------------------------


def claimed_by(token: str) -> tuple[Actor, AddressClaim, str] | None:
    """Whom a link is for, what they claim, and their language; None for one that does not work (any more)."""
    found = _read(token)
    if found is None:
        return None
    actor, nonce = found
    claimed = repository.claim(actor, actor.user_id, EMAIL)
    return None if claimed is None or claimed.nonce != nonce else (actor, claimed, _language(actor))


def confirm_email(token: str) -> tuple[str, str] | None:
    """Make the address that a link proves the member's, and return it with the member's language; None for a link that does not work.

    Whoever holds the link has the address, so they need not sign in. Raises Conflict.
    """

    def attempt() -> tuple[str, str] | None:
        found = claimed_by(token)
        if found is None:
            return None
        actor, claimed, language = found
        own = preferences(actor, actor.user_id)
        if own.email != claimed.address:
            own.email = claimed.address
            # The claim stays until it expires, so that the link may be followed twice.
            repository.write(actor, [Put(own), Put(claimed)])
        return claimed.address, language

    return settled(attempt)


def confirm_phone(actor: Actor, code: str) -> NotificationPreferences:
    """Make the number that `code` proves the actor's. Raises Invalid for a wrong code, after `MAX_TRIES` of them for any; Conflict."""

    def attempt() -> NotificationPreferences | None:
        claimed = repository.claim(actor, actor.user_id, SMS)
        if claimed is None or int(claimed.tries) >= MAX_TRIES:
            raise Invalid("This code does not count any more. Ask for a new one.", field="code")
        if not hmac.compare_digest(_code(claimed).encode(), code.strip()[:32].encode(errors="replace")):
            claimed.tries = int(claimed.tries) + 1
            repository.save_claim(actor, claimed)
            return None
        own = services.preferences(actor)
        own.phone = claimed.address
        done: list[Operation] = [Put(own), Delete(claimed.key(), condition=AddressClaim.write_id == claimed.write_id)]
        repository.write(actor, done)
        return services.preferences(actor)

    proved = settled(attempt)
    if proved is None:
        raise Invalid("That is not the code.", field="code")
    return proved


def adopt_email(actor: Actor, user_id: str, address: str) -> NotificationPreferences:
    """Store an address that was proved elsewhere, as that of a demo member. `actor` is the platform. Raises Invalid, Conflict.

    An address that a token of the issuer names is not adopted: members prove theirs by `set_email`.
    """
    checked = _email(address)

    def attempt() -> NotificationPreferences:
        own = preferences(actor, user_id)
        if own.email == checked:
            return own
        own.email = checked
        return save_preferences(actor, own)

    return settled(attempt)


def _clear(actor: Actor, channel: str) -> NotificationPreferences:
    def attempt() -> NotificationPreferences:
        own = services.preferences(actor)
        claimed = repository.claim(actor, actor.user_id, channel)
        if channel == EMAIL:
            own.email = None
        else:
            own.phone = None
        operations: Sequence[Operation] = [Put(own), *([Delete(claimed.key())] if claimed else [])]
        repository.write(actor, operations)
        return services.preferences(actor)

    return settled(attempt)


def _read(token: str) -> tuple[Actor, str] | None:
    try:
        tenant_id, user_id, nonce = signing.loads(token[:1024], salt=_LINK_SALT, max_age=LINK_AGE)
    except (signing.BadSignature, ValueError):
        return None
    return Actor(user_id=user_id, tenant_id=tenant_id), nonce


def _code(claimed: AddressClaim) -> str:
    """Follows from what only we know, so it is stored nowhere."""
    digest = salted_hmac(_CODE_SALT, f"{claimed.user_id}\n{claimed.address}\n{claimed.nonce}", algorithm="sha256").digest()
    return str(int.from_bytes(digest[:8]) % 10**CODE_DIGITS).zfill(CODE_DIGITS)


def _language(actor: Actor) -> str:
    system = Actor(user_id=SYSTEM.user_id, tenant_id=actor.tenant_id, scopes=SYSTEM.scopes)
    return services.recipients(system, [actor.user_id])[actor.user_id].language


def _email(address: str) -> str:
    """ASCII only: SES takes no other before the @, and what comes after it can be written so (RFC 5891)."""
    checked = address.strip()
    if len(checked) > 254 or not checked.isascii():
        raise Invalid("Give an e-mail address of at most 254 plain characters.", field="email")
    try:
        validate_email(checked)
    except ValidationError as error:
        raise Invalid("That is no e-mail address.", field="email") from error
    local, _, domain = checked.rpartition("@")
    return f"{local}@{domain.lower()}"


def _phone(number: str) -> str:
    """E.164 of a number that takes text messages."""
    try:
        parsed = phonenumbers.parse(number.strip()[:40])
    except phonenumbers.NumberParseException as error:
        raise Invalid("Give the number with its country, as in +5511912345678.", field="phone") from error
    if not phonenumbers.is_valid_number(parsed) or phonenumbers.number_type(parsed) not in _DIALABLE:
        raise Invalid("That is no number of a mobile phone.", field="phone")
    return str(phonenumbers.format_number(parsed, PhoneNumberFormat.E164))
