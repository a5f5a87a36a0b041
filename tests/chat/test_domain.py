"""Ids of messages and rooms."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.domain import MessageRef, direct_room_id, local_day, reaction, unread
from goalgraph.errors import Invalid
from goalgraph.ids import ID_PATTERN, is_id

ids = st.from_regex(ID_PATTERN, fullmatch=True)
seqs = st.integers(0, 10**12 - 1)


@given(room=ids, one=seqs, other=seqs)
def test_message_ids_lead_back_and_sort_as_messages_do(room, one, other):
    first, second = MessageRef(one, room), MessageRef(other, room)

    assert MessageRef.parse(str(first)) == first
    assert (str(first) < str(second)) == (one < other)


@given(text=st.one_of(st.text(max_size=200), st.tuples(st.from_regex(r"[0-9]{11,13}"), ids).map(".".join)))
def test_whatever_parses_was_well_formed(text):
    ref = MessageRef.parse(text)

    assert ref is None or (str(ref) == text and is_id(ref.room_id))


@given(one=ids, other=ids)
def test_two_people_have_one_direct_room_whoever_opens_it(one, other):
    assert direct_room_id(one, other) == direct_room_id(other, one)
    assert is_id(direct_room_id(one, other))


@given(pairs=st.lists(st.frozensets(ids, min_size=2, max_size=2), min_size=2, max_size=2, unique=True))
def test_other_people_have_another_direct_room(pairs):
    assert len({direct_room_id(*pair) for pair in pairs}) == 2


def test_a_day_is_the_members_own():
    instant = datetime(2027, 7, 1, 2, 0, tzinfo=UTC)

    assert [local_day(instant, zone).day for zone in ("America/Sao_Paulo", "UTC", "Pacific/Auckland")] == [30, 1, 1]


@given(last=st.integers(0, 100), read=st.integers(0, 100))
def test_unread_is_never_negative(last, read):
    assert unread(last, read) == max(0, last - read)


@pytest.mark.parametrize("emoji", ["👍", "❤️", "👩‍👩‍👧", "🇧🇷", ":)", "+1"])
def test_emojis_are_reactions(emoji):
    assert reaction(emoji) == emoji


@pytest.mark.parametrize("text", ["", "hello", "a b", "\x00", "x" * 17, "👍 👍", "\u200b"])
def test_words_are_no_reactions(text):
    with pytest.raises(Invalid):
        reaction(text)
