"""Offers in GraphQL."""

from datetime import datetime
from typing import Any

import graphene
from graphene.relay import Connection

from goalgraph.graphql import relay
from goalgraph.graphql.scalars import DateTime
from goalgraph.table.table import Page
from offers import feed_services, link_services
from offers.domain import PREMIUM
from offers.feed_services import MAX_LIST, Served


class Company(graphene.ObjectType):
    """Who makes an offer."""

    id = graphene.ID(required=True, description="The company's id.")
    name = graphene.String(required=True, description="What it is called.")


class Offer(graphene.ObjectType):
    """What a company offers to members, and why this one sees it."""

    id = graphene.ID(required=True, description="The offer's id.")
    title = graphene.String(required=True, description="The offer in a few words.")
    body = graphene.String(required=True, description="The offer in more words, in lines; may be empty.")
    url = graphene.String(
        required=True, description="Leads to the offer's page, and counts that the member went there. Works for two days, for this member."
    )
    impression_url = graphene.String(
        required=True,
        description="An image of one pixel. Load it when the offer is seen, which counts that; or POST to it without the `.gif`.",
    )
    image_url = graphene.String(description="A picture.")
    tags = graphene.List(graphene.NonNull(graphene.String), description="What it is about.")
    language = graphene.String(description="The language it is in; null: everybody understands it.")
    premium = graphene.Boolean(required=True, description="Whether it is for premium members only.")
    valid_from = DateTime(required=True, description="From when it holds.")
    valid_to = DateTime(description="Until when it holds; null: until it is taken back.")
    company = graphene.Field(graphene.NonNull(Company), description="Who makes it.")
    why_this = graphene.String(required=True, description="Why the member at hand sees it, in a sentence in their language.")

    @staticmethod
    def resolve_id(served: Served, _: graphene.ResolveInfo) -> str:
        return served.offer.offer_id

    @staticmethod
    def resolve_title(served: Served, _: graphene.ResolveInfo) -> str:
        return served.offer.title

    @staticmethod
    def resolve_body(served: Served, _: graphene.ResolveInfo) -> str:
        return served.offer.body

    @staticmethod
    def resolve_url(served: Served, info: graphene.ResolveInfo) -> str:
        return link_services.click_url(info.context.actor, served.offer.offer_id, served.link_id)

    @staticmethod
    def resolve_impression_url(served: Served, info: graphene.ResolveInfo) -> str:
        return link_services.view_url(info.context.actor, served.offer.offer_id, served.link_id)

    @staticmethod
    def resolve_image_url(served: Served, _: graphene.ResolveInfo) -> str | None:
        return served.offer.image_url

    @staticmethod
    def resolve_tags(served: Served, _: graphene.ResolveInfo) -> list[str]:
        return list(served.offer.tags)

    @staticmethod
    def resolve_language(served: Served, _: graphene.ResolveInfo) -> str | None:
        return served.offer.language

    @staticmethod
    def resolve_premium(served: Served, _: graphene.ResolveInfo) -> bool:
        return bool(served.offer.tier == PREMIUM)

    @staticmethod
    def resolve_valid_from(served: Served, _: graphene.ResolveInfo) -> datetime:
        return served.offer.valid_from

    @staticmethod
    def resolve_valid_to(served: Served, _: graphene.ResolveInfo) -> datetime | None:
        return served.offer.valid_to

    @staticmethod
    def resolve_company(served: Served, _: graphene.ResolveInfo) -> Company:
        return Company(id=served.offer.company_id, name=served.offer.company_name)

    @staticmethod
    def resolve_why_this(served: Served, _: graphene.ResolveInfo) -> str:
        return served.why


OfferConnection = relay.connection(Offer, "offers")
_COMPANY_ID = graphene.ID(required=True, description="Which company.")


class Query:
    offers = graphene.List(
        graphene.NonNull(Offer),
        required=True,
        tags=graphene.List(graphene.NonNull(graphene.String), description="At most 20; without them one's own goals and tags."),
        description=f"The offers for these tags that fit best, at most {MAX_LIST}.",
    )
    offer_feed = graphene.Field(
        graphene.NonNull(OfferConnection),
        description="The offers that fit one's goals, the best first. Pages of one feed neither repeat nor skip.",
        **relay.PAGE_ARGUMENTS,
    )
    offer = graphene.Field(graphene.NonNull(Offer), id=graphene.ID(required=True, description="Which."), description="One offer.")
    hidden_companies = graphene.List(
        graphene.NonNull(graphene.ID), required=True, description="The ids of the companies of which one wants to see nothing."
    )

    @staticmethod
    def resolve_offers(_: Any, info: graphene.ResolveInfo, tags: list[str] | None = None) -> list[Served]:
        return feed_services.offers(info.context.actor, tags)

    @staticmethod
    def resolve_offer_feed(_: Any, info: graphene.ResolveInfo, **page: Any) -> Connection:
        def fetch(*, limit: int, after: str | None, forward: bool) -> Page:
            return feed_services.offer_feed(info.context.actor, limit=limit, after=after, forward=forward)

        return relay.resolve(OfferConnection, fetch, **page)

    @staticmethod
    def resolve_offer(_: Any, info: graphene.ResolveInfo, id: str) -> Served:
        return feed_services.offer(info.context.actor, id)

    @staticmethod
    def resolve_hidden_companies(_: Any, info: graphene.ResolveInfo) -> list[str]:
        return feed_services.hidden_companies(info.context.actor)


class Mutation:
    hide_company = graphene.Boolean(
        required=True, company_id=_COMPANY_ID, description="See no offers of a company any more. Always true; once is enough."
    )
    unhide_company = graphene.Boolean(required=True, company_id=_COMPANY_ID, description="Take that back. Always true.")

    @staticmethod
    def resolve_hide_company(_: Any, info: graphene.ResolveInfo, company_id: str) -> bool:
        feed_services.hide_company(info.context.actor, company_id)
        return True

    @staticmethod
    def resolve_unhide_company(_: Any, info: graphene.ResolveInfo, company_id: str) -> bool:
        feed_services.unhide_company(info.context.actor, company_id)
        return True


LIST_SIZES = {"Query.offers": MAX_LIST}
