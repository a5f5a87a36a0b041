"""The pages of offers in the back office, as partners and the platform's staff use them."""

import csv
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from offers import authoring_services as authoring
from offers import states
from offers.models import Company, Day, Decision, Membership, Offer
from tests.fixtures import FakeClock
from tests.offers.backoffice_world import FakeLinkChecker, ahead, draft, live, partner, picture, staff, superuser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]

LIST, ADD, REVIEW = "/admin/offers/offer/", "/admin/offers/offer/add/", "/admin/offers/offer/review/"


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def change(offer: Offer, page: str = "change/") -> str:
    return f"{LIST}{offer.pk}/{page}"


def typed(of: Company | None, **more: Any) -> dict[str, Any]:
    """What the form sends."""
    fields: dict[str, Any] = {
        **{"title": "Shoes", "body": "Light ones.", "url": "https://runwell.example/shoes", "tags": "Running, health"},
        **{"goal_kinds": ["fitness"], "tier": "free", "early_access_days": "0", "language": ""},
        **{"valid_from_0": "", "valid_from_1": "", "valid_to_0": "2027-12-31", "valid_to_1": "23:00"},
        **{"budget_cents": "150.50", "cost_per_click_cents": "0.25", "daily_clicks": "", "total_views": ""},
    }
    return fields | ({} if of is None else {"company": of.pk}) | more


def text_of(page: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split())


def now(offer: Offer) -> Offer:
    return Offer.objects.get(pk=offer.pk)


# The partner's day -----------------------------------------------------------------------------------------------------------------------


def test_a_partner_writes_and_submits_and_staff_approve(owner: User, reviewer: User, runwell: Company):
    partner_browser, staff_browser = browser(owner), browser(reviewer)

    answer = partner_browser.post(ADD, typed(runwell, _submit="1", image=SimpleUploadedFile("a.png", picture())), follow=True)

    offer = Offer.objects.get()
    assert "Submitted for approval." in text_of(answer)
    assert (offer.state, offer.company, offer.tags, offer.goal_kinds) == ("submitted", runwell, ["running", "health"], ["fitness"])
    assert (offer.budget_cents, offer.cost_per_click_cents, offer.daily_clicks) == (15050, 25, None)
    assert f"{offer.valid_to:%Y-%m-%d %H:%M}" == "2027-12-31 23:00"
    assert offer.image.name.endswith(".webp")

    queue = staff_browser.get(REVIEW)
    assert "Shoes by Runwell" in text_of(queue)
    assert offer.image.url in queue.content.decode()
    rev = re.search(r'name="rev" value="(\d+)"', queue.content.decode())
    assert rev
    answer = staff_browser.post(change(offer, "act/approve/"), {"rev": rev[1], "queue": "1"}, follow=True)

    assert now(offer).state == "live"
    assert answer.redirect_chain == [(REVIEW, 302)]
    assert "Nothing waits for approval." in text_of(answer)
    assert [each.staff for each in Decision.objects.order_by("rev")] == [owner, owner, reviewer]


def test_what_is_missing_stands_above_the_form_and_submitting_is_refused_in_words(owner: User, runwell: Company):
    client = browser(owner)

    answer = client.post(ADD, typed(runwell, body="", url="", tags="", goal_kinds=[], _submit="1"), follow=True)

    said = text_of(answer)
    assert Offer.objects.get().state == "draft"
    assert "Write a text: what do members get?" in said
    assert "Before it can be submitted: Write a text: what do members get? Give the address that a click leads to." in said


