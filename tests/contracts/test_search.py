"""What every adapter of the search port keeps."""

import unicodedata
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from goalgraph.adapters.search.opensearch import OpenSearch
from goalgraph.adapters.search.tantivy import TantivySearch
from goalgraph.ports.search import Document, Filters, SearchIndex, SearchUnavailable
from tests.goalgraph.adapters.search.opensearch_fake import FakeOpenSearch

NOW = datetime(2027, 7, 1, 12, tzinfo=UTC)
ANYBODY = Filters(NOW)


def document(id: str, title: str, **more: object) -> Document:
    values: dict[str, object] = {"index_version": 1, "company_id": "runwell", "valid_from": NOW, "public_from": NOW, "language": "en"}
    return Document(id=id, title=title, **(values | more))  # type: ignore[arg-type]


def found(index: SearchIndex, query: str, filters: Filters = ANYBODY, **more: object) -> list[str]:
    return [hit.id for hit in index.search(query, filters, **more)]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def server() -> Iterator[FakeOpenSearch]:
    with FakeOpenSearch() as server:
        yield server


@pytest.fixture(params=["tantivy", "opensearch"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> SearchIndex:
    """An index that nobody ever filled."""
    if request.param == "tantivy":
        return TantivySearch(tmp_path / "search")
    server: FakeOpenSearch = request.getfixturevalue("server")
    server.forget()
    return OpenSearch(url=server.url, name="gg-offers")


@pytest.fixture
def index(empty: SearchIndex) -> SearchIndex:
    empty.fill(())
    return empty


def test_an_index_that_was_never_filled_refuses_and_keeps_nothing(empty):
    empty.put([document("a", "Running shoes")])

    assert not empty.is_complete()
    with pytest.raises(SearchUnavailable):
        empty.search("running", ANYBODY)

    empty.fill([document("b", "Running socks")])
    assert empty.is_complete()
    assert found(empty, "running") == ["b"]


def test_words_are_found_in_title_keywords_and_body_in_that_order(index):
    index.put(
        [
            document("body", "Shoes", body="For yoga"),
            document("title", "Yoga"),
            document("keyword", "Mats", keywords=("yoga",)),
            document("other", "Chess", body="A game"),
        ]
    )

    assert found(index, "yoga") == ["title", "keyword", "body"]


def test_all_of_two_words_are_wanted_and_most_of_many(index):
    index.put([document("both", "Trail shoes"), document("one", "Trail maps"), document("two", "Shoes")])

    assert found(index, "trail shoes") == ["both"]
    assert found(index, "the trail shoes of waterproof membranes and socks") == []
    assert found(index, "trail shoes waterproof") == ["both"]


def test_articles_and_the_like_are_not_asked_for(index):
    index.put([document("a", "Tênis", body="corrida", language="pt-BR")])

    assert found(index, "um tênis para a corrida") == ["a"]


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("tenis", "Tênis de corrida"),
        ("TÊNIS", "tenis de corrida"),
        (unicodedata.normalize("NFD", "tênis"), "Tênis de corrida"),
        ("tênis", unicodedata.normalize("NFD", "Tênis de corrida")),
        ("leccion", "Lección de inglés"),
        ("educacoes", "Educação física"),
    ],
)
def test_accents_make_no_difference(index, query, title):
    index.put([document("a", title, language=None)])

    assert found(index, query) == ["a"]


@pytest.mark.parametrize(
    ("language", "forms"),
    [
        ("en", ["running", "run", "runs"]),
        ("en", ["shoes", "shoe"]),
        ("pt-BR", ["corridas", "corrida", "correr", "correndo"]),
        ("pt-BR", ["educação", "educações"]),
        ("pt-BR", ["ingleses", "inglesa"]),
        ("es", ["corriendo", "correr", "corrida"]),
        ("es", ["educación", "educaciones"]),
        ("es", ["idiomas", "idioma"]),
    ],
)
def test_a_word_is_found_in_all_its_forms(index, language, forms):
    """Whatever the language of who asks, and of texts for everybody too."""
    for number, form in enumerate(forms):
        index.put([document(f"own{number}", form.title(), language=language), document(f"all{number}", form, language=None)])
    index.put([document("other", "Nothing of that")])

    wanted = {f"{kind}{number}" for kind in ("own", "all") for number in range(len(forms))}
    for form in forms:
        assert set(found(index, form)) == set(found(index, form, language=language)) == wanted


def test_letters_may_be_wrong_but_not_too_many(index):
    index.put([document("a", "Marathon training"), document("b", "Ski")])

    assert found(index, "maraton") == ["a"]
    assert found(index, "traning") == ["a"]
    assert found(index, "marahton") == ["a"]
    assert found(index, "merethon") == ["a"]  # two of 8
    assert found(index, "maxxthxn") == []
    assert found(index, "sky") == []  # fewer than 4 letters


def test_who_writes_a_word_right_finds_it_before_one_that_is_alike(index):
    index.put([document("alike", "Planks"), document("right", "Plants")])

    assert found(index, "plants") == ["right", "alike"]


