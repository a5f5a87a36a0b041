"""Members' devices, which push messages go to."""

import hashlib
from collections.abc import Mapping

from goalgraph import inputs, wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Invalid, NotFound, RateLimited
from goalgraph.ids import is_id
from goalgraph.ports.push import PLATFORMS, WEB, Endpoint
from goalgraph.ports.sending import Refused, SendingError
from goalgraph.table import settled
from goalgraph.table.items import CoreItem
from goalgraph.table.table import Delete, Operation, Put
from notifications import delivery_repository as repository
from notifications.items import Device, DeviceOwner
from notifications.repository import preferences

MAX_DEVICES = 10
MAX_TOKEN = 2048
_REFUSALS = {
    "platform": "Push messages to this platform are not set up here.",
    "subscription": "That is no push subscription of a browser.",
    "token": "That is no token of this platform.",
}


def devices(actor: Actor) -> list[Device]:
    """The actor's own, the one that was registered first at the front."""
    return sorted(repository.devices(actor, actor.user_id), key=_age)


def register(actor: Actor, platform: str, token: str, secrets: Mapping[str, str] | None = None) -> Device:
    """Have push messages sent to a device: by the token that its system gave it, or for a browser by its subscription's address and keys.

    Registering it again changes nothing but its age. A device that was another member's is the actor's from now on, and the actor's oldest
    goes where there are more than `MAX_DEVICES`. Raises Invalid, Conflict, RateLimited.
    """
    kind = inputs.one_of(platform, PLATFORMS, field="platform")
    try:
        endpoint = wiring.push().register(kind, inputs.text(token, field="token", longest=MAX_TOKEN), secrets or {})
    except Refused as error:
        field = "platform" if str(error) == "platform" else "subscription" if kind == WEB else "token"
        raise Invalid(_REFUSALS[field], field=field) from error
    except SendingError as error:
        raise RateLimited("The device cannot be registered now. Try again in a minute.", retry_after=60) from error
    registered = settled(lambda: _register(actor, endpoint))
    for old in devices(actor)[:-MAX_DEVICES]:
        forget(actor, old)
    return registered


def remove(actor: Actor, device_id: str) -> bool:
    """Send nothing to a device any more. Repeating it changes nothing. Raises Conflict."""
    if not is_id(device_id):
        raise NotFound
    found = repository.device(actor, actor.user_id, device_id)
    if found is not None:
        forget(actor, found)
    return True


def forget(actor: Actor, device: Device) -> None:
    """Take away a device as it was read; one that was registered again since then stays. Raises Conflict."""

    def attempt() -> None:
        found = repository.device(actor, device.user_id, device.device_id)
        if found is None or found.write_id != device.write_id:
            return
        own = preferences(actor, device.user_id)
        own.devices = max(0, int(own.devices) - 1)
        owner = repository.owner_of(actor, device.device_id)
        free: list[Operation] = [_gone(owner)] if owner is not None and owner.user_id == device.user_id else []
        repository.write(actor, [_gone(found), Put(own), *free])

    settled(attempt)


def _register(actor: Actor, endpoint: Endpoint) -> Device:
    device_id = hashlib.blake2b(f"{endpoint.platform}\n{endpoint.address}".encode(), digest_size=16).hexdigest()
    found = repository.device(actor, actor.user_id, device_id)
    device = found or Device(user_id=actor.user_id, owner_id=actor.user_id, device_id=device_id)
    device.platform, device.endpoint, device.secrets = endpoint.platform, endpoint.address, dict(endpoint.secrets)
    owner = repository.owner_of(actor, device_id)
    operations: list[Operation] = [Put(device)]
    if found is None:
        own = preferences(actor, actor.user_id)
        own.devices = int(own.devices) + 1
        operations.append(Put(own))
    if owner is not None and owner.user_id != actor.user_id:
        operations += _taken_from(actor, owner)
    if owner is None or owner.user_id != actor.user_id:
        new = owner or DeviceOwner(device_id=device_id, owner_id=actor.user_id)
        new.user_id, new.owner_id = actor.user_id, actor.user_id
        operations.append(Put(new))
    repository.write(actor, operations)
    return repository.device(actor, actor.user_id, device_id) or device


def _taken_from(actor: Actor, owner: DeviceOwner) -> list[Operation]:
    """Whoever had the device before signs out of it, or gave it away."""
    before = repository.device(actor, owner.user_id, owner.device_id)
    if before is None:
        return []
    theirs = preferences(actor, owner.user_id)
    theirs.devices = max(0, int(theirs.devices) - 1)
    return [_gone(before), Put(theirs)]


def _gone(item: CoreItem) -> Delete:
    """Unless somebody wrote it since it was read."""
    return Delete(item.key(), condition=type(item).write_id == item.write_id, item=item)


def _age(device: Device) -> tuple[str, str]:
    return device.updated_at.isoformat(), device.device_id
