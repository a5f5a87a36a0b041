"""Messages: one order, no gap, no double; history, read marks, edits, reactions."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from chat import message_services as messages
from chat import repository, services
from chat.domain import MAX_REACTIONS, MAX_TEXT, MessageRef
from goalgraph.errors import Conflict, Forbidden, Invalid, NotFound
from goalgraph.ports.live import Gone
from goalgraph.table.metering import metered
from tests.chat.world import members
from tests.fixtures import FakeClock


@pytest.fixture(autouse=True)
def world(memory_world: FakeClock) -> FakeClock:
    return memory_world


@pytest.fixture
def pair():
    return members(2)


@pytest.fixture
def room(pair):
    ana, bia = pair
    return services.open_room(ana, [bia.user_id])


def test_messages_are_numbered_without_a_gap(pair, room):
    ana, bia = pair
    sent = [messages.send((ana, bia)[n % 2], room.id, f"Message {n}") for n in range(6)]

    assert [message.seq for message in sent] == [1, 2, 3, 4, 5, 6]
    assert [message.text for message in messages.history(bia, room.id)] == [f"Message {n}" for n in range(6)]


def test_many_who_write_at_once_get_one_order_without_a_gap(pair, room):
    ana, bia = pair

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: messages.send((ana, bia)[n % 2], room.id, f"{n}"), range(80)))

    found = messages.history(ana, room.id, first=100)
    assert [message.seq for message in found] == list(range(1, 81))
    assert sorted(int(message.text) for message in found) == list(range(80))


@pytest.mark.usefixtures("dynamo_world")
def test_on_dynamodb_too_many_who_write_at_once_get_one_order():
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: messages.send((ana, bia)[n % 2], room.id, f"{n}", client_id=f"c{n % 30}"), range(60)))

    found = messages.history(ana, room.id, first=100)
    assert [message.seq for message in found] == list(range(1, len(found) + 1))
    assert {(message.sender_id, int(message.text) % 30) for message in found} == {
        (actor.user_id, n) for n in range(30) for actor in [(ana, bia)[n % 2]]
    }
    assert len(found) == 30


def test_the_same_client_id_is_the_same_message_for_its_sender(pair, room):
    ana, bia = pair
    first = messages.send(ana, room.id, "Hi", client_id="c-1")
    messages.send(bia, room.id, "Hello", client_id="c-1")

    again = messages.send(ana, room.id, "Hi", client_id="c-1")

    assert (again.id, again.text) == (first.id, "Hi")
    assert [message.text for message in messages.history(ana, room.id)] == ["Hi", "Hello"]


def test_times_never_run_backwards_in_a_room(pair, room, world):
    ana, _ = pair
    world.advance(minutes=5)
    first = messages.send(ana, room.id, "By a clock that is ahead")
    world.advance(minutes=-3)

    second = messages.send(ana, room.id, "By one that is behind")

    assert second.ts == first.ts


@pytest.mark.parametrize("text", ["", "  ", "x" * (MAX_TEXT + 1), "a\x00b", "\u202e", "\ud800", "\u200b", "x" * 10_000_000])
def test_bad_text_is_refused_and_stores_nothing(pair, room, text):
    ana, _ = pair

    with pytest.raises(Invalid) as refused:
        messages.send(ana, room.id, text)

    assert refused.value.field == "text"
    assert services.room(ana, room.id).seq == 0


@pytest.mark.parametrize("character", ["x", "é", "日", "👍"])
def test_the_longest_text_fits_whatever_it_is_made_of(pair, room, character):
    ana, bia = pair

    sent = messages.send(ana, room.id, character * MAX_TEXT)
    messages.edit(ana, sent.id, character * (MAX_TEXT - 1))

    assert messages.history(bia, room.id)[0].text == character * (MAX_TEXT - 1)


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4), count=st.integers(0, 25))
def test_history_is_read_to_its_ends_both_ways(sizes, count):
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    ids = [messages.send(ana, room.id, str(n)).id for n in range(count)]

    newer, after, turn = [], str(MessageRef(0, room.id)), 0
    while page := messages.history(bia, room.id, after=after, first=sizes[turn % len(sizes)]):
        newer += [message.id for message in page]
        after, turn = newer[-1], turn + 1
    older, before = [message.id for message in messages.history(bia, room.id, first=sizes[0])], None
    while older and older[0] != before:
        before = older[0]
        older = [message.id for message in messages.history(bia, room.id, before=before, first=sizes[-1])] + older

    assert newer == ids
    assert older == ids


@pytest.mark.parametrize("page", [{"first": 0}, {"first": 101}, {"after": "x"}, {"before": "000000000001.elsewhere"}])
def test_bad_pages_are_refused(pair, room, page):
    with pytest.raises(Invalid) as refused:
        messages.history(pair[0], room.id, **page)
    assert refused.value.field in page


def test_unread_counts_are_exact_and_marks_never_go_back(pair, room):
    ana, bia = pair
    sent = [messages.send(ana, room.id, str(n)) for n in range(5)]
    assert (services.unread_count(ana, room.id), services.unread_count(bia, room.id)) == (0, 5)

    messages.mark_read(bia, room.id, sent[2].id)
    messages.mark_read(bia, room.id, sent[0].id)
    assert services.unread_count(bia, room.id) == 2

    messages.send(bia, room.id, "Who writes has read")
    assert (services.unread_count(ana, room.id), services.unread_count(bia, room.id)) == (1, 0)
    messages.mark_read(ana, room.id)
    assert services.unread_count(ana, room.id) == 0
    with pytest.raises(Invalid):
        messages.mark_read(ana, room.id, str(MessageRef(99, room.id)))


def test_an_edit_shows_and_keeps_what_was_said(pair, room, world):
    ana, bia = pair
    sent = messages.send(ana, room.id, "Helo")
    world.advance(minutes=1)

    for _ in range(2):  # the second time changes nothing
        messages.edit(ana, sent.id, "Hello")

    (found,) = messages.history(bia, room.id)
    assert (found.text, found.state, found.edited_at, found.seq) == ("Hello", "edited", world.now(), 1)
    assert [edit.text for edit in repository.edits(ana, room.id, 1)] == ["Helo"]
    for use_case in (lambda: messages.edit(bia, sent.id, "Mine"), lambda: messages.delete(bia, sent.id)):
        with pytest.raises(Forbidden):
            use_case()


def test_a_deleted_message_leaves_its_place_without_its_text(pair, room):
    ana, bia = pair
    sent = messages.send(ana, room.id, "Oops")
    messages.react(bia, sent.id, "😮")

    for _ in range(2):
        messages.delete(ana, sent.id)

    (found,) = messages.history(bia, room.id)
    assert (found.text, found.state, found.reactions, found.seq) == ("", "deleted", {}, 1)
    assert [edit.text for edit in repository.edits(ana, room.id, 1)] == ["Oops"]
    for use_case in (lambda: messages.edit(ana, sent.id, "Back"), lambda: messages.react(bia, sent.id, "👍")):
        with pytest.raises(Conflict):
            use_case()


def test_reactions_count_each_person_once(pair, room):
    ana, bia = pair
    sent = messages.send(ana, room.id, "Done!")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: messages.react((ana, bia)[n % 2], sent.id, "🎉"), range(12)))
    assert messages.history(ana, room.id)[0].reactions == {"🎉": 2}

    for _ in range(2):
        messages.react(bia, sent.id, "🎉", remove=True)
    assert messages.history(ana, room.id)[0].reactions == {"🎉": 1}


def test_a_message_takes_so_many_different_reactions(pair, room):
    ana, _ = pair
    sent = messages.send(ana, room.id, "Hi")
    for number in range(MAX_REACTIONS):
        messages.react(ana, sent.id, chr(0x1F600 + number))

    with pytest.raises(Invalid):
        messages.react(ana, sent.id, "🎉")


def test_an_answer_names_a_message_of_the_same_room(pair, room):
    ana, bia = pair
    sent = messages.send(ana, room.id, "Shall we?")

    assert messages.send(bia, room.id, "Yes", reply_to=sent.id).reply_to == sent.id
    for reply_to in ("nonsense", str(MessageRef(9, room.id)), str(MessageRef(1, "elsewhere"))):
        with pytest.raises(Invalid):
            messages.send(bia, room.id, "Yes", reply_to=reply_to)


def test_messages_are_kept_as_long_as_the_setting_says(pair, room, world):
    ana, bia = pair
    with override_settings(CHAT_RETENTION_DAYS=7):
        messages.send(ana, room.id, "Old")
        world.advance(days=5)
        kept = messages.send(ana, room.id, "Newer")
    world.advance(days=3)

    assert [message.id for message in messages.history(bia, room.id)] == [kept.id]


def test_a_message_costs_what_the_documents_say(pair, room):
    ana, _ = pair
    messages.send(ana, room.id, "The first begins the conversation")

    def units(**fields) -> tuple[int, float]:
        with metered() as meter:
            messages.send(ana, room.id, "Hi", **fields)
        return meter.round_trips, meter.write_units

    assert units() == (3, 6)
    assert units(client_id="c-1") == (3, 8)


@pytest.fixture
def forgetful(memory_world: FakeClock) -> Iterator[None]:
    from django.conf import settings

    ports = settings.PORTS | {"table": {"BACKEND": "tests.goals.test_faults.ForgetfulTable"}}
    with override_settings(PORTS=ports):
        yield


@pytest.mark.usefixtures("forgetful")
def test_with_every_answer_lost_once_each_message_is_there_once():
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])

    sent = [messages.send(ana, room.id, str(n), client_id=f"c{n}") for n in range(5)]
    messages.edit(ana, sent[0].id, "edited")
    messages.react(bia, sent[1].id, "👍")
    messages.react(bia, sent[1].id, "👍", remove=True)
    messages.delete(ana, sent[2].id)

    found = messages.history(bia, room.id)
    assert [(message.seq, message.text) for message in found] == [(1, "edited"), (2, "1"), (3, ""), (4, "3"), (5, "4")]
    assert found[1].reactions == {}


def test_a_stream_begins_where_it_is_asked_to_and_ends_with_membership(pair, room):
    ana, bia = pair
    sent = [messages.send(ana, room.id, str(n)) for n in range(3)]

    stream = messages.follow_messages(bia, room.id, sent[0].id)

    assert (stream.after, stream.log.head()) == (1, 3)
    assert [stream.root(event).text for event in stream.log.read(1, 10)] == ["1", "2"]
    assert stream.still_allowed()
    services.leave(bia, room.id)
    assert not stream.still_allowed()
    with pytest.raises(NotFound):
        messages.follow_messages(bia, room.id)


def test_an_empty_after_is_before_the_first_message(pair, room):
    ana, bia = pair
    messages.send(ana, room.id, "First")

    stream = messages.follow_messages(bia, room.id, "")

    assert [stream.root(event).text for event in stream.log.read(stream.after, 10)] == ["First"]


def test_a_message_that_is_stored_while_the_log_is_read_is_no_gap(pair, room, monkeypatch):
    ana, bia = pair
    stream = messages.follow_messages(bia, room.id)
    asked = iter([True])

    def head_of_a_busy_room(actor, room_id):
        if next(asked, False):
            messages.send(ana, room_id, "Just now")
        return found(actor, room_id)

    found = repository.room
    monkeypatch.setattr(repository, "room", head_of_a_busy_room)

    assert [event.seq for event in stream.log.read(0, 10)] == [1]


def test_messages_that_have_expired_are_a_gap(pair, room, world):
    ana, bia = pair
    with override_settings(CHAT_RETENTION_DAYS=1):
        messages.send(ana, room.id, "Old")
    world.advance(days=2)

    with pytest.raises(Gone):
        messages.follow_messages(bia, room.id).log.read(0, 10)
