"""The search index follows the offers. An event that comes twice, late or out of order has the offer read as it is now."""

from collections.abc import Callable, Mapping

from goalgraph.feed.events import Event
from offers import indexing_services


def _follow(event: Event) -> None:
    indexing_services.index(event.data["offerId"])


HANDLERS: Mapping[str, Callable[[Event], None]] = {"offer.published": _follow, "offer.withdrawn": _follow}
