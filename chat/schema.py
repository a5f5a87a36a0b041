"""Rooms and messages in GraphQL."""

from typing import Any

import graphene
from graphene.relay import Connection

from chat import items, message_services, services
from goalgraph.graphql import relay
from goalgraph.graphql.scalars import DateTime
from goalgraph.ports.live import Stream
from goalgraph.table.table import Page


class Reaction(graphene.ObjectType):
    """An emoji under a message."""

    emoji = graphene.String(required=True, description="Which.")
    count = graphene.Int(required=True, description="How many people put it there.")


class Message(graphene.ObjectType):
    """What somebody wrote in a room."""

    id = graphene.ID(required=True, description="The message's id; ids sort as the room's messages do.")
    room_id = graphene.ID(required=True, description="In which room.")
    sender_id = graphene.ID(required=True, description="Who wrote it.")
    text = graphene.String(required=True, description="What it says; empty when it was taken back or removed.")
    ts = DateTime(required=True, description="When it was stored; never earlier than the message before.")
    seq = graphene.Int(required=True, description="Its number in the room: 1, 2, 3, without a gap.")
    state = graphene.String(required=True, description="sent, edited, deleted (by its sender) or redacted (by a moderator).")
    edited_at = DateTime(description="When it was last said differently.")
    reply_to = graphene.ID(description="The message it answers.")
    reactions = graphene.List(graphene.NonNull(Reaction), required=True, description="The emojis under it, the most frequent first.")

    @staticmethod
    def resolve_reactions(message: items.Message, _: graphene.ResolveInfo) -> list[Reaction]:
        counts = sorted((message.reactions or {}).items(), key=lambda entry: (-entry[1], entry[0]))
        return [Reaction(emoji=emoji, count=count) for emoji, count in counts]


class RoomMember(graphene.ObjectType):
    """Somebody in a room."""

    user_id = graphene.ID(required=True, description="Who.")
    role = graphene.String(required=True, description="owner or member.")
    joined_at = DateTime(required=True, description="Since when.")
    online = graphene.Boolean(required=True, description="Whether they have this room open right now: follow `onMessage` or `onRoomEvent`.")

    @staticmethod
    def resolve_joined_at(member: items.RoomMember, _: graphene.ResolveInfo) -> Any:
        return member.created_at

    @staticmethod
    def resolve_online(member: items.RoomMember, info: graphene.ResolveInfo) -> bool:
        """For all members of a room it is looked up at once, when the first one is asked for."""
        rooms = info.context.cache.setdefault(_ONLINE, {})
        if member.room_id not in rooms:
            rooms[member.room_id] = services.online(info.context.actor, member.room_id)
        return member.user_id in rooms[member.room_id]


class Room(graphene.ObjectType):
    """Where people write to each other."""

    id = graphene.ID(required=True, description="The room's id.")
    kind = graphene.String(required=True, description="direct (two people), group, or goal (around a goal).")
    title = graphene.String(description="What it is called; direct rooms have no title.")
    goal_id = graphene.ID(description="The goal it is about.")
    created_at = DateTime(required=True, description="When it was opened.")
    active_at = DateTime(required=True, description="When something was last written.")
    member_count = graphene.Int(required=True, description="How many people are in it.")
    members = graphene.List(graphene.NonNull(RoomMember), required=True, description="Who is in it.")
    unread_count = graphene.Int(required=True, description="How many messages the member who asks has not read.")
    last_message = graphene.Field(Message, description="The newest message.")

    @staticmethod
    def resolve_members(room: items.Room, info: graphene.ResolveInfo) -> list[items.RoomMember]:
        return services.members(info.context.actor, room)

    @staticmethod
    def resolve_unread_count(room: items.Room, info: graphene.ResolveInfo) -> int:
        return services.unread_count(info.context.actor, room.room_id) if room.unread is None else room.unread

    @staticmethod
    def resolve_last_message(room: items.Room, info: graphene.ResolveInfo) -> items.Message | None:
        """Those of all rooms of a page are looked up at once, when the first one is asked for."""
        cache = info.context.cache
        if room.room_id not in cache.setdefault(_LOOKED_UP, set()):
            together = cache.get(_ROOMS, {}).get(room.room_id, [room])
            cache[_LOOKED_UP].update(other.room_id for other in together)
            cache.setdefault(_LAST, {}).update(services.last_messages(info.context.actor, together))
        found: items.Message | None = cache[_LAST].get(room.room_id)
        return found


