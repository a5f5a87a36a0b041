"""Offers as the table holds them once staff have approved them, for tests of how members are served."""

from datetime import datetime, timedelta
from typing import Any

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.ids import new_id
from goalgraph.table import table
from goals import services as goals
from offers import repository
from offers.domain import kind_tag
from offers.items import WITHDRAWN, Offer, OfferEdge
from users import services as users

AHEAD = timedelta(days=30)


def published(title: str = "Shoes", tags: tuple[str, ...] = ("running",), *, rev: int = 1, actor: Actor = SYSTEM, **more: Any) -> Offer:
    """An offer that begins now and runs for 30 days, with its edges. What is given says otherwise."""
    now: datetime = more.get("valid_from") or wiring.clock().now()
    facts: dict[str, Any] = {
        "offer_id": new_id(),
        "company_id": "runwell",
        "company_name": "Runwell",
        "body": "Light ones.",
        "target_url": "https://runwell.example/shoes",
        "valid_from": now,
        "public_from": now,
        "valid_to": now + AHEAD,
    } | more
    offer = Offer(title=title, tags=list(tags), rev=rev, **facts)
    table(actor).put(offer, overwrite=True)
    for tag in [*tags, *map(kind_tag, offer.goal_kinds)]:
        table(actor).put(_edge(offer, tag), overwrite=True)
    forget_edges()
    return offer


def withdrawn(offer: Offer, *, edges_stay: bool = False, actor: Actor = SYSTEM) -> None:
    """Taken back; `edges_stay`, as a process sees it that has kept them."""
    mark = offer.copy()
    mark.state, mark.rev = WITHDRAWN, int(offer.rev) + 1
    table(actor).put(mark, overwrite=True)
    if not edges_stay:
        for tag in [*offer.tags, *map(kind_tag, offer.goal_kinds)]:
            table(actor).delete(_edge(offer, tag).key())
        forget_edges()


def forget_edges() -> None:
    """As after `OFFER_EDGES_SECONDS`."""
    repository._edges.forget()


def runner(actor: Actor, *, title: str = "Run a half marathon", tags: tuple[str, ...] = ("running",), **profile: Any) -> Actor:
    """A member with a goal."""
    users.upsert_profile(actor, {"nickname": "Ana", **profile})
    goals.create_goal(actor, {"title": title, "tags": list(tags)})
    return actor


def _edge(offer: Offer, tag: str) -> OfferEdge:
    names = ("offer_id", "rev", "company_id", "tier", "language", "valid_from", "valid_to", "public_from", "pace")
    return OfferEdge(tag=tag, **{name: getattr(offer, name) for name in names})
