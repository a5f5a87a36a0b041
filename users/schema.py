"""Members in GraphQL."""

from typing import Any

import graphene
from graphene.relay import Connection

from goalgraph.graphql import relay
from goalgraph.table.table import Page
from users import services
from users.items import Profile


class User(graphene.ObjectType):
    """A member, as far as the one who asks may see them."""

    id = graphene.ID(required=True, description="The member's id: the subject of their access token.")
    nickname = graphene.String(description="What the member wants to be called.")
    avatar_url = graphene.String(description="Where the member's picture is; https.")
    language = graphene.String(description="The member's language as a tag, such as pt-BR.")
    pronouns = graphene.String(description="How to speak of the member.")
    bio = graphene.String(description="What the member tells of themselves.")
    tags = graphene.List(graphene.NonNull(graphene.String), required=True, description="What the member cares about.")
    tier = graphene.String(required=True, description="The member's plan: free or premium.")
    timezone = graphene.String(required=True, description="The member's IANA time zone; UTC until they say otherwise.")
    visibility = graphene.String(required=True, description="Who finds this member: public (all members) or private (nobody).")


class BlockedUser(graphene.ObjectType):
    """Somebody whom the member at hand has blocked."""

    user_id = graphene.ID(required=True, description="Whom.")


BlockedUserConnection: type[Connection] = relay.connection(BlockedUser, "blocked members")


class ProfileInput(graphene.InputObjectType):
    """Changes of a profile. A field that is left out stays as it is, a null clears it."""

    nickname = graphene.String(description="1 to 50 characters.")
    avatar_url = graphene.String(description="An https address.")
    language = graphene.String(description="A language tag, such as pt-BR.")
    pronouns = graphene.String(description="1 to 40 characters.")
    bio = graphene.String(description="1 to 1000 characters, in lines.")
    tags = graphene.List(
        graphene.NonNull(graphene.String), description="At most 20, of letters, digits and hyphens; accents and case are dropped."
    )
    timezone = graphene.String(description="The name of an IANA time zone, such as America/Sao_Paulo.")
    visibility = graphene.String(description="public or private.")


class Query:
    me = graphene.Field(graphene.NonNull(User), description="The member who asks.")
    user = graphene.Field(graphene.NonNull(User), id=graphene.ID(required=True, description="Whom."), description="Another member.")
    blocks = graphene.Field(
        graphene.NonNull(BlockedUserConnection), description="Whom the member at hand has blocked.", **relay.PAGE_ARGUMENTS
    )

    @staticmethod
    def resolve_me(_: Any, info: graphene.ResolveInfo) -> Profile:
        return services.me(info.context.actor)

    @staticmethod
    def resolve_user(_: Any, info: graphene.ResolveInfo, id: str) -> Profile:
        return services.user(info.context.actor, id)

    @staticmethod
    def resolve_blocks(_: Any, info: graphene.ResolveInfo, **page: Any) -> Connection:
        def fetch(*, limit: int, after: str | None, forward: bool) -> Page:
            return services.blocks(info.context.actor, limit=limit, after=after, forward=forward)

        return relay.resolve(BlockedUserConnection, fetch, **page, node=lambda block: BlockedUser(user_id=block.other_id))


class Mutation:
    upsert_profile = graphene.Field(
        graphene.NonNull(User), input=ProfileInput(required=True, description="What changes."), description="Write one's own profile."
    )
    block = graphene.Boolean(
        required=True,
        user_id=graphene.ID(required=True, description="Whom."),
        description="Have nothing more to do with another member: neither of the two sees the other. Always true.",
    )
    unblock = graphene.Boolean(
        required=True, user_id=graphene.ID(required=True, description="Whom."), description="Take a block back. Always true."
    )

    @staticmethod
    def resolve_upsert_profile(_: Any, info: graphene.ResolveInfo, input: dict[str, Any]) -> Profile:
        return services.upsert_profile(info.context.actor, input)

    @staticmethod
    def resolve_block(_: Any, info: graphene.ResolveInfo, user_id: str) -> bool:
        services.block(info.context.actor, user_id)
        return True

    @staticmethod
    def resolve_unblock(_: Any, info: graphene.ResolveInfo, user_id: str) -> bool:
        services.unblock(info.context.actor, user_id)
        return True
