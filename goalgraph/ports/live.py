"""What happens now: services announce it, subscriptions follow it.

An announcement is a hint and may be lost; what must not be lost stands in a `Log`, and whoever follows an ordered stream is healed from
it. So a service stores first, announces second, and never waits for either to be delivered.
"""

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from goalgraph.auth.actor import Actor

RESYNC = "resync"
"""The kind of the event that tells the followers of an unordered stream that events may have been missed: read again."""

Dismissal = Literal["suspended", "signed_out"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `seq` is its place in the topic's log, None for what no log keeps (typing, presence, a redaction).

    `payload` is plain data: None, bool, int (64 bits), float, str, bytes, lists and string-keyed dicts of these. None together with a
    `seq` means: look into the log.
    """

    kind: str
    payload: Any = None
    seq: int | None = None


class Gone(Exception):
    """What follows the wanted position is no longer kept. The stream ends with code RESET, and the client reads anew."""


class Log(Protocol):
    """The ordered truth of one topic, the same for all its followers. Both methods may block; the hub calls them in threads."""

    def head(self) -> int:
        """The `seq` of the newest event, 0 when there was none yet."""

    def read(self, after: int, limit: int) -> list[Event]:
        """The next events after `after`, ascending, at most `limit`, empty when there are none. Raises Gone.

        Numbers may be missing for good, but never pass one over that may still appear: what is read is final. Reads must be strongly
        consistent with what was stored before an announcement.
        """


def _payload(event: Event) -> Any:
    return event.payload


def _always() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Stream:
    """What a subscription follows; `subscribe_<field>` of a schema returns one, after it has checked that the actor may.

    Followers with equal `topic`, `view`, `viewer`, document and variables share one execution of the document for each event. Variables
    and arguments of the root field itself do not count: whatever the answer depends on of these belongs into `view`. `viewer` is the
    actor in whose name the document is executed; None is nobody in particular, which is what makes sharing possible.
    """

    topic: str
    """Names the room or whatever it is; where members have tenants, the tenant too."""
    kinds: Collection[str] = ()
    """The kinds of events that are delivered; empty: all."""
    view: Hashable = None
    viewer: Actor | None = None
    log: Log | None = None
    """Makes the stream ordered: events with a `seq`, each once, in order."""
    after: int | None = None
    """Where to begin in the log; None: with what comes next."""
    root: Callable[[Event], Any] = field(default=_payload)
    """Turns an event into the root value on which the document is executed. Runs in a thread and may block."""
    presence: bool = False
    """Whether following it means being there: others are told who comes and goes (`goalgraph.ports.presence`)."""
    still_allowed: Callable[[], bool] = field(default=_always)
    """Asked again from time to time, in a thread; False ends the stream. The quick way is `ends_for` of an announcement."""


class Live(Protocol):
    """Tells the web processes what happened. From any thread of any process; never blocks on the network, never raises."""

    def announce(self, topic: str, event: Event, *, ends_for: Collection[str] = ()) -> None:
        """Deliver `event` to who follows `topic` (ASCII, at most 200 characters). Streams of the users in `ends_for` end before it."""

    def dismiss(self, user_id: str, reason: Dismissal, *, tenant_id: str | None = None) -> None:
        """Close all WebSockets of a member."""

    def reconsider(self, user_ids: Collection[str]) -> None:
        """What these members may see has changed: each of their streams asks `still_allowed` now, and ends where it is not."""


MEMBERS = "members"
"""The topic that each web process follows for itself, with what concerns members whatever they follow."""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What travels: a topic, an event, and for whom streams end."""

    topic: str
    event: Event
    ends_for: tuple[str, ...] = ()

    def to_message(self) -> dict[str, Any]:
        """As plain data for a channel layer. `type` is there because Channels wants one."""
        message: dict[str, Any] = {"type": "live.event", "topic": self.topic, "kind": self.event.kind}
        if self.event.seq is not None:
            message["seq"] = self.event.seq
        if self.event.payload is not None:
            message["payload"] = self.event.payload
        if self.ends_for:
            message["ends"] = list(self.ends_for)
        return message

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> "Announcement":
        event = Event(message["kind"], message.get("payload"), message.get("seq"))
        return cls(message["topic"], event, tuple(message.get("ends", ())))


RECONSIDER = "reconsider"
"""The kind of the event on `MEMBERS` that `Live.reconsider` sends."""


def reconsideration(user_ids: Collection[str]) -> Announcement:
    return Announcement(MEMBERS, Event(RECONSIDER, {"users": list(user_ids)}))


def dismissal(user_id: str, reason: Dismissal, tenant_id: str | None) -> Announcement:
    return Announcement(MEMBERS, Event(reason, {"user": user_id, "tenant": tenant_id}))
