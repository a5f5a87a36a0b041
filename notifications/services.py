"""Telling members what happened, and what they do with it. What is sent outwards follows from the deliveries that are stored here."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings

from goalgraph import wiring
from goalgraph.auth.actor import PREMIUM, Actor
from goalgraph.errors import GoalGraphError, Invalid, NotFound
from goalgraph.ids import id_of, is_id
from goalgraph.ports.live import Stream
from goalgraph.table import settled
from goalgraph.table.attributes import instant_text
from goalgraph.table.keys import shard_of
from goalgraph.table.port import TableError, TransactionCanceled
from goalgraph.table.table import Operation, Page, Put, seconds
from notifications import domain, live, repository, texts
from notifications.domain import ALL, DIGEST, DROP, HOLD, IN_APP, KINDS, OUTWARD, SEND, Decision, QuietHours, Wishes
from notifications.items import (
    DROPPED,
    FAILED,
    HELD,
    PENDING,
    Delivery,
    DigestEntry,
    DigestNote,
    HeldDelivery,
    Notification,
    NotificationPreferences,
    SendCount,
)
from notifications.notices import Notice
from notifications.repository import Facts
from users import services as users

Outcome = Literal["told", "known", "overtaken"]
MEMBER_ID = "memberId"
"""The fact that says of whom a notification tells."""
MAX_IDS = 100
MAX_READ_AT_ONCE = 1000
"""Notifications that one `mark_read` looks at, the newest ones."""
_PAGE = 100
_STALE_DIGEST = timedelta(days=1)


# Telling -------------------------------------------------------------------------------------------------------------------------------


class Recipient:
    """What decides how a member is told something."""

    def __init__(self, facts: Facts) -> None:
        addressee = users.addressee(facts.profile)
        self.user_id = facts.preferences.user_id
        self.preferences = facts.preferences
        self.wishes = wishes(facts.preferences)
        self.zone = _zone(addressee.timezone)
        self.language = texts.language_of(addressee.language)
        self.tier = addressee.tier
        self.email: str | None = facts.preferences.email
        self.phone: str | None = facts.preferences.phone
        self._counts = facts.counts

    @property
    def wheel_shard(self) -> int:
        """Where on the due wheel their entries stand: premium members' are swept first."""
        if self.tier == PREMIUM and settings.DUE_PRIORITY_SHARDS:
            return settings.DUE_SHARDS + shard_of(self.user_id, settings.DUE_PRIORITY_SHARDS)
        return shard_of(self.user_id, settings.DUE_SHARDS)

    def sent_today(self, now: datetime) -> SendCount:
        """To be counted on."""
        day = domain.local_day(now, self.zone).isoformat()
        if self._counts is None:
            return SendCount(user_id=self.user_id, owner_id=self.user_id, day=day)
        counts = self._counts.copy()
        if counts.day != day:
            counts.day, counts.counts = day, {}
        return counts

    def decide(self, kind: str, now: datetime, *, not_after: datetime | None = None, recounting: bool = False) -> list[Decision]:
        """The policy's decision for each channel. `recounting`: caps count, as they do when it is decided for the first time."""
        sent = self.sent_today(now).counts if recounting else {}
        return domain.decide(kind, self.wishes, now, self.zone, sent_today=sent, caps=settings.NOTIFICATION_CAPS, not_after=not_after)


def recipients(actor: Actor, user_ids: Iterable[str]) -> dict[str, Recipient]:
    """By user id; one round trip for 33 of them."""
    distinct = list(dict.fromkeys(user_ids))
    return {user_id: Recipient(facts) for user_id, facts in zip(distinct, repository.facts_of(actor, distinct), strict=True)}


