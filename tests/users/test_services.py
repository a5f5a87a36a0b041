"""Members: profiles, who sees whom, blocks."""

import contextlib
from dataclasses import replace
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goalgraph import wiring
from goalgraph.errors import GoalGraphError, Invalid, NotFound
from goalgraph.ids import is_id
from tests.fixtures import new_user
from users import services

pytestmark = pytest.mark.usefixtures("memory_world")


def test_a_member_without_a_stored_profile_has_an_empty_one(actor):
    me = services.me(actor)

    assert (me.id, me.nickname, list(me.tags), me.timezone, me.visibility, me.tier) == (actor.user_id, None, [], "UTC", "public", "free")


def test_a_field_left_out_stays_and_a_null_clears(actor):
    services.upsert_profile(actor, {"nickname": "Ana", "bio": "Hi\nthere", "tags": ["Running"], "timezone": "America/Sao_Paulo"})

    profile = services.upsert_profile(actor, {"bio": None, "timezone": None, "pronouns": "she/her"})

    assert (profile.nickname, profile.bio, profile.pronouns, profile.timezone) == ("Ana", None, "she/her", "UTC")
    assert list(services.me(actor).tags) == ["running"]


def test_tags_become_slugs_without_doubles(actor):
    profile = services.upsert_profile(actor, {"tags": ["Saúde Mental", "saude-mental", "5 km", "C_3"]})

    assert profile.tags == ["saude-mental", "5-km", "c-3"]


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("nickname", "x" * 51, "nickname"),
        ("nickname", "", "nickname"),
        ("nickname", " \u200b\u200b ", "nickname"),
        ("nickname", "a\x00b", "nickname"),
        ("nickname", "a\nb", "nickname"),
        ("nickname", "\u202eevil", "nickname"),
        ("bio", "x" * 1001, "bio"),
        ("bio", "bell\x07", "bio"),
        ("tags", ["a"] * 21, "tags"),
        ("tags", ["x" * 41], "tags"),
        ("tags", ["no#hash"], "tags"),
        ("tags", ["日本"], "tags"),
        ("tags", [""], "tags"),
        ("language", "english please", "language"),
        ("timezone", "Mars/Olympus", "timezone"),
        ("timezone", "../../etc/passwd", "timezone"),
        ("visibility", "secret", "visibility"),
        ("avatar_url", "javascript:alert(1)", "avatarUrl"),
        ("avatar_url", "http://example.com/a.png", "avatarUrl"),
        ("avatar_url", "https://user:pw@example.com/a.png", "avatarUrl"),
        ("avatar_url", "https://exa mple.com/", "avatarUrl"),
        ("avatar_url", "https://[::1", "avatarUrl"),
        ("avatar_url", "https://example.com/" + "x" * 2048, "avatarUrl"),
        ("shoe_size", "43", "shoe_size"),
    ],
)
def test_bad_input_names_its_field_and_changes_nothing(actor, field, value, named):
    services.upsert_profile(actor, {"nickname": "Ana", "tags": ["running"]})

    with pytest.raises(Invalid) as refused:
        services.upsert_profile(actor, {"pronouns": "changed", field: value})

    assert refused.value.field == named
    me = services.me(actor)
    assert (me.nickname, me.pronouns, list(me.tags)) == ("Ana", None, ["running"])


@given(text=st.text(max_size=60))
def test_any_text_is_stored_as_shown_or_refused(text):
    actor = new_user()
    stored = None
    with contextlib.suppress(Invalid):
        stored = services.upsert_profile(actor, {"nickname": text}).nickname

    assert services.me(actor).nickname == stored
    if stored is not None:
        assert stored == stored.strip()
        assert 1 <= len(stored) <= 50
        assert not any(category(char) in {"Cc", "Cs", "Cn", "Co"} or char in "\u202a\u202e\u2066" for char in stored)
        assert any(category(char)[0] in "LNPS" for char in stored)


def test_a_new_profile_has_the_tier_of_its_member_and_an_old_one_what_billing_projected():
    premium = new_user(tier="premium")
    assert services.upsert_profile(premium, {"nickname": "P"}).tier == "premium"
    assert services.user(new_user(), premium.user_id).tier == "premium"

    now_free = replace(premium, tier="free")
    assert services.upsert_profile(now_free, {"nickname": "F"}).tier == "free"
    assert services.user(new_user(), premium.user_id).tier == "premium"


def test_who_is_absent_private_or_blocked_looks_the_same(actor):
    private, blocking, blocked = new_user(), new_user(), new_user()
    services.upsert_profile(private, {"nickname": "P", "visibility": "private"})
    for other in (blocking, blocked):
        services.upsert_profile(other, {"nickname": "B"})
    services.block(blocking, actor.user_id)
    services.block(actor, blocked.user_id)

    refusals = []
    for user_id in ("nobody", private.user_id, blocking.user_id, blocked.user_id, "a#b", "\x00", "", "x" * 10_000_000):
        with pytest.raises(NotFound) as refused:
            services.user(actor, user_id)
        refusals.append((refused.value.code, refused.value.message, refused.value.field))
    assert len(set(refusals)) == 1


def test_a_block_works_both_ways_at_once_and_can_be_taken_back(actor):
    other = new_user()
    for member in (actor, other):
        services.upsert_profile(member, {"nickname": "N"})
    services.block(actor, other.user_id)
    services.block(actor, other.user_id)
    assert [block.other_id for block in services.blocks(actor, limit=10).items] == [other.user_id]

    services.unblock(actor, other.user_id)
    services.unblock(actor, other.user_id)

    assert services.user(actor, other.user_id).nickname == services.user(other, actor.user_id).nickname == "N"


def test_nobody_blocks_themselves(actor):
    with pytest.raises(Invalid):
        services.block(actor, actor.user_id)


@given(user_id=st.text(max_size=200).filter(lambda value: not is_id(value)))
def test_no_malformed_id_reaches_the_table(user_id):
    actor = new_user()
    for use_case in (services.user, services.block, services.unblock):
        with pytest.raises(GoalGraphError) as refused:
            use_case(actor, user_id)
        assert refused.value.code == "NOT_FOUND"


def test_tenants_do_not_see_each_other():
    here, there = new_user(tenant_id="acme"), new_user(tenant_id="globex")
    services.upsert_profile(here, {"nickname": "Here"})

    with pytest.raises(NotFound):
        services.user(there, here.user_id)
    assert services.user(new_user(tenant_id="acme"), here.user_id).nickname == "Here"


def test_a_block_has_both_asked_again_what_they_may_follow(actor):
    other = new_user()

    services.block(actor, other.user_id)

    assert wiring.live().reconsidered == [{actor.user_id, other.user_id}]
