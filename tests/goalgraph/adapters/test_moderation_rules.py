# ruff: noqa: RUF001 - what looks like something else is the point here
"""The moderator by rules: what it finds, what it leaves alone, and that no text holds it up."""

import random
import time

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from goalgraph.adapters.moderation import details
from goalgraph.adapters.moderation.rules import LISTS, RulesModerator
from goalgraph.adapters.moderation.words import LANGUAGES, WordLists, plain, shipped

MODERATOR = RulesModerator()


def reasons(text: str, language: str | None = None) -> tuple[str, ...]:
    return MODERATOR.review(text, language=language).reasons


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I ran 5 km in 25:30, 3.5km more than on 2027-07-01!",
        "Scunthorpe assesses its classic cocktails; Dickens passed the bass class",
        "O que rola amanhã? Vou tomar uma cerveja e comer pão com manteiga",
        "¿Qué hora es? Mañana estudio inglés a las 10:30",
        "e.g. this, i.e. that ... and so on.Then more",
        "R$ 1.234,56 or 1,234.56 and 50% of 10000",
        "CPF 123.456.789-09, IP 192.168.1.1, version 1.2.3",
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
        "a b c d e f g",
        "🏃‍♀️🎉👍🏽 مرحبا שלום 你好 привет",
        "The Suicide Squad was a good film",
        "You are killing it! I could die laughing",
        "order 1234567812345670",
    ],
)
def test_what_is_left_alone(text):
    verdict = MODERATOR.review(text)
    assert (verdict.action, verdict.score, verdict.reasons) == ("allow", 0, ())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("what the fuck", "profanity:en"),
        ("WHAT THE FUUUUUCK!!!", "profanity:en"),
        ("sh1t", "profanity:en"),
        ("b!tch", "profanity:en"),
        ("you a$$", "profanity:en"),
        ("f u c k you", "profanity:en"),
        ("f.u.c.k", "profanity:en"),
        ("fu\u200bck", "profanity:en"),
        ("ｆｕｃｋ", "profanity:en"),
        ("vai tomar no cu", "profanity:pt-BR"),
        ("Que m3rd@!", "profanity:pt-BR"),
        ("CUZÃO", "profanity:pt-BR"),
        ("cuzao", "profanity:pt-BR"),
        ("foda-se", "profanity:pt-BR"),
        ("hijo   de\nputa", "profanity:es"),
        ("COÑO", "profanity:es"),
        ("coño", "profanity:es"),
        ("such a faggot", "slur:en"),
        ("seu viado", "slur:pt-BR"),
        ("eres un subnormal", "slur:es"),
        ("Sometimes I want to die", "self_harm"),
        ("I don't want to live", "self_harm"),
        ("I don’t want to live", "self_harm"),
        ("não quero mais viver", "self_harm"),
        ("quiero   MORIR", "self_harm"),
        ("see https://example.com/x", "link"),
        ("www.example", "link"),
        ("exemplo.com.br/perfil", "link"),
        ("Look at example.io.", "link"),
        ("ana.silva+goals@example.com", "email"),
        ("<ana@mail.example.museum>", "email"),
        ("+55 11 98765-4321", "phone"),
        ("me liga: (11) 98765-4321", "phone"),
        ("call (415) 555-2671 now", "phone"),
        ("mi número es 612 345 678", "phone"),
        ("+٥٥ ١١ ٩٨٧٦٥ ٤٣٢١", "phone"),
        ("4111 1111 1111 1111", "card"),
        ("5454-5454-5454-5454, 12/27, 123", "card"),
        ("378282246310005", "card"),
        ("paga con 4111111111111111 hoy", "card"),
        ("４１１１ １１１１ １１１１ １１１１", "card"),
        ("My numbers: 12 34 4111 1111 1111 1111 99", "card"),
    ],
)
def test_what_is_found(text, reason):
    assert reason in reasons(text)


def test_a_language_that_is_known_is_judged_by_its_own_words():
    assert reasons("coño", "es") == ("profanity:es",)
    assert reasons("coño", "en") == ()
    assert reasons("coño", "xx") == ("profanity:es",)


def test_the_gravest_rule_decides_and_all_reasons_are_told():
    verdict = MODERATOR.review("fuck, my card is 4111 1111 1111 1111 and I want to die")
    assert (verdict.action, verdict.score, verdict.urgent) == ("redact", 1.0, True)
    assert set(verdict.reasons) == {"profanity:en", "card", "self_harm"}


