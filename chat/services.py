"""What members do with rooms. Messages have their own page: `chat.message_services`."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from billing import plans
from chat import live, repository
from chat.domain import DIRECT, GOAL, GROUP, MAX_MEMBERS, OWNER, direct_room_id, local_day, member_ids, room_title, unread
from chat.items import Message, Room, RoomMember, RoomQuota
from goalgraph import wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import Forbidden, Invalid, NotFound, QuotaExceeded
from goalgraph.ids import is_id, new_id
from goalgraph.table import settled
from goalgraph.table.port import TransactionCanceled
from goalgraph.table.table import Page
from goals import services as goals
from users import services as users
from users.sanction_services import require_voice


def open_room(
    actor: Actor, user_ids: Sequence[str], *, title: str | None = None, goal_id: str | None = None, room_id: str | None = None
) -> Room:
    """A room of the actor and `user_ids`. Two people, no title and no goal is their one direct room, which is there or is made.

    `room_id` is an id for a new one; an earlier attempt under it is found. Raises Invalid, NotFound for people or a goal that the actor may
    not see, Forbidden for who is muted, and QuotaExceeded beyond the free plan's rooms a day.
    """
    require_voice(actor)
    others = [user_id for user_id in member_ids(user_ids, field="memberIds") if user_id != actor.user_id]
    if not others:
        raise Invalid("A room needs somebody else.", field="memberIds")
    if len(others) >= MAX_MEMBERS:
        raise Invalid(f"At most {MAX_MEMBERS} people in a room, please.", field="memberIds")
    checked_title = None if title is None else room_title(title)
    users.users(actor, others)
    if goal_id is not None:
        goals.goal(actor, goal_id)
    direct = len(others) == 1 and checked_title is None and goal_id is None
    wanted = Room(
        room_id=direct_room_id(actor.user_id, others[0]) if direct else room_id or new_id(),
        kind=DIRECT if direct else GOAL if goal_id else GROUP,
        title=checked_title,
        goal_id=goal_id,
        pair=[actor.user_id, others[0]] if direct else [],
        active_at=wiring.clock().now(),
    )
    return settled(lambda: _open(actor, wanted, [actor.user_id, *others]))


def _open(actor: Actor, wanted: Room, everybody: Sequence[str]) -> Room:
    found, members = repository.room_and_members(actor, wanted.room_id, everybody)
    if found is not None and found.kind != DIRECT:
        return found  # an earlier attempt made it
    missing = [user_id for user_id, member in zip(everybody, members, strict=True) if member is None]
    if found is not None and not missing:
        return found
    room = (found or wanted).copy()
    room.member_count = int(room.member_count) + len(missing)
    _join(actor, room, missing, counts=actor.user_id in missing)
    return room


def invite(actor: Actor, room_id: str, user_ids: Sequence[str]) -> Room:
    """Bring people into a room of several. They see what is written from now on. Those who are in it already stay as they are.

    Raises NotFound, Forbidden for a direct room and for who is muted, Invalid, Conflict.
    """
    require_voice(actor)
    invited = [user_id for user_id in member_ids(user_ids, field="userIds") if user_id != actor.user_id]
    if not invited:
        raise Invalid("Whom?", field="userIds")

    def attempt() -> Room:
        found, (_, *theirs) = _found(actor, room_id, invited)
        if found.kind == DIRECT:
            raise Forbidden("A direct room is for two. Open a room for more.")
        missing = [user_id for user_id, member in zip(invited, theirs, strict=True) if member is None]
        if not missing:
            return found
        users.users(actor, missing)
        room = found.copy()
        room.member_count = int(room.member_count) + len(missing)
        if room.member_count > MAX_MEMBERS:
            raise Invalid(f"At most {MAX_MEMBERS} people in a room, please.", field="userIds")
        _join(actor, room, missing, counts=False)
        return room

    room = settled(attempt)
    live.joined(actor, room, invited)
    return room


def leave(actor: Actor, room_id: str) -> bool:
    """Leave a room; what is written from now on is not for the actor any more. Raises NotFound."""

    def attempt() -> Room:
        found, (own,) = _found(actor, room_id, [])
        room = found.copy()
        room.member_count = int(room.member_count) - 1
        repository.remove_member(actor, room, own)
        return room

    live.left(actor, settled(attempt))
    return True


def room(actor: Actor, room_id: str) -> Room:
    """Raises NotFound unless the actor is in it and, for a direct room, neither of the two has blocked the other."""
    return _found(actor, room_id, [])[0]


def entered(actor: Actor, room_id: str) -> tuple[Room, RoomMember]:
    """The same, with the actor's own membership."""
    found, (own,) = _found(actor, room_id, [])
    return found, own


