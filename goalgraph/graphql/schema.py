"""The root of the API: each context brings its queries and mutations."""

import graphene

import gamification.schema
import goals.schema
import users.schema
from goalgraph.graphql.limits import declare_list_sizes


class Query(users.schema.Query, goals.schema.Query, gamification.schema.Query, graphene.ObjectType):
    """What a member can read."""


class Mutation(users.schema.Mutation, goals.schema.Mutation, graphene.ObjectType):
    """What a member can do. Each mutation takes the header `Idempotency-Key`, and then takes effect once."""


schema = graphene.Schema(query=Query, mutation=Mutation)
declare_list_sizes(schema.graphql_schema, goals.schema.LIST_SIZES)