def notify(actor: Actor, notices: Sequence[Notice]) -> None:
    """Tell members of `notices`, as they wish and each once. `actor` is the platform in the members' tenant.

    Each is stored in a transaction of its own, and one that fails keeps no other back. When all were tried, it raises the error of the
    first that failed, as `tell` does; calling it again with all of them repeats nothing. Who has to know whether `moving` was written
    asks `tell`.
    """
    found = recipients(actor, [notice.user_id for notice in notices]) if notices else {}
    failures: list[Exception] = []
    for notice in notices:
        try:
            tell(actor, notice, found.pop(notice.user_id, None))
        except (TableError, GoalGraphError, ValueError, LookupError, TypeError) as error:
            failures.append(error)
    if failures:
        raise failures[0]


def tell(actor: Actor, notice: Notice, recipient: Recipient | None = None) -> Outcome:
    """Tell of one notice: `told`; or `known`, when it is there already, and only its `moving` is written; or `overtaken`, when `moving`
    does not hold any more, and nothing is written. `recipient` is a look at the member just now.

    Raises Conflict where others keep writing; KeyError for a kind that is none.
    """
    looked_up = [recipient] if recipient else []

    def attempt() -> Outcome:
        now = wiring.clock().now()
        to = looked_up.pop() if looked_up else recipients(actor, [notice.user_id])[notice.user_id]
        note, others = _plan(to, notice, now)
        first = 1 + len(others)
        try:
            repository.write(actor, [Put(note), *others, *notice.moving])
        except TransactionCanceled as error:
            if error.failed(0) or repository.exists(actor, note):
                return _moved(actor, notice)
            if any(map(error.failed, range(first, first + len(notice.moving)))):
                return "overtaken"
            raise
        if note.shown:
            live.told(actor, note)
        return "told"

    return settled(attempt)


def _moved(actor: Actor, notice: Notice) -> Outcome:
    """`known` once `moving` is written, which a first attempt may have left undone."""

    def attempt() -> Outcome:
        try:
            repository.write(actor, notice.moving)
        except TransactionCanceled as error:
            if any(map(error.failed, range(len(notice.moving)))):
                return "overtaken"
            raise
        return "known"

    return settled(attempt) if notice.moving else "known"


def _plan(to: Recipient, notice: Notice, now: datetime) -> tuple[Notification, list[Operation]]:
    """The notification, and what else is stored with it: deliveries, what waits, counts."""
    decisions = to.decide(notice.kind, now, not_after=notice.not_after, recounting=True)
    note = _note(to, notice, decisions, now)
    operations: list[Operation] = []
    counts, counted = to.sent_today(now), {}
    for decision in decisions:
        if decision.channel in OUTWARD and decision.decision in (SEND, HOLD):
            operations += _deliveries(to, notice, note, decision)
            if not KINDS[notice.kind].critical:
                counted[decision.channel] = counts.counts.get(decision.channel, 0) + 1
    if counted:
        counts.counts = counts.counts | counted
        operations.append(Put(counts))
    digests = [decision.until for decision in decisions if decision.decision == DIGEST]
    if digests and digests[0]:
        operations += _waiting(to, note, digests[0], now)
    return note, operations


def _note(to: Recipient, notice: Notice, decisions: Sequence[Decision], now: datetime) -> Notification:
    facts = texts.bounded(notice.facts)
    title, body = texts.render(notice.kind, to.language, to.zone, facts)
    return Notification(
        user_id=to.user_id,
        note_id=id_of(notice.at, to.user_id, notice.kind, notice.dedupe),
        owner_id=to.user_id,
        kind=notice.kind,
        title=title,
        body=body,
        facts=facts,
        subject=notice.subject,
        happened_at=notice.at,
        shown=any(decision.channel == IN_APP and decision.decision == SEND for decision in decisions),
        why=[_told(decision) for decision in decisions],
        shard=shard_of(to.user_id, settings.NOTIFICATION_SHARDS),
        created_at=now,
        ttl=_expiry(now),
    )


