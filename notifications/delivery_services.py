"""What becomes of a delivery: it is claimed, looked at again, sent under its key, and marked.

A process may die at any of these steps, and a delivery may come twice, late, or to two at once. The lease lets one try at a time. Who dies
between sending and marking leaves a delivery that is sent again under the same key, so a provider that tells repetitions by it delivers
once; which do is in docs/delivery.md.
"""

import logging
import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.ports.sending import Gone, Refused, Unavailable
from goalgraph.table import settled
from goalgraph.table.port import TransactionCanceled
from goals import reminder_services as goals
from notifications import delivery_repository as repository
from notifications import outbound, services
from notifications.domain import DROP, HOLD, SEND, Decision
from notifications.items import DROPPED, FAILED, HELD, PENDING, SENT, Delivery, HeldDelivery, Notification
from notifications.notices import DUE_AT, DUE_WALL
from users import services as users
from users.sanction_services import sanction_of

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT + 30)
"""Longer than a worker may work at a task, so that no two ever send at once; shorter than its message is hidden, so that the next may."""
LATE = timedelta(minutes=3)
"""After which a delivery that nobody made has probably lost its message."""
SWEEP_TIME = timedelta(seconds=settings.CELERY_TASK_SOFT_TIME_LIMIT * 2 / 3)
"""After which a sweep ends: well before its task would be ended."""
MOST_PER_SHARD = 500
_MOST_PAUSE = timedelta(hours=1)
_PROVIDER_ID = 512

TOLD_WHEN_SUSPENDED = ("moderation", "security")
"""What a member is told though they are suspended: that they are, and what concerns their account."""

DELIVER = "notifications.tasks.deliver"


def deliver(actor: Actor, user_id: str, note_id: str, channel: str) -> None:
    """Make a delivery, unless it is made, or somebody is at it. Safe to repeat; `actor` is the platform.

    Raises Unavailable where the provider cannot take it now: then it is to be tried again, and nobody has to wait for the lease.
    """
    now = wiring.clock().now()
    found = repository.delivery(actor, user_id, note_id, channel)
    if found is None or found.state != PENDING or (found.lease_until is not None and found.lease_until > now):
        return
    claimed = found.copy()
    claimed.attempts, claimed.lease_until = int(found.attempts) + 1, now + LEASE
    mine = repository.saved(actor, claimed)
    if mine is not None:
        _deliver(actor, mine, now)


def _deliver(actor: Actor, mine: Delivery, now: datetime) -> None:
    note, sanction = repository.note_of(actor, mine)
    if note is None or _is_over(actor, mine, note):
        return _end(actor, mine, DROPPED, "done")
    if mine.kind not in TOLD_WHEN_SUSPENDED and sanction_of(sanction, now).suspended_until is not None:
        return _end(actor, mine, DROPPED, "suspended")
    if _apart(actor, note):
        return _end(actor, mine, DROPPED, "blocked")
    recipient = services.recipients(actor, [mine.user_id])[mine.user_id]
    decision = next(decision for decision in recipient.decide(mine.kind, now, not_after=mine.not_after) if decision.channel == mine.channel)
    if decision.decision == HOLD:
        return _hold(actor, mine, decision, recipient)
    if decision.decision != SEND:  # one that is wished for the digest by now is not sent alone, and stays in the application
        return _end(actor, mine, DROPPED, decision.reason if decision.decision == DROP else "off")
    return _send(actor, mine, note, recipient)


def _is_over(actor: Actor, mine: Delivery, note: Notification) -> bool:
    """Whether there is nothing to tell any more: the task is done, gone, no longer theirs to do or due at another time by now, or the
    member has read it while it was held."""
    if mine.released_at is not None and note.read_at is not None:
        return True
    if note.kind not in ("reminder", "task_assigned") or note.subject is None:
        return False
    due = _due(note) if note.kind == "reminder" else ()
    return not goals.still_concerns(actor, note.subject, note.user_id, *due)


def _due(note: Notification) -> tuple[datetime | None, str | None]:
    """When a reminder said that its task is due, as instant and as wall time of a later occurrence."""
    at = note.facts.get(DUE_AT)
    return at and datetime.fromisoformat(at), note.facts.get(DUE_WALL)


def _apart(actor: Actor, note: Notification) -> bool:
    """Whether it is about somebody with whom the member wants nothing to do by now, or who wants that of the member."""
    other = note.facts.get(services.MEMBER_ID)
    return other is not None and users.blocked(Actor(user_id=note.user_id, tenant_id=actor.tenant_id), other)


def _send(actor: Actor, mine: Delivery, note: Notification, recipient: services.Recipient) -> None:
    try:
        provider_id = outbound.send(actor, mine, note, recipient)
    except outbound.NobodyThere:
        return _end(actor, mine, DROPPED, "no_device")
    except (Gone, Refused) as error:
        return _end(actor, mine, FAILED, "refused", said=str(error))
    except outbound.PartlySent as error:
        mine.reached, mine.lease_until = error.reached, None
        repository.saved(actor, mine)
        raise
    except Unavailable:
        mine.lease_until = None
        repository.saved(actor, mine)
        raise
    mine.sent_at, mine.provider_id = wiring.clock().now(), provider_id[:_PROVIDER_ID]
    return _end(actor, mine, SENT, None)


