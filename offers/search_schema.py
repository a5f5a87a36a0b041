"""Searching for offers in GraphQL."""

from typing import Any

import graphene
from graphene.relay import Connection

from goalgraph.graphql import relay
from goalgraph.table.table import Page
from offers import search_services
from offers.schema import OfferConnection
from offers.search_services import MAX_HITS, MAX_QUERY


class Query:
    search_offers = graphene.Field(
        graphene.NonNull(OfferConnection),
        query=graphene.String(
            required=True,
            description=f"1 to {MAX_QUERY} characters. Words are found in all of their forms, without accents, and with a letter wrong.",
        ),
        description=f"The offers whose title, tags and text fit these words, the best first, at most {MAX_HITS}.",
        **relay.PAGE_ARGUMENTS,
    )

    @staticmethod
    def resolve_search_offers(_: Any, info: graphene.ResolveInfo, query: str, **page: Any) -> Connection:
        def fetch(*, limit: int, after: str | None, forward: bool) -> Page:
            return search_services.search_offers(info.context.actor, query, limit=limit, after=after, forward=forward)

        return relay.resolve(OfferConnection, fetch, **page)