_ROOMS, _LOOKED_UP, _LAST, _ONLINE = "rooms by page", "rooms looked up", "last messages", "online by room"


RoomConnection: type[Connection] = relay.connection(Room, "rooms")


class RoomEvent(graphene.ObjectType):
    """Something that happened in a room beside a new message."""

    kind = graphene.String(
        required=True,
        description=(
            "edited, deleted, redacted, restored (by moderators), reaction (each with `message`), read, typing, presence, joined, left "
            "(with `userId`), or resync: something may have been missed, so read the room again."
        ),
    )
    room_id = graphene.ID(required=True, description="In which room.")
    user_id = graphene.ID(description="Whose doing it is.")
    message = graphene.Field(Message, description="The message as it is now.")
    seq = graphene.Int(description="With read: up to which message.")
    typing = graphene.Boolean(description="With typing: whether they write, or have stopped.")
    online = graphene.Boolean(description="With presence: whether they have the room open, or have closed it.")


class OpenRoomInput(graphene.InputObjectType):
    """A room to open. Two people, no title and no goal is their one direct room."""

    member_ids = graphene.List(graphene.NonNull(graphene.ID), required=True, description="Who is in it beside oneself; at most 47.")
    title = graphene.String(description="1 to 100 characters.")
    goal_id = graphene.ID(description="The goal it is about.")


class Query:
    rooms = graphene.Field(
        graphene.NonNull(RoomConnection),
        description="One's rooms, the latest conversation first.",
        **relay.PAGE_ARGUMENTS,
    )
    room = graphene.Field(graphene.NonNull(Room), id=graphene.ID(required=True, description="Which."), description="A room one is in.")
    messages = graphene.List(
        graphene.NonNull(Message),
        required=True,
        room_id=graphene.ID(required=True, description="In which room."),
        after=graphene.String(description="A message's id: those newer than it, the oldest of them first."),
        before=graphene.String(description="A message's id: the page older than it."),
        first=graphene.Int(description="How many, at most 100; 50 by default."),
        description="Messages of a room, ascending; without `after` and `before` the newest page.",
    )

    @staticmethod
    def resolve_rooms(_: Any, info: graphene.ResolveInfo, **page: Any) -> Connection:
        def fetch(*, limit: int, after: str | None, forward: bool) -> Page:
            found = services.rooms_page(info.context.actor, limit=limit, after=after, forward=forward)
            info.context.cache.setdefault(_ROOMS, {}).update({room.room_id: found.items for room in found.items})
            return found

        return relay.resolve(RoomConnection, fetch, **page)

    @staticmethod
    def resolve_room(_: Any, info: graphene.ResolveInfo, id: str) -> items.Room:
        return services.room(info.context.actor, id)

    @staticmethod
    def resolve_messages(_: Any, info: graphene.ResolveInfo, room_id: str, **page: Any) -> list[items.Message]:
        return message_services.history(info.context.actor, room_id, **page)


_ROOM_ID = graphene.ID(required=True, description="Which room.")
_MESSAGE_ID = graphene.ID(required=True, description="Which message.")


