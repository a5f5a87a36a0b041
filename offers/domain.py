"""Which offers fit a member, in which order, and why. Pure.

`docs/offers-feed.md` tells the rules in words. All that counts is here: the member's own goals and tags, what the offer says it is for, its
age, and the company's pacing. What other members do counts nothing.
"""

import re
import unicodedata
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

FREE, PREMIUM = "free", "premium"
VIEW, CLICK = "view", "click"


def _tags(text: str) -> frozenset[str]:
    return frozenset(text.split())


KINDS: Mapping[str, frozenset[str]] = {
    "fitness": _tags(
        "running run marathon half-marathon jogging walking hiking cycling swimming gym yoga strength sport sports fitness training "
        "climbing corrida correr caminhada natacao ciclismo academia maratona maraton gimnasio natacion esporte deporte"
    ),
    "language": _tags(
        "language languages english spanish portuguese french german italian japanese chinese korean vocabulary grammar idioma idiomas "
        "ingles espanol espanhol portugues frances alemao aleman"
    ),
    "money": _tags(
        "money saving savings budget budgeting debt investing finance finances invest dinheiro poupar orcamento dividas financas dinero "
        "ahorrar ahorro presupuesto deudas finanzas"
    ),
    "learning": _tags(
        "learning study studying reading books exam course degree university school math science programming estudar estudo leitura livros "
        "curso exame estudiar estudio lectura libros examen"
    ),
    "garden": _tags("garden gardening plants vegetables flowers balcony compost jardim jardinagem plantas horta jardin jardineria huerto"),
    "career": _tags(
        "career job work promotion interview cv resume business startup networking leadership carreira emprego trabalho negocio carrera "
        "empleo trabajo"
    ),
    "health": _tags(
        "health sleep nutrition diet weight meditation mindfulness stress smoking cooking saude sono dieta peso alimentacao meditacao "
        "salud sueno alimentacion meditacion"
    ),
    "creativity": _tags(
        "creativity writing drawing painting music guitar piano singing photography crafts novel art escrever escrita desenho pintura "
        "musica violao fotografia arte escribir escritura dibujo guitarra"
    ),
}
"""The kinds of goals, and the tags and words that tell them, in English, Portuguese and Spanish."""

GOAL_TAG, GOAL_KIND, PROFILE_TAG, ASKED_TAG = "goal_tag", "goal_kind", "profile_tag", "asked_tag"
SEARCHED, OPENED = "searched", "opened"
"""Where nothing that is known of the member speaks for an offer: they searched for its words, or opened it by its id."""
WEIGHTS: Mapping[str, float] = {GOAL_TAG: 0.6, ASKED_TAG: 0.6, PROFILE_TAG: 0.35, GOAL_KIND: 0.25}
"""How much one match says that an offer fits. Further matches close part of what is left to 1, so more of them never fit worse."""
OTHER_LANGUAGE = 0.3
"""What is left of an offer in a language that the member does not read by their profile."""
FOR_PREMIUM = 1.1
"""A premium member sees what is for premium members a little earlier."""
HALF_LIFE = timedelta(days=21)
"""After which an offer has lost half of what it gains by being new."""
OLD = 0.5
"""What is left of an offer that is not new at all."""

COMPANY_WINDOW, COMPANY_MOST = 10, 2
"""Among any 10 offers that follow each other there are at most 2 of one company."""

_KIND_TAG = "kind:"


def kinds_of(tags: Iterable[str], title: str = "") -> frozenset[str]:
    """The kinds that a goal with these tags and this title is of; often one, maybe none."""
    words = {*tags, *(part for tag in tags for part in tag.split("-")), *_words(title)}
    return frozenset(kind for kind, known in KINDS.items() if known & words)


def kind_tag(kind: str) -> str:
    """Under what the offers for a kind of goal stand among the tags."""
    return f"{_KIND_TAG}{kind}"


def kind_named(tag: str) -> str | None:
    """The kind whose `kind_tag` this is; None for a tag of members."""
    return tag.removeprefix(_KIND_TAG) if tag.startswith(_KIND_TAG) else None


def _words(title: str) -> set[str]:
    plain = "".join(char for char in unicodedata.normalize("NFKD", title.casefold()) if not unicodedata.combining(char))
    return set(re.findall(r"[a-z]+", plain))


