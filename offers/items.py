"""The items of offers: what staff wrote and approved in SQL, as members are served it, and what members did with it."""

from pynamodb.attributes import JSONAttribute, ListAttribute, NumberAttribute, UnicodeAttribute

from goalgraph.table import keys
from goalgraph.table.attributes import InstantAttribute
from goalgraph.table.items import CoreItem
from goalgraph.table.port import IndexKey, Key

PUBLISHED, WITHDRAWN = "published", "withdrawn"


class Offer(CoreItem, discriminator="Offer"):
    """An offer as revision `rev` of its row says. One that was taken back stays as a mark, so that no older revision comes after it."""

    max_bytes = 16 * 1024

    offer_id = UnicodeAttribute()
    rev = NumberAttribute()
    state = UnicodeAttribute(default=PUBLISHED)
    company_id = UnicodeAttribute()
    company_name = UnicodeAttribute()
    title = UnicodeAttribute()
    body = UnicodeAttribute(default="")
    target_url = UnicodeAttribute()
    image_url = UnicodeAttribute(null=True)
    tags: ListAttribute[str] = ListAttribute(of=UnicodeAttribute, default=list)  # type: ignore[arg-type]
    goal_kinds: ListAttribute[str] = ListAttribute(of=UnicodeAttribute, default=list)  # type: ignore[arg-type]
    tier = UnicodeAttribute(default="free")
    """For whom: `free` (everybody) or `premium`."""
    language = UnicodeAttribute(null=True)
    """A language tag; None: everybody understands it."""
    valid_from = InstantAttribute()
    valid_to = InstantAttribute(null=True)
    public_from = InstantAttribute()
    """From when members on the free plan see it; premium members from `valid_from`."""
    pace = NumberAttribute(default=1)
    """0 to 1: how much of its reach the company's budget leaves it at the moment."""

    @property
    def id(self) -> str:
        return self.offer_id

    def key(self) -> Key:
        return keys.offer(self.offer_id)

    def index_keys(self) -> tuple[IndexKey, ...]:
        return (keys.offer_of_company(self.company_id, self.offer_id),) if self.state == PUBLISHED else ()


class OfferEdge(CoreItem, discriminator="OfferEdge"):
    """A published offer under one tag, or under a kind of goal (`kind:<kind>`), with what ranking needs. It expires with its offer."""

    tag = UnicodeAttribute()
    offer_id = UnicodeAttribute()
    rev = NumberAttribute()
    company_id = UnicodeAttribute()
    tier = UnicodeAttribute(default="free")
    language = UnicodeAttribute(null=True)
    valid_from = InstantAttribute()
    valid_to = InstantAttribute(null=True)
    public_from = InstantAttribute()
    pace = NumberAttribute(default=1)

    def key(self) -> Key:
        return keys.tag_edge(self.tag, self.offer_id)


class HiddenCompany(CoreItem, discriminator="HiddenCompany"):
    """A member wants to see nothing of a company."""

    company_id = UnicodeAttribute()

    def key(self) -> Key:
        return keys.hidden_company(self.owner_id, self.company_id)


class ShownOffers(CoreItem, discriminator="ShownOffers"):
    """How often a member saw which offer on one of their days, and followed it: `{"<offer id>": [views, clicks]}`."""

    day = InstantAttribute()
    counts = JSONAttribute(default=dict)

    def key(self) -> Key:
        return keys.shown_offers(self.owner_id, self.day.date())


class OfferTouch(CoreItem, discriminator="OfferTouch"):
    """A member saw an offer (`view`) or followed it (`click`) through one signed link: at most one of each kind for a link."""

    offer_id = UnicodeAttribute()
    company_id = UnicodeAttribute()
    link_id = UnicodeAttribute()
    kind = UnicodeAttribute()

    def key(self) -> Key:
        return keys.offer_link(self.owner_id, self.link_id, self.kind)
