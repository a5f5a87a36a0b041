"""Offers as a member is served them: the feed, those under tags, one by its id; and what a member wants to see nothing of.

Each offer comes with the reason for it. What a member may not see (withdrawn, not begun, ended, premium only, in early access) is not
there for them, by a guessed id neither. Members of a tenant read their tenant's partition, in which there are no offers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.conf import settings

from billing import plans
from goalgraph import inputs, wiring
from goalgraph.auth.actor import Actor
from goalgraph.errors import NotFound
from goalgraph.ids import is_id
from goalgraph.table.table import Page
from goals import services as goals
from offers import domain, feed_cursors, reasons, repository
from offers.domain import OPENED, SEARCHED, Candidate, GoalInterest, Interests, Why
from offers.feed_cursors import MAX_FEED, Place
from offers.items import PUBLISHED, Offer
from offers.link_services import new_link_id
from users import services as users

MAX_LIST = 50
"""Offers in a list without pages."""
MAX_ASKED = 20
"""Tags that one may ask for at once."""


@dataclass(frozen=True, slots=True)
class Served:
    """An offer as one member gets it: `why` is a sentence in their language, `link_id` what tells this time of serving it from others."""

    offer: Offer
    why: str
    link_id: str = field(default_factory=new_link_id)


@dataclass(frozen=True, slots=True)
class _Member:
    """What decides what a member sees now. `tired_of` are the offers that they saw as often as they may today."""

    interests: Interests
    hidden: frozenset[str]
    tired_of: frozenset[str]
    now: datetime

    def may_see(self, candidate: Candidate) -> bool:
        return candidate.company_id not in self.hidden and domain.is_open(candidate, self.interests, self.now)

    def rests(self, offer: Offer) -> bool:
        """Whether an offer waits for another day: the member saw enough of it, or it has no pace left."""
        return offer.offer_id in self.tired_of or not offer.pace


def offer_feed(actor: Actor, *, limit: int, after: str | None = None, forward: bool = True) -> Page:
    """A page of `Served`, best first, at most `MAX_FEED` in all its pages; not `forward`: from the end, or from before `after`.

    Pages of one feed neither repeat nor skip. Raises InvalidCursor.
    """
    place = Place.start(wiring.clock().now()) if after is None else feed_cursors.decode(actor, after)
    member = _member(actor)
    found = _found(actor, member)
    line = _following(place, member, found) if forward or after is None else _before(place, found)
    return _page(actor, member, line if forward else line[::-1], limit)


def offers(actor: Actor, tags: Sequence[str | None] | None = None) -> list[Served]:
    """At most `MAX_LIST` under these tags, best first; without tags under the member's own. Raises Invalid."""
    asked = tuple(inputs.tags(list(tags), most=MAX_ASKED)) if tags else ()
    member = _member(actor, asked)
    fresh = [each for each in _found(actor, member) if each.offer_id not in member.tired_of]
    order = domain.arranged(domain.ranked(fresh, member.interests, member.now))
    chosen = [*order.shown, *order.left_out][:MAX_LIST]
    return _served(member, repository.offers(actor, [each.offer_id for each in chosen]))


def offer(actor: Actor, offer_id: str) -> Served:
    """One of them, also one that rests. Raises NotFound, for what the member may not see as for what is not there."""
    found = repository.offer(actor, offer_id) if is_id(offer_id) else None
    served = _served(_member(actor), [found], otherwise=Why(OPENED))
    if not served:
        raise NotFound
    return served[0]


def served(actor: Actor, found: Iterable[Offer | None]) -> list[Served]:
    """Those out of what a search found that the member may see and that do not rest, in the same order."""
    member = _member(actor)
    awake = [each for each in found if each is not None and not member.rests(each)]
    return _served(member, awake, otherwise=Why(SEARCHED))


def hidden_companies(actor: Actor) -> list[str]:
    """The ids of the companies that the member hid."""
    return sorted(repository.hidden_companies(actor))


def hide_company(actor: Actor, company_id: str) -> None:
    """Show the member nothing of a company any more. Repeating it changes nothing. Raises NotFound for a company without offers."""
    if not is_id(company_id):
        raise NotFound
    if repository.is_hidden(actor, company_id):
        return
    if not repository.has_offers(actor, company_id):
        raise NotFound
    repository.hide(actor, company_id)


