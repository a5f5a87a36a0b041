"""How deliveries, devices and members' addresses are read and written."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import cast

from goalgraph.auth.actor import Actor
from goalgraph.table import keys, table
from goalgraph.table.items import CoreItem
from goalgraph.table.port import ConditionFailed
from goalgraph.table.table import Delete, Operation, Put
from notifications.items import (
    AddressClaim,
    AddressQuota,
    Delivery,
    Device,
    DeviceOwner,
    HeldDelivery,
    Notification,
)

_PAGE = 100

# Deliveries ----------------------------------------------------------------------------------------------------------------------------


def delivery(actor: Actor, user_id: str, note_id: str, channel: str) -> Delivery | None:
    return cast("Delivery | None", table(actor).get(keys.delivery(user_id, note_id, channel), consistent=True))


def saved(actor: Actor, changed: Delivery) -> Delivery | None:
    """The delivery as stored; None where somebody else wrote it since `changed` was read, and nothing is written now."""
    try:
        return cast("Delivery", table(actor).put(changed))
    except ConditionFailed:
        return None


def note_of(actor: Actor, of: Delivery) -> tuple[Notification | None, CoreItem | None]:
    """The notification, and what is at the key of its member's sanction; one round trip."""
    place = keys.notification if of.shown else keys.unshown_notification
    note, sanction = table(actor).get_many([place(of.user_id, of.note_id), keys.sanction(of.user_id)], consistent=True)
    return cast("Notification | None", note), sanction


def notes_of(actor: Actor, deliveries: Sequence[Delivery]) -> list[Notification | None]:
    """In the order of `deliveries`."""
    places = [(keys.notification if of.shown else keys.unshown_notification)(of.user_id, of.note_id) for of in deliveries]
    return cast("list[Notification | None]", table(actor).get_many(places))


def hold(actor: Actor, changed: Delivery, entry: HeldDelivery) -> None:
    """Raises TransactionCanceled where somebody else wrote the delivery."""
    table(actor).transact([Put(changed), Put(entry, overwrite=True)])


def release(actor: Actor, entry: HeldDelivery, changed: Delivery | None) -> None:
    """Take the entry off the wheel, and store its delivery, where that changed. Raises TransactionCanceled."""
    off = Delete(entry.key(), condition=HeldDelivery.write_id == entry.write_id)
    table(actor).transact([off] if changed is None else [off, Put(changed)])


def unsent(actor: Actor, shard: int, until: datetime) -> Iterator[Delivery]:
    """Those of a shard that are to be made since before `until`, the oldest first. The index lags: look again before acting on one."""
    span, after = keys.unsent_of(shard, until), None
    while True:
        page = table(actor).query(span, limit=_PAGE, after=after)
        yield from page.items
        if not page.has_more:
            return
        after = page.cursors[-1]


def outbox(actor: Actor, day: datetime, shard: int) -> list[Notification | Delivery]:
    """What was shown or sent on a day (UTC), oldest first."""
    return table(actor).query(keys.outbox_of(day, shard)).items


def deliveries_of(actor: Actor, user_id: str) -> list[Delivery]:
    """All that are kept, whatever became of them, by notification."""
    return table(actor).query(keys.deliveries_of(user_id)).items


def shown_to(actor: Actor, user_id: str) -> list[Notification]:
    """What the application shows a member, oldest first."""
    return table(actor).query(keys.notifications_of(user_id)).items


# Devices -------------------------------------------------------------------------------------------------------------------------------


def devices(actor: Actor, user_id: str) -> list[Device]:
    return table(actor).query(keys.devices_of(user_id), consistent=True).items


def device(actor: Actor, user_id: str, device_id: str) -> Device | None:
    return cast("Device | None", table(actor).get(keys.device(user_id, device_id), consistent=True))


def owner_of(actor: Actor, device_id: str) -> DeviceOwner | None:
    return cast("DeviceOwner | None", table(actor).get(keys.device_owner(device_id), consistent=True))


def write(actor: Actor, operations: Sequence[Operation]) -> None:
    """All or nothing. Raises TransactionCanceled."""
    table(actor).transact(operations)


# Addresses -----------------------------------------------------------------------------------------------------------------------------


def claim_and_quotas(actor: Actor, channel: str, who: Sequence[AddressQuota]) -> tuple[AddressClaim | None, list[AddressQuota | None]]:
    """The actor's own claim of an address, and the quotas that `who` are the beginnings of; one round trip."""
    found = table(actor).get_many([keys.address_claim(actor.user_id, channel), *(quota.key() for quota in who)], consistent=True)
    return cast("AddressClaim | None", found[0]), cast("list[AddressQuota | None]", found[1:])


def claim(actor: Actor, user_id: str, channel: str) -> AddressClaim | None:
    return cast("AddressClaim | None", table(actor).get(keys.address_claim(user_id, channel), consistent=True))


def save_claim(actor: Actor, claimed: AddressClaim) -> AddressClaim:
    """Raises ConditionFailed."""
    return cast("AddressClaim", table(actor).put(claimed))