def test_an_address_that_is_no_good_is_told(owner: User, runwell: Company):
    answer = browser(owner).post(ADD, typed(runwell, url=FakeLinkChecker.BAD, _submit="1"), follow=True)
    assert "This address leads to no public server." in text_of(answer)
    assert Offer.objects.get().state == "draft"


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("title", " ", "This field is required."),
        ("url", "http://x.example/", "Give an address that starts with https://"),
        ("tags", "a#b", "A tag has 1 to 40 letters and digits"),
        ("goal_kinds", ["nothing"], "Select a valid choice."),
        ("valid_to_0", "2020-01-01", "It has to end after it begins."),
        ("budget_cents", "-1", "greater than or equal to 0"),
        ("budget_cents", "0", "A whole number from 1"),
        ("early_access_days", "99", "less than or equal to 30"),
        ("image", SimpleUploadedFile("a.png", b"<svg/>"), "This is no picture that we know."),
        ("tier", "gold", "Select a valid choice."),
        ("company", "nothing", "Select a valid choice."),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(owner: User, runwell: Company, field: str, value: Any, said: str):
    answer = browser(owner).post(ADD, typed(runwell, valid_from_0="2027-01-01", valid_from_1="00:00", **{field: value}))

    assert answer.status_code == 200
    assert said in text_of(answer)
    assert "Light ones." in text_of(answer)
    assert not Offer.objects.exists()


def test_an_edit_of_a_live_offer_warns_and_waits_for_approval(owner: User, reviewer: User, runwell: Company):
    offer, client = live(owner, runwell, reviewer), browser(owner)
    page = client.get(change(offer))
    assert "A change of what they see has to be approved again" in text_of(page)

    answer = client.post(change(offer), typed(None, rev=offer.rev, title="New shoes"), follow=True)

    assert "It is submitted now: members see it when it is approved again." in text_of(answer)
    assert (now(offer).state, now(offer).title) == ("submitted", "New shoes")


def test_two_editors_are_told_and_keep_what_they_typed(owner: User, runwell: Company):
    offer, second = draft(owner, runwell), browser(partner("editor", runwell, "editor"))
    authoring.edit_offer(owner, offer.pk, title="First")

    answer = second.post(change(offer), typed(None, rev=offer.rev, title="Second", body="My long text."))

    assert answer.status_code == 200
    assert "Somebody changed this offer since you opened it." in text_of(answer)
    assert "My long text." in text_of(answer)
    assert now(offer).title == "First"
    again = second.post(change(offer), typed(None, rev=offer.rev, title="Second"))
    assert again.status_code == 200, "sending it again does not help: the page is still the old one"


def test_a_change_at_the_very_moment_is_told_too(owner: User, runwell: Company, monkeypatch: pytest.MonkeyPatch):
    """The form has looked; the service finds somebody else's revision."""
    offer, client, real = draft(owner, runwell), browser(owner), states.edited

    def meanwhile(*args: Any) -> str:
        monkeypatch.setattr(states, "edited", real)
        authoring.edit_offer(owner, offer.pk, title="First")
        return real(*args)

    monkeypatch.setattr(states, "edited", meanwhile)
    answer = client.post(change(offer), typed(None, rev=offer.rev, title="Second"))

    assert answer.status_code == 200
    assert "Somebody changed this offer since you opened it." in text_of(answer)
    assert 'value="Second"' in answer.content.decode()
    assert now(offer).title == "First"


def test_a_form_without_its_revision_changes_nothing(owner: User, runwell: Company):
    offer, client = draft(owner, runwell), browser(owner)
    client.post(change(offer), typed(None, title="Second"))
    client.post(change(offer, "act/archive/"), {})
    assert (now(offer).title, now(offer).state) == ("Shoes", "draft")


def test_a_picture_stays_until_it_is_replaced_or_taken_away(owner: User, runwell: Company):
    client = browser(owner)
    client.post(ADD, typed(runwell, image=SimpleUploadedFile("a.png", picture())))
    offer = Offer.objects.get()
    first = offer.image.name
    assert first

    client.post(change(offer), typed(None, rev=1, title="Two"))
    assert now(offer).image.name == first
    client.post(change(offer), typed(None, rev=2, image=SimpleUploadedFile("b.jpg", picture("JPEG"))))
    second = now(offer).image.name
    assert second not in ("", first)
    client.post(change(offer), {**typed(None, rev=3), "image-clear": "on"})
    assert now(offer).image.name == ""


