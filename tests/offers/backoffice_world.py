"""Two companies, the staff who work for them, and the platform's staff who look on, for tests of the back office's offers."""

import io
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission, User
from PIL import Image

from goalgraph import wiring
from goalgraph.ports.link_checker import LinkRefused, LinkUnavailable
from offers import authoring_services as authoring
from offers.models import Company, Membership, Offer

GROUPS = {
    "partner": ["view_company", "view_offer", "add_offer", "change_offer", "view_membership"],
    "moderator": ["view_offer", "review_offer"],
    "ops": [
        *("view_company", "add_company", "change_company", "view_offer", "review_offer"),
        *("view_membership", "add_membership", "change_membership"),
    ],
    "support": [],
}
"""What the groups of docs/back-office.md may do with offers."""


class FakeLinkChecker:
    """Knows of one address that leads nowhere, and of one that does not answer."""

    BAD, AWAY = "https://bad.example/", "https://away.example/"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def check(self, url: str) -> None:
        self.asked.append(url)
        if url == self.BAD:
            raise LinkRefused("This address leads to no public server.")
        if url == self.AWAY:
            raise LinkUnavailable("The page did not answer in time. Try again in a moment.")


def staff(username: str, group: str | None = None, **more: Any) -> User:
    user: User = get_user_model().objects.create_user(username, is_staff=True, **more)
    if group is not None:
        may = Permission.objects.filter(content_type__app_label="offers", codename__in=GROUPS[group])
        user.user_permissions.set(may)
    return user


def superuser(username: str = "admin") -> User:
    user: User = get_user_model().objects.create_superuser(username)
    return user


def company(name: str, **more: Any) -> Company:
    return Company.objects.create(name=name, created_at=wiring.clock().now(), **more)


def partner(username: str, of: Company, role: str = "owner") -> User:
    user = staff(username, "partner")
    Membership.objects.create(user=user, company=of, role=role)
    return user


def complete(**more: Any) -> dict[str, Any]:
    """Fields of an offer in which nothing is missing."""
    fields = {
        "title": "Shoes",
        "body": "Light ones.",
        "url": "https://runwell.example/shoes",
        "tags": ["running"],
        "goal_kinds": ["fitness"],
    }
    return fields | more


def draft(by: User, of: Company, **more: Any) -> Offer:
    return authoring.create_offer(by, of.pk, **complete(**more))


def live(by: User, of: Company, reviewer: User, **more: Any) -> Offer:
    offer = draft(by, of, **more)
    authoring.submit(by, offer.pk)
    return authoring.approve(reviewer, offer.pk)


def ahead(**by: float) -> Any:
    return wiring.clock().now() + timedelta(**by)


def picture(kind: str = "PNG", size: tuple[int, int] = (60, 40), **more: Any) -> bytes:
    drawn = io.BytesIO()
    Image.new("RGB", size, "teal").save(drawn, kind, **more)
    return drawn.getvalue()
