"""Searching for offers as a member does it: what is found, in which order, page by page, and what is not to be found."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from django.conf import settings
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from goalgraph import wiring
from goalgraph.auth.actor import PREMIUM, Actor
from goalgraph.errors import Invalid, RateLimited
from goalgraph.graphql.context import Context
from goalgraph.graphql.schema import schema
from goalgraph.table.cursors import InvalidCursor
from offers import feed_services, indexing_services, link_services, search_services
from offers.items import Offer
from tests.contracts.table_items import ON_A_FIXTURE
from tests.fixtures import FakeClock, new_user
from tests.offers.world import published, runner, withdrawn
from users import services as users

pytestmark = pytest.mark.usefixtures("memory_world")


@pytest.fixture
def ana() -> Actor:
    return runner(new_user())


def offered(title: str, **more: object) -> Offer:
    """Published, and known to the index."""
    offer = published(title, **more)
    indexing_services.index(offer.offer_id)
    return offer


def titles(actor: Actor, query: str, **more: object) -> list[str]:
    page = search_services.search_offers(actor, query, **({"limit": 100} | more))
    return [served.offer.title for served in page.items]


def test_an_offer_is_found_by_its_title_tags_text_and_company_with_a_reason(ana):
    offered("Shoes", tags=("trail-running",), body="For the mountains.", company_name="Runwell", language="en")
    offered("Chess", tags=(), body="", company_name="Lingua", company_id="lingua")

    for query in ("shoe", "SHOES", "shoos", "trail running", "mountain", "runwell"):
        assert titles(ana, query) == ["Shoes"], query
    (served,) = search_services.search_offers(ana, "chess", limit=1).items
    assert served.why


def test_words_are_read_in_the_languages_of_members(ana):
    users.upsert_profile(ana, {"language": "pt-BR"})
    offered("Curso de inglês para iniciantes", language="pt-BR", tags=())
    offered("Clases de conversación", language="es", tags=())

    assert titles(ana, "cursos ingles") == ["Curso de inglês para iniciantes"]
    assert titles(ana, "clase conversaciones") == ["Clases de conversación"]


def test_the_language_of_the_profile_goes_first(ana):
    offered("Animal", language="es", tags=())
    offered("Animal!", language="pt-BR", tags=())

    users.upsert_profile(ana, {"language": "es"})
    assert titles(ana, "animal") == ["Animal", "Animal!"]
    users.upsert_profile(ana, {"language": "pt-BR"})
    assert titles(ana, "animal") == ["Animal!", "Animal"]


def test_what_is_for_premium_members_is_for_them_alone(ana):
    now = wiring.clock().now()
    offered("Yoga for all")
    offered("Yoga for premium", tier="premium")
    offered("Yoga early", public_from=now + timedelta(days=2))

    assert titles(ana, "yoga") == ["Yoga for all"]
    premium = {"Yoga for all", "Yoga for premium", "Yoga early"}
    assert set(titles(replace(ana, tier=PREMIUM), "yoga")) == premium
    assert set(titles(replace(ana, entitlements=frozenset({"premium_offers", "early_access"})), "yoga")) == premium


def test_time_brings_and_takes_offers(ana, memory_world: FakeClock):
    now = memory_world.now()
    offered("Yoga now", valid_to=now + timedelta(days=1))
    offered("Yoga soon", valid_from=now + timedelta(days=2), public_from=now + timedelta(days=2))

    assert titles(ana, "yoga") == ["Yoga now"]
    memory_world.advance(days=2)
    assert titles(ana, "yoga") == ["Yoga soon"]


def test_a_hidden_company_is_not_found(ana):
    offered("Yoga")
    offered("Yoga elsewhere", company_id="lingua")

    feed_services.hide_company(ana, "runwell")

    assert titles(ana, "yoga") == ["Yoga elsewhere"]


def test_what_rests_is_not_found_and_opens_by_its_id(ana):
    """Its day's clicks are made, or the member saw it as often as they may today."""
    rests, tired = offered("Yoga rests", pace=0), offered("Yoga tired")
    offered("Yoga")
    assert set(titles(ana, "yoga")) == {"Yoga", "Yoga tired"}
    for _ in range(settings.OFFER_VIEWS_PER_DAY):
        token = link_services.view_url(ana, tired.offer_id, link_services.new_link_id()).rpartition("/")[2].removesuffix(".gif")
        assert link_services.see(link_services.read(token, "view"))

    assert titles(ana, "yoga") == ["Yoga"]
    assert set(titles(runner(new_user()), "yoga")) == {"Yoga", "Yoga tired"}
    assert [feed_services.offer(ana, each.offer_id).offer.title for each in (rests, tired)] == ["Yoga rests", "Yoga tired"]


