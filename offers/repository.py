"""How offers are read as members are served them, and what members did with them is written."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast

from django.conf import settings
from django.core.signals import setting_changed

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.table import keys, table
from goalgraph.table.table import Put, seconds
from offers.domain import Candidate, kind_named
from offers.items import HiddenCompany, Offer, OfferEdge, OfferTouch, ShownOffers

MAX_SHOWN = 150
"""Offers whose views of one day are counted for one member: as many as an item holds."""
_KEPT_PLACES = 5000


def offer(actor: Actor, offer_id: str) -> Offer | None:
    """Withdrawn ones too."""
    return cast("Offer | None", table(actor).get(keys.offer(offer_id)))


def offers(actor: Actor, offer_ids: Sequence[str]) -> list[Offer | None]:
    """In the order of the ids, withdrawn ones too; one round trip for every 100."""
    return cast("list[Offer | None]", table(actor).get_many([keys.offer(offer_id) for offer_id in offer_ids])) if offer_ids else []


def has_offers(actor: Actor, company_id: str) -> bool:
    """Whether a company has a published offer."""
    return bool(table(actor).query(keys.offers_of_company(company_id), limit=1).items)


# Under tags --------------------------------------------------------------------------------------------------------------------------


def candidates(actor: Actor, places: Sequence[str]) -> list[Candidate]:
    """What stands under these tags and kinds, as it was at most `OFFER_EDGES_SECONDS` ago; a round trip for each that is not kept."""
    return [candidate for place in places for candidate in _edges.under(actor, place)]


class _Edges:
    """Keeps, in this process, which offers stand under a tag. Its partition would be as hot as the tag is popular otherwise."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str | None, str], tuple[datetime, tuple[Candidate, ...]]] = OrderedDict()
        self._lock = threading.Lock()

    def under(self, actor: Actor, place: str) -> tuple[Candidate, ...]:
        which, now = (actor.tenant_id, place), wiring.clock().now()
        with self._lock:
            until, found = self._kept.get(which, (now, ()))
        if now < until:
            return found
        found = _read_edges(actor, place)
        with self._lock:
            self._kept[which] = (now + timedelta(seconds=settings.OFFER_EDGES_SECONDS), found)
            self._kept.move_to_end(which)
            while len(self._kept) > _KEPT_PLACES:
                self._kept.popitem(last=False)
        return found

    def forget(self, *, setting: str = "PORTS", **_: Any) -> None:
        if setting == "PORTS":
            with self._lock:
                self._kept.clear()


_edges = _Edges()
setting_changed.connect(_edges.forget)


def _read_edges(actor: Actor, place: str) -> tuple[Candidate, ...]:
    """The newest first, for ids sort by time."""
    page = table(actor).query(keys.offers_tagged(place), limit=settings.OFFER_EDGES_PER_PLACE, forward=False)
    return tuple(_of_edge(edge) for edge in cast("list[OfferEdge]", page.items))


def _of_edge(edge: OfferEdge) -> Candidate:
    kind = kind_named(edge.tag)
    found = {"tags": frozenset({edge.tag})} if kind is None else {"kinds": frozenset({kind})}
    return _candidate(edge, **found)


def candidate_of(offer: Offer) -> Candidate:
    """With all of its tags and kinds, wherever it was found."""
    return _candidate(offer, tags=frozenset(offer.tags), kinds=frozenset(offer.goal_kinds))


def _candidate(item: OfferEdge | Offer, **found: frozenset[str]) -> Candidate:
    return Candidate(
        item.offer_id,
        item.company_id,
        item.valid_from,
        item.public_from,
        item.valid_to,
        item.tier,
        item.language,
        float(item.pace),
        int(item.rev),
        **found,
    )


# What a member does with them ---------------------------------------------------------------------------------------------------------


def hidden_companies(actor: Actor) -> set[str]:
    found = cast("list[HiddenCompany]", table(actor).query(keys.hidden_companies_of(actor.user_id), consistent=True).items)
    return {hidden.company_id for hidden in found}


def hide(actor: Actor, company_id: str) -> None:
    table(actor).put(HiddenCompany(owner_id=actor.user_id, company_id=company_id), overwrite=True)


def unhide(actor: Actor, company_id: str) -> None:
    table(actor).delete(keys.hidden_company(actor.user_id, company_id))


def is_hidden(actor: Actor, company_id: str) -> bool:
    return table(actor).get(keys.hidden_company(actor.user_id, company_id), consistent=True) is not None


def shown_offers(actor: Actor, day: date, *, consistent: bool = False) -> ShownOffers:
    """What was counted on a day of the member's; empty, not stored, before the first. It expires when that day is over everywhere."""
    found = cast("ShownOffers | None", table(actor).get(keys.shown_offers(actor.user_id, day), consistent=consistent))
    begins = datetime.combine(day, time(), UTC)
    return found or ShownOffers(owner_id=actor.user_id, day=begins, ttl=seconds(begins + timedelta(days=3)))


def count(actor: Actor, touch: OfferTouch, shown: ShownOffers) -> None:
    """Both or neither. Position 0 fails where the touch is there already, 1 where the member's day was written meanwhile."""
    table(actor).transact([Put(touch), Put(shown)])
