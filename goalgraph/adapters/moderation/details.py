"""Finds addresses and numbers in a text: links, e-mail addresses, payment cards, telephone numbers.

All patterns begin where a run of their characters begins, and take such a run whole or in bounded pieces. So a text costs time in
proportion to its length, whatever somebody writes into it.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

from phonenumbers import Leniency, PhoneNumberMatcher

_ADDRESS = re.compile(r"(?<![\w.+%@-])[\w.+%-]++@([\w.-]++)")
_SCHEME = re.compile(r"(?<!\w)https?://[^\s/]|(?<!\w)www\.\w", re.IGNORECASE)
_HOST = re.compile(r"(?<![\w@.+%-])[\w-]++(?:\.[\w-]++)++(?!@)")
_TOP_LEVELS = frozenset(
    "ai app ar biz br cl club co com dev es eu gg info io link live me mx net online org pe pt shop site store tv uk us xyz".split()  # noqa: SIM905
)

_RUN = re.compile(r"\d++(?:[ .\-\u2010-\u2015]\d++)*+")
_GROUP = re.compile(r"\d+")
_PHONE = re.compile(r"(?<![\w+.,:/-])(?:\+ ?)?(?:\(\d{1,4}\) ?|\d)[\d ().\u2010-\u2015-]{5,18}\d(?![\w.,:/-]*\d)")
_MAX_PHONES = 50
"""Candidates that are looked at in one text."""

_CARD_BRANDS = (
    (re.compile(r"4"), (13, 16, 19)),  # Visa
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),  # Mastercard
    (re.compile(r"3[47]"), (15,)),  # American Express
    (re.compile(r"6011|65|64[4-9]"), (16, 19)),  # Discover
    (re.compile(r"30[0-5]|36|3[89]"), (14, 16)),  # Diners Club
    (re.compile(r"352[89]|35[3-8]"), (16, 19)),  # JCB
    (re.compile(r"62"), (16, 17, 18, 19)),  # UnionPay
    (re.compile(r"606282|637(?:095|568|599|609|612)|384[16]"), (16,)),  # Hipercard
    (re.compile(r"4011|4312|4389|4514|4576|5041|5066|5067|509|6277|6362|6363|650|6516|6550"), (16,)),  # Elo
)
"""Ranges of issuer numbers (ISO/IEC 7812) and lengths, as the brands publish them. Without them, one random number in ten is a card."""
_SHORTEST_CARD, _LONGEST_CARD = 13, 19
_SHORTEST_GROUP = 3
"""As cards and people group the digits. "1 2 3 4" and so on is somebody who counts."""


def with_ascii_digits(text: str) -> str:
    """Every decimal digit of Unicode as 0 to 9, and nothing else changed: places stay."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in text)


def has_email(text: str) -> bool:
    return any(_is_host(match[1]) for match in _ADDRESS.finditer(text))


def has_link(text: str) -> bool:
    return bool(_SCHEME.search(text)) or any(_is_host(match[0], known=True) for match in _HOST.finditer(text))


def _is_host(name: str, *, known: bool = False) -> bool:
    """Whether it may be a host's name; with `known`, under a top-level domain that people here use ("3.5km" and "e.g" are none)."""
    labels = name.lower().strip(".-_").split(".")
    return len(labels) > 1 and all(labels) and (labels[-1] in _TOP_LEVELS if known else labels[-1].isalpha() and len(labels[-1]) > 1)


def cards(text: str) -> Iterator[tuple[int, int]]:
    """Where the numbers of payment cards stand: with the issuer's prefix, a length of that brand, and a right check digit."""
    for run in _RUN.finditer(text):
        groups = [match.span() for match in _GROUP.finditer(text, run.start(), run.end())]
        first = 0
        while first < len(groups):
            last = _card_from(text, groups, first)
            if last is None:
                first += 1
            else:
                yield groups[first][0], groups[last][1]
                first = last + 1


def _card_from(text: str, groups: Sequence[tuple[int, int]], first: int) -> int | None:
    """The group with which a card number ends that begins with group `first`."""
    digits = ""
    for last in range(first, len(groups)):
        start, end = groups[last]
        if end - start < _SHORTEST_GROUP or len(digits) + end - start > _LONGEST_CARD:
            return None
        digits += text[start:end]
        if len(digits) >= _SHORTEST_CARD and is_card(digits):
            return last
    return None


def is_card(digits: str) -> bool:
    return any(len(digits) in lengths and prefix.match(digits) for prefix, lengths in _CARD_BRANDS) and luhn(digits)


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of those before (ISO/IEC 7812-1, annex B)."""
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2]]
    return (sum(doubled) + sum(map(int, digits[-1::-2]))) % 10 == 0


def without_cards(text: str) -> str:
    """The text as it may be kept: of each card number the last four digits stay (PCI DSS, 3.4)."""
    kept = list(text)
    for start, end in cards(with_ascii_digits(text)):
        places = [place for place in range(start, end) if text[place].isdecimal()]
        for place in places[:-4]:
            kept[place] = "•"
    return "".join(kept)


def has_phone(text: str, regions: Sequence[str]) -> bool:
    """Whether there is a telephone number: with its country's code, or as people write it in one of `regions` (ISO 3166)."""
    for count, match in enumerate(_PHONE.finditer(text)):
        if count == _MAX_PHONES:
            return False
        candidate = match[0]
        if any(_is_phone(candidate, region) for region in (["ZZ"] if candidate[0] == "+" else regions)):
            return True
    return False


def _is_phone(candidate: str, region: str) -> bool:
    """A valid number in groups as the region writes them, or in one: 123.456.789-09 is a Brazilian tax number."""
    return any(True for _ in PhoneNumberMatcher(candidate, region, leniency=Leniency.STRICT_GROUPING, max_tries=2))
