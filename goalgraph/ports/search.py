"""Search by words, in an index beside the table, as a port. The index is a copy: whoever fills it can fill it again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


class SearchUnavailable(Exception):
    """The index does not answer, or it was never filled, or it lost what it had."""


@dataclass(frozen=True, slots=True)
class Document:
    """What is found of an offer. `index_version` rises with every change: a document never takes the place of a newer one.

    One that is `withdrawn` is found no more, and stays as a mark, so that no older change brings it back. `language` is a language tag
    (BCP 47), None: everybody's. `tier` says for whom: `free` (everybody) or `premium`. Members without early access find it from
    `public_from`, those with it from `valid_from`; nobody from `valid_to` (None: it stays). All instants are aware.
    """

    id: str
    index_version: int
    company_id: str
    title: str
    valid_from: datetime
    public_from: datetime
    valid_to: datetime | None = None
    body: str = ""
    keywords: tuple[str, ...] = ()
    tier: str = "free"
    language: str | None = None
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Filters:
    """What may be found: valid at `at`, of one of `tiers`, before everybody else with `early`, and of no company out of `without`."""

    at: datetime
    tiers: frozenset[str] = frozenset({"free"})
    early: bool = False
    without: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Hit:
    """`score` is comparable within one answer only."""

    id: str
    score: float


class SearchIndex(Protocol):
    """Every method may block, and raises SearchUnavailable; `search` also where the index is not complete."""

    def put(self, documents: Sequence[Document]) -> None:
        """Store documents, each unless a newer one by its id is there. When this returns, `search` finds them within a second or so.

        Where the index was never filled this does nothing: filling it reads the same documents. No id comes twice in one call.
        """

    def search(self, query: str, filters: Filters, *, language: str | None = None, limit: int = 20) -> list[Hit]:
        """The best `limit`, best first; who shares a score stands in the order of ids.

        Words are found in all of their forms (in English, Portuguese and Spanish), with or without accents, with a letter wrong from 4
        letters on and two from 8 on, and the last one by its beginning. A title weighs more than keywords, they more than a body, and
        documents in `language` a bit more than others. `query` may be any text; one without a word finds nothing.
        """

    def is_complete(self) -> bool:
        """Whether searches are answered."""

    def fill(self, documents: Iterable[Document]) -> None:
        """Fill the index anew. Searches see the old one until all is there; what is `put` meanwhile is kept.

        One at a time: raises SearchUnavailable while another one is at it.
        """
