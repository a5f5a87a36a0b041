"""Every key of the table is composed here and nowhere else: read this page to know the table.

An id that enters a key must match the allow-list of `goalgraph.ids` (no `#`, nothing outside ASCII), so no id can reach into
another partition. The tenant prefix is not here: `goalgraph.table.table` puts it before each partition key of an actor who has a tenant.
"""

import hashlib
import re
from datetime import date, datetime

from pynamodb.expressions.operand import Path, Value
from pynamodb.expressions.update import SetAction

from goalgraph.ids import is_id
from goalgraph.table.attributes import instant_text
from goalgraph.table.port import IndexKey, Key, Span

SK = Path("SK")
UNDATED = "~"
"""Stands where a due date would; sorts after every date."""
MAX_SEQ = 10**12
"""Greater than every `seq` of a room."""
_LAST = "~"  # sorts after every character that a key of ours holds next


class InvalidKey(ValueError):
    """An id that cannot stand in a key. Services let no such id come this far; the edge shows it as `NOT_FOUND`."""


def _id(value: object) -> str:
    if not is_id(value):
        raise InvalidKey("an id of a key is malformed")
    return str(value)


def _user(user_id: str) -> str:
    return f"USER#{_id(user_id)}"


def with_tenant(tenant_id: str | None, pk: str) -> str:
    return pk if tenant_id is None else f"TENANT#{_id(tenant_id)}#{pk}"


# Members ---------------------------------------------------------------------------------------------------------------------------


def profile(user_id: str) -> Key:
    return Key(_user(user_id), f"PROFILE#{user_id}")


def block(user_id: str, other_id: str) -> Key:
    return Key(_user(user_id), f"BLOCK#{_id(other_id)}")


def blocks_of(user_id: str) -> Span:
    return Span(_user(user_id), SK.startswith("BLOCK#"))


def home_of(user_id: str) -> Span:
    """Everything the home screen shows, in one stretch: aggregate, goals, profile, subscription, open tasks by due date."""
    return Span(_user(user_id), SK.between("GAME#AGG#", f"TASK#{_LAST * 2}"))


def game_aggregate(user_id: str, season: str) -> Key:
    return Key(_user(user_id), f"GAME#AGG#{_id(season)}")


def connection(user_id: str, other_id: str) -> Key:
    return Key(_user(user_id), f"CONN#{_id(other_id)}")


def connections_of(user_id: str) -> Span:
    return Span(_user(user_id), SK.startswith("CONN#"))


def request_quota(user_id: str, day: date) -> Key:
    return Key(_user(user_id), f"QUOTA#CONN#{day:%Y%m%d}")


# Goals and tasks -------------------------------------------------------------------------------------------------------------------


def goal(user_id: str, goal_id: str) -> Key:
    return Key(_user(user_id), f"GOAL#{_id(goal_id)}")


def goals_of(user_id: str) -> Span:
    """Oldest first: goal ids sort by time."""
    return Span(_user(user_id), SK.startswith("GOAL#"))


def goal_quota(user_id: str) -> Key:
    return Key(_user(user_id), "QUOTA#GOALS")


def task(goal_id: str, task_id: str) -> Key:
    return Key(f"GOAL#{_id(goal_id)}", f"TASK#{_id(task_id)}")


def tasks_of(goal_id: str) -> Span:
    return Span(f"GOAL#{_id(goal_id)}", SK.startswith("TASK#"))


def agenda_entry(user_id: str, due_at: datetime | None, task_id: str) -> Key:
    due = UNDATED if due_at is None else instant_text(due_at)
    return Key(_user(user_id), f"TASK#{due}#{_id(task_id)}")


def assignment(user_id: str, due_at: datetime | None, task_id: str) -> Key:
    """What others gave a member to do. It lies outside the stretch that home reads, for others fill it."""
    return Key(_user(user_id), f"ASSIGNED#{agenda_entry(user_id, due_at, task_id).sk}")


def assignments_of(user_id: str) -> Span:
    """By due time, the undated last."""
    return Span(_user(user_id), SK.startswith("ASSIGNED#"))


def agenda_of(user_id: str, until: datetime | None) -> Span:
    """Open tasks by due date up to `until` (None: all, the undated last)."""
    last = _LAST * 2 if until is None else f"{instant_text(until)}#{_LAST}"
    return Span(_user(user_id), SK.between("TASK#", f"TASK#{last}"))