@pytest.mark.parametrize(("role", "steps", "form"), [("owner", True, True), ("editor", True, True), ("analyst", False, False)])
def test_each_role_is_offered_what_it_may(owner: User, reviewer: User, runwell: Company, *, role: str, steps: bool, form: bool):
    offer = live(owner, runwell, reviewer)
    client = browser(partner(f"a-{role}", runwell, role))

    page = client.get(change(offer))

    assert page.status_code == 200
    assert ("act/pause/" in page.content.decode()) is steps
    assert ("act/archive/" in page.content.decode()) is (role == "owner")
    assert ('name="title"' in page.content.decode()) is form
    assert ('name="_continue"' in page.content.decode()) is form
    assert "Light ones." in text_of(page)
    assert client.get(ADD).status_code == (200 if form else 403)
    assert (ADD in client.get(LIST).content.decode()) is form
    assert client.post(change(offer), typed(None, rev=offer.rev, title="x")).status_code == (302 if form else 403)


def test_steps_are_taken_by_their_buttons(owner: User, reviewer: User, runwell: Company):
    offer, client = live(owner, runwell, reviewer), browser(owner)
    for action, state in (("pause", "paused"), ("resume", "live"), ("archive", "archived")):
        page = client.get(change(offer))
        assert f"act/{action}/" in page.content.decode()
        client.post(change(offer, f"act/{action}/"), {"rev": now(offer).rev})
        assert now(offer).state == state
    assert "act/" not in client.get(change(offer)).content.decode()
    assert client.get(change(offer, "act/resume/")).status_code == 405
    assert client.post(change(offer, "act/destroy/"), {"rev": 1}).status_code == 302


def test_a_rejection_wants_a_reason_which_the_company_reads(owner: User, reviewer: User, runwell: Company):
    offer, client = draft(owner, runwell), browser(reviewer)
    sent = authoring.submit(owner, offer.pk)

    client.post(change(offer, "act/reject/"), {"rev": sent.rev, "reason": " "})
    assert now(offer).state == "submitted"
    client.post(change(offer, "act/reject/"), {"rev": sent.rev, "reason": "Say what it costs."})

    page = text_of(browser(owner).get(change(offer)))
    assert "It was sent back: Say what it costs." in page
    assert "moderator" not in page, "a company is not told who decided"
    history = text_of(browser(owner).get(change(offer, "history/")))
    assert "GoalGraph's staff reject" in history.replace("&#x27;", "'")
    assert "moderator" not in history
    assert "moderator" in text_of(client.get(change(offer, "history/")))


def test_the_queue_has_the_longest_wait_first_and_only_what_waits(owner: User, reviewer: User, runwell: Company, world: FakeClock):
    offers = [draft(owner, runwell, title=f"Offer {number}") for number in range(3)]
    draft(owner, runwell, title="Only a draft")
    for offer in reversed(offers):
        authoring.submit(owner, offer.pk)
        world.advance(minutes=1)

    page = text_of(browser(reviewer).get(REVIEW))

    assert [page.index(f"Offer {number} by") for number in (2, 1, 0)] == sorted(page.index(f"Offer {number} by") for number in range(3))
    assert "Only a draft" not in page
    assert "Review (3)" in text_of(browser(reviewer).get(LIST))


def test_a_member_of_the_company_sees_the_queue_but_decides_nothing_there(owner: User, reviewer: User, runwell: Company):
    authoring.submit(owner, draft(owner, runwell).pk)
    Membership.objects.create(user=reviewer, company=runwell, role="analyst")
    page = browser(reviewer).get(REVIEW)
    assert "You work for this company, so somebody else has to decide." in text_of(page)
    assert "act/" not in page.content.decode()


def test_the_history_says_what_changed(owner: User, runwell: Company):
    offer = draft(owner, runwell)
    authoring.edit_offer(owner, offer.pk, title="New shoes", tags=["yoga"])
    page = text_of(browser(owner).get(change(offer, "history/")))
    assert "title Shoes New shoes" in page
    assert "tags running yoga" in page


