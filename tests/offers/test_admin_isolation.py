"""A partner sees and touches only their own company's rows: every address of the back office, as everybody, reading and writing.

The addresses are read off the admin site, so a new page is in the matrix by being there. Every text of the other company holds `MARK`;
where it turns up in an answer, or a row of that company changes, something leaks. The names of the platform's staff hold `PLATFORM`, and
no company finds them: on its own pages neither. The other company's own owner, the platform's
reviewers and a superuser are walked too: they find the mark, so the search for it works.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.test import Client, override_settings
from django.urls import URLPattern, URLResolver
from django.urls.resolvers import RegexPattern, RoutePattern

from goalgraph import wiring
from offers import authoring_services as authoring
from offers.models import Company, Day, Decision, Membership, Offer
from tests.fixtures import FakeClock
from tests.offers.backoffice_world import company, live, partner, staff, superuser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]

MARK = "zqforeign"
PLATFORM = "zqplatform"
SEARCH = "zqfor"
"""Finds the mark, and is not the mark: pages show what was searched for."""
ABSENT = "01a20000-0000-7000-8000-000000000000"
FOREIGN_USER, FOREIGN_MEMBERSHIP, NO_ROW = 771_771, 772_772, 773_773
"""Numbers that turn up in no page by chance."""
STRANGERS = ("nobody", "member", "owner", "editor", "analyst", "support", "staff")
"""Who must find nothing of the other company."""
INSIDERS = ("partner2", "moderator", "superuser")


@pytest.fixture
def world(memory_world: FakeClock) -> Iterator[None]:
    ports = {"link_checker": {"BACKEND": "tests.offers.backoffice_world.FakeLinkChecker"}}
    storages = settings.STORAGES | {"default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}
    with override_settings(PORTS=settings.PORTS | ports, STORAGES=storages):
        yield


class Stage:
    """Two companies with an offer each, live and with figures; the second one's is what nobody of the first may find."""

    def __init__(self) -> None:
        self.people: dict[str, User] = {"moderator": staff(f"{PLATFORM}-moderator", "moderator"), "ops": staff(f"{PLATFORM}-ops", "ops")}
        self.people["superuser"] = superuser()
        self.own, self.foreign = company("Runwell"), company(f"{MARK} company", url=f"https://{MARK}.example/")
        for role in ("owner", "editor", "analyst"):
            self.people[role] = partner(role, self.own, role)
        self.people["partner2"] = staff(f"{MARK}-owner", "partner", pk=FOREIGN_USER)
        self.membership = Membership.objects.create(pk=FOREIGN_MEMBERSHIP, user=self.people["partner2"], company=self.foreign, role="owner")
        self.people["support"], self.people["staff"] = staff("support", "support"), staff("staff")
        self.people["member"] = get_user_model().objects.create_user("member")
        self.own_offer = live(self.people["owner"], self.own, self.people["moderator"], title="Our own")
        texts = {"title": f"{MARK} title", "body": f"{MARK} body", "url": f"https://{MARK}.example/offer", "tags": [f"{MARK}-tag"]}
        self.offer = live(self.people["partner2"], self.foreign, self.people["moderator"], **texts)
        authoring.pause(self.people["partner2"], self.offer.pk, f"{MARK} pause")
        authoring.reject(self.people["moderator"], self.offer.pk, f"{MARK} reason")
        authoring.submit(self.people["partner2"], self.offer.pk)
        self.own_membership = Membership.objects.get(user=self.people["owner"])
        for row in (self.own, self.own_membership, self.own_offer, self.foreign, self.membership, self.offer):
            LogEntry.objects.log_actions(self.people["ops"].pk, [row], CHANGE, "Changed.", single_object=True)
        today = wiring.clock().now().date()
        Day.objects.create(offer=self.offer, day=today, views=918_273, clicks=5_647, reach=64_738)

    def browser(self, who: str) -> Client:
        client = Client(raise_request_exception=False)
        if who != "nobody":
            client.force_login(self.people[who])
        return client

    def rows(self) -> list[Any]:
        """Everything of the other company, as it is."""
        return [
            list(Company.objects.filter(pk=self.foreign.pk).values()),
            list(Offer.objects.filter(company=self.foreign).values()),
            list(Membership.objects.filter(company=self.foreign).values()),
            list(Decision.objects.filter(offer__company=self.foreign).values()),
            list(Day.objects.filter(offer__company=self.foreign).values()),
        ]