def test_of_a_card_number_the_last_four_digits_are_kept():
    text = "Não é 4111.1111.1111.1111 nem ４１１１１１１１１１１１１１１１, 11 98765-4321 é"
    assert MODERATOR.review(text).keepable == "Não é ••••.••••.••••.1111 nem ••••••••••••１１１１, 11 98765-4321 é"
    assert MODERATOR.review("no card").keepable is None


def test_settings_may_say_otherwise():
    strict = RulesModerator(rules={"link": ("redact", 0.9), "profanity": ("allow", 0.0)})
    assert strict.review("www.example.com").action == "redact"
    verdict = strict.review("fuck")
    assert (verdict.action, verdict.reasons) == ("allow", ("profanity:en",))


@pytest.mark.parametrize("rules", [{"love": ("flag", 1)}, {"link": ("ban", 1)}, {"link": ("flag", 2)}, {"self_harm": ("redact", 1)}])
def test_settings_that_make_no_sense_are_refused(rules):
    with pytest.raises(ImproperlyConfigured):
        RulesModerator(rules=rules)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", LISTS)
def test_every_listed_phrase_is_found_as_it_is_and_shouted(kind, language):
    phrases = shipped(kind, language)
    assert len(set(map(plain, phrases))) > 15
    label = {"profanity": f"profanity:{language}", "slurs": f"slur:{language}"}.get(kind, kind)
    for phrase in phrases:
        for text in (phrase, phrase.upper(), f"x, {phrase}!", f"({plain(phrase)})"):
            assert label in reasons(text, language), text


@given(st.text())
def test_any_text_has_a_verdict(text):
    verdict = MODERATOR.review(text)
    assert 0 <= verdict.score <= 1
    assert (verdict.action == "allow") == (verdict.score == 0)
    assert MODERATOR.review(text) == verdict


@given(st.text(alphabet=st.characters(categories=["L", "M", "Z"])), st.sampled_from(["fuck", "caralho", "gilipollas"]))
def test_a_word_is_found_wherever_it_stands(around, word):
    assert WordLists([("x", [word])]).found_in(f"{around} {word} {around}") == {"x"}


@given(st.text(alphabet="0123456789", min_size=12, max_size=18))
def test_exactly_one_check_digit_is_right(digits):
    assert sum(details.luhn(digits + last) for last in "0123456789") == 1


@given(st.text(alphabet="0123456789 .-", max_size=60))
def test_nothing_but_digits_of_cards_is_blotted_out(text):
    kept = details.without_cards(text)
    assert len(kept) == len(text)
    assert all(after in (before, "•") for before, after in zip(text, kept, strict=True))
    spans = list(details.cards(text))
    assert kept.count("•") == sum(sum(map(str.isdigit, text[start:end])) - 4 for start, end in spans)


def test_random_numbers_are_no_cards_more_often_than_they_must():
    """Of 16 random digits, those with an issuer's prefix (some 20%) have a right check digit in one of ten: 2%."""
    chance = random.Random(4711)
    numbers = ["".join(chance.choices("0123456789", k=16)) for _ in range(20_000)]
    found = sum(any(details.cards(number)) for number in numbers)
    assert 0.01 < found / len(numbers) < 0.03


HOSTILE = [
    "1", "1 ", "1-", "1.", "1(", "(1) ", "+1 ", "4111-", "4111 ", "a.", "a@", "@", ".", "-", "www.", "http://", "fu", "f ", "u", "!", "a$",
    "é", "e\u0301", "\u200b", "kill ", "want to ", "hijo de ", "98765432/", "(11) 98765-432 ", "+12345678 ", "١", "ﷺ", "ß", "•", "a1",
]  # fmt: skip


def seconds_for(text: str) -> float:
    started = time.process_time()
    MODERATOR.review(text)
    return time.process_time() - started


@pytest.mark.parametrize("part", HOSTILE)
def test_time_grows_with_the_length_and_no_faster(part):
    """Eight times the text may take 8 times as long; a square would take 64 times. (CPU time of this process, the best of three.)"""
    short, long = (part * (length // len(part)) for length in (2_500, 20_000))
    assert min(seconds_for(long) for _ in range(3)) < 24 * max(min(seconds_for(short) for _ in range(3)), 0.002)
