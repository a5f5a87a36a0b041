"""Pure rules of notifications: what kinds there are, what a member may wish, quiet hours, and the one policy that decides on each channel.

Minutes of a wish are minutes after the member's local midnight, as their clock shows it. Instants are aware and in UTC.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from goalgraph.errors import Invalid

Channel = Literal["in_app", "email", "push", "sms"]
Wish = Literal["now", "digest", "off"]
Verdict = Literal["send", "hold", "digest", "drop"]

IN_APP: Channel = "in_app"
OUTWARD: tuple[Channel, ...] = ("email", "push", "sms")
"""Channels that reach out to a member. The other one, the application, waits until they look."""
CHANNELS: tuple[Channel, ...] = (IN_APP, *OUTWARD)
WISHES: tuple[Wish, ...] = ("now", "digest", "off")

SEND: Verdict = "send"
HOLD: Verdict = "hold"
DIGEST: Verdict = "digest"
DROP: Verdict = "drop"

DIGEST_AT = "08:00"
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a notification may be about. A critical kind heeds neither quiet hours nor caps, and a channel it uses by default stays on."""

    defaults: Mapping[str, Wish]
    critical: bool = False
    collected: bool = True
    """Whether it may wait for the digest, as all but the digest itself may."""

    def allowed(self, channel: str) -> tuple[Wish, ...]:
        """What a member may wish of this kind on a channel."""
        if self.critical:
            return ("now",) if self.defaults[channel] == "now" else ("now", "off")
        return WISHES if self.collected and channel != IN_APP else ("now", "off")


def _kind(in_app: Wish, email: Wish, push: Wish, sms: Wish = "off", *, critical: bool = False, collected: bool = True) -> Kind:
    return Kind({"in_app": in_app, "email": email, "push": push, "sms": sms}, critical, collected)


KINDS: Mapping[str, Kind] = {
    "reminder": _kind("now", "now", "now"),
    "task_assigned": _kind("now", "digest", "now"),
    "connection_request": _kind("now", "digest", "now"),
    "connection_accepted": _kind("now", "off", "now"),
    "message": _kind("now", "digest", "now"),
    "badge": _kind("now", "digest", "now"),
    "level": _kind("now", "digest", "off"),
    "billing": _kind("now", "now", "off"),
    "digest": _kind("now", "now", "off", collected=False),
    "moderation": _kind("now", "now", "off", critical=True),
    "security": _kind("now", "now", "now", "now", critical=True),
}
"""What members are told of, and how unless they wish otherwise."""
ALL = "all"
"""Says of a wish to be told no more that it is for every kind that can be turned off."""


# What a member wishes ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one minute of the day until another, past midnight where the second is the smaller one. The two differ."""

    begin: int
    end: int

    def include(self, now: datetime, zone: ZoneInfo) -> bool:
        """Whether the member's clock shows a time within them at `now`."""
        minute = _clock(now, zone) // timedelta(minutes=1)
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end

    def over(self, now: datetime, zone: ZoneInfo) -> datetime:
        """The first instant from `now` on that is outside of them; `now` itself, where it is.

        It goes forward by what the clock lacks to their end. Where that leads over a change of the clock, the end is the one that RFC 5545
        (section 3.3.5) gives to a time in a gap, or they go on in the hour that the clock shows again.
        """
        instant = now
        while self.include(instant, zone):
            instant += (timedelta(minutes=self.end) - _clock(instant, zone)) % timedelta(days=1)
        return instant


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a member wants to be told. `kinds` is what differs from the defaults, `reachable` the channels for which there is an address."""

    kinds: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    quiet: QuietHours | None = None
    digest_at: int = 8 * 60
    reachable: frozenset[str] = frozenset()

    def of(self, kind: str, channel: str) -> str:
        """A wish that the kind does not allow, such as one of an older release, counts as none."""
        wish = self.kinds.get(kind, {}).get(channel)
        return wish if wish in KINDS[kind].allowed(channel) else KINDS[kind].defaults[channel]

    def reaches(self, channel: str) -> bool:
        return channel == IN_APP or channel in self.reachable

    def next_digest(self, now: datetime, zone: ZoneInfo) -> datetime:
        """When the next digest is due after `now`, once on each of the member's days and outside their quiet hours."""
        day = local_day(now, zone) - timedelta(days=2)  # one of these may have been moved by quiet hours until now
        while (instant := self._digest_on(day, zone)) <= now:
            day += timedelta(days=1)
        return instant

    def _digest_on(self, day: date, zone: ZoneInfo) -> datetime:
        instant = at_minute(day, self.digest_at, zone)
        return instant if self.quiet is None else self.quiet.over(instant, zone)


def local_day(now: datetime, zone: ZoneInfo) -> date:
    """The member's own day."""
    return now.astimezone(zone).date()