@pytest.fixture
def stage() -> Stage:
    return Stage()


# The addresses ---------------------------------------------------------------------------------------------------------------------------


def patterns(
    entries: list[Any] | None = None, route: str = "/admin/", names: tuple[str, ...] = ()
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every pattern of the admin site, with the names of its parameters."""
    for entry in admin.site.get_urls() if entries is None else entries:
        text = _text(entry.pattern)
        known = (
            (*names, *entry.pattern.converters) if isinstance(entry.pattern, RoutePattern) else (*names, *entry.pattern.regex.groupindex)
        )
        if isinstance(entry, URLResolver):
            yield from patterns(list(entry.url_patterns), route + text, known)
        else:
            assert isinstance(entry, URLPattern)
            yield route + text, known


def _text(pattern: Any) -> str:
    """A pattern with its parameters as `<name>`."""
    if isinstance(pattern, RegexPattern):
        return re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", str(pattern)).strip("^$")
    return re.sub(r"<(?:\w+:)?(\w+)>", r"<\1>", str(pattern))


def addresses(stage: Stage, *, own: bool = False) -> list[tuple[str, str]]:
    """Each pattern with the other company's ids filled in (`own`: the first one's), beside the same address of what is not there."""
    offer, of, membership = (stage.own_offer, stage.own, stage.own_membership) if own else (stage.offer, stage.foreign, stage.membership)
    types = {model: ContentType.objects.get_for_model(model).pk for model in (Offer, Company, Membership)}
    ids = {"offer": offer.pk, "company": of.pk, "membership": membership.pk}
    values: dict[str, list[tuple[Any, Any]]] = {
        "action": [(action, action) for action in authoring.ACTIONS],
        "app_label": [("offers", "offers")],
        "url": [(f"offers/offer/{offer.pk}", f"offers/offer/{ABSENT}")],
        "id": [(membership.user_id, NO_ROW)],
        "user_id": [(membership.user_id, NO_ROW)],
    }
    found: list[tuple[str, str]] = []
    for pattern, names in patterns():
        model = re.match(r"/admin/offers/(\w+)/", pattern)
        object_ids = [(ids[model[1]], str(NO_ROW) if model[1] == "membership" else ABSENT)] if model else [(offer.pk, ABSENT)]
        filled = [(pattern, pattern)]
        left = list(names)
        if {"content_type_id", "object_id"} <= set(names):
            filled = [
                tuple(pattern.replace("<content_type_id>", str(types[kind])).replace("<object_id>", str(pk)) for pk in (there, absent))
                for kind, there, absent in zip(types, ids.values(), (ABSENT, ABSENT, str(NO_ROW)), strict=True)
            ]  # type: ignore[misc]
            left = []
        for name in left:
            options = object_ids if name == "object_id" else values.get(name)
            assert options, f"{pattern}: say what to fill in for {name}, so that this page is in the matrix"
            filled = [
                (there.replace(f"<{name}>", str(real)), absent.replace(f"<{name}>", str(other)))
                for there, absent in filled
                for real, other in options
            ]
        found += filled
    return [pair for pair in found if not pair[0].endswith("/logout/")]


def queries(stage: Stage) -> list[tuple[str, str]]:
    """Lists, look-ups and pop-ups, asked for the other company's rows and for what is not there."""
    offers, absent = "/admin/offers/offer/", ABSENT
    filters = ["company={}", "company__id__exact={}", "company__pk={}", "company_id={}", "id__exact={}", "pk__in={}", "company__in={}"]
    pairs = [(f"{offers}?{each.format(stage.foreign.pk)}", f"{offers}?{each.format(absent)}") for each in filters]
    pairs += [(f"{offers}?{each.format(stage.offer.pk)}", f"{offers}?{each.format(absent)}") for each in ("id__exact={}", "pk={}")]
    for model in ("offer", "company", "membership"):
        there = f"/admin/offers/{model}/"
        pairs += [(f"{there}?q={SEARCH}", f"{there}?q={SEARCH[::-1]}"), (f"{there}?all=", f"{there}?all="), (f"{there}?_popup=1", there)]
        pairs += [(f"{there}add/?company={stage.foreign.pk}&_popup=1", f"{there}add/?company={absent}&_popup=1")]
    for model, field in (("offer", "company"), ("membership", "company"), ("membership", "user"), ("decision", "offer"), ("day", "offer")):
        look_up = f"/admin/autocomplete/?app_label=offers&model_name={model}&field_name={field}"
        pairs += [(f"{look_up}&term={SEARCH}", f"{look_up}&term={SEARCH[::-1]}"), (f"{look_up}&term=", f"{look_up}&term=")]
    pairs.append((f"{offers}{stage.offer.pk}/change/?_to_field=id", f"{offers}{absent}/change/?_to_field=id"))
    return pairs


