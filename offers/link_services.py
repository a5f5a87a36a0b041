"""The signed links of served offers: what a member saw and followed is counted through them, once for each link and kind.

A link holds who was served which offer, and until when it works; it never holds an address, so nobody can send people elsewhere through
us. Where it leads is read from the offer as it is then.
"""

import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing

from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import GoalGraphError
from goalgraph.table import settled
from goalgraph.table.port import TableError, TransactionCanceled
from goalgraph.table.table import seconds
from offers import domain, repository
from offers.domain import CLICK, VIEW
from offers.items import PUBLISHED, Offer, OfferTouch
from users import services as users

logger = logging.getLogger(__name__)

_SALT = "offers.link"
_MOST = 1024
_KINDS = (VIEW, CLICK)


@dataclass(frozen=True, slots=True)
class Link:
    """What a token of ours is for: one member, one offer, one time of being served it (`link_id`), one of `view` and `click`."""

    kind: str
    until: datetime
    tenant_id: str | None
    user_id: str
    offer_id: str
    link_id: str

    @property
    def actor(self) -> Actor:
        return Actor(self.user_id, tenant_id=self.tenant_id)


def new_link_id() -> str:
    """Another one each time that an offer is served."""
    return secrets.token_hex(8)


def click_url(actor: Actor, offer_id: str, link_id: str) -> str:
    """Counts a click and leads to the offer's page, for `OFFER_LINK_HOURS`."""
    return f"{settings.PUBLIC_URL}/o/{_token(actor, CLICK, offer_id, link_id)}"


def view_url(actor: Actor, offer_id: str, link_id: str) -> str:
    """Counts a view: an image of one pixel, for `OFFER_LINK_HOURS`."""
    return f"{settings.PUBLIC_URL}/o/{_token(actor, VIEW, offer_id, link_id)}.gif"


def read(token: str, kind: str) -> Link | None:
    """None for any text that is no token of ours, of another kind, or too old."""
    if len(token) > _MOST:
        return None
    try:
        number, until, tenant_id, user_id, offer_id, link_id = _signer().unsign_object(token)
        link = Link(_KINDS[number], datetime.fromtimestamp(until, tz=wiring.clock().now().tzinfo), tenant_id, user_id, offer_id, link_id)
    except (signing.BadSignature, ValueError, TypeError, IndexError):
        return None
    return link if link.kind == kind and wiring.clock().now() < link.until else None


def follow(link: Link, *, counts: bool) -> str | None:
    """Where a click leads: the address that the offer has now; None when it was withdrawn or has ended. Counts the click.

    Whether the count succeeds or not, the member gets where they wanted to go.
    """
    offer = _open(link)
    if offer is None:
        return None
    if counts:
        _count_or_log(link, offer)
    return offer.target_url


def see(link: Link) -> bool:
    """Count a view. False when the offer was withdrawn or has ended."""
    offer = _open(link)
    if offer is None:
        return False
    _count_or_log(link, offer)
    return True


def _token(actor: Actor, kind: str, offer_id: str, link_id: str) -> str:
    until = seconds(wiring.clock().now() + timedelta(hours=settings.OFFER_LINK_HOURS))
    return _signer().sign_object([_KINDS.index(kind), until, actor.tenant_id, actor.user_id, offer_id, link_id])


def _signer() -> signing.Signer:
    return signing.Signer(salt=_SALT)


def _open(link: Link) -> Offer | None:
    offer = repository.offer(link.actor, link.offer_id)
    now = wiring.clock().now()
    if offer is None or offer.state != PUBLISHED or (offer.valid_to is not None and offer.valid_to <= now):
        return None
    return offer


def _count_or_log(link: Link, offer: Offer) -> None:
    try:
        _count(link, offer)
    except (GoalGraphError, TableError):
        logger.warning("a touch of an offer was not counted", exc_info=True, extra={"data": {"offer": offer.offer_id, "kind": link.kind}})


def _count(link: Link, offer: Offer) -> None:
    """Once for each link and kind, and so often on a member's day as the settings say; the two move in one transaction.

    Nothing is told from the answer: a second time, an answer that was lost, and a day that is full all look alike.
    """
    actor, now = link.actor, wiring.clock().now()
    day = domain.local_day(now, users.me(actor).timezone)
    touch = OfferTouch(
        owner_id=link.user_id,
        offer_id=offer.offer_id,
        company_id=offer.company_id,
        link_id=link.link_id,
        kind=link.kind,
        created_at=now,
        ttl=seconds(now + timedelta(days=settings.OFFER_TOUCH_DAYS)),
    )

    def attempt() -> None:
        shown = repository.shown_offers(actor, day, consistent=True)
        counted = _one_more(shown.counts, offer.offer_id, link.kind)
        if counted is None:
            return
        shown.counts = counted
        try:
            repository.count(actor, touch, shown)
        except TransactionCanceled as error:
            if not error.failed(0):
                raise

    settled(attempt)


def _one_more(counts: dict[str, list[int]], offer_id: str, kind: str) -> dict[str, list[int]] | None:
    """The member's counts with one more touch of the offer; None when there is no room for it today."""
    both = list(counts.get(offer_id, (0, 0)))
    most = (settings.OFFER_VIEWS_PER_DAY, settings.OFFER_CLICKS_PER_DAY)
    place = _KINDS.index(kind)
    if both[place] >= most[place] or (offer_id not in counts and len(counts) >= repository.MAX_SHOWN):
        return None
    both[place] += 1
    return counts | {offer_id: both}
