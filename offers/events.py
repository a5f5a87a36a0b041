"""What follows from offers that come and go, and from members who see and follow them."""

from collections.abc import Iterator

from goalgraph.feed.changes import Change
from goalgraph.feed.events import Event, Translator, event
from offers.items import PUBLISHED, Offer, OfferTouch


def of_offer(change: Change) -> Iterator[Event]:
    """`offer.published` for each revision that is served, `offer.withdrawn` when there is none any more."""
    new, old = change.new, change.old if isinstance(change.old, Offer) else None
    was = old is not None and old.state == PUBLISHED
    if isinstance(new, Offer) and new.state == PUBLISHED:
        if old is None or not was or old.rev != new.rev:
            yield _told(change, "offer.published", new)
    elif was:
        yield _told(change, "offer.withdrawn", new if isinstance(new, Offer) else old)


def of_touch(change: Change) -> Iterator[Event]:
    """`offer.touched`, once for each link and kind. `day` is by UTC."""
    new = change.new
    if isinstance(new, OfferTouch) and change.old is None:
        day = new.created_at.date().isoformat()
        yield event(change, "offer.touched", offerId=new.offer_id, companyId=new.company_id, kind=new.kind, day=day)


def _told(change: Change, type: str, offer: Offer | None) -> Event:
    assert offer is not None
    return event(change, type, offerId=offer.offer_id, companyId=offer.company_id, rev=int(offer.rev))


TRANSLATORS: dict[str, Translator] = {"Offer": of_offer, "OfferTouch": of_touch}
