"""What is kept of events for the statistics. Each handler may get its events twice, late and out of order."""

from collections.abc import Callable, Mapping

from goalgraph.feed.events import Event
from offers import stats_services


def _touched(event: Event) -> None:
    stats_services.keep(event)


HANDLERS: Mapping[str, Callable[[Event], None]] = {"offer.touched": _touched}