def due_entry(at: datetime, shard: int, task_id: str, reminder_id: str) -> Key:
    """A reminder on the due wheel, which turns by the minute, in UTC."""
    return Key(f"DUE#{_minute(at)}#{shard}", f"TASK#{_id(task_id)}#{_id(reminder_id)}")


def _minute(at: datetime) -> str:
    """`YYYYMMDDHHMM` in UTC. (strftime's %Y has no fixed width before the year 1000.)"""
    return re.sub(r"\D", "", instant_text(at))[:12]


def shard_of(identifier: str, shards: int) -> int:
    """A shard for `identifier`, the same in every process."""
    return int.from_bytes(hashlib.blake2b(identifier.encode(), digest_size=8).digest()) % shards


# Rooms and messages -----------------------------------------------------------------------------------------------------------------


def room(room_id: str) -> Key:
    return Key(_room(room_id), f"ROOM#{room_id}")


def room_member(room_id: str, user_id: str) -> Key:
    return Key(_room(room_id), f"MEMBER#{_id(user_id)}")


def read_mark(room_id: str, user_id: str) -> Key:
    return Key(_room(room_id), f"READ#{_id(user_id)}")


def members_of(room_id: str) -> Span:
    return Span(_room(room_id), SK.startswith("MEMBER#"))


def membership(user_id: str, active_at: datetime, room_id: str) -> IndexKey:
    """A member's rooms by their last activity."""
    return IndexKey("GSI1", _user(user_id), f"ROOM#{instant_text(active_at)}#{_id(room_id)}")


def membership_moved(active_at: datetime, room_id: str) -> SetAction:
    """The action that moves a room on a member's list."""
    return SetAction(Path("GSI1SK"), Value(f"ROOM#{instant_text(active_at)}#{_id(room_id)}"))


def rooms_of(user_id: str) -> Span:
    return Span(_user(user_id), Path("GSI1SK").startswith("ROOM#"), "GSI1")


def message(room_id: str, seq: int) -> Key:
    return Key(_room(room_id), f"MSG#{_seq(seq)}")


def messages_of(room_id: str, *, above: int = 0, below: int = MAX_SEQ) -> Span:
    """Messages with a `seq` above the one and below the other, in that order."""
    return Span(_room(room_id), SK.between(f"MSG#{_seq(above + 1)}", f"MSG#{_seq(below - 1)}"))


def sent_marker(room_id: str, user_id: str, digest: str) -> Key:
    return Key(_room(room_id), f"SENT#{_id(user_id)}#{_id(digest)}")


def message_edit(room_id: str, seq: int, version: int) -> Key:
    return Key(_room(room_id), f"EDIT#{_seq(seq)}#{version:06d}")


def edits_of(room_id: str, seq: int) -> Span:
    return Span(_room(room_id), SK.startswith(f"EDIT#{_seq(seq)}#"))


def reaction(room_id: str, seq: int, user_id: str, emoji_hex: str) -> Key:
    """An emoji is no id, so it stands in the key as the hexadecimal digits of its UTF-8."""
    return Key(_room(room_id), f"REACT#{_seq(seq)}#{_id(user_id)}#{_id(emoji_hex)}")


def room_quota(user_id: str, day: date) -> Key:
    """`day` is the member's own."""
    return Key(_user(user_id), f"QUOTA#ROOMS#{day:%Y%m%d}")


def _room(room_id: str) -> str:
    return f"ROOM#{_id(room_id)}"


def _seq(seq: int) -> str:
    """Fixed width, so that the order of keys is the order of `seq`."""
    return f"{seq:012d}"


# Moderation --------------------------------------------------------------------------------------------------------------------------


def review_mark(room_id: str) -> Key:
    return Key(_room(room_id), "REVIEW")


def review_due(room_id: str, seq: int | None, shard: int) -> Key:
    """`seq` None: the room, for what was written there; else one message, for what it says now."""
    what = f"ROOM#{_id(room_id)}" if seq is None else f"MSG#{_id(room_id)}#{_seq(seq)}"
    return Key(f"REVIEW#{shard}", what)


def reviews_due(shard: int) -> Span:
    return Span(f"REVIEW#{shard}")


def case(room_id: str, seq: int) -> Key:
    return Key(_case(room_id, seq), "CASE")