def test_selected_offers_are_paused(owner: User, reviewer: User, runwell: Company):
    running, idle = live(owner, runwell, reviewer), draft(owner, runwell, title="Idle")
    answer = browser(owner).post(LIST, {"action": "pause_selected", "_selected_action": [running.pk, idle.pk]}, follow=True)
    assert (now(running).state, now(idle).state) == ("paused", "draft")
    assert "An offer that is draft cannot be changed" in text_of(answer)


def test_nothing_is_deleted(owner: User, runwell: Company):
    offer, chief = draft(owner, runwell), browser(superuser())
    assert chief.post(change(offer, "delete/"), {"post": "yes"}).status_code == 403
    chief.post(LIST, {"action": "delete_selected", "_selected_action": [offer.pk], "post": "yes"})
    assert Offer.objects.exists()


def test_each_change_is_in_djangos_log_too(owner: User, runwell: Company):
    browser(owner).post(ADD, typed(runwell, _submit="1"))
    assert [entry.user for entry in LogEntry.objects.all()] == [owner, owner]


# Figures -------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def counted(owner: User, reviewer: User, runwell: Company, world: FakeClock) -> Offer:
    """A day with many members, one with nine, and one with none."""
    offer, today = live(owner, runwell, reviewer), world.now().date()
    Day.objects.create(offer=offer, day=today, views=40, clicks=4, reach=20)
    Day.objects.create(offer=offer, day=today - timedelta(days=1), views=777, clicks=666, reach=9)
    return offer


def test_the_chart_and_the_table_show_days_and_keep_small_ones_to_themselves(counted: Offer, owner: User):
    page = browser(owner).get(change(counted, "statistics/?days=7"))

    body, said = page.content.decode(), text_of(page)
    assert "2027-07-01 40 4 10.0 % 20" in said
    assert "2027-06-30 fewer than 10 members" in said
    assert "Views 40 Clicks 4" in said
    assert "777" not in body
    assert "666" not in body
    assert body.count("<rect") == 4 * 7
    assert body.count('class="few"') == 4 * 6
    assert 'aria-label="Views per day, at most 40"' in body
    assert "<title>2027-07-01: 40</title>" in body
    assert browser(owner).get(change(counted, "statistics/?days=90")).content.decode().count("<rect") == 4 * 90
    for odd in ("x", "9" * 5000, "07", "-7", "\u0667"):
        assert browser(owner).get(change(counted, f"statistics/?days={odd}")).content.decode().count("<rect") == 4 * 30


def test_the_list_sums_only_what_may_be_shown(counted: Offer, owner: User):
    assert "40 4 10.0 %" in text_of(browser(owner).get(LIST))


def test_the_export_says_the_same(counted: Offer, owner: User):
    answer = browser(owner).get(change(counted, "statistics.csv?days=7"))
    rows = list(csv.DictReader(answer.content.decode().splitlines()))
    assert answer["Content-Disposition"] == f'attachment; filename="offer-{counted.pk}.csv"'
    assert rows[-1] == {"day": "2027-07-01", "views": "40", "clicks": "4", "rate": "0.1000", "reach": "20"}
    assert (rows[-2]["views"], rows[-2]["clicks"], len(rows)) == ("", "", 7)


# Companies -----------------------------------------------------------------------------------------------------------------------------


def test_ops_add_rename_and_archive_companies(owner: User, runwell: Company):
    client = browser(staff("ops", "ops"))
    client.post("/admin/offers/company/add/", {"name": "Vita", "url": "https://vita.example/"})
    assert Company.objects.filter(name="Vita", url="https://vita.example/").exists()
    address = f"/admin/offers/company/{runwell.pk}/change/"
    client.post(address, {"name": "Runwell Ltd", "url": "", "rev": 1})
    stale = client.post(address, {"name": "Runwell Inc", "url": "", "rev": 1})
    assert "Somebody changed this company since you opened it." in text_of(stale)
    client.post(address, {"name": "Runwell Ltd", "url": "", "rev": 2, "archived": "on"})
    assert Company.objects.get(pk=runwell.pk).archived
    assert "This company is archived" in text_of(browser(owner).get(change(Offer.objects.create(company=runwell, created_at=ahead()))))
    assert browser(owner).post(address, {"name": "Mine", "rev": 3}).status_code == 403