def _deliveries(to: Recipient, notice: Notice, note: Notification, decision: Decision) -> list[Operation]:
    held = decision.decision == HOLD
    place: dict[str, Any] = {"user_id": to.user_id, "note_id": note.note_id, "owner_id": to.user_id, "channel": decision.channel}
    delivery = Delivery(
        **place,
        kind=note.kind,
        shown=note.shown,
        state=HELD if held else PENDING,
        reason=decision.reason if held else None,
        priority=to.tier == PREMIUM,
        not_after=notice.not_after,
        shard=note.shard,
        created_at=note.created_at,
        ttl=note.ttl,
    )
    waiting = [Put(HeldDelivery(**place, at=decision.until, shard=to.wheel_shard))] if held else []
    return [Put(delivery), *waiting]


def _waiting(to: Recipient, note: Notification, due: datetime, now: datetime) -> list[Operation]:
    """For the digest. The preferences are written each time, so that a digest that is being made now learns that there is more."""
    place = {"user_id": to.user_id, "note_id": note.note_id, "owner_id": to.user_id}
    waiting = DigestNote(**place, kind=note.kind, title=note.title, member_id=note.facts.get(MEMBER_ID), ttl=note.ttl)
    preferences = to.preferences.copy()
    stands = preferences.digest_due_at is not None and preferences.digest_due_at > now - _STALE_DIGEST
    if stands:
        return [Put(waiting), Put(preferences)]
    preferences.digest_due_at = due
    return [Put(waiting), Put(preferences), Put(digest_entry(to, due), overwrite=True)]


def digest_entry(to: Recipient, due: datetime) -> DigestEntry:
    return DigestEntry(user_id=to.user_id, owner_id=to.user_id, at=due, shard=to.wheel_shard)


def _told(decision: Decision) -> dict[str, Any]:
    return decision._asdict() | {"until": None if decision.until is None else instant_text(decision.until)}


def _expiry(now: datetime) -> int:
    return seconds(now + timedelta(days=settings.NOTIFICATION_RETENTION_DAYS))


def _zone(name: str) -> ZoneInfo:
    """UTC for a zone that was taken out of the database since the member chose it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


# What members do with it ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Why:
    """What became of a notification on one channel. `state` is that of its delivery, None where there is none."""

    channel: str
    decision: str
    reason: str
    sentence: str
    until: datetime | None = None
    state: str | None = None
    sent_at: datetime | None = None


def notifications_page(actor: Actor, *, limit: int, after: str | None = None, forward: bool = True) -> Page:
    """The actor's notifications, newest first."""
    return repository.notifications_page(actor, limit=limit, after=after, forward=forward)


def why(actor: Actor, note_id: str) -> list[Why]:
    """Why each channel was used for one of the actor's notifications, held back or not. Raises NotFound."""
    if not is_id(note_id):
        raise NotFound
    profile, note = repository.with_profile(actor, note_id)
    if note is None:
        raise NotFound
    to = users.addressee(profile)
    deliveries = {delivery.channel: delivery for delivery in repository.deliveries_of(actor, note_id)}
    return [_why(note, entry, deliveries.get(entry["channel"]), texts.language_of(to.language), _zone(to.timezone)) for entry in note.why]


def _why(note: Notification, entry: Mapping[str, Any], delivery: Delivery | None, language: str, zone: ZoneInfo) -> Why:
    known: dict[str, Any] = dict(entry) | {"until": entry["until"] and datetime.fromisoformat(entry["until"])}
    if delivery is not None and delivery.state in (DROPPED, FAILED):
        known |= {"decision": DROP, "reason": delivery.reason or delivery.state, "until": None}
    sentence = texts.explanation(language, zone, kind=note.kind, **known)
    return (
        Why(**known, sentence=sentence)
        if delivery is None
        else Why(**known, sentence=sentence, state=delivery.state, sent_at=delivery.sent_at)
    )


def follow(actor: Actor) -> Stream:
    """The actor's own notifications as they come."""
    return live.follow(actor)