# Whom and what -----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GoalInterest:
    """One active goal: what it is called, and what it is about."""

    title: str
    tags: tuple[str, ...]
    kinds: frozenset[str]

    @classmethod
    def of(cls, title: str, tags: Iterable[str]) -> "GoalInterest":
        found = tuple(tags)
        return cls(title, found, kinds_of(found, title))


@dataclass(frozen=True, slots=True)
class Interests:
    """What is known of a member that offers go by. `asked` are the tags that they ask for at the moment; `goals` are the newest first."""

    goals: tuple[GoalInterest, ...] = ()
    tags: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    language: str | None = None
    premium_offers: bool = False
    early_access: bool = False

    def places(self, most: int) -> list[str]:
        """The tags and `kind_tag`s under which to look, the strongest first: by what is asked for, or else by the member's own."""
        if self.asked:
            return list(self.asked)[:most]
        by_goal = [tag for goal in self.goals for tag in goal.tags]
        by_kind = [kind_tag(kind) for goal in self.goals for kind in sorted(goal.kinds)]
        return list(dict.fromkeys([*by_goal, *self.tags, *by_kind]))[:most]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An offer as ranking needs it. `tags` and `kinds` are those under which it was found."""

    offer_id: str
    company_id: str
    valid_from: datetime
    public_from: datetime
    valid_to: datetime | None = None
    tier: str = FREE
    language: str | None = None
    pace: float = 1.0
    rev: int = 0
    tags: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Why:
    """A reason for an offer: `because` is one of `WEIGHTS`, or one without a subject; `subject` a tag or a kind, `goal` a goal's title."""

    because: str
    subject: str = ""
    goal: str | None = None


# What may be seen --------------------------------------------------------------------------------------------------------------------


def is_open(candidate: Candidate, interests: Interests, now: datetime) -> bool:
    """Whether the member may see the offer at all: its time, its tier, and who sees it first."""
    begins = candidate.valid_from if interests.early_access else max(candidate.valid_from, candidate.public_from)
    ended = candidate.valid_to is not None and candidate.valid_to <= now
    return begins <= now and not ended and (candidate.tier != PREMIUM or interests.premium_offers)


def local_day(instant: datetime, timezone: str) -> date:
    """The member's own day at `instant`."""
    return instant.astimezone(ZoneInfo(timezone)).date()


# How well it fits --------------------------------------------------------------------------------------------------------------------


def reasons(candidate: Candidate, interests: Interests) -> Iterator[Why]:
    """All that speaks for an offer, the strongest kind of reason first, in an order that is always the same. A tag counts once."""
    told: set[str] = set()
    for goal in interests.goals:
        for tag in goal.tags:
            if tag in candidate.tags and tag not in told:
                told.add(tag)
                yield Why(GOAL_TAG, tag, goal.title)
    for because, tags in ((ASKED_TAG, interests.asked), (PROFILE_TAG, interests.tags)):
        for tag in tags:
            if tag in candidate.tags and tag not in told:
                told.add(tag)
                yield Why(because, tag)
    for goal in interests.goals:
        for kind in sorted(goal.kinds & candidate.kinds):
            if kind_tag(kind) not in told:
                told.add(kind_tag(kind))
                yield Why(GOAL_KIND, kind, goal.title)


def match(found: Iterable[Why]) -> float:
    """0 (nothing speaks for it) to 1."""
    left = 1.0
    for why in found:
        left *= 1 - WEIGHTS[why.because]
    return 1 - left


def relevance(candidate: Candidate, interests: Interests, now: datetime) -> float:
    """How well an offer fits: 0 (not at all) and up. Rounded, so that the order is the same on every machine."""
    language = 1.0 if speaks(interests.language, candidate.language) else OTHER_LANGUAGE
    tier = FOR_PREMIUM if candidate.tier == PREMIUM else 1.0
    fit = match(reasons(candidate, interests)) * language * tier
    return round(fit * freshness(candidate.valid_from, now) * min(1.0, max(0.0, candidate.pace)), 9)


def freshness(since: datetime, now: datetime) -> float:
    """1 for what is new, `OLD` for what is old."""
    age = max(timedelta(0), now - since)
    return float(OLD + (1 - OLD) * 0.5 ** (age / HALF_LIFE))


