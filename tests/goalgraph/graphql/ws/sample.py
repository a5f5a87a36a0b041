"""A schema of rooms for tests of the WebSocket edge: an ordered log, unordered events, and streams that end in every way."""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import graphene
import redis
from django.conf import settings

from goalgraph import errors, wiring
from goalgraph.auth.actor import SYSTEM
from goalgraph.ports.live import RESYNC, Event, Gone, Stream
from users import repository
from users.items import Sanction

executed: Counter[str] = Counter()
"""How often `Message.text` was resolved, by its text."""
not_allowed: set[str] = set()
"""Members whose streams are ended at their next check."""


class MemoryLog:
    """A room's log in this process. `hidden` events are stored but their announcements are lost; what is not after `kept` is gone."""

    rooms: dict[str, "MemoryLog"] = {}

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.kept = 0
        self.reads = 0
        self.lock = threading.Lock()

    @classmethod
    def of(cls, room: str) -> "MemoryLog":
        return cls.rooms.setdefault(room, cls())

    def append(self, text: str) -> Event:
        with self.lock:
            event = Event("message", {"text": text, "seq": len(self.events) + 1}, len(self.events) + 1)
            self.events.append(event)
            return event

    def head(self) -> int:
        return len(self.events)

    def read(self, after: int, limit: int) -> list[Event]:
        self.reads += 1
        if after < self.kept:
            raise Gone
        return self.events[after : after + limit]


class RedisLog:
    """A room's log that several processes share."""

    def __init__(self, room: str) -> None:
        self.key, self.redis = f"sample:{room}", redis.Redis.from_url(settings.REDIS_URL, protocol=2)

    def append(self, text: str) -> Event:
        seq = self.redis.rpush(self.key, text)
        assert isinstance(seq, int)
        return self._event(seq, text)

    def head(self) -> int:
        length = self.redis.llen(self.key)
        assert isinstance(length, int)
        return length

    def read(self, after: int, limit: int) -> list[Event]:
        texts: Any = self.redis.lrange(self.key, after, after + limit - 1)
        return [self._event(after + place, text.decode()) for place, text in enumerate(texts, start=1)]

    @staticmethod
    def _event(seq: int, text: str) -> Event:
        return Event("message", {"text": text, "seq": seq}, seq)


def log_of(room: str) -> MemoryLog | RedisLog:
    return RedisLog(room) if os.environ.get("SAMPLE_LOG") == "redis" else MemoryLog.of(room)


def say(room: str, text: str, *, announced: bool = True) -> int:
    """Store a message and announce it. Returns its place."""
    event = log_of(room).append(text)
    if announced:
        wiring.live().announce(f"room.{room}", event)
    assert event.seq is not None
    return event.seq


def suspend_silently(user_id: str) -> None:
    """Suspend a member for a week; the word of it to those who serve is lost."""
    sanction = Sanction(user_id=user_id, owner_id=user_id)
    sanction.suspended_until = wiring.clock().now() + timedelta(days=7)
    repository.save_sanction(SYSTEM, sanction)


class Message(graphene.ObjectType):
    seq = graphene.Int()
    text = graphene.String()
    author = graphene.String()
    broken = graphene.String()

    def resolve_seq(self, info: graphene.ResolveInfo) -> int:
        return self["seq"]

    def resolve_text(self, info: graphene.ResolveInfo) -> str:
        executed[self["text"]] += 1
        return self["text"]

    def resolve_author(self, info: graphene.ResolveInfo) -> str:
        return info.context.actor.user_id

    def resolve_broken(self, info: graphene.ResolveInfo) -> str:
        raise KeyError("a secret of ours")


class Say(graphene.Mutation):
    class Arguments:
        room_id = graphene.ID(required=True)
        text = graphene.String(required=True)

    seq = graphene.Int()

    def mutate(self, info: graphene.ResolveInfo, room_id: str, text: str) -> "Say":
        return Say(seq=say(room_id, text))


class Query(graphene.ObjectType):
    me = graphene.String()
    head = graphene.Int(room_id=graphene.ID(required=True))
    fail = graphene.String(code=graphene.String(required=True))
    slow = graphene.String()
    bug = graphene.String()

    def resolve_me(self, info: graphene.ResolveInfo) -> str:
        return info.context.actor.user_id

    def resolve_head(self, info: graphene.ResolveInfo, room_id: str) -> int:
        return log_of(room_id).head()

    def resolve_fail(self, info: graphene.ResolveInfo, code: str) -> str:
        raise next(cls for cls in errors.GoalGraphError.__subclasses__() if cls.code == code)

    def resolve_slow(self, info: graphene.ResolveInfo) -> str:
        time.sleep(0.3)
        return "slow"

    def resolve_bug(self, info: graphene.ResolveInfo) -> str:
        raise KeyError("a secret of ours")


class Mutation(graphene.ObjectType):
    say = Say.Field()


class Subscription(graphene.ObjectType):
    on_message = graphene.Field(graphene.NonNull(Message), room_id=graphene.ID(required=True), after=graphene.Int(), view=graphene.String())
    on_room_event = graphene.Field(graphene.String, room_id=graphene.ID(required=True))
    on_mine = graphene.Field(Message, room_id=graphene.ID(required=True))
    on_bug = graphene.String()
    on_nothing = graphene.String()

    @staticmethod
    def subscribe_on_message(
        root: None, info: graphene.ResolveInfo, room_id: str, after: int | None = None, view: str | None = None
    ) -> Stream:
        actor = info.context.actor
        if room_id.startswith("secret"):
            raise errors.NotFound
        return Stream(
            f"room.{room_id}",
            kinds=("message",),
            view=view,
            log=log_of(room_id),
            after=after,
            still_allowed=_allowed(actor.user_id),
        )

    @staticmethod
    def resolve_on_message(message: Any, info: graphene.ResolveInfo, **_: Any) -> Any:
        return message

    @staticmethod
    def subscribe_on_room_event(root: None, info: graphene.ResolveInfo, room_id: str) -> Stream:
        return Stream(f"room.{room_id}", kinds=("typing", "left", RESYNC), root=lambda event: event.kind)

    @staticmethod
    def resolve_on_room_event(kind: str, info: graphene.ResolveInfo, **_: Any) -> str:
        return kind

    @staticmethod
    def subscribe_on_mine(root: None, info: graphene.ResolveInfo, room_id: str) -> Stream:
        return Stream(f"room.{room_id}", kinds=("message",), viewer=info.context.actor, log=log_of(room_id))

    @staticmethod
    def resolve_on_mine(message: Any, info: graphene.ResolveInfo, **_: Any) -> Any:
        return message

    @staticmethod
    def subscribe_on_bug(root: None, info: graphene.ResolveInfo) -> Stream:
        raise KeyError("a secret of ours")

    @staticmethod
    def subscribe_on_nothing(root: None, info: graphene.ResolveInfo) -> None:
        return None


def _allowed(user_id: str) -> Callable[[], bool]:
    return lambda: user_id not in not_allowed


schema = graphene.Schema(Query, Mutation, Subscription)
