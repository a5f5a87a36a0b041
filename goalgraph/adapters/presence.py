"""Adapters of the `presence` port: `RedisPresence`, and `MemoryPresence` for tests."""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast

import redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from goalgraph import wiring
from goalgraph.ports.presence import Entry

logger = logging.getLogger(__name__)
T = TypeVar("T")

SECONDS = 60.0
_TIMEOUT = 1.0
_PAUSE = 5.0
"""Seconds after a failure in which `present`, which members wait for, does not ask again. So an outage costs no time-out a request."""
_BATCH = 500
"""Topics in one round trip."""

# One sorted set for each topic: members `<user>|<process>`, scores the instants at which they expire, in milliseconds of Redis's own clock.
# The set itself expires with its last entry, so nothing stays. A topic has some dozens of entries; each script reads them all.
_PRELUDE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function user(member) return string.match(member, '^(.*)|') end
local function there()
  local users = {}
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')) do users[user(member)] = true end
  return users
end
"""
_ENTER = """
local users, ttl, new = there(), tonumber(ARGV[2]), {}
for place = 3, #ARGV do
  if not users[ARGV[place]] then table.insert(new, ARGV[place]) end
  redis.call('ZADD', KEYS[1], now + ttl, ARGV[place] .. '|' .. ARGV[1])
end
redis.call('PEXPIRE', KEYS[1], ttl)
return new
"""
_LEAVE = """
local removed, gone = {}, {}
for place = 2, #ARGV do
  if redis.call('ZREM', KEYS[1], ARGV[place] .. '|' .. ARGV[1]) == 1 then table.insert(removed, ARGV[place]) end
end
local users = there()
for _, name in ipairs(removed) do
  if not users[name] then table.insert(gone, name) end
end
return gone
"""
_EXPIRE = """
local expired, gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now), {}
if #expired == 0 then return gone end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local users = there()
for _, member in ipairs(expired) do
  if not users[user(member)] then
    users[user(member)] = true
    table.insert(gone, user(member))
  end
end
return gone
"""
_PRESENT = """
local found = {}
for name in pairs(there()) do table.insert(found, name) end
return found
"""


class RedisPresence:
    """Entries in Redis. Safe across threads."""

    def __init__(self, url: str, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        # Like the rate limit: `redis.Redis` retries with pauses by itself, and here a later renewal is the retry.
        self._redis = redis.Redis.from_url(
            url,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
            decode_responses=True,
        )
        self._enter, self._leave, self._expire, self._present = (
            self._redis.register_script(_PRELUDE + script) for script in (_ENTER, _LEAVE, _EXPIRE, _PRESENT)
        )
        self._answers = True
        self._asleep_until = 0.0

    def enter(self, process: str, entries: Collection[Entry]) -> list[Entry] | None:
        return self._each(self._enter, _by_topic(entries), process, round(self.seconds * 1000))

    def leave(self, process: str, entries: Collection[Entry]) -> list[Entry] | None:
        return self._each(self._leave, _by_topic(entries), process)

    def expire(self, topics: Collection[str]) -> list[Entry] | None:
        return self._each(self._expire, {topic: [] for topic in topics})

    def present(self, topic: str) -> frozenset[str] | None:
        if time.monotonic() < self._asleep_until:
            return None
        found = self._asked(lambda: cast("list[str]", self._present(keys=[_key(topic)])))
        return None if found is None else frozenset(found)

    def _each(self, script: Script, users: Mapping[str, list[str]], *arguments: Any) -> list[Entry] | None:
        """Run `script` for each topic with its users, and collect the users it names."""
        if not users:
            return []
        topics = list(users)

        def ask() -> list[Entry]:
            named = []
            for start in range(0, len(topics), _BATCH):
                batch = topics[start : start + _BATCH]
                with self._redis.pipeline(transaction=False) as pipeline:
                    for topic in batch:
                        script(keys=[_key(topic)], args=[*arguments, *users[topic]], client=pipeline)
                    answers = pipeline.execute()
                named += [Entry(topic, user_id) for topic, found in zip(batch, answers, strict=True) for user_id in found]
            return named

        return self._asked(ask)

    def _asked(self, ask: Callable[[], T]) -> T | None:
        try:
            answer = ask()
        except redis.RedisError as error:
            if self._answers:
                logger.warning("redis does not answer: nobody appears online for now (%s)", type(error).__name__)
            self._answers, self._asleep_until = False, time.monotonic() + _PAUSE
            return None
        self._answers, self._asleep_until = True, 0.0
        return answer


def _key(topic: str) -> str:
    return f"gg:presence:{topic}"


def _by_topic(entries: Collection[Entry]) -> dict[str, list[str]]:
    users: defaultdict[str, list[str]] = defaultdict(list)
    for topic, user_id in entries:
        users[topic].append(user_id)
    return users


class MemoryPresence:
    """Entries in this process, at the clock of the `clock` port."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.seconds = seconds
        self._expiries: dict[tuple[Entry, str], datetime] = {}
        self._lock = threading.Lock()

    def enter(self, process: str, entries: Collection[Entry]) -> list[Entry] | None:
        with self._lock:
            now = wiring.clock().now()
            new = [entry for entry in entries if not self._is_there(entry, now)]
            self._expiries |= {(entry, process): now + timedelta(seconds=self.seconds) for entry in entries}
            return new

    def leave(self, process: str, entries: Collection[Entry]) -> list[Entry] | None:
        with self._lock:
            removed = [entry for entry in entries if self._expiries.pop((entry, process), None)]
            now = wiring.clock().now()
            return [entry for entry in removed if not self._is_there(entry, now)]

    def expire(self, topics: Collection[str]) -> list[Entry] | None:
        with self._lock:
            now = wiring.clock().now()
            expired = [place for place, expiry in self._expiries.items() if expiry <= now and place[0].topic in topics]
            for place in expired:
                del self._expiries[place]
            return [entry for entry in {entry for entry, _ in expired} if not self._is_there(entry, now)]

    def present(self, topic: str) -> frozenset[str] | None:
        with self._lock:
            now = wiring.clock().now()
            return frozenset(entry.user_id for (entry, _), expiry in self._expiries.items() if entry.topic == topic and expiry > now)

    def _is_there(self, entry: Entry, now: datetime) -> bool:
        return any(other == entry and expiry > now for (other, _), expiry in self._expiries.items())