def speaks(member: str | None, offer: str | None) -> bool:
    """Whether a member reads an offer's language, as far as their profile says; regions do not matter (pt-BR, pt-PT)."""
    return member is None or offer is None or _primary(member) == _primary(offer)


def _primary(tag: str) -> str:
    return tag.lower().replace("_", "-").partition("-")[0]


# The order ---------------------------------------------------------------------------------------------------------------------------


def ranked(candidates: Iterable[Candidate], interests: Interests, as_of: datetime) -> list[Candidate]:
    """Those that fit, the best first, ties by id; as new as they were at `as_of`. What has no pace left today is left out."""
    scored = [(relevance(each, interests, as_of), each) for each in candidates]
    return [each for score, each in sorted(scored, key=lambda pair: (-pair[0], pair[1].offer_id)) if score > 0]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """`shown` keeps to the bound of a company; `left_out` are those for which it had no place, in their order."""

    shown: list[Candidate] = field(default_factory=list)
    left_out: list[Candidate] = field(default_factory=list)


def arranged(best_first: Sequence[Candidate], before: Sequence[str] = ()) -> Arrangement:
    """At each place the best offer whose company has not had its share in the window that ends there.

    `before` are the companies of what was shown before, so that pages go on as one list.
    """
    window: deque[str] = deque(before, maxlen=COMPANY_WINDOW - 1)
    waiting, shown = list(best_first), list[Candidate]()
    while True:
        counts = Counter(window)
        place = next((place for place, each in enumerate(waiting) if counts[each.company_id] < COMPANY_MOST), None)
        if place is None:
            return Arrangement(shown, waiting)
        window.append(waiting[place].company_id)
        shown.append(waiting.pop(place))


def merged(found: Iterable[Candidate]) -> list[Candidate]:
    """One for each offer, under all the tags at which it was found, in the order in which they came."""
    by_id: dict[str, Candidate] = {}
    for each in found:
        known = by_id.get(each.offer_id)
        by_id[each.offer_id] = each if known is None else _both(known, each)
    return list(by_id.values())


def _both(one: Candidate, other: Candidate) -> Candidate:
    """As the newer revision says: edges of the same offer may be read at different times."""
    newer = one if one.rev >= other.rev else other
    return replace(newer, tags=one.tags | other.tags, kinds=one.kinds | other.kinds)


# Pacing ------------------------------------------------------------------------------------------------------------------------------

HEAD_START = 0.1
"""Of its budget an offer may be so far ahead of its time before it is slowed down."""
STEPS = 4
"""Paces are quarters, so that an offer is written again only when it matters."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a company wants to spend on an offer; None: without end."""

    budget_cents: int | None
    cost_per_click_cents: int
    daily_clicks: int | None
    total_views: int | None
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class Used:
    """What members did with an offer so far, and what it cost. `clicks_today` are those of the day at hand (UTC)."""

    views: int = 0
    spent_cents: int = 0
    clicks_today: int = 0


def used_up(bounds: Bounds, used: Used) -> bool:
    """Whether the budget has not another click in it, or all views are made."""
    no_money = bounds.budget_cents is not None and 0 < bounds.cost_per_click_cents > bounds.budget_cents - used.spent_cents
    return no_money or (bounds.total_views is not None and used.views >= bounds.total_views)


def pace(bounds: Bounds, used: Used, now: datetime) -> float:
    """0, 0.25, 0.5, 0.75 or 1: by how far what is used is ahead of the time that has gone. 0: the day's clicks are all made."""
    if bounds.daily_clicks is not None and used.clicks_today >= bounds.daily_clicks:
        return 0.0
    share = 1.0
    if bounds.valid_to is not None and bounds.valid_to > bounds.valid_from:
        gone = min(1.0, max(0.0, (now - bounds.valid_from) / (bounds.valid_to - bounds.valid_from)))
        if bounds.budget_cents:
            share = min(share, _in_time(gone, used.spent_cents / bounds.budget_cents))
        if bounds.total_views:
            share = min(share, _in_time(gone, used.views / bounds.total_views))
    return max(1, int(share * STEPS)) / STEPS


def _in_time(gone: float, used: float) -> float:
    return 1.0 if used <= gone + HEAD_START else (gone + HEAD_START) / used
