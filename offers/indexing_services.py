"""The search index follows the offers as members are served them. It is a copy: `fill` makes it anew.

A document is read from the table consistently and carries the revision of its offer, so it does not matter in which order, how often and
how late changes come. Offers are on the open platform only, and so is the index.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import cast

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM
from goalgraph.ports.search import Document, SearchUnavailable
from goalgraph.table import keys, table
from offers import models
from offers.items import PUBLISHED, Offer

AT_ONCE = 100


def index(offer_id: str) -> None:
    """Bring an offer's document up to date. Raises SearchUnavailable."""
    wiring.search().put(_documents([offer_id]))


def fill(progress: Callable[[int], None] = lambda _: None) -> int:
    """Fill the index anew with all offers, also those taken back, and return how many there were. `progress` is told now and then how many
    it has so far. Raises SearchUnavailable."""
    done = 0

    def documents() -> Iterator[Document]:
        nonlocal done
        ids = models.Offer.objects.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=AT_ONCE)
        while chunk := list(islice(ids, AT_ONCE)):
            found = _documents(chunk)
            yield from found
            done += len(found)
            progress(done)

    wiring.search().fill(documents())
    return done


def is_complete() -> bool:
    """Whether searches are answered. False also where the index does not answer."""
    try:
        return wiring.search().is_complete()
    except SearchUnavailable:
        return False


def _documents(offer_ids: Sequence[str]) -> list[Document]:
    found = table(SYSTEM).get_many([keys.offer(offer_id) for offer_id in offer_ids], consistent=True)
    return [_document(cast("Offer", offer)) for offer in found if offer is not None]


def _document(offer: Offer) -> Document:
    return Document(
        id=offer.offer_id,
        index_version=int(offer.rev),
        company_id=offer.company_id,
        title=offer.title,
        body=offer.body,
        keywords=(*offer.tags, *offer.goal_kinds, offer.company_name),
        tier=offer.tier,
        language=offer.language,
        valid_from=offer.valid_from,
        valid_to=offer.valid_to,
        public_from=offer.public_from,
        withdrawn=offer.state != PUBLISHED,
    )