def case_in_queue(state: str, room_id: str, seq: int, *, urgent: bool, score: float, opened_at: datetime) -> IndexKey:
    """The urgent ones first, then by score (0 to 1), then who waits longest."""
    rank = f"{0 if urgent else 1}#{round((1 - score) * 1000):04d}#{instant_text(opened_at)}"
    return IndexKey("GSI4", f"CASES#{_id(state)}", f"{rank}#{_id(room_id)}#{_seq(seq)}")


def cases(state: str) -> Span:
    return Span(f"CASES#{_id(state)}", None, "GSI4")


def report(room_id: str, seq: int, user_id: str) -> Key:
    return Key(_case(room_id, seq), f"REPORT#{_id(user_id)}")


def case_decision(room_id: str, seq: int, decision_id: str) -> Key:
    """What was decided in a case, once for each decision."""
    return Key(_case(room_id, seq), f"DECISION#{_id(decision_id)}")


def case_and_reports(room_id: str, seq: int) -> Span:
    return Span(_case(room_id, seq))


def reporter_record(user_id: str) -> Key:
    """How often moderators agreed with what a member reported."""
    return Key(f"REPORTER#{_id(user_id)}", "RECORD")


def report_quota(user_id: str, day: date) -> Key:
    return Key(_user(user_id), f"QUOTA#REPORTS#{day:%Y%m%d}")


def _case(room_id: str, seq: int) -> str:
    return f"CASE#{_id(room_id)}#{_seq(seq)}"


# The due wheel -----------------------------------------------------------------------------------------------------------------------


def due_bucket(minute: datetime, shard: int) -> Span:
    """All that is due in a minute of a shard: reminders, deliveries that were held back, digests."""
    return Span(f"DUE#{_minute(minute)}#{shard}")


def held_delivery(at: datetime, shard: int, user_id: str, note_id: str, channel: str) -> Key:
    return Key(f"DUE#{_minute(at)}#{shard}", f"HELD#{_id(user_id)}#{_id(note_id)}#{_id(channel)}")


def digest_entry(at: datetime, shard: int, user_id: str) -> Key:
    return Key(f"DUE#{_minute(at)}#{shard}", f"DIGEST#{_id(user_id)}")


def wheel_shard(shard: int) -> Key:
    """How far a shard of the wheel is swept."""
    return Key("WHEEL", f"SHARD#{shard:05d}")


def sweep_lease(minute: datetime, shard: int) -> Key:
    return Key(f"WHEEL#{_minute(minute)}#{shard}", "LEASE")


def entry_in(minute: datetime, shard: int, sk: str) -> Key:
    """The entry of a bucket whose sort key is `sk`, one that this page composed."""
    return Key(f"DUE#{_minute(minute)}#{shard}", sk)


def failed_entry(minute: datetime, shard: int, sk: str) -> Key:
    """An entry that sweeps pass by."""
    return Key(f"WHEEL#FAILED#{shard}", f"{_minute(minute)}#{sk}")


def failed_entries(shard: int, minute: datetime | None = None) -> Span:
    """Of a minute, or all, oldest first."""
    return Span(f"WHEEL#FAILED#{shard}", None if minute is None else SK.startswith(f"{_minute(minute)}#"))


# Notifications -----------------------------------------------------------------------------------------------------------------------


def notification(user_id: str, note_id: str) -> Key:
    """They grow without bound, so they stand in a partition of their own, and not in the one that home reads."""
    return Key(_notes(user_id), f"NOTE#{_id(note_id)}")


def notifications_of(user_id: str, last: str | None = None) -> Span:
    """Oldest first, for their ids sort by time; up to the one with the id `last`."""
    return Span(_notes(user_id), SK.startswith("NOTE#") if last is None else SK.between("NOTE#", f"NOTE#{_id(last)}"))


def unshown_notification(user_id: str, note_id: str) -> Key:
    """One that the member does not see in the application: dropped, or wanted on other channels only."""
    return Key(_notes(user_id), f"UNSHOWN#{_id(note_id)}")


def notification_preferences(user_id: str) -> Key:
    return Key(_notes(user_id), "PREFERENCES")


def send_count(user_id: str) -> Key:
    """How much was sent to a member on their day."""
    return Key(_notes(user_id), "SENT")


def digest_note(user_id: str, note_id: str) -> Key:
    """What waits for a member's next digest."""
    return Key(_notes(user_id), f"DIGEST#{_id(note_id)}")


def digest_notes_of(user_id: str) -> Span:
    return Span(_notes(user_id), SK.startswith("DIGEST#"))


def device(user_id: str, device_id: str) -> Key:
    return Key(_notes(user_id), f"DEVICE#{_id(device_id)}")


