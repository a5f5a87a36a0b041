"""The leaderboards follow the scores, and the tags of members."""

from collections.abc import Callable, Mapping

from gamification import board_services
from goalgraph.feed.events import Event


def _scored(event: Event) -> None:
    board_services.publish(event.system, event.user_id)


def _retagged(event: Event) -> None:
    board_services.publish(event.system, event.user_id, retagged=[*event.data["added"], *event.data["removed"]])


HANDLERS: Mapping[str, Callable[[Event], None]] = {"score.changed": _scored, "profile.retagged": _retagged}
