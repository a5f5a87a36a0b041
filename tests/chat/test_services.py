"""Rooms: who is in them, who may open them, how many a day."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from billing import plans
from chat import message_services, services
from goalgraph.errors import Forbidden, GoalGraphError, Invalid, NotFound, QuotaExceeded
from goals import services as goals
from tests.chat.world import members
from tests.fixtures import FakeClock, new_user
from users import services as users


@pytest.fixture(autouse=True)
def world(memory_world: FakeClock, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    monkeypatch.setitem(plans._LIMITS[plans.FREE], plans.ROOMS_PER_DAY, 3)
    return memory_world


def outcome(use_case) -> str:
    try:
        use_case()
    except GoalGraphError as error:
        return error.code
    return "ok"


def in_room(actor, room) -> set[str]:
    return {member.user_id for member in services.members(actor, room)}


def test_two_people_have_one_direct_room():
    ana, bia = members(2)

    opened = services.open_room(ana, [bia.user_id])
    found = services.open_room(bia, [ana.user_id, bia.user_id, ana.user_id])

    assert (opened.id, opened.kind, found.id) == (found.id, "direct", opened.id)
    assert in_room(ana, opened) == {ana.user_id, bia.user_id}
    assert services.room(ana, opened.id).member_count == 2


def test_a_title_or_a_third_person_makes_a_new_room_each_time():
    ana, bia, caio = members(3)

    rooms = [services.open_room(ana, [bia.user_id], title="Run club") for _ in range(2)]
    three = services.open_room(ana, [bia.user_id, caio.user_id])

    assert len({room.id for room in (*rooms, three)}) == 3
    assert {room.kind for room in (*rooms, three)} == {"group"}
    assert [member.role for member in services.members(bia, three) if member.user_id == ana.user_id] == ["owner"]


def test_a_room_around_a_goal_needs_a_goal_one_may_see():
    ana, bia = members(2)
    private = goals.create_goal(bia, {"title": "Secret"})
    own = goals.create_goal(ana, {"title": "Run"})

    room = services.open_room(ana, [bia.user_id], goal_id=own.id)
    assert (room.kind, room.goal_id) == ("goal", own.id)
    with pytest.raises(NotFound):
        services.open_room(ana, [bia.user_id], goal_id=private.id)


def test_who_is_not_in_a_room_finds_nothing():
    ana, bia, eve = members(3)
    room = services.open_room(ana, [bia.user_id])
    message = message_services.send(ana, room.id, "Hi")

    refusals = set()
    for room_id, message_id in ((room.id, message.id), ("nonsense", "nonsense"), ("#", "#"), (message.id, room.id)):
        for use_case in (
            lambda room_id=room_id: services.room(eve, room_id),
            lambda room_id=room_id: services.invite(eve, room_id, [bia.user_id]),
            lambda room_id=room_id: services.leave(eve, room_id),
            lambda room_id=room_id: message_services.send(eve, room_id, "Hi"),
            lambda room_id=room_id: message_services.history(eve, room_id),
            lambda room_id=room_id: message_services.mark_read(eve, room_id),
            lambda room_id=room_id: message_services.set_typing(eve, room_id, typing=True),
            lambda room_id=room_id: message_services.follow_messages(eve, room_id),
            lambda room_id=room_id: message_services.follow_events(eve, room_id),
            lambda message_id=message_id: message_services.edit(eve, message_id, "Mine"),
            lambda message_id=message_id: message_services.delete(eve, message_id),
            lambda message_id=message_id: message_services.react(eve, message_id, "👍"),
        ):
            with pytest.raises(NotFound) as refused:
                use_case()
            refusals.add((refused.value.message, refused.value.field))
    assert len(refusals) == 1


@pytest.mark.parametrize("fields", [{"title": ""}, {"title": "x" * 101}, {"title": "\x00"}, {"user_ids": []}, {"user_ids": ["a#b"]}])
def test_bad_input_opens_nothing(fields):
    ana, bia = members(2)

    with pytest.raises(Invalid):
        services.open_room(ana, **({"user_ids": [bia.user_id]} | fields))
    assert services.rooms_page(ana, limit=10).items == []


def test_nobody_opens_a_room_with_themselves_or_with_whom_they_cannot_see():
    ana, private, blocking = members(3)
    users.upsert_profile(private, {"visibility": "private"})
    users.block(blocking, ana.user_id)

    with pytest.raises(Invalid):
        services.open_room(ana, [ana.user_id])
    for other in (private.user_id, blocking.user_id, "nobody"):
        with pytest.raises(NotFound):
            services.open_room(ana, [other])
        with pytest.raises(NotFound):
            services.open_room(ana, [other], title="Group")


def test_the_free_plan_has_so_many_new_rooms_a_day(world):
    ana, *others = members(7)
    users.upsert_profile(ana, {"timezone": "America/Sao_Paulo"})

    outcomes = [outcome(lambda other=other: services.open_room(ana, [other.user_id])) for other in others[:4]]
    assert outcomes == ["ok", "ok", "ok", "QUOTA_EXCEEDED"]
    services.open_room(ana, [others[0].user_id])  # is there already

    world.advance(hours=14)  # 02:00 UTC of the next day, 23:00 of the same one in São Paulo
    assert outcome(lambda: services.open_room(ana, [others[3].user_id])) == "QUOTA_EXCEEDED"
    world.advance(hours=1)
    assert outcome(lambda: services.open_room(ana, [others[3].user_id])) == "ok"


def test_the_days_rooms_are_counted_exactly_for_many_at_once():
    ana, *others = members(12)

    with ThreadPoolExecutor(11) as pool:
        outcomes = list(pool.map(lambda other: outcome(lambda: services.open_room(ana, [other.user_id])), others))

    assert sorted(outcomes) == ["QUOTA_EXCEEDED"] * 8 + ["ok"] * 3


def test_premium_has_no_limit():
    others = members(5)
    premium = new_user(tier="premium")

    for other in others:
        services.open_room(premium, [other.user_id])


def test_being_invited_costs_nothing():
    ana, bia, *others = members(6)
    for other in others[:3]:
        services.open_room(ana, [other.user_id])
    room = services.open_room(bia, [others[3].user_id], title="Group")

    services.invite(bia, room.id, [ana.user_id])

    assert ana.user_id in in_room(bia, room)
    with pytest.raises(QuotaExceeded):
        services.open_room(ana, [others[3].user_id])


def test_who_is_invited_reads_from_then_on():
    ana, bia, caio = members(3)
    room = services.open_room(ana, [bia.user_id], title="Group")
    before = message_services.send(ana, room.id, "Before")

    services.invite(ana, room.id, [caio.user_id])
    services.invite(ana, room.id, [caio.user_id])
    after = message_services.send(ana, room.id, "After")

    assert [message.id for message in message_services.history(caio, room.id)] == [after.id]
    assert services.unread_count(caio, room.id) == 1
    assert services.room(ana, room.id).member_count == 3
    with pytest.raises(NotFound):
        message_services.react(caio, before.id, "👍")
    with pytest.raises(Invalid):
        message_services.send(caio, room.id, "Re", reply_to=before.id)


def test_a_direct_room_stays_for_two():
    ana, bia, caio = members(3)
    room = services.open_room(ana, [bia.user_id])

    with pytest.raises(Forbidden):
        services.invite(ana, room.id, [caio.user_id])


def test_who_leaves_is_out_and_may_come_back_to_a_direct_room():
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    message_services.send(ana, room.id, "Hi")

    services.leave(bia, room.id)
    with pytest.raises(NotFound):
        services.leave(bia, room.id)
    assert services.rooms_page(bia, limit=10).items == []
    assert in_room(ana, room) == {ana.user_id}

    again = services.open_room(bia, [ana.user_id])
    assert (again.id, again.member_count) == (room.id, 2)
    assert message_services.history(bia, room.id) == []


def test_a_block_closes_the_direct_room_to_both_and_leaves_the_group():
    ana, bia = members(2)
    direct, group = services.open_room(ana, [bia.user_id]), services.open_room(ana, [bia.user_id], title="Group")
    message_services.send(ana, direct.id, "Hi")
    users.block(bia, ana.user_id)

    for member in (ana, bia):
        for use_case in (message_services.history, services.room, lambda who, room_id: message_services.send(who, room_id, "Hi")):
            with pytest.raises(NotFound):
                use_case(member, direct.id)
        message_services.send(member, group.id, "Hi")
    with pytest.raises(NotFound):
        services.open_room(ana, [bia.user_id])


def test_rooms_are_listed_by_their_latest_conversation(world):
    ana, bia, caio, davi = members(4)
    rooms = []
    for other in (bia, caio, davi):
        world.advance(hours=1)
        rooms.append(services.open_room(ana, [other.user_id]))
    world.advance(hours=1)
    message_services.send(bia, rooms[0].id, "New")

    listed = services.rooms_page(ana, limit=10)
    assert [room.id for room in listed.items] == [rooms[0].id, rooms[2].id, rooms[1].id]
    assert [room.unread for room in listed.items] == [1, 0, 0]
    first = services.rooms_page(ana, limit=2)
    assert [room.id for room in services.rooms_page(ana, limit=2, after=first.cursors[-1]).items] == [rooms[1].id]