def _end(actor: Actor, mine: Delivery, state: str, reason: str | None, *, said: str | None = None) -> None:
    """Where somebody else took it over, because we were slower than our lease, what they do counts."""
    mine.state, mine.reason, mine.lease_until = state, reason, None
    facts = {"note": mine.note_id, "channel": mine.channel, "state": state, "reason": reason, "said": said, "attempts": int(mine.attempts)}
    if repository.saved(actor, mine) is None:
        logger.warning("a delivery was taken over before it was marked", extra={"data": facts})
    elif state == FAILED:
        logger.warning("a delivery failed", extra={"data": facts})


# Quiet hours ---------------------------------------------------------------------------------------------------------------------------


def _hold(actor: Actor, mine: Delivery, decision: Decision, recipient: services.Recipient) -> None:
    assert decision.until is not None
    mine.state, mine.reason, mine.lease_until = HELD, decision.reason, None
    entry = HeldDelivery(
        user_id=mine.user_id,
        owner_id=mine.user_id,
        note_id=mine.note_id,
        channel=mine.channel,
        at=decision.until,
        shard=recipient.wheel_shard,
    )
    try:
        repository.hold(actor, mine, entry)
    except TransactionCanceled:
        logger.warning("a delivery was taken over before it was held", extra={"data": {"note": mine.note_id, "channel": mine.channel}})


def release(actor: Actor, entries: Sequence[HeldDelivery], now: datetime) -> None:
    """The wheel's turn: quiet hours are over, so each delivery is to be made; what follows is the feed's. Whether they still are, and all
    else, is looked at again when it is. Raises Conflict."""
    for entry in entries:
        _release(actor, entry, now)


def _release(actor: Actor, entry: HeldDelivery, now: datetime) -> None:
    def attempt() -> None:
        found = repository.delivery(actor, entry.user_id, entry.note_id, entry.channel)
        if found is None or found.state != HELD:
            return repository.release(actor, entry, None)
        changed = found.copy()
        changed.state, changed.reason, changed.released_at = PENDING, None, now
        return repository.release(actor, entry, changed)

    settled(attempt)


# What was lost on the way --------------------------------------------------------------------------------------------------------------


def sweep_unsent(actor: Actor) -> int:
    """Have made what is pending for too long, and give up what nobody could make. Returns how many tasks were sent.

    The repair behind the feed: an event that was lost, a message that ended among the dead letters. It ends after `SWEEP_TIME`, and sends
    `MOST_PER_SHARD` tasks for a shard. Left for the next sweep is what is younger in such a shard, and the shards that were not reached; as
    each sweep begins at another shard, by chance, none is left for good. Raises JobsUnavailable.
    """
    now, first = wiring.clock().now(), random.randrange(settings.NOTIFICATION_SHARDS)  # noqa: S311 - spreads work, guards nothing
    shards = [(first + number) % settings.NOTIFICATION_SHARDS for number in range(settings.NOTIFICATION_SHARDS)]
    return sum(_sweep_shard(actor, shard, now) for shard in shards)


def _sweep_shard(actor: Actor, shard: int, now: datetime) -> int:
    """What waits longer after a try is passed over, and does not count: while a provider is away, there may be much of it."""
    sent = 0
    if _late(now):
        return sent
    for found in repository.unsent(actor, shard, now - LATE):
        sent += _sweep(actor, found, now)
        if sent >= MOST_PER_SHARD or _late(now):
            break
    return sent


def _late(begun: datetime) -> bool:
    return wiring.clock().now() >= begun + SWEEP_TIME


def _sweep(actor: Actor, found: Delivery, now: datetime) -> bool:
    if now - found.pending_since > timedelta(hours=settings.DELIVERY_GIVE_UP_HOURS):
        _give_up(actor, found, now)
        return False
    if found.lease_until is not None and found.lease_until > now:
        return False
    if now - found.updated_at < _pause(max(int(found.attempts), int(found.resent))):
        return False
    # Marked first: whoever makes the delivery meanwhile would lose it to a mark that came later.
    marked = found.copy()
    marked.resent = int(found.resent) + 1
    if repository.saved(actor, marked) is None:
        return False
    queue = f"notify{settings.PRIORITY}" if found.priority else "notify"
    place = {"user_id": found.user_id, "note_id": found.note_id, "channel": found.channel}
    wiring.jobs().send(DELIVER, queue=queue, tenant_id=actor.tenant_id, **place)
    return True


def _pause(times: int) -> timedelta:
    """How long to wait after so many tries and tasks: twice as long each time. While a provider or the workers are away, each sweep would
    otherwise bring a task more for every delivery."""
    return min(LATE * 2 ** min(times, 10), _MOST_PAUSE)


def _give_up(actor: Actor, found: Delivery, now: datetime) -> None:
    fresh = repository.delivery(actor, found.user_id, found.note_id, found.channel)
    if fresh is not None and fresh.state == PENDING and (fresh.lease_until is None or fresh.lease_until <= now):
        _end(actor, fresh, FAILED, "failed")
