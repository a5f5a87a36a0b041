"""The demo's companies: two of them, each with an owner, live offers, and two weeks of figures that its pages draw.

Made through the services, as staff would: the owner writes and submits, `admin` approves. An offer is known again by its title. The
figures are there before the offer is submitted, and each has an id that follows from what it is, so a load that was interrupted goes on
where it stopped and counts nothing twice.
"""

import io
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, BinaryIO

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import transaction
from PIL import Image, ImageDraw

from goalgraph import trace, wiring
from goalgraph.errors import Invalid
from goalgraph.feed.events import Event
from offers import authoring_services as authoring
from offers import company_services, publishing_services, states, stats_services
from offers.domain import CLICK, VIEW
from offers.models import Company, Offer

DAYS = 14
"""Of figures, today included."""
MEMBERS = (14, 40)
"""The fewest and the most who see an offer on a day: never fewer than companies are told of (OFFER_MIN_COHORT)."""
_PICTURE = (1200, 630)


@dataclass(frozen=True, slots=True)
class DemoOffer:
    title: str
    body: str
    url: str
    tags: Sequence[str]
    colours: tuple[str, str]
    tier: str = "free"
    language: str = "en"

    def fields(self) -> dict[str, Any]:
        """As `authoring_services.create_offer` takes them."""
        return {
            "title": self.title,
            "body": self.body,
            "url": self.url,
            "tags": list(self.tags),
            "tier": self.tier,
            "language": self.language,
        }


@dataclass(frozen=True, slots=True)
class DemoCompany:
    name: str
    owner: str
    url: str
    offers: Sequence[DemoOffer]


COMPANIES = (
    DemoCompany(
        "Runwell",
        "partner",
        "https://runwell.example",
        (
            DemoOffer(
                "20 % off your first pair of running shoes",
                "Come with your goal and leave with shoes that fit it. Free gait analysis in every shop.",
                "https://runwell.example/first-pair",
                ("running", "health"),
                ("#0f6b57", "#9fd8c6"),
            ),
            DemoOffer(
                "Half-marathon plan with a coach",
                "Twelve weeks, three runs a week, and somebody who reads your log. First two weeks free.",
                "https://runwell.example/half-marathon",
                ("running",),
                ("#243b6b", "#f0a35e"),
            ),
            DemoOffer(
                "Physiotherapist by video, this week",
                "Half an hour about the knee that complains. For premium members, at half the price.",
                "https://runwell.example/physio",
                ("health", "running"),
                ("#5b2a56", "#e7b9d8"),
                tier="premium",
            ),
        ),
    ),
    DemoCompany(
        "Lingua",
        "partner2",
        "https://lingua.example",
        (
            DemoOffer(
                "A month of Spanish conversation for 9 €",
                "Eight half hours with people from Madrid, Bogotá and Mexico City. You talk, they correct.",
                "https://lingua.example/spanish",
                ("spanish", "languages"),
                ("#9a3412", "#fcd9a5"),
            ),
            DemoOffer(
                "Mock exam for English B2",
                "The whole exam in an afternoon, with the examiner's notes the next day.",
                "https://lingua.example/b2",
                ("english", "languages"),
                ("#1e3a5f", "#bcd4ee"),
            ),
        ),
    ),
)


def load() -> Iterator[str]:
    """Load what is missing, with a line about each company of which something was. Needs the demo's staff."""
    admin = _user("admin")
    for demo in COMPANIES:
        made = [offer for offer in demo.offers if _load_offer(admin, _company(admin, demo), demo, offer)]
        if made:
            yield f"Company made: {demo.name} of {demo.owner}, with {len(made)} live offers and the figures of {DAYS} days."


def _user(name: str) -> User:
    return get_user_model().objects.get_by_natural_key(name)


def _company(admin: User, demo: DemoCompany) -> Company:
    """The company of that name, with its owner; a company that is there keeps the people it has."""
    company = Company.objects.filter(name=demo.name).first()
    if company is None:
        company = company_services.create_company(admin, name=demo.name, url=demo.url)
    if not company.memberships.exists():
        company_services.set_membership(admin, company.pk, _user(demo.owner), role=states.OWNER)
    return company


def _load_offer(admin: User, company: Company, demo_company: DemoCompany, demo: DemoOffer) -> bool:
    """Whether anything was made. One that was edited, or brought to another state than the next, is somebody's by now."""
    offer = company.offers.filter(title=demo.title).first()
    owner = _user(demo_company.owner)
    if company.archived or not company.memberships.filter(user=owner, active=True).exists():
        return False
    if offer is None:
        offer = _draft(owner, company, demo)
    if (offer.state, offer.authored_rev) == (states.DRAFT, 1):
        _load_figures(offer)
        offer = authoring.submit(owner, offer.pk)
    if (offer.state, offer.authored_rev) != (states.SUBMITTED, 2):
        return False
    authoring.approve(admin, offer.pk)
    publishing_services.publish(offer.pk)
    return True


def _draft(owner: User, company: Company, demo: DemoOffer) -> Offer:
    """With a picture where pictures can be stored, else without: `manage.py create_buckets` makes the bucket."""
    try:
        return authoring.create_offer(owner, company.pk, **demo.fields(), image=_picture(*demo.colours))
    except Invalid as error:
        if error.field != "image":
            raise
        return authoring.create_offer(owner, company.pk, **demo.fields())


def _picture(ground: str, shape: str) -> BinaryIO:
    """A hill and a sun, in two colours."""
    picture = Image.new("RGB", _PICTURE, ground)
    pen = ImageDraw.Draw(picture)
    pen.ellipse((780, 90, 980, 290), fill=shape)
    pen.ellipse((-300, 380, 900, 1200), fill=shape)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file


@transaction.atomic
def _load_figures(offer: Offer) -> None:
    """Views and clicks of members who do not exist, more of them towards the end, and the same ones whenever this runs again."""
    today = wiring.clock().now().date()
    chance = random.Random(offer.title)  # noqa: S311 - no secret
    for number in range(DAYS):
        day = today - timedelta(days=DAYS - 1 - number)
        members = min(MEMBERS[1], chance.randint(MEMBERS[0], MEMBERS[0] + 12) + number)
        for member in range(members):
            _touch(offer, day, member, VIEW)
            if chance.random() < 0.18:
                _touch(offer, day, member, CLICK)
    while stats_services.roll_up():
        pass


def _touch(offer: Offer, day: date, member: int, kind: str) -> None:
    stats_services.keep(
        Event(
            id=f"demo-{offer.pk}-{day:%Y%m%d}-{member}-{kind}",
            type="offer.touched",
            at=wiring.clock().now(),
            user_id=f"demo-{member}",
            actor_id=f"demo-{member}",
            trace_id=trace.current(),
            data={"offerId": offer.pk, "companyId": offer.company_id, "kind": kind, "day": day.isoformat()},
        )
    )