def unhide_company(actor: Actor, company_id: str) -> None:
    """Take that back. Repeating it changes nothing; whether there is such a company is not told."""
    if is_id(company_id):
        repository.unhide(actor, company_id)


# What a member goes by ---------------------------------------------------------------------------------------------------------------


def _member(actor: Actor, asked: tuple[str, ...] = ()) -> _Member:
    """Four round trips."""
    now, profile = wiring.clock().now(), users.me(actor)
    features = plans.features(actor.tier) | actor.entitlements
    active = [GoalInterest.of(goal.title, goal.tags) for goal in goals.goals_of(actor, actor.user_id)]
    interests = Interests(
        goals=tuple(reversed(active)),
        tags=tuple(profile.tags),
        asked=asked,
        language=profile.language,
        premium_offers=plans.PREMIUM_OFFERS in features,
        early_access=plans.EARLY_ACCESS in features,
    )
    shown = repository.shown_offers(actor, domain.local_day(now, profile.timezone)).counts
    tired_of = frozenset(offer_id for offer_id, (views, _) in shown.items() if views >= settings.OFFER_VIEWS_PER_DAY)
    return _Member(interests, frozenset(repository.hidden_companies(actor)), tired_of, now)


def _found(actor: Actor, member: _Member) -> list[Candidate]:
    """What comes into question, in no order."""
    places = member.interests.places(settings.OFFER_PLACES)
    return [each for each in domain.merged(repository.candidates(actor, places)) if member.may_see(each)]


# The feed ----------------------------------------------------------------------------------------------------------------------------

_Line = list[tuple[Place, Candidate]]
"""Offers of a feed, each with the place behind it."""


def _following(place: Place, member: _Member, found: Sequence[Candidate]) -> _Line:
    """What comes behind `place`: all that was not shown, in the order of now."""
    marks = list(place.marks())
    shown, by_mark = frozenset(marks), {feed_cursors.mark(each.offer_id): each for each in found}
    before = [by_mark[mark].company_id for mark in marks if mark in by_mark]
    fresh = [each for mark, each in by_mark.items() if mark not in shown and each.offer_id not in member.tired_of]
    order = domain.arranged(domain.ranked(fresh, member.interests, place.as_of), before).shown[: max(0, MAX_FEED - len(marks))]
    return list(zip(place.behind(each.offer_id for each in order), order, strict=True))


def _before(place: Place, found: Sequence[Candidate]) -> _Line:
    """What was shown before the offer that `place` is behind, as far as it is still there."""
    by_mark = {feed_cursors.mark(each.offer_id): each for each in found}
    marks = list(place.marks())[:-1]
    behind = (replace(place, shown=b"".join(marks[: count + 1])) for count in range(len(marks)))
    return [(there, by_mark[mark]) for there, mark in zip(behind, marks, strict=True) if mark in by_mark]


def _page(actor: Actor, member: _Member, line: _Line, limit: int) -> Page:
    """The first `limit` of `line`. An edge may lag behind its offer, so what is gone by now gives its place to the next."""
    items: list[Served] = []
    cursors: list[str] = []
    while line and len(items) < limit:
        wanted = limit - len(items)
        chunk, line = line[:wanted], line[wanted:]
        found = repository.offers(actor, [each.offer_id for _, each in chunk])
        for (place, _), each in zip(chunk, found, strict=True):
            for served in _served(member, [each]):
                items.append(served)
                cursors.append(feed_cursors.encode(actor, place))
    return Page(items, cursors, bool(line))


def _served(member: _Member, found: Iterable[Offer | None], otherwise: Why | None = None) -> list[Served]:
    """Those of `found` that the member may see; without `otherwise`, those for which nothing speaks are left out."""
    served = []
    for offer in found:
        if offer is None or offer.state != PUBLISHED or not member.may_see(candidate := repository.candidate_of(offer)):
            continue
        why = next(domain.reasons(candidate, member.interests), otherwise)
        if why is not None:
            served.append(Served(offer, reasons.words(why, member.interests.language)))
    return served
