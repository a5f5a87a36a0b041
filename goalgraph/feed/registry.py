"""Who says which events follow from a change, and who wants to know of them. The feed knows no other context's name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from goalgraph.feed.changes import Change
from goalgraph.feed.events import Event, Translator


@dataclass(frozen=True, slots=True)
class Subscriber:
    """`handlers` by the type of event. Each must be idempotent by the event's id: it may be called twice, late, and out of order.

    `queue` is where its batches wait; premium members' go to `<queue>-priority`.
    """

    name: str
    handlers: Mapping[str, Callable[[Event], None]]
    queue: str


@cache
def translators() -> Mapping[str, Translator]:
    """By the `type` of item."""
    import billing.events
    import chat.events
    import gamification.events
    import goals.events
    import notifications.events
    import offers.events
    import users.events

    contexts = (users.events, goals.events, chat.events, gamification.events, notifications.events, offers.events, billing.events)
    return {item_type: translate for context in contexts for item_type, translate in context.TRANSLATORS.items()}


@cache
def subscribers() -> Mapping[str, Subscriber]:
    import chat.handlers
    import gamification.board_handlers
    import gamification.handlers
    import goalgraph.feed.publishing
    import notifications.delivery_handlers
    import notifications.handlers
    import offers.handlers
    import offers.search_handlers

    return {
        subscriber.name: subscriber
        for subscriber in (
            Subscriber("gamification", gamification.handlers.HANDLERS, "feed-gamification"),
            Subscriber("leaderboards", gamification.board_handlers.HANDLERS, "feed-leaderboards"),
            Subscriber("notifications", notifications.handlers.HANDLERS, "feed-notifications"),
            Subscriber("moderation", chat.handlers.HANDLERS, "feed-moderation"),
            Subscriber("offers", offers.handlers.HANDLERS, "feed-offers"),
            Subscriber("search", offers.search_handlers.HANDLERS, "feed-search"),
            Subscriber("bus", goalgraph.feed.publishing.HANDLERS, "feed-bus"),
            Subscriber("deliveries", notifications.delivery_handlers.HANDLERS, "notify"),
        )
    }


def events_of(changes: Sequence[Change]) -> Iterator[Event]:
    """What follows from `changes`, in their order."""
    known = translators()
    for change in changes:
        translate = known.get(type(change.item).type.serialize(type(change.item)))  # type: ignore[no-untyped-call]
        if translate is not None and not change.expired:
            yield from translate(change)
