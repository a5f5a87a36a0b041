"""The words: every kind in every language, whatever the facts hold."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gamification.points import BADGES
from notifications.domain import KINDS
from notifications.texts import LANGUAGES, MAX_BODY_BYTES, MAX_TITLE_BYTES, bounded, clipped, explanation, language_of, render

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
FACTS = {
    "title": "Correr 5 km",
    "name": "Ana",
    "dueAt": "2027-07-01T12:30:00Z",
    "days": 3,
    "badge": "first-goal",
    "level": 4,
    "due": 1,
    "agenda": [{"title": "Ler", "dueAt": "2027-07-01T20:00:00Z"}],
    "notes": [{"title": "Bia wrote to you", "kind": "message"}],
    "more": 2,
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_words_in_each_language(kind, language):
    title, body = render(kind, language, SAO_PAULO, FACTS)
    bare_title, _ = render(kind, language, SAO_PAULO, {})

    assert title
    assert bare_title
    assert "{" not in title + body
    assert "\n" not in title
    assert (title, body) != render(kind, next(other for other in LANGUAGES if other != language), SAO_PAULO, FACTS)


def test_instants_are_shown_by_the_members_clock_and_in_their_words():
    assert render("reminder", "pt-BR", SAO_PAULO, FACTS) == ("Correr 5 km", "Para 1 de Julho de 2027 às 09:30.")
    assert render("reminder", "en", ZoneInfo("Asia/Tokyo"), FACTS)[1] == "Due July 1, 2027, 9:30 p.m."
    assert render("reminder", "es", ZoneInfo("UTC"), FACTS)[1] == "Para el 1 de julio de 2027 a las 12:30."


@pytest.mark.parametrize("text", ["{{ name }}", "{% include 'en/why.txt' %}", "{% load x %}", "<b>&\"'</b>", "{#", "%s %(x)s"])
def test_a_fact_is_no_template_and_is_not_escaped(text):
    assert render("reminder", "en", SAO_PAULO, {"title": text, "name": "secret"})[0] == text


@given(st.sampled_from(sorted(KINDS)), st.sampled_from(LANGUAGES), st.text(st.characters(codec="utf-8"), max_size=3000))
def test_whatever_the_facts_hold_texts_fit(kind, language, text):
    facts = bounded(
        {"title": text, "name": text, "badge": text, "text": text, "agenda": [{"title": text}] * 8, "notes": [{"title": text}] * 8}
    )

    title, body = render(kind, language, SAO_PAULO, facts)

    assert title
    assert len(title.splitlines()) == 1
    assert len(title.encode()) <= MAX_TITLE_BYTES
    assert len(body.encode()) <= MAX_BODY_BYTES


@given(st.text(st.characters(codec="utf-8")), st.integers(3, 50))
def test_what_is_cut_fits_and_says_so(text, most):
    cut = clipped(text, most)

    assert len(cut.encode()) <= most
    assert cut == text or (cut.endswith("…") and text.startswith(cut[:-1]))


@pytest.mark.parametrize(
    ("tag", "language"),
    [("pt-BR", "pt-BR"), ("PT-br", "pt-BR"), ("pt-PT", "pt-BR"), ("es-MX", "es"), ("en-GB", "en"), ("de", "en"), (None, "en"), ("", "en")],
)
def test_a_member_reads_the_nearest_language(tag, language):
    assert language_of(tag) == language


REASONS = [
    "wanted",
    "critical",
    "quiet_hours",
    "in_digest",
    "off",
    "no_address",
    "capped",
    "expired",
    "done",
    "failed",
    "of another release",
]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_reason_has_a_sentence_of_its_own(language):
    until = datetime(2027, 7, 1, 10, 0, tzinfo=UTC)
    told = [
        explanation(language, SAO_PAULO, kind="reminder", channel="email", decision="hold", reason=reason, until=until)
        for reason in REASONS
    ]

    assert len(set(told)) == len(REASONS)
    assert all(sentence.endswith(".") and "{" not in sentence for sentence in told)
    assert all("2027" in sentence for sentence in told[2:4])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("badge", BADGES)
def test_every_badge_has_a_sentence_of_its_own(language: str, badge: str):
    others = {render("badge", language, ZoneInfo("UTC"), {"badge": other})[1] for other in BADGES if other != badge}

    sentence = render("badge", language, ZoneInfo("UTC"), {"badge": badge})[1]

    assert badge not in sentence
    assert sentence not in others