def devices_of(user_id: str) -> Span:
    return Span(_notes(user_id), SK.startswith("DEVICE#"))


def device_owner(device_id: str) -> Key:
    return Key(f"DEVICE#{_id(device_id)}", "OWNER")


def address_claim(user_id: str, channel: str) -> Key:
    """The one address of a kind that a member has to prove."""
    return Key(_notes(user_id), f"CLAIM#{_id(channel)}")


def address_quota(who: str, day: date) -> Key:
    """`who` is a member's id or an address's digest, behind the channel."""
    return Key(f"PROOFS#{_id(who)}", f"DAY#{day:%Y%m%d}")


def delivery(user_id: str, note_id: str, channel: str) -> Key:
    return Key(_notes(user_id), f"DELIVERY#{_id(note_id)}#{_id(channel)}")


def deliveries_of(user_id: str, note_id: str | None = None) -> Span:
    """Of a member, or of one of their notifications."""
    return Span(_notes(user_id), SK.startswith("DELIVERY#" if note_id is None else f"DELIVERY#{_id(note_id)}#"))


def unsent(shard: int, created_at: datetime, user_id: str, note_id: str, channel: str) -> IndexKey:
    """A delivery that is to be made stands here until it is, so that a sweep finds what was lost on the way."""
    return IndexKey("GSI4", f"UNSENT#{shard}", f"{instant_text(created_at)}#{_id(user_id)}#{_id(note_id)}#{_id(channel)}")


def unsent_of(shard: int, until: datetime) -> Span:
    return Span(f"UNSENT#{shard}", Path("GSI4SK") < f"{instant_text(until)}#{_LAST}", "GSI4")


def outbox(at: datetime, shard: int, user_id: str, note_id: str, channel: str) -> IndexKey:
    """What was sent on a day (UTC), to whomever."""
    day = f"OUTBOX#{_minute(at)[:8]}#{shard}"
    return IndexKey("GSI4", day, f"{instant_text(at)}#{_id(user_id)}#{_id(note_id)}#{_id(channel)}")


def outbox_of(day: datetime, shard: int) -> Span:
    return Span(f"OUTBOX#{_minute(day)[:8]}#{shard}", None, "GSI4")


def _notes(user_id: str) -> str:
    return f"NOTES#{_id(user_id)}"


# Points and streaks ------------------------------------------------------------------------------------------------------------------


def game_event(user_id: str, event_id: str) -> Key:
    """What points were given for. They grow without bound, so they stand in a partition of their own; their ids sort by time."""
    return Key(_game(user_id), f"EVT#{_id(event_id)}")


def game_events_of(user_id: str) -> Span:
    return Span(_game(user_id), SK.startswith("EVT#"))


def game_day(user_id: str, day: date) -> Key:
    """What a member did on one of their days: the caps count there."""
    return Key(_game(user_id), f"DAY#{day:%Y%m%d}")


def game_days(user_id: str) -> Span:
    """Oldest first."""
    return Span(_game(user_id), SK.startswith("DAY#"))


def streak_ledger(user_id: str) -> Key:
    return Key(_game(user_id), "STREAK")


def game_season(user_id: str, season: str) -> Key:
    """A member's sums over a season. One comes with each quarter, so they stand apart from the one of all time, which home reads."""
    return Key(_game(user_id), f"SEASON#{_id(season)}")


def game_seasons_of(user_id: str) -> Span:
    """Oldest first."""
    return Span(_game(user_id), SK.startswith("SEASON#"))


def ranked(season: str, shard: int, score: int, user_id: str) -> IndexKey:
    """An aggregate on the leaderboard of its season, the highest score first."""
    return IndexKey("GSI4", f"BOARD#{_id(season)}#{shard}", f"{MAX_SEQ - score:013d}#{_id(user_id)}")


def ranked_of(season: str, shard: int) -> Span:
    """Best first."""
    return Span(f"BOARD#{_id(season)}#{shard}", None, "GSI4")


def ranked_behind(season: str, shard: int, score: int, user_id: str) -> Span:
    place = ranked(season, shard, score, user_id)
    return Span(place.pk, Path("GSI4SK") > place.sk, "GSI4")


def ranked_ahead(season: str, shard: int, score: int, user_id: str) -> Span:
    place = ranked(season, shard, score, user_id)
    return Span(place.pk, Path("GSI4SK") < place.sk, "GSI4")


def _game(user_id: str) -> str:
    return f"GAME#{_id(user_id)}"


