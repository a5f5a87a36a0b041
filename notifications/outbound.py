"""How a notification goes out on each channel."""

from datetime import timedelta

from goalgraph import wiring
from goalgraph.adapters import mail
from goalgraph.auth.actor import Actor
from goalgraph.ports.push import Endpoint, PushMessage
from goalgraph.ports.sending import Gone, Refused, SendingError, Unavailable
from notifications import delivery_repository as repository
from notifications import device_services, mails
from notifications.domain import KINDS
from notifications.items import Delivery, Device, Notification
from notifications.services import Recipient

WORTH = timedelta(days=1)
"""How long a push message is worth delivering to a phone that is off, unless it says so itself."""
SMS_CHARACTERS = 300


class NobodyThere(SendingError):
    """The member has no device any more."""


class PartlySent(Unavailable):
    """Some devices have it, others cannot be reached now."""

    def __init__(self, reached: list[str]) -> None:
        self.reached = reached
        super().__init__("some devices")


def send(actor: Actor, delivery: Delivery, note: Notification, recipient: Recipient) -> str:
    """Send, and return what the provider calls it. Raises NobodyThere, Gone, Refused, Unavailable (and PartlySent, which is one)."""
    if delivery.channel == "email":
        return _email(actor, delivery, note, recipient)
    if delivery.channel == "push":
        return _push(actor, delivery, note)
    return _sms(delivery, note, recipient)


def _email(actor: Actor, delivery: Delivery, note: Notification, recipient: Recipient) -> str:
    if recipient.email is None:
        raise Gone("address")
    return mail.send(mails.of_note(actor, delivery, note, recipient))


def _sms(delivery: Delivery, note: Notification, recipient: Recipient) -> str:
    if recipient.phone is None:
        raise Gone("number")
    return wiring.sms().send(recipient.phone, f"GoalGraph: {note.title}"[:SMS_CHARACTERS], key=delivery.dedupe_key)


def _push(actor: Actor, delivery: Delivery, note: Notification) -> str:
    """To each device once. A device that is gone is forgotten; one that refuses is passed over."""
    devices = repository.devices(actor, delivery.user_id)
    if not devices:
        raise NobodyThere("no device")
    reached, provider_id, waiting, refused = list(delivery.reached or []), "", False, None
    for device in devices:
        if device.device_id in reached:
            continue
        try:
            provider_id = _push_to(device, delivery, note)
            reached.append(device.device_id)
        except Gone:
            device_services.forget(actor, device)
        except Refused as error:
            refused = error
        except Unavailable:
            waiting = True
    if waiting:
        raise PartlySent(reached)
    if not reached:
        raise refused or NobodyThere("no device")
    return provider_id


def _push_to(device: Device, delivery: Delivery, note: Notification) -> str:
    now = wiring.clock().now()
    worth = WORTH if delivery.not_after is None else max(timedelta(), delivery.not_after - now)
    message = PushMessage(
        key=delivery.dedupe_key,
        title=note.title,
        body=note.body,
        url=mails.link_of(note),
        seconds=int(worth.total_seconds()),
        urgent=KINDS[note.kind].critical or note.kind == "reminder",
    )
    return wiring.push().send(Endpoint(device.platform, device.endpoint, device.secrets), message)
