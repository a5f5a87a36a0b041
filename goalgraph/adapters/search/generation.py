"""One index of Tantivy's in a folder: its fields, what is written to them, and how a query finds it. See `tantivy.py` for the rest."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import Lock

import tantivy
from tantivy import Filter, Occur, Query, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

from goalgraph.adapters.search import words
from goalgraph.adapters.search.words import Word
from goalgraph.ports.search import Document, Filters, Hit, SearchUnavailable

SCHEMA = 1
"""Count it up with every change of fields or of analyzers: indexes of another schema are filled anew."""

_HEAP_BYTES = 15_000_000
"""The least that a writer of Tantivy's takes."""
_LONGEST = 60
_FOREVER = 2**40
_DAMAGE = ("orrupt", "DoesNotExist", "Schema", "schema", "ncompatible")
"""In the words of Tantivy's errors; they have no classes of their own. What else goes wrong, such as a full disk, may pass."""


class Damaged(Exception):
    """The files are not, or not all, what was written."""


class Generation:
    """An index in `folder`. Raises Damaged, and SearchUnavailable where something else is wrong with the disk.

    Any number of processes and threads may search; whoever writes sees to it that nobody else does. A write is there whole or not at all,
    also where the process dies in it.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder = folder
        self._lock = Lock()
        self._seen: tuple[int, int] | None = None
        with _guarded():
            if create:
                folder.mkdir(parents=True)
                self._index = tantivy.Index(_schema(), path=str(folder))
            else:
                self._index = self._opened()
            for name, analyzer in _analyzers().items():
                self._index.register_tokenizer(name, analyzer)
            self._index.config_reader("manual")

    def _opened(self) -> tantivy.Index:
        if not tantivy.Index.exists(str(self.folder)):  # it would be taken for a new one
            raise Damaged("there is no index")
        return tantivy.Index.open(str(self.folder))

    def write(self, documents: Sequence[Document]) -> None:
        """Store those that are newer than what is there, all of them at once."""
        with _guarded():
            known = self._versions([document.id for document in documents])
            newer = [document for document in documents if document.index_version > known.get(document.id, -1)]
            if not newer:
                return
            writer = self._index.writer(_HEAP_BYTES, 1)
            try:
                for document in newer:
                    writer.delete_documents_by_term("id", document.id)
                    writer.add_document(_stored(document))
                writer.commit()
            finally:
                writer.wait_merging_threads()  # which also gives Tantivy's lock back

    def search(self, query: str, filters: Filters, *, language: str | None, limit: int) -> list[Hit]:
        asked = words.asked(query)
        if not asked or limit < 1:
            return []
        own = words.language_code(language)
        wanted = [(Occur.Should, _anywhere(word, own)) for word in asked]
        found = Query.boolean_query(wanted, minimum_number_should_match=words.required(len(asked)))
        with _guarded():
            searcher = self._searcher()
            hits = searcher.search(Query.boolean_query([(Occur.Must, found), *_allowed(filters)]), limit, count=False).hits
            return sorted((Hit(searcher.doc(at)["id"][0], score) for score, at in hits), key=lambda hit: (-hit.score, hit.id))

    def check(self) -> None:
        """Open all there is. Raises Damaged."""
        with _guarded():
            self._searcher().search(Query.all_query(), 1)

    def _versions(self, ids: Sequence[str]) -> dict[str, int]:
        searcher = self._searcher()
        hits = searcher.search(Query.term_set_query(_schema(), "id", ids), max(1, len(ids)), count=False).hits
        found = [searcher.doc(at) for _, at in hits]
        return {document["id"][0]: document["version"][0] for document in found}

    def _searcher(self) -> tantivy.Searcher:
        """As of the last commit of any process: each replaces the file `meta.json`."""
        try:
            meta = (self.folder / "meta.json").stat()
        except FileNotFoundError as error:
            raise Damaged("there is no index") from error
        seen = (meta.st_ino, meta.st_mtime_ns)
        with self._lock:
            if seen != self._seen:
                self._index.reload()
                self._seen = seen
            return self._index.searcher()


@contextmanager
def _guarded() -> Iterator[None]:
    """Tantivy's errors in ours. One that it does not foresee reaches Python as `PanicException`, which is no Exception."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        if any(sign in str(error) for sign in _DAMAGE):
            raise Damaged(str(error)[:200]) from error
        raise SearchUnavailable(str(error)[:200]) from error
    except OSError as error:
        raise SearchUnavailable(type(error).__name__) from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise Damaged(str(error)[:200]) from error
        raise