def at_minute(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """When a clock in `zone` shows `minute` on `day`. A time in a gap moves forward by the gap, of a time that comes twice it is the first
    one (RFC 5545, section 3.3.5)."""
    local = datetime.combine(day, time(*divmod(minute, 60)), tzinfo=zone)
    return local.astimezone(UTC)


def _clock(now: datetime, zone: ZoneInfo) -> timedelta:
    """How long after midnight a clock in `zone` shows."""
    local = now.astimezone(zone)
    return timedelta(hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


def merged_kinds(stored: Mapping[str, Mapping[str, str]], changes: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """What differs from the defaults once `changes` were made, each `{"kind", channel: wish}`; a null takes a wish back. Raises Invalid."""
    if len(changes) > len(KINDS):
        raise Invalid(f"There are {len(KINDS)} kinds.", field="kinds")
    merged = {kind: dict(wishes) for kind, wishes in stored.items()}
    for place, change in enumerate(changes):
        name = change["kind"]
        if name not in KINDS:
            raise Invalid(f"One of {', '.join(KINDS)}, please.", field=f"kinds[{place}].kind")
        for channel in CHANNELS:
            if channel in change:
                wish = _checked_wish(name, channel, change[channel], f"kinds[{place}].{api_channel(channel)}")
                merged.setdefault(name, {})[channel] = wish
    differing = {
        name: {channel: wish for channel, wish in wishes.items() if wish != KINDS[name].defaults.get(channel)}
        for name, wishes in merged.items()
        if name in KINDS
    }
    return {name: wishes for name, wishes in differing.items() if wishes}


def _checked_wish(kind: str, channel: str, value: str | None, field: str) -> str:
    allowed = KINDS[kind].allowed(channel)
    wish = KINDS[kind].defaults[channel] if value is None else value.lower()[:10]
    if wish not in allowed:
        raise Invalid(f"For this, {' or '.join(allowed)}, please.", field=field)
    return wish


def quiet_hours(value: Mapping[str, str] | None) -> QuietHours | None:
    """From `{"begin": "22:00", "end": "07:00"}`. Raises Invalid."""
    if value is None:
        return None
    begin, end = minutes(value["begin"], field="quietHours.begin"), minutes(value["end"], field="quietHours.end")
    if begin == end:
        raise Invalid("Quiet hours begin and end at different times.", field="quietHours.end")
    return QuietHours(begin, end)


def minutes(value: str, *, field: str) -> int:
    """A time of day such as 07:30 as minutes after midnight. Raises Invalid."""
    found = _TIME.fullmatch(value)
    if not found:
        raise Invalid("Give a time of day, such as 07:30.", field=field)
    return int(found[1]) * 60 + int(found[2])


def time_text(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def api_channel(channel: str) -> str:
    return "inApp" if channel == IN_APP else channel


# The policy ----------------------------------------------------------------------------------------------------------------------------


class Decision(NamedTuple):
    """What becomes of a notification on one channel, and why. `until` is when it is looked at again: for hold and digest."""

    channel: Channel
    decision: Verdict
    reason: str
    until: datetime | None = None


def decide(
    kind: str,
    wishes: Wishes,
    now: datetime,
    zone: ZoneInfo,
    *,
    sent_today: Mapping[str, int] | None = None,
    caps: Mapping[str, int] | None = None,
    not_after: datetime | None = None,
) -> list[Decision]:
    """One decision for each channel, in the order of `CHANNELS`.

    `sent_today` counts what went over each channel on the member's day, `caps` is the most of it. `not_after` is when it is too late to
    send. `until` is always after `now` and outside the quiet hours. Raises KeyError for a kind that is none.
    """
    about, counts, most = KINDS[kind], sent_today or {}, caps or {}

    def of(channel: Channel) -> Decision:
        wish = wishes.of(kind, channel)
        if wish == "off":
            return Decision(channel, DROP, "off")
        if channel == IN_APP:  # it disturbs nobody, costs nothing, and is worth something late
            return Decision(channel, SEND, "wanted")
        if not wishes.reaches(channel):
            return Decision(channel, DROP, "no_address")
        if not_after is not None and now > not_after:
            return Decision(channel, DROP, "expired")
        if about.critical:
            return Decision(channel, SEND, "critical")
        if wish == "digest":
            return Decision(channel, DIGEST, "in_digest", wishes.next_digest(now, zone))
        if channel in most and counts.get(channel, 0) >= most[channel]:
            return Decision(channel, DROP, "capped")
        over = now if wishes.quiet is None else wishes.quiet.over(now, zone)
        if not_after is not None and over > not_after:
            return Decision(channel, DROP, "expired")
        return Decision(channel, SEND, "wanted") if over == now else Decision(channel, HOLD, "quiet_hours", over)

    return [of(channel) for channel in CHANNELS]
