"""Events as the change feed makes them, for tests of what follows from them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gamification import award_services
from gamification.domain import ALL_TIME
from gamification.items import GameAggregate
from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.feed.events import Event
from goalgraph.ids import id_of
from goalgraph.table import keys, table
from goalgraph.table.attributes import instant_text

NOON = datetime(2027, 7, 1, 12, tzinfo=UTC)
"""Of a Thursday, the first day of a season."""


def completed(member: Actor, task: str, at: datetime = NOON, *, owner: str | None = None, priority: bool = False, **more: Any) -> Event:
    """`member` did a task of `owner`'s (None: of their own) at `at`."""
    data = {"doneBy": member.user_id, "doneAt": instant_text(at), "completionId": completion(member, task, at), "taskId": task, **more}
    return _event(member, "task.completed", at, task, data, owner=owner, priority=priority)


def reopened(member: Actor, task: str, done_at: datetime = NOON) -> Event:
    """The task that `member` did at `done_at` was reopened an hour later."""
    data = {"doneBy": member.user_id, "completionId": completion(member, task, done_at), "taskId": task}
    return _event(member, "task.reopened", done_at + timedelta(hours=1), task, data)


def goal_created(member: Actor, goal: str, at: datetime = NOON) -> Event:
    return _event(member, "goal.created", at, goal, {"goalId": goal})


def connected(member: Actor, other: Actor, at: datetime = NOON) -> Event:
    return _event(member, "connection.accepted", at, other.user_id, {"otherId": other.user_id})


def completion(member: Actor, task: str, at: datetime) -> str:
    return id_of(at, "completion", member.user_id, task)


def _event(
    member: Actor, type: str, at: datetime, tell: str, data: dict[str, Any], *, owner: str | None = None, priority: bool = False
) -> Event:
    return Event(
        id=id_of(at, type, member.user_id, tell),
        type=type,
        at=at,
        user_id=owner or member.user_id,
        actor_id=member.user_id,
        trace_id="trace",
        tenant_id=member.tenant_id,
        priority=priority,
        data=data,
    )


def handle(*events: Event) -> None:
    for event in events:
        award_services.apply(event.system, event)


def total(member: Actor, season: str = ALL_TIME) -> GameAggregate:
    key = keys.game_aggregate(member.user_id, ALL_TIME) if season == ALL_TIME else keys.game_season(member.user_id, season)
    found = table(member).get(key, consistent=True)
    return found if isinstance(found, GameAggregate) else GameAggregate()


def sums(member: Actor) -> dict[str, Any]:
    """All that a member's sums say, apart from when and by whom they were written."""
    found = total(member)
    season = "2027Q3"
    streak = (found.streak_current, found.streak_longest, found.streak_freezes, found.streak_day, found.streak_at)
    counts = {kind: count for kind, count in found.counts.items() if count}
    return {"score": found.score, season: total(member, season).score, "level": found.level, "counts": counts, "streak": streak}


def set_clock(at: datetime) -> None:
    wiring.clock().instant = at