def mark_read(actor: Actor, *, ids: Sequence[str] | None = None, until: str | None = None, everything: bool = False) -> bool:
    """Mark some of the actor's notifications as read: those with `ids`, or those up to the id `until`, or all; of the last two the newest
    `MAX_READ_AT_ONCE`. Those that were read stay as they are. Raises Invalid, and NotFound unless there are all of `ids`.
    """
    if (ids is not None) + (until is not None) + everything != 1:
        raise Invalid("Say which: ids, until, or all.", field="ids")
    if len(ids or ()) > MAX_IDS:
        raise Invalid(f"At most {MAX_IDS} at once, please.", field="ids")
    if not all(map(is_id, [*(ids or ()), *([] if until is None else [until])])):
        raise NotFound

    def attempt() -> bool:
        found = _until(actor, until) if ids is None else _by_id(actor, ids)
        now, unread = wiring.clock().now(), [note for note in found if note.read_at is None]
        for note in unread:
            note.read_at = now
        repository.mark_read(actor, unread)
        return True

    return settled(attempt)


def _by_id(actor: Actor, ids: Sequence[str]) -> list[Notification]:
    found = repository.shown(actor, list(dict.fromkeys(ids)))
    notes = [note for note in found if note is not None]
    if len(notes) < len(found):
        raise NotFound
    return notes


def _until(actor: Actor, last: str | None) -> list[Notification]:
    notes: list[Notification] = []
    after: str | None = None
    more = True
    while more and len(notes) < MAX_READ_AT_ONCE:
        page = repository.notifications_until(actor, last, limit=_PAGE, after=after)
        notes += page.items
        after, more = page.cursors[-1] if page.cursors else None, page.has_more
    return notes


# What members wish ---------------------------------------------------------------------------------------------------------------------


def preferences(actor: Actor) -> NotificationPreferences:
    """How the actor wants to be told; the defaults, not stored, before they said."""
    return repository.preferences(actor, actor.user_id)


def update_preferences(actor: Actor, changes: Mapping[str, Any]) -> NotificationPreferences:
    """Change `kinds` (each `{"kind", channel: wish}`), `quiet_hours` (`{"begin", "end"}`) or `digest_at`; the others stay, and a null gives
    the default back. Raises Invalid, Conflict.
    """
    quiet = domain.quiet_hours(changes.get("quiet_hours"))
    digest_at = domain.minutes(changes.get("digest_at") or domain.DIGEST_AT, field="digestAt")

    def attempt() -> NotificationPreferences:
        wanted = repository.preferences(actor, actor.user_id)
        if "kinds" in changes:
            wanted.kinds = domain.merged_kinds(wanted.kinds, changes["kinds"]) if changes["kinds"] is not None else {}
        if "quiet_hours" in changes:
            wanted.quiet_from, wanted.quiet_until = (quiet.begin, quiet.end) if quiet else (None, None)
        if "digest_at" in changes:
            wanted.digest_at = digest_at
        return repository.save_preferences(actor, wanted)

    return settled(attempt)


def unsubscribe(actor: Actor, user_id: str, kind: str, channel: str) -> None:
    """Tell a member no more of `kind` over `channel`; of `ALL`: of none that is not critical. Repeating it changes nothing.

    `actor` is the platform: whoever calls it holds the member's own link (RFC 8058). Raises Conflict, KeyError for a kind that is none.
    """
    kinds = [name for name in KINDS if kind in (ALL, name) and "off" in KINDS[name].allowed(channel)]
    if kind not in (ALL, *KINDS):
        raise KeyError(kind)

    def attempt() -> None:
        wanted = repository.preferences(actor, user_id)
        merged = domain.merged_kinds(wanted.kinds, [{"kind": name, channel: "off"} for name in kinds])
        if merged != wanted.kinds:
            wanted.kinds = merged
            repository.save_preferences(actor, wanted)

    settled(attempt)


def wishes(preferences: NotificationPreferences) -> Wishes:
    """What the policy decides by."""
    quiet = None
    if preferences.quiet_from is not None and preferences.quiet_until is not None:
        quiet = QuietHours(int(preferences.quiet_from), int(preferences.quiet_until))
    addresses = {"email": preferences.email, "sms": preferences.phone, "push": int(preferences.devices or 0)}
    reachable = frozenset(channel for channel, address in addresses.items() if address)
    return Wishes(preferences.kinds, quiet, int(preferences.digest_at), reachable)