# Plans and sanctions -----------------------------------------------------------------------------------------------------------------


def subscription(user_id: str, plan_id: str) -> Key:
    """What a member pays for. Home reads it."""
    return Key(_user(user_id), f"SUB#{_id(plan_id)}")


def subscriptions_of(user_id: str) -> Span:
    return Span(_user(user_id), SK.startswith("SUB#"))


def tenant_subscription(plan_id: str) -> Key:
    """What the company pays for whose tenant this is."""
    return Key("TENANTPLAN", f"SUB#{_id(plan_id)}")


def renewal(on: date, who: str, plan_id: str) -> IndexKey:
    """A subscription on the day (UTC) when its period ends; `who` is a member's id."""
    return IndexKey("GSI6", f"SUB#RENEW#{on:%Y%m%d}", f"{_id(who)}#{_id(plan_id)}")


def renewals_on(on: date) -> Span:
    return Span(f"SUB#RENEW#{on:%Y%m%d}", None, "GSI6")


def sanction(user_id: str) -> Key:
    """What moderators have forbidden a member. It lies outside the stretch that home reads."""
    return Key(_user(user_id), "ACCESS#SANCTION")


# Offers ------------------------------------------------------------------------------------------------------------------------------


def offer(offer_id: str) -> Key:
    return Key(f"OFFER#{_id(offer_id)}", f"OFFER#{offer_id}")


def offer_of_company(company_id: str, offer_id: str) -> IndexKey:
    return IndexKey("GSI5", f"COMPANY#{_id(company_id)}", f"OFFER#{_id(offer_id)}")


def offers_of_company(company_id: str) -> Span:
    return Span(f"COMPANY#{_id(company_id)}", None, "GSI5")


def tag_edge(tag: str, offer_id: str) -> Key:
    """An offer under one of its tags."""
    return Key(f"TAG#{_id(tag)}", f"OFFER#{_id(offer_id)}")


def offers_tagged(tag: str) -> Span:
    return Span(f"TAG#{_id(tag)}", SK.startswith("OFFER#"))


def hidden_company(user_id: str, company_id: str) -> Key:
    """What offers do with a member stands in a partition of its own, for it grows without bound."""
    return Key(_offers(user_id), f"HIDDEN#{_id(company_id)}")


def hidden_companies_of(user_id: str) -> Span:
    return Span(_offers(user_id), SK.startswith("HIDDEN#"))


def shown_offers(user_id: str, day: date) -> Key:
    """How often a member saw which offer on one of their days."""
    return Key(_offers(user_id), f"SHOWN#{day:%Y%m%d}")


def offer_link(user_id: str, link_id: str, kind: str) -> Key:
    """That a member followed a link of ours, once."""
    return Key(_offers(user_id), f"LINK#{_id(link_id)}#{_id(kind)}")


def _offers(user_id: str) -> str:
    return f"OFFERS#{_id(user_id)}"


# The change feed -----------------------------------------------------------------------------------------------------------------------


OF_THE_FEED = ("FEED#", "AUDIT#")
"""How the partitions begin in which the consumers of the feed keep what they need. No consumer takes changes of these: its own write would
follow from its own write, without end."""


def feed_shard(consumer: str, shard_id: str) -> Key:
    """Where a consumer of the feed is in a shard of the table's stream, and which process reads it."""
    return Key(f"FEED#{_id(consumer)}", f"SHARD#{_id(shard_id)}")


def feed_shards_of(consumer: str) -> Span:
    return Span(f"FEED#{_id(consumer)}", SK.startswith("SHARD#"))


def audit_head(chain_id: str) -> Key:
    """How far a chain of the audit log goes."""
    return Key(f"AUDIT#{_id(chain_id)}", "HEAD")


def audit_chain(month: str, chain_id: str) -> Key:
    """That there is a chain; `month` (YYYYMM) is the one in which it began."""
    return Key("AUDIT#CHAINS", f"CHAIN#{_id(month)}#{_id(chain_id)}")


def audit_chains_of(month: str | None) -> Span:
    """None: of all months."""
    return Span("AUDIT#CHAINS", SK.startswith("CHAIN#" if month is None else f"CHAIN#{_id(month)}#"))


# The edge --------------------------------------------------------------------------------------------------------------------------


def idempotency(user_id: str, key: str) -> Key:
    name = f"IDEM#{_id(user_id)}#{_id(key)}"
    return Key(name, name)
