"""Finds listed words and phrases in a text, however they are dressed up.

Accents, capitals, look-alike digits (`m3rd@`), stretched letters (`fuuuck`) and letters set apart (`f u c k`) make no difference. A word is
found as a whole word only, so Scunthorpe and "assess" are left alone.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files

LANGUAGES = ("en", "pt-BR", "es")

_TOKEN = re.compile(r"[a-z0-9@$!|+]+")
_STRETCHED = re.compile(r"(.)\1{2,}")
_DRESSED = str.maketrans("01345789@$!|+", "oieastbgasiit")
_DECORATION = "!|+$@"
"""May stand for letters within a word, and mean nothing at its ends."""

Phrases = dict[tuple[str, ...], frozenset[str]]
"""Phrases as tuples of words, with the labels of the lists that hold them."""


def plain(text: str) -> str:
    """Compatibility forms made plain, lower case, without accents and what is not seen (zero-width characters)."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char) and unicodedata.category(char) != "Cf")


class WordLists:
    """Lists of phrases, each under a label."""

    def __init__(self, lists: Iterable[tuple[str, Iterable[str]]]) -> None:
        phrases: dict[tuple[str, ...], set[str]] = {}
        for label, lines in lists:
            for line in lines:
                phrases.setdefault(tuple(token for token, *_ in _tokens(plain(line))), set()).add(label)
        self._phrases: Phrases = {phrase: frozenset(labels) for phrase, labels in phrases.items()}
        self._longest = max(map(len, self._phrases), default=0)
        self._known = frozenset(word for phrase in self._phrases for word in phrase)

    def found_in(self, text: str) -> set[str]:
        """The labels of all lists of which something stands in `text`."""
        words = [self._best(forms) for forms in _tokens(plain(text))]
        found: set[str] = set()
        for sequence in (words, list(_joined(words))):
            for start in range(len(sequence)):
                for length in range(1, min(self._longest, len(sequence) - start) + 1):
                    found |= self._phrases.get(tuple(sequence[start : start + length]), frozenset())
        return found

    def _best(self, forms: tuple[str, ...]) -> str:
        """Of a token's readings the longest that is a word of ours, else the token itself."""
        return max((form for form in forms if form in self._known), key=len, default=forms[0])


def _tokens(text: str) -> Iterator[tuple[str, ...]]:
    """Each word of a plain text, with what else it may be meant to say."""
    for match in _TOKEN.finditer(text):
        token = match[0]
        if not any(char.isalpha() for char in token):
            yield (token,)
            continue
        bare = token.strip(_DECORATION)
        readings = [bare, token.translate(_DRESSED), token.strip("!|+").translate(_DRESSED), bare.translate(_DRESSED)]
        stretched = [_STRETCHED.sub(repeat, form) for form in readings for repeat in (r"\1", r"\1\1")]
        yield tuple(dict.fromkeys([*readings, *stretched]))


def _joined(words: list[str]) -> Iterator[str]:
    """Runs of three and more single letters as the one word they spell."""
    letters: list[str] = []
    for word in [*words, ""]:
        if len(word) == 1:
            letters.append(word)
            continue
        if len(letters) > 2:
            yield "".join(letters)
        letters.clear()


@cache
def shipped(kind: str, language: str) -> tuple[str, ...]:
    """The phrases of one of the files beside this module: one a line, `#` begins a comment."""
    lines = (files(__package__) / "words" / f"{kind}.{language}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