def payloads(stage: Stage) -> list[dict[str, Any]]:
    """What is sent to each address: forms of every kind, filled in to take something of the other company's."""
    form = {
        **{"company": stage.foreign.pk, "user": stage.people["owner"].pk, "role": "owner", "active": "on", "name": "Taken", "rev": 10_000},
        **{"title": "Taken", "body": "Taken", "url": "https://taken.example/", "tags": "taken", "tier": "free", "early_access_days": 0},
        **{"reason": "Taken", "archived": "on", "_continue": "1", "_submit": "1", "post": "yes"},
    }
    chosen = [stage.offer.pk, stage.foreign.pk, stage.membership.pk]
    actions = {name for model_admin in admin.site._registry.values() for name in _names(model_admin)}
    return [form, *({"action": name, "_selected_action": chosen, "select_across": "1", "index": 0, "post": "yes"} for name in actions)]


def _names(model_admin: Any) -> list[str]:
    return [action if isinstance(action, str) else action.__name__ for action in [*model_admin.actions, "delete_selected"]]


def seen(answer: Any) -> str:
    """All that an answer says: its head and its body."""
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return f"{answer.status_code} {dict(answer.items())} {body.decode()}"


def alike(text: str, *ids: Any) -> str:
    """An answer without what differs from request to request, and without the ids that were asked for."""
    for each in sorted(map(str, ids), key=len, reverse=True):
        text = text.replace(each, "ID")
    text = re.sub(r'csrfmiddlewaretoken" value="[^"]*"|\d+ results?|nonce="[^"]*"', "", text)
    return re.sub(r"(?i)'(?:x-trace-id|content-length|expires|last-modified)': '[^']*'|zqfor|rofqz", "", text)


# The matrix ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", STRANGERS)
def test_nothing_of_the_other_company_is_read(who: str, stage: Stage):
    client, leaks, telling, faults = stage.browser(who), [], [], []
    ids = (stage.offer.pk, stage.foreign.pk, ABSENT, NO_ROW, FOREIGN_USER, FOREIGN_MEMBERSHIP)

    for address, absent in [*addresses(stage), *queries(stage)]:
        there = seen(client.get(address))
        if MARK in there or PLATFORM in there or re.search(r"918,?273|64,?738", there):
            leaks.append(address)
        if there.startswith("5"):
            faults.append(address)
        if alike(there, *ids) != alike(seen(client.get(absent)), *ids) and address != absent and "_popup" not in address:
            telling.append(address)
        pages = client.get("/admin/").content.decode() if who != "nobody" else ""
        if MARK in pages:  # what the page before left as a message
            leaks.append(f"message after {address}")

    assert leaks == []
    assert telling == [], "the forbidden looks like the absent"
    assert faults == []


