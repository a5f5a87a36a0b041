"""The index follows the offers, whatever comes twice, late or out of order, and is filled anew where it is lost."""

import io
import uuid

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from goalgraph import wiring
from goalgraph.feed.events import Event
from goalgraph.feed.registry import subscribers
from goalgraph.management.commands.doctor import _search
from goalgraph.ports.search import Filters, SearchUnavailable
from goalgraph.tasks import refill_search
from offers import indexing_services, models, states
from offers.search_handlers import HANDLERS
from tests.contracts.table_items import ON_A_FIXTURE
from tests.offers.world import published, withdrawn
from tests.streams import StreamingWorld


@pytest.fixture
def lost(memory_world, settings, tmp_path):
    """The index is on a disk of its own, and was never filled."""
    search = {"BACKEND": "goalgraph.adapters.search.tantivy.TantivySearch", "OPTIONS": {"folder": tmp_path / "search"}}
    with override_settings(PORTS=settings.PORTS | {"search": search}):
        yield tmp_path / "search"


def found(query: str) -> list[str]:
    return [hit.id for hit in wiring.search().search(query, Filters(wiring.clock().now()))]


def authored(offer_id: str, title: str = "Yoga") -> None:
    """A row of the back office, as its item in the table says."""
    now = wiring.clock().now()
    company, _ = models.Company.objects.get_or_create(name="Runwell", defaults={"created_at": now})
    models.Offer.objects.create(pk=offer_id, company=company, title=title, state=states.LIVE, created_at=now)


def test_the_feed_knows_the_subscriber():
    subscriber = subscribers()["search"]

    assert subscriber.queue == "feed-search"
    assert set(subscriber.handlers) == {"offer.published", "offer.withdrawn"}


def test_an_offer_is_found_from_its_event_on_and_no_more_when_it_is_taken_back(streaming_world: StreamingWorld):
    offer = published("Yoga")
    (event,) = streaming_world.events("offer.published")
    HANDLERS[event.type](event)
    HANDLERS[event.type](event)
    assert found("yoga") == [offer.offer_id]

    withdrawn(offer)
    (taken_back,) = streaming_world.events("offer.withdrawn")
    HANDLERS[taken_back.type](taken_back)
    HANDLERS[event.type](event)  # late, once more
    assert found("yoga") == []


@hypothesis_settings(ON_A_FIXTURE, max_examples=25)
@given(st.lists(st.booleans(), min_size=1, max_size=5), st.data())
def test_in_any_order_the_newest_revision_is_what_stays(streaming_world: StreamingWorld, revisions, data):
    """Each revision is either published or taken back. Their events come in any order, some twice, and anywhere between the writes."""
    id = uuid.uuid4().hex  # a new one also where an example is played again
    waiting: list[Event] = []
    for rev, live in enumerate(revisions, start=1):
        offer = published(f"Word{id}{'abcdef'[rev]}", offer_id=id, rev=rev)
        if not live:
            offer.rev = rev - 1
            withdrawn(offer)
        waiting = [event for event in streaming_world.events("offer.published", "offer.withdrawn") if event.data["offerId"] == id]
        for event in data.draw(st.lists(st.sampled_from(waiting), max_size=2)):
            HANDLERS[event.type](event)
    for event in data.draw(st.permutations(waiting)):
        HANDLERS[event.type](event)

    assert found(f"word{id}{'abcdef'[len(revisions)]}") == ([id] if revisions[-1] else [])


@pytest.mark.django_db
def test_an_index_that_is_lost_is_filled_from_the_offers(lost):
    kept, gone, mark = published("Yoga one"), published("Yoga two"), published("Yoga three")
    for offer in (kept, gone, mark):
        authored(offer.offer_id)
    authored("never-published")
    withdrawn(gone)
    indexing_services.index(kept.offer_id)  # nowhere, and that is no error
    assert not indexing_services.is_complete()

    refill_search()

    assert indexing_services.is_complete()
    assert set(found("yoga")) == {kept.offer_id, mark.offer_id}


@pytest.mark.django_db
def test_an_index_that_is_complete_is_left_alone(lost):
    offer = published("Yoga")
    refill_search()
    authored(offer.offer_id)

    refill_search()

    assert found("yoga") == []


@pytest.mark.django_db
def test_the_command_fills_the_index_and_tells_how_many(lost):
    for number in range(3):
        authored(published(f"Yoga {number}").offer_id)
    said = io.StringIO()

    call_command("rebuild_search", stdout=said)

    assert "3 offers" in said.getvalue()
    assert len(found("yoga")) == 3
    call_command("rebuild_search", "--if-lost", stdout=said)
    assert "complete" in said.getvalue()


def test_a_command_that_cannot_fill_says_why(memory_world, settings, tmp_path):
    (tmp_path / "file").write_text("no folder")
    search = {"BACKEND": "goalgraph.adapters.search.tantivy.TantivySearch", "OPTIONS": {"folder": tmp_path / "file" / "search"}}
    with override_settings(PORTS=settings.PORTS | {"search": search}):
        with pytest.raises(CommandError, match="not filled"):
            call_command("rebuild_search")
        with pytest.raises(SearchUnavailable):  # the task comes again
            indexing_services.index(published("Yoga").offer_id)


@pytest.mark.django_db
def test_the_doctor_says_how_the_index_is(lost):
    assert [finding.level for finding in _search()] == ["warn"]

    refill_search()

    assert [finding.level for finding in _search()] == ["ok"]
    with override_settings(PORTS={"search": {"BACKEND": "goalgraph.adapters.search.opensearch.OpenSearch", "OPTIONS": AWAY}}):
        assert [finding.level for finding in _search()] == ["fail"]


AWAY = {"url": "http://127.0.0.1:1", "name": "gg-offers"}
