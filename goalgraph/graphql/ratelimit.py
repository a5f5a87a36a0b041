"""How much a member may ask: a bucket of cost points in Redis, one round trip a request (EVALSHA), the same for all web processes.

The bucket holds `burst` points and gains `per_second` (token bucket). Redis is a cache here: when it does not answer, requests pass
unlimited and a warning is logged, because a member who is turned away by our outage is worse than one who asks too much during it. For
some seconds after a failure Redis is not asked at all, so that an outage costs no time-out a request.
"""

import logging
import math
import threading
import time
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from goalgraph import metrics
from goalgraph.auth.actor import Actor
from goalgraph.errors import RateLimited

logger = logging.getLogger(__name__)

_TIMEOUT = 0.25
_PAUSE = 5.0

# Times are Redis's own, so that the clocks of web processes do not matter. Replies: allowed, points left, seconds until `cost` is there.
_TAKE = """
local burst, rate, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local bucket = redis.call('HMGET', KEYS[1], 'points', 'at')
local points = burst
if bucket[1] then
  points = math.min(burst, tonumber(bucket[1]) + math.max(0, now - tonumber(bucket[2])) * rate)
end
local allowed = points >= cost
if allowed then points = points - cost end
redis.call('HSET', KEYS[1], 'points', tostring(points), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return {allowed and 1 or 0, math.floor(points), tostring(allowed and 0 or (cost - points) / rate)}
"""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left after a request. `remaining` is None when there is no limit, or no Redis to know it."""

    remaining: int | None = None
    burst: int | None = None
    per_second: float | None = None


class RateLimit:
    """`burst` 0 means no limit. Safe across threads."""

    def __init__(self, url: str, *, burst: int, per_second: float) -> None:
        if burst and per_second <= 0:
            raise ValueError("a rate limit needs points that come back")
        self._burst, self._per_second = burst, per_second
        # `redis.Redis` retries with pauses by itself; here a lost answer is no reason to wait, or to take the points twice.
        self._redis = redis.Redis.from_url(
            url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT, retry=Retry(NoBackoff(), 0), protocol=2
        )
        self._take = self._redis.register_script(_TAKE)
        self._asleep_until = 0.0
        self._lock = threading.Lock()

    def spend(self, actor: Actor, cost: int) -> Allowance:
        """Take `cost` points from the actor's bucket. Raises RateLimited, with the seconds to wait, and then takes nothing."""
        if not self._burst:
            return Allowance()
        if time.monotonic() < self._asleep_until:
            metrics.unlimited()
            return Allowance()
        key = f"gg:rate:{actor.tenant_id or ''}:{actor.user_id}"
        try:
            reply = cast("list[Any]", self._take(keys=[key], args=[self._burst, self._per_second, min(cost, self._burst)]))
        except redis.RedisError:
            self._rest()
            return Allowance()
        allowed, remaining, wait = int(reply[0]), int(reply[1]), float(reply[2])
        if not allowed:
            raise RateLimited(retry_after=max(1, math.ceil(wait)))
        return Allowance(remaining, self._burst, self._per_second)

    def _rest(self) -> None:
        metrics.unlimited()
        with self._lock:
            if time.monotonic() < self._asleep_until:
                return
            self._asleep_until = time.monotonic() + _PAUSE
        logger.warning("redis does not answer: requests are not limited for now", exc_info=True)


@cache
def rate_limit() -> RateLimit:
    return RateLimit(settings.REDIS_URL, burst=settings.RATE_LIMIT_BURST, per_second=settings.RATE_LIMIT_PER_SECOND)
