"""A partner's day, a moderator's, and a member who upgrades: a whole `make run` in a browser. README tells the same with pictures."""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from goalgraph.adapters.local.issuer import DEMO_PASSWORD
from tests.e2e.browser import PATIENCE, People, chromium, people, picture
from tests.e2e.instance import LAST_LINE_OF_THE_BOX, Instance, free_port, started

expect.set_options(timeout=PATIENCE)
SHOES = "20 % off your first pair of running shoes"


class World:
    """A `make run` with demo data, members who ask it by GraphQL, and a browser."""

    def __init__(self, instance: Instance, browser: People) -> None:
        self.instance = instance
        self.browser = browser

    def staff(self, username: str) -> Page:
        return self.browser.staff(username, DEMO_PASSWORD)

    def ask(self, user_id: str, query: str, **variables: Any) -> Any:
        """The data of an answer without errors."""
        answer = httpx.post(
            f"{self.browser.base}/graphql",
            json={"query": query, "variables": variables},
            headers={"Authorization": f"Bearer {self.instance.token(user_id)}"},
            timeout=30,
        ).json()
        assert "errors" not in answer, answer
        return answer["data"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    chromium()  # without it nothing needs to be started
    port = free_port()
    with started(tmp_path_factory.mktemp("home"), port, patience=600) as instance:
        instance.read_until(LAST_LINE_OF_THE_BOX)
        instance.keep_reading()
        with people(f"http://127.0.0.1:{port}") as browser:
            yield World(instance, browser)
            assert not browser.complaints, browser.complaints


def eventually(look: Callable[[], Any]) -> Any:
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + 2 * PATIENCE / 1000  # what clicks come to is summed up every 20 seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.25)
    return found


def feed(world: World, user_id: str) -> dict[str, dict[str, Any]]:
    query = "{ offerFeed(first: 20) { edges { node { id title url impressionUrl whyThis company { name } } } } }"
    return {edge["node"]["title"]: edge["node"] for edge in world.ask(user_id, query)["offerFeed"]["edges"]}


def views_and_clicks(page: Page) -> tuple[int, int]:
    """Of the newest day in the table of an offer's statistics."""
    cells = page.locator("table.days tbody tr").first.locator("td").all_inner_texts()
    figures = [int(cell) for cell in cells if cell.isdigit()]
    return (figures[0], figures[1]) if len(figures) > 1 else (0, 0)


def test_an_offer_from_its_first_word_to_the_partners_chart(world: World):
    partner = world.staff("partner")
    partner.goto("/admin/offers/offer/")
    expect(partner.get_by_role("link", name=SHOES)).to_be_visible()
    assert "Lingua" not in partner.content()
    picture(partner, "offers")

    partner.get_by_role("link", name="Add offer").click()
    partner.get_by_label("Title").fill("Winter running gloves")
    partner.get_by_label("Text").fill("Half price for members who run through the winter.")
    partner.get_by_label("Address").fill("https://runwell.example/gloves")
    partner.get_by_label("Tags").fill("running")
    partner.get_by_role("button", name="Save and submit for approval").click()
    expect(partner.get_by_text("Submitted for approval.")).to_be_visible()
    assert "Winter running gloves" not in feed(world, "ana")

    reviewer = world.staff("moderator")
    reviewer.goto("/admin/offers/offer/?state__exact=submitted")
    reviewer.get_by_role("link", name="Winter running gloves").click()
    picture(reviewer, "approve")
    reviewer.get_by_role("button", name="Approve").click()
    expect(reviewer.get_by_text("live", exact=True).first).to_be_visible()

    gloves = eventually(lambda: feed(world, "ana").get("Winter running gloves"))
    assert gloves["company"]["name"] == "Runwell"
    assert gloves["whyThis"] == "Because your goal “Run a half marathon” is about running."

    partner.goto(f"/admin/offers/offer/{gloves['id']}/statistics/")
    assert views_and_clicks(partner) == (0, 0)
    assert httpx.get(gloves["impressionUrl"]).status_code == 200
    clicked = httpx.get(gloves["url"])
    assert (clicked.status_code, clicked.headers["location"]) == (302, "https://runwell.example/gloves")
    for _ in range(3):  # the link is good for one view and one click
        httpx.get(gloves["url"])
        httpx.get(gloves["impressionUrl"])
    eventually(lambda: partner.reload() and views_and_clicks(partner) == (1, 1))

    partner.goto("/admin/offers/offer/")
    partner.get_by_role("row", name=SHOES).get_by_role("link", name="%").last.click()
    expect(partner.locator("svg").first).to_be_visible()
    picture(partner, "statistics")


def test_another_companys_partner_sees_none_of_it(world: World):
    theirs = next(offer for offer in feed(world, "bruno").values() if offer["company"]["name"] == "Runwell")
    partner = world.staff("partner2")
    partner.goto("/admin/offers/offer/")
    assert "Runwell" not in partner.content()
    absent = partner.request.get("/admin/offers/offer/00000000-0000-7000-8000-000000000000/statistics/", max_redirects=0)
    forbidden = partner.request.get(f"/admin/offers/offer/{theirs['id']}/statistics/", max_redirects=0)
    assert (absent.status, absent.body()) == (forbidden.status, forbidden.body())


def test_a_flagged_message_goes_through_the_queue(world: World):
    moderator = world.staff("moderator")
    moderator.goto("/admin/chat/case/")
    flagged = moderator.get_by_role("link", name="This training plan is")
    eventually(lambda: flagged.count() or (moderator.reload() and 0))
    picture(moderator, "queue")
    flagged.click()
    expect(moderator.get_by_text("profanity").first).to_be_visible()
    moderator.get_by_role("button", name="Claim").click()
    expect(moderator.get_by_text("Nobody yet.")).to_have_count(0)
    picture(moderator, "case")
    moderator.get_by_label("Redact").check()
    moderator.get_by_label("Reason").fill("Rude words about a member's plan.")
    moderator.get_by_role("button", name="Decide").click()

    def redacted() -> bool:
        query = "query { rooms(first: 10) { edges { node { lastMessage { text state } } } } }"
        last = [edge["node"]["lastMessage"] for edge in world.ask("ana", query)["rooms"]["edges"]]
        return {"text": "", "state": "redacted"} in last

    eventually(redacted)
    moderator.goto("/admin/chat/case/")
    expect(flagged).to_have_count(0)


def test_a_member_upgrades_and_has_premium_at_once(world: World):
    asked = 'mutation { createCheckoutSession(planId: "premium", interval: "month") { url } }'
    address = world.ask("bruno", asked)["createCheckoutSession"]["url"]
    assert world.ask("bruno", "{ me { tier } }")["me"]["tier"] == "free"
    buyer = world.browser.person()
    buyer.goto(address)
    expect(buyer.get_by_text("No money moves.")).to_be_visible()
    picture(buyer, "checkout")
    with buyer.expect_navigation():
        buyer.locator("button[value=pay]").click()
    eventually(lambda: world.ask("bruno", "{ me { tier } }")["me"]["tier"] == "premium")
    found = world.ask("bruno", "{ subscription { planId state tier } entitlements { tier } }")
    assert found["subscription"]["tier"] == found["entitlements"]["tier"] == "premium"

    portal = world.ask("bruno", "mutation { createPortalSession { url } }")["createPortalSession"]["url"]
    buyer.goto(portal)
    picture(buyer, "portal")


def test_whoever_is_not_of_the_staff_comes_no_further_than_the_sign_in(world: World):
    page = world.browser.person()
    page.goto("/admin/")
    page.get_by_label("Username").fill("ana")
    page.get_by_label("Password").fill(DEMO_PASSWORD)
    page.get_by_label("Password").press("Enter")
    page.wait_for_load_state()
    page.goto("/admin/offers/offer/")
    assert "/login/" in page.url


def test_a_narrow_screen_shows_the_pages_without_scrolling_sideways(world: World):
    moderator = world.staff("moderator")
    moderator.goto("/admin/chat/case/?state=all")
    cases = moderator.locator("#result_list a[href*='/change/']")
    eventually(lambda: cases.count() or (moderator.reload() and 0))
    case = cases.first.get_attribute("href")
    assert case
    moderator.set_viewport_size({"width": 390, "height": 844})
    for address in ("/admin/", "/admin/offers/offer/", "/admin/chat/case/", case):
        moderator.goto(address)
        wide = moderator.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, address


def healthy(base: str) -> bool:
    with urllib.request.urlopen(f"{base}/readyz") as answer:
        return json.load(answer)["status"] == "ok"


def test_everything_is_still_well(world: World):
    assert healthy(world.browser.base)
