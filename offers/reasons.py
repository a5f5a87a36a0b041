"""Why a member sees an offer, in words of their own language. Pure."""

from collections.abc import Mapping

from offers.domain import ASKED_TAG, GOAL_KIND, GOAL_TAG, OPENED, PROFILE_TAG, SEARCHED, Why

FALLBACK = "en"
LANGUAGES = (FALLBACK, "pt-BR", "es")

_SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        GOAL_TAG: "Because your goal “{goal}” is about {subject}.",
        GOAL_KIND: "Because your goal “{goal}” is about {subject}.",
        PROFILE_TAG: "Because {subject} is on your profile.",
        ASKED_TAG: "Because you asked for {subject}.",
        SEARCHED: "Because it is what you searched for.",
        OPENED: "Because you opened it.",
    },
    "pt-BR": {
        GOAL_TAG: "Porque a sua meta “{goal}” é sobre {subject}.",
        GOAL_KIND: "Porque a sua meta “{goal}” é sobre {subject}.",
        PROFILE_TAG: "Porque {subject} está no seu perfil.",
        ASKED_TAG: "Porque você pediu {subject}.",
        SEARCHED: "Porque é o que você procurou.",
        OPENED: "Porque você a abriu.",
    },
    "es": {
        GOAL_TAG: "Porque tu meta “{goal}” trata de {subject}.",
        GOAL_KIND: "Porque tu meta “{goal}” trata de {subject}.",
        PROFILE_TAG: "Porque {subject} está en tu perfil.",
        ASKED_TAG: "Porque has pedido {subject}.",
        SEARCHED: "Porque es lo que has buscado.",
        OPENED: "Porque la has abierto.",
    },
}
_KINDS: Mapping[str, Mapping[str, str]] = {
    "pt-BR": {
        "fitness": "exercício",
        "language": "idiomas",
        "money": "dinheiro",
        "learning": "estudo",
        "garden": "jardinagem",
        "career": "carreira",
        "health": "saúde",
        "creativity": "criatividade",
    },
    "es": {
        "fitness": "ejercicio",
        "language": "idiomas",
        "money": "dinero",
        "learning": "estudio",
        "garden": "jardinería",
        "career": "carrera",
        "health": "salud",
        "creativity": "creatividad",
    },
    "en": {"language": "languages", "garden": "gardening", "career": "your career", "health": "your health"},
}


def words(why: Why, language: str | None) -> str:
    """One sentence in the language of ours that is nearest to the member's tag. Tags are words that members chose, and stay as they are."""
    ours = language_of(language)
    subject = _KINDS[ours].get(why.subject, why.subject) if why.because == GOAL_KIND else why.subject.replace("-", " ")
    return _SENTENCES[ours][why.because].format(goal=why.goal, subject=subject)


def language_of(tag: str | None) -> str:
    """The same language, then the same but for the region, then English."""
    wanted = (tag or FALLBACK).lower().replace("_", "-")
    exact = [language for language in LANGUAGES if language.lower() == wanted]
    alike = [language for language in LANGUAGES if language.lower().partition("-")[0] == wanted.partition("-")[0]]
    return (exact + alike + [FALLBACK])[0]
