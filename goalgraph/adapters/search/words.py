"""How both adapters of the `search` port read a query, so that they find alike: its words, and what each weighs where."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from goalgraph.ports.search import Document

LANGUAGES = {"en": "English", "pt": "Portuguese", "es": "Spanish"}
"""Those whose words are known in all their forms, by the name of their Snowball stemmer (snowballstem.org)."""
WEIGHTS = {"title": 3.0, "keywords": 2.0, "body": 1.0}
"""The fields of a document in which words stand."""
OWN_LANGUAGE = 1.3
"""By how much a word weighs more in the language of who asks."""
TYPO, BEGINNING = 0.3, 0.5
"""What a word with a letter wrong weighs, and one of which only the beginning was written."""
TIE = 0.2
"""How much the places beside the best one add, where a word stands in several."""
MAX_WORDS = 12
MIN_BEGINNING = 3

_WORD = re.compile(r"[^\W_]+")
_MAX_LETTERS = 40
_UNACCENTED = re.compile(r"c?(?:ao|oes)\Z")
_ACCENTED = {"cao": "ção", "coes": "ções", "ao": "ão", "oes": "ões"}
_COMMON = """
a an and are as at by for from i in is it my of on or the to with you your
ao aos as com da das de do dos e em eu meu minha na nas no nos o os ou para pela pelo por que se seu sua um uma
al con del el en es la las lo los mi mis para por que se su sus un una unas unos y yo
"""
_FUNCTION_WORDS = frozenset(_COMMON.split())


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a query in lower case, and how it may also be meant. `typos` is how many letters of it may be wrong."""

    text: str
    spellings: tuple[str, ...]
    typos: int
    is_last: bool

    @property
    def may_go_on(self) -> bool:
        return self.is_last and len(self.text) >= MIN_BEGINNING


def asked(query: str) -> list[Word]:
    """The words of `query`, at most 12. Those that every text holds (articles, prepositions) count only where there are no others."""
    found = [word for word in _WORD.findall(unicodedata.normalize("NFC", query).lower()) if len(word) <= _MAX_LETTERS]
    telling = [word for word in found if word not in _FUNCTION_WORDS] or found
    distinct = list(dict.fromkeys(telling))[:MAX_WORDS]
    return [Word(word, _spellings(word), _typos(word), is_last=word == found[-1]) for word in distinct]


def texts(document: Document) -> dict[str, str]:
    """What stands in the fields of words; letters with accents as one character each."""
    found = {"title": document.title, "keywords": " ".join(document.keywords), "body": document.body}
    return {name: unicodedata.normalize("NFC", text) for name, text in found.items()}


def languages(document: Document) -> Sequence[str]:
    """In which languages its words are stemmed: in its own where that is known; in all where it is everybody's."""
    own = language_code(document.language)
    return (own,) if own else tuple(LANGUAGES) if document.language is None else ()


def required(count: int) -> int:
    """How many of `count` words a document must hold: all of two, and 7 out of 10 of more."""
    return count if count <= 2 else count * 7 // 10


def language_code(tag: str | None) -> str | None:
    """The language of a tag such as `pt-BR`, where it is one whose forms are known."""
    code = (tag or "").replace("_", "-").partition("-")[0].lower()
    return code if code in LANGUAGES else None


def _typos(word: str) -> int:
    return 0 if not word.isalpha() or len(word) < 4 else 1 if len(word) < 8 else 2


def _spellings(word: str) -> tuple[str, ...]:
    """The stemmer for Portuguese knows `educações`, and not the `educacoes` of a hasty hand."""
    restored = _UNACCENTED.sub(lambda ending: _ACCENTED[ending[0]], word)
    return (word,) if restored == word else (word, restored)
