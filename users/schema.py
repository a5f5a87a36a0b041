"""Members in GraphQL."""

from typing import Any

import graphene
from graphene.relay import Connection as RelayConnection

from goalgraph.graphql import relay
from goalgraph.graphql.scalars import DateTime
from goalgraph.table.table import Page
from users import connection_services, items, services
from users.domain import ACCEPTED
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


BlockedUserConnection: type[RelayConnection] = relay.connection(BlockedUser, "blocked members")


class Connection(graphene.ObjectType):
    """How the member at hand stands with another one."""

    user_id = graphene.ID(required=True, description="With whom.")
    user = graphene.Field(User, description="That member; null where they are not to be seen any more.")
    state = graphene.String(required=True, description="accepted, requested (by the member at hand) or received (from the other one).")
    since = DateTime(required=True, description="When it was last changed.")

    @staticmethod
    def resolve_user(connection: items.Connection, info: graphene.ResolveInfo) -> Profile | None:
        """Those of a page are looked up at once, when the first one is asked for."""
        cache = info.context.cache
        if connection.other_id not in cache.setdefault(_LOOKED_UP, {}):
            together = {connection.other_id, *cache.get(_CONNECTED, ())}
            cache[_LOOKED_UP] = services.visible_among(info.context.actor, sorted(together))
        found: Profile | None = cache[_LOOKED_UP].get(connection.other_id)
        return found

    @staticmethod
    def resolve_since(connection: items.Connection, _: graphene.ResolveInfo) -> Any:
        return connection.updated_at


_CONNECTED, _LOOKED_UP = "connected members", "members looked up"

MemberConnection: type[RelayConnection] = relay.connection(Connection, "connections")


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
    connections = graphene.Field(
        graphene.NonNull(MemberConnection),
        state=graphene.String(default_value=ACCEPTED, description="accepted, requested or received; null: all of these."),
        description="With whom the member at hand is connected.",
        **relay.PAGE_ARGUMENTS,
    )

    @staticmethod
    def resolve_me(_: Any, info: graphene.ResolveInfo) -> Profile:
        return services.me(info.context.actor)

    @staticmethod
    def resolve_user(_: Any, info: graphene.ResolveInfo, id: str) -> Profile:
        return services.user(info.context.actor, id)

    @staticmethod
    def resolve_blocks(_: Any, info: graphene.ResolveInfo, **page: Any) -> RelayConnection:
        def fetch(*, limit: int, after: str | None, forward: bool) -> Page:
            return services.blocks(info.context.actor, limit=limit, after=after, forward=forward)

        return relay.resolve(BlockedUserConnection, fetch, **page, node=lambda block: BlockedUser(user_id=block.other_id))

    @staticmethod
    def resolve_connections(_: Any, info: graphene.ResolveInfo, state: str | None, **page: Any) -> RelayConnection:
        def fetch(*, limit: int, after: str | None, forward: bool) -> Page:
            found = connection_services.connections(info.context.actor, state, limit=limit, after=after, forward=forward)
            info.context.cache.setdefault(_CONNECTED, []).extend(connection.other_id for connection in found.items)
            return found

        return relay.resolve(MemberConnection, fetch, **page)


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
    request_connection = graphene.Field(
        graphene.NonNull(Connection),
        user_id=graphene.ID(required=True, description="Whom."),
        description="Ask a member to connect. Where they asked before, the two are connected.",
    )
    respond_to_connection = graphene.Field(
        Connection,
        user_id=graphene.ID(required=True, description="Who asked."),
        accept=graphene.Boolean(required=True, description="Yes or no."),
        description="Answer a member who asked to connect; null after a no.",
    )
    remove_connection = graphene.Boolean(
        required=True,
        user_id=graphene.ID(required=True, description="With whom."),
        description="End a connection, or take back having asked. Always true.",
    )

    @staticmethod
    def resolve_request_connection(_: Any, info: graphene.ResolveInfo, user_id: str) -> items.Connection:
        return connection_services.request_connection(info.context.actor, user_id)

    @staticmethod
    def resolve_respond_to_connection(_: Any, info: graphene.ResolveInfo, user_id: str, accept: bool) -> items.Connection | None:
        return connection_services.respond_to_connection(info.context.actor, user_id, accept=accept)

    @staticmethod
    def resolve_remove_connection(_: Any, info: graphene.ResolveInfo, user_id: str) -> bool:
        connection_services.remove_connection(info.context.actor, user_id)
        return True

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
