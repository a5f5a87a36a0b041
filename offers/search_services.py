"""Offers by words that a member writes.

The index says which offers come into question, and in which order; the table says what they are, and whether the member may see them.
"""

import logging

from django.core import signing

from billing import plans
from goalgraph import inputs, wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import RateLimited
from goalgraph.ports.search import Filters, SearchUnavailable
from goalgraph.table.cursors import MAX_LENGTH, InvalidCursor
from goalgraph.table.table import Page
from offers import feed_services, repository
from offers.domain import FREE, PREMIUM
from offers.feed_services import Served
from users import services as users

logger = logging.getLogger(__name__)

MAX_QUERY = 200
"""Characters."""
MAX_HITS = 200
"""Offers in all pages of one search."""
RETRY_SECONDS = 30
_ROUNDS = 3
"""How often offers that the index has and the table has not are made up for with the next ones. Then a page stays short."""


def search_offers(actor: Actor, query: str, *, limit: int, after: str | None = None, forward: bool = True) -> Page:
    """A page of `Served`, best first, at most `MAX_HITS` in all pages; not `forward`: from the end, or from before `after`.

    A cursor tells how many hits lie before it, so where the index changes between two pages an offer may come twice or be passed over.
    Raises Invalid, InvalidCursor, and RateLimited while the index does not answer.
    """
    asked = inputs.text(query, field="query", longest=MAX_QUERY)
    place = None if after is None else _decode(actor, asked, after)
    line = list(enumerate(_hits(actor, asked), start=1))
    line = line[place or 0 :] if forward else line[: None if place is None else place - 1][::-1]
    items: list[Served] = []
    cursors: list[str] = []
    for _ in range(_ROUNDS):
        wanted = limit - len(items)
        chunk, line = line[:wanted], line[wanted:]
        if not chunk:
            break
        found = repository.offers(actor, [offer_id for _, offer_id in chunk])
        seen = {served.offer.offer_id: served for served in feed_services.served(actor, found)}
        items += [seen[offer_id] for _, offer_id in chunk if offer_id in seen]
        cursors += [_encode(actor, asked, place) for place, offer_id in chunk if offer_id in seen]
    return Page(items, cursors, bool(line))


def _hits(actor: Actor, asked: str) -> list[str]:
    """Ids of offers, the best first. There are none in a tenant."""
    if actor.tenant_id is not None:
        return []
    features = plans.features(actor.tier) | actor.entitlements
    filters = Filters(
        at=wiring.clock().now(),
        tiers=frozenset({FREE, PREMIUM} if plans.PREMIUM_OFFERS in features else {FREE}),
        early=plans.EARLY_ACCESS in features,
        without=frozenset(feed_services.hidden_companies(actor)),
    )
    try:
        hits = wiring.search().search(asked, filters, language=users.me(actor).language, limit=MAX_HITS)
    except SearchUnavailable as error:
        logger.warning("searches are not answered: %s", error)
        raise RateLimited("Nothing can be searched now. Try again in a minute.", retry_after=RETRY_SECONDS) from error
    return [hit.id for hit in hits]


def _encode(actor: Actor, asked: str, place: int) -> str:
    return _signer(actor, asked).sign(str(place))


def _decode(actor: Actor, asked: str, cursor: str) -> int:
    if len(cursor) > MAX_LENGTH:
        raise InvalidCursor("too long")
    try:
        return int(_signer(actor, asked).unsign(cursor))
    except signing.BadSignature as error:
        raise InvalidCursor("not a cursor of this search") from error


def _signer(actor: Actor, asked: str) -> signing.Signer:
    return signing.Signer(salt=f"offers.search\x1f{actor.user_id}\x1f{asked}")