class Mutation:
    open_room = graphene.Field(
        graphene.NonNull(Room),
        input=OpenRoomInput(required=True, description="The room."),
        description="Open a room, or find the direct room of two.",
    )
    invite_to_room = graphene.Field(
        graphene.NonNull(Room),
        room_id=_ROOM_ID,
        user_ids=graphene.List(graphene.NonNull(graphene.ID), required=True, description="Whom."),
        description="Bring people into a room; they see what is written from now on.",
    )
    leave_room = graphene.Boolean(required=True, room_id=_ROOM_ID, description="Leave a room. Always true.")
    send_message = graphene.Field(
        graphene.NonNull(Message),
        room_id=_ROOM_ID,
        text=graphene.String(required=True, description="1 to 10000 characters, in lines."),
        client_message_id=graphene.String(description="One's own id of the message: sent again with it, it is stored once."),
        reply_to=graphene.ID(description="The message it answers."),
        description="Write into a room.",
    )
    edit_message = graphene.Field(
        graphene.NonNull(Message),
        message_id=_MESSAGE_ID,
        text=graphene.String(required=True, description="What it is to say."),
        description="Say one's own message differently.",
    )
    delete_message = graphene.Field(graphene.NonNull(Message), message_id=_MESSAGE_ID, description="Take one's own message back.")
    react = graphene.Field(
        graphene.NonNull(Message),
        message_id=_MESSAGE_ID,
        emoji=graphene.String(required=True, description="One emoji."),
        remove=graphene.Boolean(default_value=False, description="Take it away again."),
        description="Put an emoji under a message.",
    )
    mark_read = graphene.Field(
        graphene.NonNull(Room),
        room_id=_ROOM_ID,
        message_id=graphene.ID(description="Up to which message; without it all."),
        description="Say how far one has read. A mark never goes back.",
    )
    set_typing = graphene.Boolean(
        required=True,
        room_id=_ROOM_ID,
        typing=graphene.Boolean(default_value=True, description="Whether one writes, or has stopped."),
        description="Let the room know that one is writing. Always true.",
    )

    @staticmethod
    def resolve_open_room(_: Any, info: graphene.ResolveInfo, input: dict[str, Any]) -> items.Room:
        fields = {name: input.get(name) for name in ("title", "goal_id")}
        return services.open_room(info.context.actor, input["member_ids"], **fields, room_id=info.context.new_id())

    @staticmethod
    def resolve_invite_to_room(_: Any, info: graphene.ResolveInfo, room_id: str, user_ids: list[str]) -> items.Room:
        return services.invite(info.context.actor, room_id, user_ids)

    @staticmethod
    def resolve_leave_room(_: Any, info: graphene.ResolveInfo, room_id: str) -> bool:
        return services.leave(info.context.actor, room_id)

    @staticmethod
    def resolve_send_message(
        _: Any, info: graphene.ResolveInfo, room_id: str, text: str, client_message_id: str | None = None, reply_to: str | None = None
    ) -> items.Message:
        client_id = client_message_id or (info.context.new_id() if info.context.seed else None)
        return message_services.send(info.context.actor, room_id, text, client_id=client_id, reply_to=reply_to)

    @staticmethod
    def resolve_edit_message(_: Any, info: graphene.ResolveInfo, message_id: str, text: str) -> items.Message:
        return message_services.edit(info.context.actor, message_id, text)

    @staticmethod
    def resolve_delete_message(_: Any, info: graphene.ResolveInfo, message_id: str) -> items.Message:
        return message_services.delete(info.context.actor, message_id)

    @staticmethod
    def resolve_react(_: Any, info: graphene.ResolveInfo, message_id: str, emoji: str, remove: bool) -> items.Message:
        return message_services.react(info.context.actor, message_id, emoji, remove=remove)

    @staticmethod
    def resolve_mark_read(_: Any, info: graphene.ResolveInfo, room_id: str, message_id: str | None = None) -> items.Room:
        return message_services.mark_read(info.context.actor, room_id, message_id)

    @staticmethod
    def resolve_set_typing(_: Any, info: graphene.ResolveInfo, room_id: str, typing: bool) -> bool:
        return message_services.set_typing(info.context.actor, room_id, typing=typing)


class Subscription:
    on_message = graphene.Field(
        graphene.NonNull(Message),
        room_id=_ROOM_ID,
        after=graphene.String(description="A message's id: first those that were missed since, then what is live. Empty: from the start."),
        description="The messages of a room as they come.",
    )
    on_room_event = graphene.Field(graphene.NonNull(RoomEvent), room_id=_ROOM_ID, description="What happens in a room beside new messages.")

    @staticmethod
    def subscribe_on_message(_: Any, info: graphene.ResolveInfo, room_id: str, after: str | None = None) -> Stream:
        return message_services.follow_messages(info.context.actor, room_id, after)

    @staticmethod
    def resolve_on_message(message: items.Message, _: graphene.ResolveInfo, **__: Any) -> items.Message:
        return message

    @staticmethod
    def subscribe_on_room_event(_: Any, info: graphene.ResolveInfo, room_id: str) -> Stream:
        return message_services.follow_events(info.context.actor, room_id)

    @staticmethod
    def resolve_on_room_event(event: dict[str, Any], _: graphene.ResolveInfo, **__: Any) -> dict[str, Any]:
        return event
