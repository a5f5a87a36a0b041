"""What the OpenSearch adapter asks for, seen by a server that answers as OpenSearch documents it (`opensearch_fake.py`)."""

from collections.abc import Iterator

import pytest

from goalgraph.adapters.search.opensearch import FILLING_SECONDS, OpenSearch
from goalgraph.ports.search import Document, SearchUnavailable
from tests.contracts.test_search import ANYBODY, document, found
from tests.goalgraph.adapters.search.opensearch_fake import FakeOpenSearch


@pytest.fixture
def server() -> Iterator[FakeOpenSearch]:
    with FakeOpenSearch() as server:
        yield server


@pytest.fixture
def index(server: FakeOpenSearch) -> OpenSearch:
    index = OpenSearch(url=server.url, name="gg-offers")
    index.fill(())
    return index


def test_a_filling_leaves_one_index_behind_the_alias(server, index):
    index.fill([document("a", "Yoga")])
    index.fill([document("b", "Yoga")])

    assert [found.aliases for found in server.indices.values()] == [{"gg-offers"}]


@pytest.mark.parametrize("longer", ["gg-offers-test", "gg-offers-building", "gg-offers-0123456789ab"])
def test_installations_with_alike_names_leave_each_other_alone(server, index, longer):
    """They share a domain, and one's name begins like the other's."""
    index.fill([document("a", "Yoga")])
    other = OpenSearch(url=server.url, name=longer)

    def documents() -> Iterator[Document]:
        yield document("b", "Yoga")
        index.fill([document("c", "Yoga")])
        index.put([document("d", "Yoga")])
        yield document("e", "Yoga")

    other.fill(documents())

    assert found(index, "yoga") == ["c", "d"]
    assert found(other, "yoga") == ["b", "e"]
    index.fill([document("f", "Yoga")])
    assert (found(index, "yoga"), found(other, "yoga")) == (["f"], ["b", "e"])


def test_an_index_that_no_filling_made_is_not_removed(server, index):
    server.answer("PUT", "/gg-offers--by-hand", "")

    index.fill([document("a", "Yoga")])

    assert "gg-offers--by-hand" in server.indices


@pytest.mark.parametrize("name", ["", "gg--offers", "-gg", "gg-", "GG", "gg_offers", "gg*", "gg,offers", "gg\n"])
def test_a_name_that_could_be_anothers_is_refused(name):
    with pytest.raises(ValueError, match="an index is named like"):
        OpenSearch(url="http://127.0.0.1:1", name=name)


def test_no_write_makes_an_index_in_passing(server):
    OpenSearch(url=server.url, name="gg-offers").put([document("a", "Yoga")])

    assert server.indices == {}


def test_a_mark_stays_of_what_was_withdrawn(server, index):
    index.put([document("a", "Yoga", index_version=2, withdrawn=True)])

    (stored,) = server.indices.values()
    assert stored.documents == {"a": (2, {"id": "a", "withdrawn": True})}


def test_what_was_put_between_two_steps_of_the_swap_is_not_lost(server, index, monkeypatch):
    """A document is written to what is being filled first; if that takes its place just then, the second write finds it there."""
    store, swapped = server.store, []

    def swap_between(about, source):
        if about["_index"] == "gg-offers" and not swapped and source["id"] == "late":
            swapped.append(True)
            building = next(name for name, found in server.indices.items() if "gg-offers--building" in found.aliases)
            index_of = server.indices[building]
            index_of.aliases.clear()
            index_of.aliases.add("gg-offers")
            server.indices = {building: index_of}
        return store(about, source)

    def documents() -> Iterator[Document]:
        yield document("early", "Yoga")
        monkeypatch.setattr(server, "store", swap_between)
        index.put([document("late", "Yoga")])

    with pytest.raises(SearchUnavailable):  # somebody else has swapped already
        index.fill(documents())
    assert found(index, "yoga") == ["late"]


def test_a_filling_that_was_broken_off_gives_way_after_a_while(server, index):
    def broken() -> Iterator[Document]:
        yield document("a", "Yoga")
        raise ConnectionError("the process dies here")

    with pytest.raises(ConnectionError):
        index.fill(broken())
    with pytest.raises(SearchUnavailable):
        index.fill([document("b", "Yoga")])

    for stored in server.indices.values():
        stored.created -= FILLING_SECONDS + 1
    index.fill([document("c", "Yoga")])

    assert found(index, "yoga") == ["c"]
    assert len(server.indices) == 1


def test_a_filling_that_slept_too_long_leaves_it_to_the_next(server, index):
    def documents() -> Iterator[Document]:
        yield document("slow", "Yoga")
        for stored in server.indices.values():
            stored.created -= FILLING_SECONDS + 1
        index.fill([document("quick", "Yoga")])
        yield document("too late", "Yoga")

    with pytest.raises(SearchUnavailable):
        index.fill(documents())

    assert found(index, "yoga") == ["quick"]


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
def test_an_error_of_the_server_is_a_refusal_of_ours(server, index, status):
    server.failing = status

    for call in (
        lambda: index.put([document("a", "Yoga")]),
        lambda: index.search("yoga", ANYBODY),
        lambda: index.fill([document("a", "Yoga")]),
    ):
        with pytest.raises(SearchUnavailable):
            call()


def test_a_document_that_is_refused_alone_is_a_refusal_too(server, index, monkeypatch):
    monkeypatch.setattr(server, "bulk", lambda lines: iter([{"index": {"_index": "gg-offers", "_id": "a", "status": 429}}]))

    with pytest.raises(SearchUnavailable):
        index.put([document("a", "Yoga")])


def test_a_server_that_is_away_is_a_refusal_of_its_own():
    away = OpenSearch(url="http://127.0.0.1:1", name="gg-offers")

    for call in (lambda: away.put([document("a", "Yoga")]), lambda: away.search("yoga", ANYBODY), away.is_complete, lambda: away.fill(())):
        with pytest.raises(SearchUnavailable):
            call()


def test_requests_are_signed_in_a_region(server, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    OpenSearch(url=server.url, name="gg-offers", region="eu-west-1").is_complete()

    ((_, _, headers),) = server.requests
    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-west-1/es/aws4_request" in headers["Authorization"]


def test_nothing_to_put_asks_nothing(server, index):
    server.requests.clear()

    index.put([])

    assert server.requests == []
