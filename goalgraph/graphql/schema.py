"""The root of the API: each context brings its queries, mutations and subscriptions."""

import graphene

import billing.schema
import chat.moderation_schema
import chat.schema
import gamification.board_schema
import gamification.schema
import goals.schema
import notifications.delivery_schema
import notifications.schema
import offers.schema
import offers.search_schema
import users.schema
from goalgraph.graphql.limits import declare_list_sizes


class Query(
    users.schema.Query,
    goals.schema.Query,
    chat.schema.Query,
    gamification.schema.Query,
    gamification.board_schema.Query,
    notifications.schema.Query,
    notifications.delivery_schema.Query,
    billing.schema.Query,
    offers.schema.Query,
    offers.search_schema.Query,
    graphene.ObjectType,
):
    """What a member can read."""


class Mutation(
    users.schema.Mutation,
    goals.schema.Mutation,
    chat.schema.Mutation,
    chat.moderation_schema.Mutation,
    gamification.schema.Mutation,
    notifications.schema.Mutation,
    notifications.delivery_schema.Mutation,
    billing.schema.Mutation,
    offers.schema.Mutation,
    graphene.ObjectType,
):
    """What a member can do. Each mutation takes the header `Idempotency-Key`, and then takes effect once."""


class Subscription(chat.schema.Subscription, gamification.schema.Subscription, notifications.schema.Subscription, graphene.ObjectType):
    """What a member can follow, over the WebSocket."""


schema = graphene.Schema(query=Query, mutation=Mutation, subscription=Subscription)
declare_list_sizes(
    schema.graphql_schema,
    goals.schema.LIST_SIZES
    | billing.schema.LIST_SIZES
    | gamification.board_schema.LIST_SIZES
    | notifications.schema.LIST_SIZES
    | notifications.delivery_schema.LIST_SIZES
    | offers.schema.LIST_SIZES,
)