def test_the_last_word_may_be_its_beginning(index):
    index.put([document("a", "Spanish conversation")])

    assert found(index, "conv") == ["a"]
    assert found(index, "spanish conver") == ["a"]
    assert found(index, "conv spanish") == []


def test_an_own_language_goes_first(index):
    index.put([document("es", "Animal", language="es"), document("pt", "Animal", language="pt-BR")])

    assert found(index, "animal", language="es-MX") == ["es", "pt"]
    assert found(index, "animal", language="pt") == ["pt", "es"]


def test_filters(index):
    later, earlier = NOW + timedelta(hours=1), NOW - timedelta(hours=1)
    index.put(
        [
            document("free", "Yoga"),
            document("premium", "Yoga", tier="premium"),
            document("early", "Yoga", valid_from=earlier, public_from=later),
            document("coming", "Yoga", valid_from=later, public_from=later),
            document("ending", "Yoga", valid_to=later),
            document("over", "Yoga", valid_to=NOW),
            document("hidden", "Yoga", company_id="noise"),
            document("gone", "Yoga", withdrawn=True),
        ]
    )

    assert set(found(index, "yoga", Filters(NOW, without=frozenset({"noise"})))) == {"free", "ending"}
    both = frozenset({"free", "premium"})
    assert set(found(index, "yoga", Filters(NOW, tiers=both, early=True))) == {"free", "premium", "early", "ending", "hidden"}
    assert set(found(index, "yoga", Filters(later, tiers=both))) == {"free", "premium", "early", "coming", "hidden"}


def test_the_best_of_many_and_equals_in_the_order_of_ids(index):
    index.put([document(f"o{number}", "Yoga") for number in range(9)])

    assert found(index, "yoga", limit=100) == [f"o{number}" for number in range(9)]
    assert len(found(index, "yoga", limit=3)) == 3
    assert found(index, "yoga", limit=0) == []


def test_a_change_takes_the_place_of_an_older_one_and_never_of_a_newer(index):
    index.put([document("a", "Yoga", index_version=2)])
    index.put([document("a", "Chess", index_version=1)])
    assert found(index, "yoga") == ["a"]
    assert found(index, "chess") == []

    index.put([document("a", "Chess", index_version=3)])
    assert found(index, "yoga") == []
    assert found(index, "chess") == ["a"]

    index.put([document("a", "Chess", index_version=4, withdrawn=True)])
    index.put([document("a", "Chess", index_version=3)])
    assert found(index, "chess") == []

    index.put([document("a", "Yoga", index_version=5)])
    assert found(index, "yoga") == ["a"]


@hypothesis_settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(1, 7)), st.integers(1, 6), st.data())
def test_in_any_order_the_newest_change_is_what_stays(index, order, withdrawn, data):
    """Each change comes, some twice; one of them takes the offer back."""
    id = uuid.uuid4().hex  # a new one also where an example is played again
    again = data.draw(st.lists(st.sampled_from(order), max_size=3))

    for version in [*order, *again]:
        index.put([document(id, f"Word{id}{'abcdef'[version - 1]}", index_version=version, withdrawn=version == withdrawn)])

    assert found(index, f"word{id}f") == ([] if withdrawn == 6 else [id])


@pytest.mark.parametrize(
    "query", ["", "!!!", "a", "\x00", '"', "title:yoga AND (", "*", "~2", "[a TO", "🏃", "-yoga", "x" * 5000, "a b " * 500]
)
def test_no_query_is_malformed(index, query):
    index.put([document("a", "Chess")])

    assert found(index, query) == []


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60))
def test_any_text_is_a_query_and_a_title(index, text):
    index.put([document("a", text, index_version=1)])

    index.search(text, ANYBODY)


def test_filling_replaces_all_and_what_is_put_meanwhile_stays(index):
    index.put([document("old", "Yoga"), document("kept", "Yoga", index_version=1)])

    def documents() -> Iterator[Document]:
        assert found(index, "yoga") == ["kept", "old"]
        index.put([document("kept", "Chess", index_version=2), document("new", "Chess")])
        index.put([document("gone", "Chess", index_version=3, withdrawn=True)])
        yield document("kept", "Yoga", index_version=1)
        yield document("gone", "Chess", index_version=2)
        assert found(index, "yoga") == ["old"]

    index.fill(documents())

    assert found(index, "yoga") == []
    assert found(index, "chess") == ["kept", "new"]


def test_a_filling_that_breaks_off_changes_nothing(index):
    index.put([document("a", "Yoga")])

    def documents() -> Iterator[Document]:
        yield document("b", "Yoga")
        raise ConnectionError("the table is away")

    with pytest.raises(ConnectionError):
        index.fill(documents())

    assert found(index, "yoga") == ["a"]
    index.put([document("c", "Yoga")])
    assert found(index, "yoga") == ["a", "c"]


def test_there_is_one_filling_at_a_time(index):
    def documents() -> Iterator[Document]:
        with pytest.raises(SearchUnavailable):
            index.fill([document("later", "Yoga")])
        yield document("earlier", "Yoga")

    index.fill(documents())

    assert found(index, "yoga") == ["earlier"]