def test_the_table_decides_what_is_so_now(ana):
    """The index lags behind: one offer was taken back, one has another title by now."""
    gone, renamed = offered("Yoga one"), offered("Yoga two")
    withdrawn(gone)
    published("Chess", offer_id=renamed.offer_id, rev=2)

    assert titles(ana, "yoga") == ["Chess"]


def test_offers_that_are_gone_make_room_for_the_next(ana):
    found = [offered(f"Yoga {letter}") for letter in "abcd"]
    withdrawn(found[0])
    withdrawn(found[1])

    page = search_services.search_offers(ana, "yoga", limit=2)

    assert [served.offer.title for served in page.items] == ["Yoga c", "Yoga d"]
    assert not page.has_more


def test_nothing_is_found_in_a_tenant(ana):
    offered("Yoga")

    assert titles(runner(replace(new_user(), tenant_id="acme")), "yoga") == []


@pytest.mark.parametrize("query", ["", "   ", "x" * 201, "a\x00b", "\u202eyoga"])
def test_what_is_no_query_is_refused(ana, query):
    with pytest.raises(Invalid) as refused:
        search_services.search_offers(ana, query, limit=10)
    assert refused.value.field == "query"


def test_a_query_without_words_finds_nothing(ana):
    offered("Yoga")

    assert titles(ana, "!?") == []
    assert titles(ana, "x" * 200) == []


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_pages_are_one_list_in_both_directions(ana, size):
    for number in range(7):
        offered(f"Yoga {number}")
    whole = titles(ana, "yoga")
    assert len(whole) == 7

    forward, after, more = [], None, True
    while more:
        page = search_services.search_offers(ana, "yoga", limit=size, after=after)
        forward += [served.offer.title for served in page.items]
        after, more = page.cursors[-1], page.has_more
    assert forward == whole

    backward, before, more = [], None, True
    while more:
        page = search_services.search_offers(ana, "yoga", limit=size, after=before, forward=False)
        backward += [served.offer.title for served in page.items]
        before, more = page.cursors[-1], page.has_more
    assert backward == whole[::-1]


def test_a_cursor_is_good_for_its_search_and_its_member(ana):
    offered("Yoga")
    (cursor,) = search_services.search_offers(ana, "yoga", limit=1).cursors

    for actor, query, given_ in ((ana, "yoga mats", cursor), (new_user(), "yoga", cursor), (ana, "yoga", "1"), (ana, "yoga", "x" * 5000)):
        with pytest.raises(InvalidCursor):
            search_services.search_offers(actor, query, limit=1, after=given_)
    assert titles(ana, "yoga", after=cursor) == []


@ON_A_FIXTURE
@given(st.text(min_size=1, max_size=40))
def test_any_query_is_answered_or_refused(ana, query):
    with suppress(Invalid):
        search_services.search_offers(ana, query, limit=5)


def test_while_the_index_is_away_a_member_is_asked_to_come_again(ana, tmp_path):
    offered("Yoga")
    lost = {"BACKEND": "goalgraph.adapters.search.tantivy.TantivySearch", "OPTIONS": {"folder": tmp_path / "lost"}}
    table, clock = wiring.table_adapter(), wiring.clock()

    with override_settings(PORTS=settings.PORTS | {"search": lost}):
        assert wiring.table_adapter() is not table  # another world, in which it does not matter what stands in the table
        assert wiring.clock() is not clock
        with pytest.raises(RateLimited) as refused:
            search_services.search_offers(new_user(), "yoga", limit=10)
    assert refused.value.retry_after > 0


DOCUMENT = """query($query: String!, $first: Int, $after: String) {
  searchOffers(query: $query, first: $first, after: $after) {
    edges { cursor node { id title url impressionUrl whyThis company { name } } } pageInfo { hasNextPage endCursor }
  }
}"""


def test_it_is_a_connection_of_the_api(ana):
    for number in range(3):
        offered(f"Yoga {number}")

    answer = schema.execute(DOCUMENT, variable_values={"query": "yoga", "first": 2}, context_value=Context(ana))
    assert answer.errors is None
    found = answer.data["searchOffers"]
    assert len(found["edges"]) == 2
    assert all(edge["node"]["url"] and edge["node"]["impressionUrl"] and edge["node"]["whyThis"] for edge in found["edges"])
    assert found["pageInfo"]["hasNextPage"]

    rest = {"query": "yoga", "after": found["pageInfo"]["endCursor"]}
    answer = schema.execute(DOCUMENT, variable_values=rest, context_value=Context(ana))
    assert len(answer.data["searchOffers"]["edges"]) == 1
    assert not answer.data["searchOffers"]["pageInfo"]["hasNextPage"]