@pytest.mark.parametrize("who", [*STRANGERS, "moderator"])
def test_nothing_of_the_other_company_is_changed(who: str, stage: Stage):
    client, before, leaks = stage.browser(who), stage.rows(), []
    mine = {"moderator": ("/act/approve/", "/act/reject/")}.get(who, ())
    forms, *actions = payloads(stage)

    for address, _ in addresses(stage):
        if address.endswith(mine):
            continue
        for payload in [forms, *(actions if address.count("/") <= 5 and address.startswith("/admin/offers/") else [])]:
            answer = client.post(address, payload)
            if who != "moderator" and MARK in seen(answer):
                leaks.append(address)
            if stage.rows() != before:
                pytest.fail(f"{who} changed rows of the other company at {address}")

    assert leaks == []
    assert stage.rows() == before
    assert not Offer.objects.filter(company=stage.own, title="Taken").exclude(pk=stage.own_offer.pk).exists()


@pytest.mark.parametrize("who", INSIDERS)
def test_those_who_may_find_it_which_shows_that_the_search_works(who: str, stage: Stage):
    client = stage.browser(who)
    found = {address for address, _ in [*addresses(stage), *queries(stage)] if MARK in seen(client.get(address))}
    offer = f"/admin/offers/offer/{stage.offer.pk}/"
    assert {"/admin/offers/offer/", f"{offer}change/", f"{offer}history/", f"{offer}statistics/"} <= found
    assert ("/admin/offers/offer/review/" in found) is (who != "partner2")


@pytest.mark.parametrize("who", ["owner", "editor", "analyst"])
def test_who_of_the_platforms_staff_did_something_is_not_told_on_own_pages(who: str, stage: Stage):
    client = stage.browser(who)
    assert [address for address, _ in addresses(stage, own=True) if PLATFORM in seen(client.get(address))] == []


@pytest.mark.parametrize("who", ["ops", "superuser"])
def test_the_platforms_staff_find_each_other_which_shows_that_the_search_works(who: str, stage: Stage):
    client = stage.browser(who)
    found = {address for address, _ in addresses(stage, own=True) if PLATFORM in seen(client.get(address))}
    pages = {f"/admin/offers/{kind}/{pk}/history/" for kind, pk in (("company", stage.own.pk), ("membership", stage.own_membership.pk))}
    assert pages | {f"/admin/offers/offer/{stage.own_offer.pk}/history/"} <= found


def test_owners_still_find_their_own(stage: Stage):
    client, offer = stage.browser("owner"), f"/admin/offers/offer/{stage.own_offer.pk}/"
    for address in ("/admin/offers/offer/", f"{offer}change/", f"{offer}history/", f"{offer}statistics/"):
        assert "Our own" in client.get(address).content.decode()
    assert client.get(f"{offer}statistics.csv").status_code == 200


@pytest.mark.parametrize("who", ["owner", "editor"])
def test_an_own_offer_cannot_be_moved_into_the_other_company(who: str, stage: Stage):
    client, before = stage.browser(who), stage.rows()
    form = payloads(stage)[0]
    client.post(f"/admin/offers/offer/{stage.own_offer.pk}/change/", form)
    client.post("/admin/offers/offer/add/", form)
    assert stage.rows() == before
    assert Offer.objects.get(pk=stage.own_offer.pk).company == stage.own


def test_the_matrix_knows_every_page_of_offers(stage: Stage):
    known = {address for address, _ in addresses(stage)}
    offer = f"/admin/offers/offer/{stage.offer.pk}/"
    assert {f"{offer}{page}" for page in ("change/", "history/", "delete/", "statistics/", "statistics.csv", "act/approve/")} <= known
    assert {"/admin/autocomplete/", "/admin/offers/offer/review/", "/admin/jsi18n/"} <= known
    assert len(known) > 60
