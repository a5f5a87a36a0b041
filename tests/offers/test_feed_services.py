"""The feed as a member meets it: what is in it, in which order, why, and that its pages are one list whatever moves meanwhile."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from goalgraph.auth.actor import PREMIUM, Actor
from goalgraph.errors import Invalid, NotFound
from goalgraph.table import keys, table
from goalgraph.table.cursors import MAX_LENGTH, InvalidCursor
from goalgraph.table.dynamodb import DynamoTable
from goalgraph.table.metering import metered
from goals import services as goals
from offers import feed_cursors, feed_services, link_services
from offers.feed_cursors import MAX_FEED, Place
from offers.feed_services import Served
from offers.items import Offer
from tests.contracts.table_items import ON_A_FIXTURE
from tests.fixtures import FakeClock, new_user
from tests.offers.world import forget_edges, published, runner, withdrawn
from users import services as users

pytestmark = pytest.mark.usefixtures("memory_world")


@pytest.fixture
def ana() -> Actor:
    return runner(new_user())


def feed(actor: Actor, limit: int = 100) -> list[Served]:
    return feed_services.offer_feed(actor, limit=limit).items


def titles(found: list[Served]) -> list[str]:
    return [served.offer.title for served in found]


def pages(actor: Actor, size: int, between=lambda: None) -> list[list[Served]]:
    """All pages of one feed; `between` happens before each further one."""
    found, cursor = [], None
    while True:
        page = feed_services.offer_feed(actor, limit=size, after=cursor)
        found.append(page.items)
        if not page.has_more:
            return found
        cursor = page.cursors[-1]
        between()


def see(actor: Actor, offer: Offer, times: int) -> None:
    for _ in range(times):
        token = link_services.view_url(actor, offer.offer_id, link_services.new_link_id()).rpartition("/")[2].removesuffix(".gif")
        assert link_services.see(link_services.read(token, "view"))


# What is in it -----------------------------------------------------------------------------------------------------------------------


def test_the_matching_goal_brings_the_offer_with_its_reason(ana: Actor) -> None:
    published("Shoes")
    published("Grammar", ("spanish",))

    (served,) = feed(ana)

    assert served.offer.title == "Shoes"
    assert served.why == "Because your goal “Run a half marathon” is about running."


@pytest.mark.parametrize(
    ("language", "why"),
    [
        ("pt-BR", "Porque a sua meta “Run a half marathon” é sobre running."),
        ("es", "Porque tu meta “Run a half marathon” trata de running."),
        ("de", "Because your goal “Run a half marathon” is about running."),
    ],
)
def test_the_reason_is_in_the_members_language(language: str, why: str) -> None:
    ana = runner(new_user(), language=language)
    published()

    assert [served.why for served in feed(ana)] == [why]


def test_a_profiles_tag_and_a_kind_of_goal_bring_offers_too() -> None:
    ana = new_user()
    users.upsert_profile(ana, {"nickname": "Ana", "tags": ["chess"]})
    goals.create_goal(ana, {"title": "Swimming", "tags": ["pool"]})
    published("Watch", ("watches",), goal_kinds=["fitness"], company_id="a")
    published("Board", ("chess",), company_id="b")

    assert [served.why for served in feed(ana)] == [
        "Because chess is on your profile.",
        "Because your goal “Swimming” is about fitness.",
    ]


def test_an_archived_goal_counts_no_more(ana: Actor) -> None:
    published()
    goals.archive_goal(ana, goals.goals_of(ana, ana.user_id)[0].id)

    assert feed(ana) == []


def test_what_fits_better_comes_first() -> None:
    ana = runner(new_user(), tags=("running", "marathon"), language="en")
    published("Half", ("running",), company_id="a")
    published("Whole", ("running", "marathon"), company_id="b")
    published("Foreign", ("running", "marathon"), company_id="c", language="de")
    published("Slowed", ("running",), company_id="d", pace=0.25)

    assert titles(feed(ana)) == ["Whole", "Half", "Foreign", "Slowed"]


def test_an_offer_without_pace_rests(ana: Actor) -> None:
    published(pace=0)

    assert feed(ana) == []


def test_withdrawn_and_ended_offers_never_appear(ana: Actor, memory_world: FakeClock) -> None:
    gone, kept = published("Gone"), published("Kept")
    ended = published("Ended", valid_to=memory_world.now() + timedelta(hours=1))
    withdrawn(gone, edges_stay=True)
    memory_world.advance(hours=1)

    assert titles(feed(ana)) == ["Kept"]
    assert feed_services.offer(ana, kept.offer_id).offer.title == "Kept"
    for offer in (gone, ended):
        with pytest.raises(NotFound):
            feed_services.offer(ana, offer.offer_id)
        assert feed_services.served(ana, [offer if offer is ended else None]) == []


def test_edges_may_lag_behind_but_offers_do_not(ana: Actor) -> None:
    """An edge that this process still keeps leads to an offer that says otherwise by now: it does not fill the page with holes."""
    offers = [published(f"Offer {number}", company_id=f"c{number}") for number in range(4)]
    assert len(feed(ana)) == 4
    withdrawn(offers[0], edges_stay=True)

    page = feed_services.offer_feed(ana, limit=3)

    assert titles(page.items) == ["Offer 1", "Offer 2", "Offer 3"]
    assert not page.has_more


def test_premium_offers_are_for_premium_members_even_by_a_guessed_id(ana: Actor) -> None:
    offer = published("Gold", tier="premium")
    gold = replace(ana, tier=PREMIUM)

    assert (titles(feed(ana)), titles(feed_services.offers(ana, ["running"]))) == ([], [])
    assert feed_services.served(ana, [offer]) == []
    with pytest.raises(NotFound):
        feed_services.offer(ana, offer.offer_id)
    assert titles(feed(gold)) == titles(feed_services.offers(gold)) == ["Gold"]
    assert feed_services.offer(gold, offer.offer_id).why


def test_premium_members_see_offers_first(ana: Actor, memory_world: FakeClock) -> None:
    offer = published("New", public_from=memory_world.now() + timedelta(days=2))
    gold = replace(ana, tier=PREMIUM)

    assert (titles(feed(ana)), titles(feed(gold))) == ([], ["New"])
    with pytest.raises(NotFound):
        feed_services.offer(ana, offer.offer_id)
    memory_world.advance(days=2)
    assert titles(feed(ana)) == ["New"]


def test_what_has_not_begun_is_nobodys(ana: Actor, memory_world: FakeClock) -> None:
    published("Soon", valid_from=memory_world.now() + timedelta(days=1))

    assert feed(replace(ana, tier=PREMIUM)) == []


def test_a_tenants_members_have_a_feed_of_their_own_and_nothing_is_in_it() -> None:
    offer = published()
    ana = runner(new_user(tenant_id="acme"))

    assert feed(ana) == feed_services.offers(ana, ["running"]) == []
    with pytest.raises(NotFound):
        feed_services.offer(ana, offer.offer_id)


@pytest.mark.parametrize("offer_id", ["", "a#b", "OFFER#x", "x" * 300, "nothing"])
def test_an_id_of_nothing_is_not_found(ana: Actor, offer_id: str) -> None:
    with pytest.raises(NotFound):
        feed_services.offer(ana, offer_id)


# Lists by tags -----------------------------------------------------------------------------------------------------------------------


def test_offers_by_tags_and_by_ones_own(ana: Actor) -> None:
    published("Shoes")
    published("Grammar", ("spanish",))

    assert titles(feed_services.offers(ana)) == titles(feed_services.offers(ana, [])) == ["Shoes"]
    (served,) = feed_services.offers(ana, [" Spanish "])
    assert (served.offer.title, served.why) == ("Grammar", "Because you asked for spanish.")
    assert feed_services.offers(ana, ["chess"]) == []


def test_who_asks_for_a_tag_gets_all_of_a_company_the_spread_ones_first(ana: Actor) -> None:
    for number in range(4):
        published(f"Runwell {number}")

    assert len(feed_services.offers(ana, ["running"])) == 4
    assert len(feed(ana)) == 2


@pytest.mark.parametrize("tags", [["a#b"], [None], [""], ["x" * 50], [f"t{n}" for n in range(21)]])
def test_tags_are_checked(ana: Actor, tags: list[str | None]) -> None:
    with pytest.raises(Invalid):
        feed_services.offers(ana, tags)


def test_search_hits_keep_their_order_and_get_a_reason(ana: Actor) -> None:
    grammar, shoes = published("Grammar", ("spanish",)), published("Shoes")

    found = feed_services.served(ana, [grammar, None, shoes])

    assert [(served.offer.title, served.why) for served in found] == [
        ("Grammar", "Because it is what you searched for."),
        ("Shoes", "Because your goal “Run a half marathon” is about running."),
    ]


# What a member wants to see less of --------------------------------------------------------------------------------------------------


def test_a_hidden_company_is_gone_everywhere_until_it_is_taken_back(ana: Actor) -> None:
    offer = published()
    published("Track", company_id="lingua")
    for _ in range(2):
        feed_services.hide_company(ana, "runwell")

    assert titles(feed(ana)) == titles(feed_services.offers(ana, ["running"])) == ["Track"]
    assert feed_services.served(ana, [offer]) == []
    assert feed_services.hidden_companies(ana) == ["runwell"]
    assert len(feed(runner(new_user()))) == 2

    for _ in range(2):
        feed_services.unhide_company(ana, "runwell")
    assert len(feed(ana)) == 2


@pytest.mark.parametrize("company_id", ["nobody", "a#b", ""])
def test_only_a_company_with_offers_can_be_hidden(ana: Actor, company_id: str) -> None:
    with pytest.raises(NotFound):
        feed_services.hide_company(ana, company_id)
    feed_services.unhide_company(ana, company_id)


def test_an_offer_that_was_seen_enough_today_rests_until_the_members_tomorrow(memory_world: FakeClock) -> None:
    ana = runner(new_user(), timezone="Asia/Tokyo")  # 21:00 there
    tired, fresh = published("Tired", company_id="a"), published("Fresh", company_id="b")
    see(ana, tired, 2)
    assert len(feed(ana)) == 2
    see(ana, tired, 1)

    assert titles(feed(ana)) == ["Fresh"]
    memory_world.advance(hours=2, minutes=59)
    assert titles(feed(ana)) == ["Fresh"]
    memory_world.advance(minutes=1)
    assert sorted(titles(feed(ana))) == ["Fresh", "Tired"]
    assert len(feed(runner(new_user()))) == 2
    assert fresh.offer_id != tired.offer_id


# Pages -------------------------------------------------------------------------------------------------------------------------------


def many(count: int = 12) -> list[Offer]:
    return [published(f"Offer {number:02}", company_id=f"c{number}") for number in range(count)]


@pytest.mark.parametrize("size", [1, 5, 11, 12, 13])
def test_pages_of_any_size_are_one_list(ana: Actor, size: int) -> None:
    many()
    whole = titles(feed(ana))

    found = pages(ana, size)

    assert [title for page in found for title in titles(page)] == whole
    assert all(len(page) == size for page in found[:-1])


def test_the_last_pages_backward_are_the_list_backward(ana: Actor) -> None:
    many()
    whole = feed_services.offer_feed(ana, limit=100)
    names = titles(whole.items)

    last = feed_services.offer_feed(ana, limit=5, forward=False)
    before = feed_services.offer_feed(ana, limit=100, after=last.cursors[-1], forward=False)

    assert titles(last.items) == names[:-6:-1]
    assert last.has_more
    assert titles(before.items) == names[-6::-1]
    assert not before.has_more
    assert titles(feed_services.offer_feed(ana, limit=100, after=whole.cursors[3], forward=False).items) == names[2::-1]


@settings(parent=ON_A_FIXTURE, max_examples=25)
@given(st.data())
def test_whatever_moves_between_pages_nothing_repeats_and_nothing_that_stays_is_skipped(data: st.DataObject) -> None:
    tag = new_user().user_id
    ana = runner(new_user(), tags=(tag, f"{tag}-b"))
    offers = {o.offer_id: o for o in (published(f"{n}", (tag,), company_id=f"c{n}-{tag}") for n in range(data.draw(st.integers(1, 9))))}
    begun, gone = set(offers), set()

    def move() -> None:
        offer = offers[data.draw(st.sampled_from(sorted(offers)))]
        match data.draw(st.sampled_from(["nothing", "pace", "tags", "withdraw", "publish", "goal", "seen"])):
            case "pace":
                offers[offer.offer_id] = again(offer, pace=data.draw(st.sampled_from([0.25, 0.5, 1.0])))
            case "tags":
                offers[offer.offer_id] = again(offer, tags=[tag, f"{tag}-b"])
            case "withdraw":
                withdrawn(offer, edges_stay=data.draw(st.booleans()))
                gone.add(offer.offer_id)
            case "publish":
                new = published("new", (tag,), company_id=f"new-{tag}-{len(offers)}")
                offers[new.offer_id] = new
            case "goal" if len(goals.goals_of(ana, ana.user_id)) < 5:
                goals.create_goal(ana, {"title": "More", "tags": [f"{tag}-b"]})
            case "seen" if offer.offer_id not in gone and offer.offer_id in met:
                see(ana, offer, 3)

    def again(offer: Offer, **changes: object) -> Offer:
        if offer.offer_id in gone:
            return offer
        facts = {name: value for name, value in offer.attribute_values.items() if name not in stamps and name not in ("title", "tags")}
        facts |= {"rev": int(offer.rev) + 1, **{name: value for name, value in changes.items() if name != "tags"}}
        return published(offer.title, tuple(changes.get("tags", offer.tags)), **facts)  # type: ignore[arg-type]

    stamps = {"type", "created_at", "updated_at", "owner_id", "actor_id", "trace_id", "write_id", "version", "ttl", "premium"}
    met: list[str] = []
    cursor, more = None, True
    while more:
        page = feed_services.offer_feed(ana, limit=data.draw(st.integers(1, 4)), after=cursor)
        met += [served.offer.offer_id for served in page.items]
        more = page.has_more and bool(page.cursors)
        if more:
            cursor = page.cursors[-1]
            move()

    assert len(set(met)) == len(met)
    assert begun - gone <= set(met)


def test_a_cursor_is_its_members_alone_and_cannot_be_made(ana: Actor) -> None:
    many(3)
    cursor = feed_services.offer_feed(ana, limit=1).cursors[0]
    for actor, given_ in ((new_user(), cursor), (ana, cursor[:-1]), (ana, "x"), (ana, ""), (ana, "x" * 5000), (ana, f"{cursor}:x")):
        with pytest.raises(InvalidCursor):
            feed_services.offer_feed(actor, limit=1, after=given_)


@given(st.lists(st.uuids().map(str), max_size=MAX_FEED))
def test_a_cursor_of_the_longest_feed_is_short_enough_and_says_what_it_was_made_of(ids: list[str]) -> None:
    actor = new_user()
    place = Place(feed_cursors.datetime(2027, 7, 1, tzinfo=feed_cursors.UTC))
    for behind in place.behind(ids):
        place = behind

    cursor = feed_cursors.encode(actor, place)

    assert len(cursor) <= MAX_LENGTH
    assert feed_cursors.decode(actor, cursor) == place
    assert list(place.marks()) == [feed_cursors.mark(each) for each in ids]


def test_a_feed_ends_where_a_cursor_would_grow_too_long(ana: Actor) -> None:
    for number in range(MAX_FEED + 5):
        published(f"{number}", ("running",) if number < 150 else ("health",), company_id=f"c{number}")
    goals.create_goal(ana, {"title": "Rest", "tags": ["health"]})

    assert sum(map(len, pages(ana, 90))) == MAX_FEED


# What it costs -----------------------------------------------------------------------------------------------------------------------


def test_a_popular_tag_is_read_once_in_a_while_by_all_members_together(ana: Actor) -> None:
    published()
    carla = runner(new_user())
    with metered() as cold:
        feed(ana)
    with metered() as warm:
        feed(carla)

    assert (cold.round_trips, warm.round_trips) == (7, 5)  # the edges of `running` and of its kind


def test_kept_edges_are_at_most_so_old(ana: Actor, memory_world: FakeClock) -> None:
    published("Old", company_id="a")
    feed(ana)
    edge = table(ana).query(keys.offers_tagged("running")).items[0].copy()
    table(ana).delete(edge.key())

    assert titles(feed(ana)) == ["Old"]
    memory_world.advance(seconds=4.9)
    assert titles(feed(ana)) == ["Old"]
    memory_world.advance(seconds=0.1)
    assert feed(ana) == []


def test_edges_need_not_be_kept(ana: Actor) -> None:
    with override_settings(OFFER_EDGES_SECONDS=0):
        offer = published()
        feed(ana)
        table(ana).delete(keys.tag_edge("running", offer.offer_id))
        assert feed(ana) == []
    forget_edges()


def test_how_many_tags_one_looks_under_is_bounded(ana: Actor) -> None:
    for number in range(3):
        goals.create_goal(ana, {"title": f"Goal {number}", "tags": [f"tag-{number}-{tag}" for tag in range(10)]})
    with metered() as meter:
        feed(ana)

    assert meter.round_trips <= 4 + 24 + 1


def test_on_dynamodb_the_feed_is_the_same(dynamo_world: DynamoTable) -> None:
    ana = runner(new_user())
    offers = many(5)
    withdrawn(offers[0], edges_stay=True)
    feed_services.hide_company(ana, "c1")

    assert sorted(title for page in pages(ana, 2) for title in titles(page)) == ["Offer 02", "Offer 03", "Offer 04"]