def test_owners_change_roles(owner: User, runwell: Company):
    editor = partner("editor", runwell, "editor")
    member = Membership.objects.get(user=editor)
    address = f"/admin/offers/membership/{member.pk}/change/"

    browser(owner).post(address, {"role": "analyst", "active": "on", "rev": 1})
    assert Membership.objects.get(user=editor).role == "analyst"
    assert browser(editor).post(address, {"role": "owner", "active": "on", "rev": 2}).status_code == 403
    own = browser(owner).post(f"/admin/offers/membership/{Membership.objects.get(user=owner).pk}/change/", {"role": "analyst", "rev": 1})
    assert "You cannot change your own role." in text_of(own)
    assert browser(owner).get("/admin/offers/membership/add/").status_code == 403


def test_a_stale_form_brings_nobody_back(owner: User, runwell: Company):
    """The owner's page was open, with the switch on, when the platform took the role away."""
    editor, ops = partner("editor", runwell, "editor"), staff("ops", "ops")
    address = f"/admin/offers/membership/{Membership.objects.get(user=editor).pk}/change/"
    assert 'name="rev" value="1"' in browser(owner).get(address).content.decode()
    browser(ops).post(address, {"role": "editor", "rev": 1})

    stale = browser(owner).post(address, {"role": "analyst", "active": "on", "rev": 1})
    fresh = browser(owner).post(address, {"role": "analyst", "active": "on", "rev": 2})

    assert "Somebody changed this role since you opened it." in text_of(stale)
    assert "The platform&#x27;s staff bring people in, and back in." in text_of(fresh)
    assert not Membership.objects.get(user=editor).active
    browser(ops).post(address, {"role": "analyst", "active": "on", "rev": 2})
    assert Membership.objects.get(user=editor).active


def test_djangos_log_of_companies_and_roles_is_for_the_platforms_staff(owner: User, runwell: Company):
    ops = staff("ops", "ops")
    for row in (runwell, Membership.objects.get(user=owner)):
        page = f"/admin/offers/{row._meta.model_name}/{row.pk}/"
        assert browser(owner).get(f"{page}history/").status_code == 403
        assert "history/" not in browser(owner).get(f"{page}change/").content.decode()
        assert browser(ops).get(f"{page}history/").status_code == 200
        assert "history/" in browser(ops).get(f"{page}change/").content.decode()


# Markup --------------------------------------------------------------------------------------------------------------------------------


def test_every_page_lives_under_the_policy_and_nothing_that_was_written_becomes_markup(owner: User, reviewer: User, runwell: Company):
    attack = "<script>alert(1)</script>"
    offer = draft(owner, runwell, title=attack, body=f'{attack}"><img src=x onerror=alert(2)>')
    authoring.submit(owner, offer.pk)
    authoring.reject(reviewer, offer.pk, attack)
    authoring.submit(owner, offer.pk)
    chief = browser(superuser())
    pages = [LIST, ADD, REVIEW, change(offer), change(offer, "history/"), change(offer, "statistics/"), "/admin/offers/company/"]

    for address in [*pages, f"/admin/offers/company/{runwell.pk}/change/", "/admin/offers/membership/add/"]:
        page = chief.get(address)
        body = page.content.decode()
        assert page.status_code == 200, address
        assert "unsafe" not in page["Content-Security-Policy"]
        assert not re.search(r"<style|\sstyle=|\son\w+=\"|javascript:|<script>|<img src=x", body), address
        assert all("src=" in tag or 'type="application/json"' in tag for tag in re.findall(r"<script[^>]*>", body)), address