def rooms_page(actor: Actor, *, limit: int, after: str | None = None, forward: bool = True) -> Page:
    """The actor's rooms with their unread counts, the latest conversation first."""
    page = repository.memberships_page(actor, limit=limit, after=after, forward=forward)
    rooms, cursors = [], []
    found = repository.rooms_and_marks(actor, [membership.room_id for membership in page.items])
    for (room, mark), cursor in zip(found, page.cursors, strict=True):
        if room and mark:  # else they left it just now
            room.unread = unread(int(room.seq), int(mark.seq))
            rooms.append(room)
            cursors.append(cursor)
    return Page(rooms, cursors, page.has_more)


def unread_count(actor: Actor, room_id: str) -> int:
    """How many messages of a room the actor has not read."""
    ((room, mark),) = repository.rooms_and_marks(actor, [room_id])
    return unread(int(room.seq), int(mark.seq)) if room and mark else 0


def first_unread(actor: Actor, room_id: str) -> Message | None:
    """The first message of a room that the actor has not read; None where they have read all, or are not in it."""
    ((room, mark),) = repository.rooms_and_marks(actor, [room_id])
    if room is None or mark is None or not unread(int(room.seq), int(mark.seq)):
        return None
    return next(iter(repository.messages(actor, room_id, above=int(mark.seq), limit=1)), None)


def last_messages(actor: Actor, rooms: Sequence[Room]) -> dict[str, Message]:
    """The newest messages of rooms the actor was already shown, by the room's id; none where there is none, or none is kept."""
    written = [room for room in rooms if int(room.seq)]
    found = repository.last_messages(actor, written) if written else []
    return {message.room_id: message for message in found if message is not None}


def members(actor: Actor, room: Room) -> list[RoomMember]:
    """Who is in a room that the actor was already shown."""
    return repository.members_of(actor, room.room_id)


def online(actor: Actor, room_id: str) -> frozenset[str]:
    """Who has a room that the actor was already shown open right now: their ids. Nobody where that is not known."""
    return live.online(actor, room_id)


# ---------------------------------------------------------------------------------------------------------------------------------------


def _found(actor: Actor, room_id: str, others: Sequence[str]) -> tuple[Room, list[RoomMember]]:
    """A room the actor is in, with their membership and those of `others` (None for who is not in it)."""
    if not is_id(room_id):
        raise NotFound
    room, members = repository.room_and_members(actor, room_id, [actor.user_id, *others])
    if room is None or members[0] is None:
        raise NotFound
    peer = room.peer_of(actor.user_id)
    if peer is not None and users.blocked(actor, peer):
        raise NotFound
    return room, members  # type: ignore[return-value]


def _join(actor: Actor, room: Room, user_ids: Sequence[str], *, counts: bool) -> None:
    """`counts`: the actor opens or joins it, which a plan may count."""
    joining = [
        RoomMember(
            room_id=room.room_id,
            user_id=user_id,
            owner_id=user_id,
            role=OWNER if user_id == actor.user_id and room.version is None else "member",
            joined_seq=int(room.seq),
            active_at=room.active_at,
        )
        for user_id in user_ids
    ]
    most = plans.limit(actor.tier, plans.ROOMS_PER_DAY)
    if not counts or most is None:
        repository.save_room(actor, room, joining, None)
        return
    quota = _quota(actor)
    try:
        repository.save_room(actor, room, joining, repository.one_more_room(quota, most))
    except TransactionCanceled as error:
        last = len(error.reasons) - 1
        if not error.failed(last):
            raise
        if error.current(last) is not None:
            raise QuotaExceeded(f"Your plan has {most} new rooms a day. Tomorrow there are more, and premium has no limit.") from error
        repository.save_room(actor, room, joining, repository.first_room(quota))


def _quota(actor: Actor) -> RoomQuota:
    """The count of the member's own day; it expires when that day is over everywhere."""
    now = wiring.clock().now()
    day = local_day(now, users.me(actor).timezone)
    begins = datetime.combine(day, time(), UTC)
    return RoomQuota(owner_id=actor.user_id, day=begins, count=1, ttl=int((begins + timedelta(days=3)).timestamp()))