@cache
def _schema() -> tantivy.Schema:
    """Every field of words is there once as written, and once for each language by stems; a document fills those of its own language."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("version", stored=True)
    for name in words.WEIGHTS:
        builder.add_text_field(name, tokenizer_name="words", index_option="freq")
        for language in words.LANGUAGES:
            builder.add_text_field(f"{name}_{language}", tokenizer_name=language, index_option="freq")
    for name in ("company", "tier"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in ("valid_from", "valid_to", "public_from"):
        builder.add_integer_field(name, indexed=True, fast=True)
    builder.add_boolean_field("withdrawn", indexed=True)
    return builder.build()


@cache
def _analyzers() -> dict[str, TextAnalyzer]:
    """Accents go after stemming: the stemmers know words by them."""
    plain = _analyzer(Filter.ascii_fold())
    return {"words": plain} | {code: _analyzer(Filter.stemmer(name.lower()), Filter.ascii_fold()) for code, name in words.LANGUAGES.items()}


def _analyzer(*filters: Filter) -> TextAnalyzer:
    builder = TextAnalyzerBuilder(Tokenizer.simple())
    for each in (Filter.remove_long(_LONGEST), Filter.lowercase(), *filters):
        builder = builder.filter(each)
    return builder.build()


def _stored(document: Document) -> tantivy.Document:
    stored = tantivy.Document()
    stored.add_text("id", document.id)
    stored.add_integer("version", document.index_version)
    stored.add_boolean("withdrawn", document.withdrawn)
    if document.withdrawn:
        return stored
    for name, text in words.texts(document).items():
        for field in (name, *(f"{name}_{language}" for language in words.languages(document))):
            stored.add_text(field, text)
    stored.add_text("company", document.company_id)
    stored.add_text("tier", document.tier)
    for name, at in (("valid_from", document.valid_from), ("valid_to", document.valid_to), ("public_from", document.public_from)):
        stored.add_integer(name, _FOREVER if at is None else _seconds(at))
    return stored


def _anywhere(word: Word, own: str | None) -> Query:
    """`word` in any field: as written, by its stem in each language, with letters wrong, and as the beginning of another."""
    ways: list[Query] = []
    for name, weight in words.WEIGHTS.items():
        for text in _analyzers()["words"].analyze(word.text):
            ways.append(Query.boost_query(Query.term_query(_schema(), name, text), weight))
            if word.typos:
                ways.append(Query.boost_query(Query.fuzzy_term_query(_schema(), name, text, word.typos), weight * words.TYPO))
            if word.may_go_on:
                ways.append(Query.boost_query(Query.fuzzy_term_query(_schema(), name, text, 0, prefix=True), weight * words.BEGINNING))
        for language in words.LANGUAGES:
            stems = {stem for spelling in word.spellings for stem in _analyzers()[language].analyze(spelling)}
            boost = weight * (words.OWN_LANGUAGE if language == own else 1.0)
            ways += [Query.boost_query(Query.term_query(_schema(), f"{name}_{language}", stem), boost) for stem in stems]
    return Query.disjunction_max_query(ways, words.TIE)


def _allowed(filters: Filters) -> list[tuple[Occur, Query]]:
    """What holds of every hit, and weighs nothing."""
    at = _seconds(filters.at)
    must = [
        Query.term_query(_schema(), "withdrawn", False),
        Query.term_set_query(_schema(), "tier", sorted(filters.tiers)),
        _range("valid_from" if filters.early else "public_from", most=at),
        _range("valid_from", most=at),
        _range("valid_to", least=at + 1),
    ]
    clauses = [(Occur.Must, Query.const_score_query(query, 0.0)) for query in must]
    if filters.without:
        clauses.append((Occur.MustNot, Query.term_set_query(_schema(), "company", sorted(filters.without))))
    return clauses


def _range(name: str, *, least: int = 0, most: int = _FOREVER) -> Query:
    return Query.range_query(_schema(), name, tantivy.FieldType.Integer, least, most)


def _seconds(instant: datetime) -> int:
    return int(instant.timestamp())
