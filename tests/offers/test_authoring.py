"""Writing, submitting and reviewing offers through the services: who may, what is recorded, and that nobody overwrites another."""

import io
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import connection

from goalgraph import wiring
from goalgraph.errors import Conflict, Forbidden, GoalGraphError, Invalid, NotFound
from offers import access, publishing_services, states
from offers import authoring_services as authoring
from offers import company_services as companies
from offers.models import Company, Day, Decision, Membership, Offer
from tests.fixtures import FakeClock
from tests.offers.backoffice_world import FakeLinkChecker, ahead, company, complete, draft, live, partner, picture, staff, superuser

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]


def now(offer: Offer) -> Offer:
    return Offer.objects.get(pk=offer.pk)


# A life ------------------------------------------------------------------------------------------------------------------------------


def test_an_offer_goes_from_draft_to_live_and_each_step_is_recorded(owner: User, reviewer: User, runwell: Company, world: FakeClock):
    offer = draft(owner, runwell, title="  Shoes ", tags=["Running", "running"])
    assert (offer.state, offer.title, offer.tags, offer.rev) == ("draft", "Shoes", ["running"], 1)

    authoring.submit(owner, offer.pk)
    authoring.reject(reviewer, offer.pk, "The text says nothing.")
    authoring.edit_offer(owner, offer.pk, body="20 % off.")
    world.advance(hours=1)
    authoring.submit(owner, offer.pk)
    authoring.approve(reviewer, offer.pk)

    history = [(each.action, each.staff, each.before, each.after, each.reason, each.rev) for each in Decision.objects.order_by("rev")]
    assert history == [
        ("create", owner, "", "draft", "", 1),
        ("submit", owner, "draft", "submitted", "", 2),
        ("reject", reviewer, "submitted", "draft", "The text says nothing.", 3),
        ("edit", owner, "draft", "draft", "", 4),
        ("submit", owner, "draft", "submitted", "", 5),
        ("approve", reviewer, "submitted", "live", "", 6),
    ]
    assert [each.snapshot["body"] for each in Decision.objects.order_by("rev")] == ["Light ones."] * 3 + ["20 % off."] * 3
    assert now(offer).submitted_at == now(offer).valid_from == world.now(), "it begins when it is approved"


def test_what_is_approved_early_starts_by_the_clock_and_expires_by_it(owner: User, reviewer: User, runwell: Company, world: FakeClock):
    offer = live(owner, runwell, reviewer, valid_from=ahead(days=1), valid_to=ahead(days=3))
    assert offer.state == "approved"

    seen = []
    for _ in range(4):
        publishing_services.sweep()
        publishing_services.sweep()
        seen.append(now(offer).state)
        world.advance(days=1)

    assert seen == ["approved", "live", "live", "expired"]
    assert [(each.action, each.staff) for each in Decision.objects.order_by("rev")][3:] == [("start", None), ("expire", None)]


def test_a_live_offer_that_is_edited_waits_for_approval_again_and_its_budget_may_change_at_any_time(
    owner: User, reviewer: User, runwell: Company
):
    offer = live(owner, runwell, reviewer)

    assert authoring.edit_offer(owner, offer.pk, budget_cents=5000, daily_clicks=10).state == "live"
    assert authoring.edit_offer(owner, offer.pk, url="https://elsewhere.example/").state == "submitted"
    assert authoring.approve(reviewer, offer.pk).state == "live"
    assert authoring.pause(owner, offer.pk, "Sold out.").pause_reason == "Sold out."
    assert authoring.edit_offer(owner, offer.pk, body="Again.").state == "draft", "a paused one does not come back by itself"


def test_an_edit_that_changes_nothing_is_no_revision(owner: User, runwell: Company):
    offer = draft(owner, runwell, image=io.BytesIO(picture()))

    same = authoring.edit_offer(owner, offer.pk, **complete())

    assert (same.rev, Decision.objects.count()) == (1, 1)


def test_an_archived_offer_stays_as_it_is(owner: User, reviewer: User, runwell: Company):
    offer = live(owner, runwell, reviewer)
    authoring.archive(owner, offer.pk)

    for step in (
        lambda: authoring.edit_offer(owner, offer.pk, title="New"),
        lambda: authoring.resume(owner, offer.pk),
        lambda: authoring.submit(owner, offer.pk),
        lambda: authoring.archive(owner, offer.pk),
        lambda: authoring.reject(reviewer, offer.pk, "No."),
    ):
        with pytest.raises(Conflict):
            step()
    assert now(offer).state == "archived"


def test_the_platform_pauses_what_has_used_up_its_budget_and_its_company_may_resume_it(owner: User, reviewer: User, runwell: Company):
    offer = live(owner, runwell, reviewer)

    assert authoring.pause_by_platform(offer.pk, "The budget is used up.")
    assert not authoring.pause_by_platform(offer.pk, "The budget is used up."), "the second time changes nothing"

    assert (now(offer).state, now(offer).pause_reason) == ("paused", "The budget is used up.")
    assert authoring.resume(owner, offer.pk).state == "live"
    assert now(offer).pause_reason == ""
    assert not authoring.pause_by_platform("nobody", "x")


def test_why_it_was_paused_stays_when_a_cap_is_edited_and_it_resumes_when_there_is_something_left(
    owner: User, reviewer: User, runwell: Company, world: FakeClock
):
    offer = live(owner, runwell, reviewer, total_views=100)
    Day.objects.create(offer=offer, day=world.now().date(), views=120, reach=50)
    authoring.pause_by_platform(offer.pk, "budget")

    assert authoring.edit_offer(owner, offer.pk, total_views=110).pause_reason == "budget"
    with pytest.raises(Invalid):
        authoring.resume(owner, offer.pk)
    assert (now(offer).state, now(offer).pause_reason) == ("paused", "budget")

    authoring.edit_offer(owner, offer.pk, total_views=200)
    resumed = authoring.resume(owner, offer.pk)
    assert (resumed.state, resumed.pause_reason) == ("live", "")


# What is missing, and what is wrong -----------------------------------------------------------------------------------------------------


def test_what_is_missing_is_said_in_words(owner: User, runwell: Company, world: FakeClock):
    offer = authoring.create_offer(owner, runwell.pk, title="Shoes", valid_to=ahead(days=1))
    world.advance(days=2)

    with pytest.raises(Invalid) as refused:
        authoring.submit(owner, offer.pk)

    assert authoring.gaps(now(offer)) == [
        "Write a text: what do members get?",
        "Give the address that a click leads to.",
        "Give at least one tag or kind of goal, or nobody would see it.",
        "Its last day is over: choose a later one.",
    ]
    assert all(gap in refused.value.message for gap in authoring.gaps(now(offer)))
    assert now(offer).state == "draft"


@pytest.mark.parametrize("url", [FakeLinkChecker.BAD, FakeLinkChecker.AWAY])
def test_the_address_is_checked_when_it_is_submitted(owner: User, runwell: Company, url: str):
    offer = draft(owner, runwell, url=url)

    with pytest.raises(Invalid) as refused:
        authoring.submit(owner, offer.pk)

    assert refused.value.field == "url"
    assert now(offer).state == "draft"


def test_the_address_is_checked_again_when_it_is_approved(owner: User, reviewer: User, runwell: Company):
    offer = draft(owner, runwell)
    authoring.submit(owner, offer.pk)
    Offer.objects.update(url=FakeLinkChecker.BAD)

    with pytest.raises(Invalid):
        authoring.approve(reviewer, offer.pk)

    assert wiring.port("link_checker").asked == ["https://runwell.example/shoes", FakeLinkChecker.BAD]
    assert now(offer).state == "submitted"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "x" * 121),
        ("title", "a\u202eb"),
        ("body", "x" * 2001),
        ("url", "http://runwell.example/"),
        ("url", "javascript:alert(1)"),
        ("url", "https://user:pw@runwell.example/"),
        ("tags", ["#"]),
        ("tags", [f"tag{number}" for number in range(11)]),
        ("goal_kinds", ["none-of-ours"]),
        ("tier", "gold"),
        ("early_access_days", 31),
        ("early_access_days", -1),
        ("language", "English, please"),
        ("budget_cents", 0),
        ("budget_cents", 2.5),
        ("cost_per_click_cents", -1),
        ("daily_clicks", 0),
        ("total_views", 10**12),
    ],
)
def test_a_field_holds_only_what_it_may(owner: User, runwell: Company, field: str, value: Any):
    offer = draft(owner, runwell)

    with pytest.raises(Invalid) as refused:
        authoring.edit_offer(owner, offer.pk, **{field: value})
    with pytest.raises(Invalid):
        draft(owner, runwell, **{field: value})

    assert refused.value.field == field
    assert Offer.objects.get().rev == 1


def test_an_offer_ends_after_it_begins(owner: User, runwell: Company):
    offer = draft(owner, runwell, valid_from=ahead(days=2))
    for wrong in ({"valid_to": ahead(days=2)}, {"valid_from": ahead(days=3), "valid_to": ahead(days=1)}):
        with pytest.raises(Invalid):
            authoring.edit_offer(owner, offer.pk, **wrong)


@pytest.mark.parametrize("field", ["state", "rev", "company", "published_rev", "pace"])
def test_only_what_people_author_is_taken(owner: User, runwell: Company, field: str):
    offer = draft(owner, runwell)
    with pytest.raises(TypeError):
        authoring.edit_offer(owner, offer.pk, **{field: "live"})


def test_a_picture_is_stored_under_a_name_of_its_own_and_may_be_taken_away(owner: User, runwell: Company):
    offer = draft(owner, runwell, image=io.BytesIO(picture("JPEG")))
    name = offer.image.name
    with offer.image.open() as stored:
        assert stored.read()[8:12] == b"WEBP"

    other = authoring.edit_offer(owner, offer.pk, image=io.BytesIO(picture("JPEG")))

    assert name.startswith("offers/")
    assert other.image.name not in ("", name)
    assert authoring.edit_offer(owner, offer.pk, image=None).image.name == ""


# Who may -----------------------------------------------------------------------------------------------------------------------------


STEPS = {
    "edit": lambda who, offer: authoring.edit_offer(who, offer.pk, title="Changed"),
    "submit": lambda who, offer: authoring.submit(who, offer.pk),
    "approve": lambda who, offer: authoring.approve(who, offer.pk),
    "reject": lambda who, offer: authoring.reject(who, offer.pk, "No."),
    "pause": lambda who, offer: authoring.pause(who, offer.pk),
    "resume": lambda who, offer: authoring.resume(who, offer.pk),
    "archive": lambda who, offer: authoring.archive(who, offer.pk),
    "create": lambda who, offer: draft(who, offer.company),
}


def people(runwell: Company) -> dict[str, Any]:
    lingua = company("Lingua")
    gone = partner("left", runwell)
    Membership.objects.filter(user=gone).update(active=False)
    inactive = partner("inactive", runwell)
    inactive.is_active = False
    member = partner("member", runwell)
    member.is_staff = False
    return {
        "anonymous": AnonymousUser(),
        "member": member,
        "inactive": inactive,
        "left": gone,
        "support": staff("support", "support"),
        "partner2": partner("partner2", lingua),
    }


@pytest.mark.parametrize("who", ["anonymous", "member", "inactive", "left", "support", "partner2"])
@pytest.mark.parametrize("step", STEPS)
def test_for_who_may_not_see_an_offer_there_is_none(owner: User, runwell: Company, who: str, step: str):
    offer, somebody = draft(owner, runwell), people(runwell)[who]

    with pytest.raises(NotFound) as foreign:
        STEPS[step](somebody, offer)
    with pytest.raises(NotFound) as absent:
        STEPS[step](somebody, Offer(pk="nothing", company=Company(pk="nothing")))

    assert str(foreign.value) == str(absent.value)
    assert not access.visible_offers(somebody).filter(company=runwell).exists()
    assert not access.visible_companies(somebody).filter(pk=runwell.pk).exists()
    assert not access.visible_memberships(somebody).filter(company=runwell).exists()
    assert now(offer).rev == 1
    assert Offer.objects.count() == 1


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("owner", {"edit", "submit", "create", "archive"}),
        ("editor", {"edit", "submit", "create"}),
        ("analyst", set()),
    ],
)
def test_what_each_role_may_in_its_company(runwell: Company, owner: User, role: str, may: set[str]):
    somebody = partner(f"a-{role}", runwell, role)
    for step, take in STEPS.items():
        offer = draft(owner, runwell)
        if step in may:
            take(somebody, offer)
            continue
        with pytest.raises(Conflict if step in ("pause", "resume") and role != "analyst" else Forbidden):
            take(somebody, offer)


def test_nobody_reviews_the_offers_of_a_company_they_work_for(owner: User, runwell: Company):
    reviewer, chief = staff("moderator", "moderator"), superuser()
    for somebody in (reviewer, chief):
        Membership.objects.create(user=somebody, company=runwell, role="analyst")
    offer = draft(owner, runwell)
    authoring.submit(owner, offer.pk)

    for somebody in (owner, reviewer, chief):
        with pytest.raises(Forbidden):
            authoring.approve(somebody, offer.pk)
        with pytest.raises(Forbidden):
            authoring.reject(somebody, offer.pk, "No.")
    assert now(offer).state == "submitted"


def test_reviewers_see_all_and_write_nothing(owner: User, reviewer: User, runwell: Company):
    offer = draft(owner, runwell)
    assert list(access.visible_offers(reviewer)) == [offer]
    for step in ("edit", "submit", "pause", "resume", "archive", "create"):
        with pytest.raises((Forbidden, Conflict)):
            STEPS[step](reviewer, offer)
    assert now(offer).rev == 1


def test_a_superuser_may_do_all_steps(runwell: Company, owner: User):
    chief = superuser()
    offer = draft(chief, runwell)
    authoring.submit(chief, offer.pk)
    authoring.approve(chief, offer.pk)
    authoring.pause(chief, offer.pk)
    authoring.resume(chief, offer.pk)
    assert authoring.archive(chief, offer.pk).state == "archived"


# Two at once -------------------------------------------------------------------------------------------------------------------------


def test_two_editors_cannot_overwrite_each_other(owner: User, runwell: Company):
    second, offer = partner("editor", runwell, "editor"), draft(owner, runwell)
    authoring.edit_offer(owner, offer.pk, rev=offer.rev, title="First")

    with pytest.raises(Conflict, match="Somebody changed this offer"):
        authoring.edit_offer(second, offer.pk, rev=offer.rev, title="Second")

    assert now(offer).title == "First"


def test_nobody_approves_what_they_have_not_read(owner: User, reviewer: User, runwell: Company):
    offer = draft(owner, runwell)
    read = authoring.submit(owner, offer.pk)
    authoring.edit_offer(owner, offer.pk, body="Something else.")

    with pytest.raises(Conflict):
        authoring.approve(reviewer, offer.pk, rev=read.rev)

    assert now(offer).state == "submitted"
    assert authoring.approve(reviewer, offer.pk, rev=now(offer).rev).state == "live"


@pytest.mark.parametrize("other", ["edit", "archive", "pause"])
def test_a_change_between_reading_and_writing_is_not_overwritten(
    owner: User, reviewer: User, runwell: Company, other: str, monkeypatch: pytest.MonkeyPatch
):
    offer = live(owner, runwell, reviewer)
    real = states.edited

    def meanwhile(*args: Any) -> str:
        monkeypatch.setattr(states, "edited", real)
        STEPS[other](owner, offer)
        return real(*args)

    monkeypatch.setattr(states, "edited", meanwhile)
    with pytest.raises(Conflict):
        authoring.edit_offer(owner, offer.pk, title="Mine", rev=offer.rev)

    assert now(offer).title != "Mine"
    assert Decision.objects.filter(offer=offer).count() == now(offer).rev == offer.rev + 1


def test_pacing_and_a_new_company_name_disturb_no_editor(owner: User, reviewer: User, runwell: Company):
    offer = live(owner, runwell, reviewer)
    publishing_services.set_pace(offer.pk, 0.5)
    companies.edit_company(superuser(), runwell.pk, name="Runwell Ltd")

    changed = authoring.edit_offer(owner, offer.pk, rev=offer.rev, title="New shoes")

    assert changed.rev == offer.rev + 3
    assert changed.pace == 0.5


# Companies ---------------------------------------------------------------------------------------------------------------------------


def test_companies_are_the_platforms_to_change(owner: User, reviewer: User, runwell: Company):
    ops, other = staff("ops", "ops"), partner("partner2", company("Lingua"))
    made = companies.create_company(ops, name=" Vita ", url="https://vita.example/")
    assert (made.name, made.rev) == ("Vita", 1)

    for somebody, refusal in ((owner, Forbidden), (reviewer, Forbidden), (other, NotFound), (AnonymousUser(), NotFound)):
        with pytest.raises(refusal):
            companies.edit_company(somebody, runwell.pk, name="Mine")
        with pytest.raises(Forbidden):
            companies.create_company(somebody, name="Mine")
    with pytest.raises(Invalid):
        companies.edit_company(ops, runwell.pk, name="")
    with pytest.raises(Invalid):
        companies.edit_company(ops, runwell.pk, url="ftp://x.example/")

    companies.edit_company(ops, runwell.pk, rev=1, name="Runwell Ltd")
    with pytest.raises(Conflict):
        companies.edit_company(ops, runwell.pk, rev=1, name="Runwell Inc")
    assert Company.objects.get(pk=runwell.pk).name == "Runwell Ltd"


def test_nothing_is_written_or_approved_in_an_archived_company(owner: User, reviewer: User, runwell: Company):
    offer = draft(owner, runwell)
    authoring.submit(owner, offer.pk)
    companies.edit_company(superuser(), runwell.pk, archived=True)

    for step in ("edit", "approve", "create"):
        with pytest.raises(Conflict):
            STEPS[step](reviewer if step == "approve" else owner, offer)
    assert authoring.possible(owner, now(offer)) == ["archive"]


def test_owners_look_after_who_works_for_their_company(owner: User, runwell: Company):
    editor = partner("editor", runwell, "editor")
    newcomer, other = staff("newcomer", "partner"), partner("partner2", company("Lingua"))

    assert companies.set_membership(owner, runwell.pk, editor, role="analyst").role == "analyst"
    assert not companies.set_membership(owner, runwell.pk, editor, role="analyst", active=False).active
    assert not access.visible_offers(editor).exists()
    for somebody, whom, refusal in (
        (owner, newcomer, Forbidden),
        (owner, owner, Forbidden),
        (editor, owner, NotFound),
        (other, editor, NotFound),
    ):
        with pytest.raises(refusal):
            companies.set_membership(somebody, runwell.pk, whom, role="editor")


def test_who_left_is_brought_back_by_the_platform_alone(owner: User, runwell: Company):
    ops, editor = staff("ops", "ops"), partner("editor", runwell, "editor")
    companies.set_membership(ops, runwell.pk, editor, role="editor", active=False)

    with pytest.raises(Forbidden):
        companies.set_membership(owner, runwell.pk, editor, role="editor")
    assert not Membership.objects.get(user=editor).active

    companies.set_membership(ops, runwell.pk, editor, role="editor")
    assert Membership.objects.get(user=editor).active


def test_a_role_that_was_changed_meanwhile_is_not_overwritten(owner: User, runwell: Company):
    editor = partner("editor", runwell, "editor")
    first = companies.set_membership(owner, runwell.pk, editor, role="analyst", rev=1)
    assert first.rev == 2

    with pytest.raises(Conflict):
        companies.set_membership(owner, runwell.pk, editor, role="owner", rev=1)
    assert companies.set_membership(owner, runwell.pk, editor, role="analyst", rev=2).rev == 2, "nothing was changed"
    assert Membership.objects.get(user=editor).role == "analyst"


def test_two_owners_who_take_each_others_role_away_at_once_leave_one(owner: User, runwell: Company):
    other, late = partner("other", runwell), []

    def meanwhile(execute: Any, sql: str, *args: Any) -> Any:
        """What the other owner does just before the first one's transaction begins."""
        if sql.startswith("SAVEPOINT") and not late:
            late.append(True)
            companies.set_membership(other, runwell.pk, owner, role="analyst")
        return execute(sql, *args)

    with connection.execute_wrapper(meanwhile), pytest.raises(Forbidden):
        companies.set_membership(owner, runwell.pk, other, role="analyst")

    assert [each.user for each in Membership.objects.filter(role="owner", active=True)] == [other]


@pytest.mark.parametrize("change", [{"role": "analyst"}, {"role": "owner", "active": False}])
def test_a_company_always_keeps_an_owner(owner: User, runwell: Company, change: dict[str, Any]):
    ops, gone = staff("ops", "ops"), partner("gone", runwell)
    gone.is_active = False
    gone.save()

    with pytest.raises(Invalid):
        companies.set_membership(ops, runwell.pk, owner, **change)
    assert Membership.objects.get(user=owner).role == "owner"

    companies.set_membership(ops, runwell.pk, partner("next", runwell, "editor"), role="owner")
    companies.set_membership(ops, runwell.pk, owner, **change)
    assert not access.works_for(owner, frozenset({"owner"})).exists()


def test_the_platform_brings_staff_into_companies(runwell: Company):
    ops, newcomer = staff("ops", "ops"), staff("newcomer", "partner")
    member = staff("member")
    member.is_staff = False

    companies.set_membership(ops, runwell.pk, newcomer, role="owner")
    again = companies.set_membership(ops, runwell.pk, newcomer, role="owner")

    assert [(each.pk, each.role) for each in Membership.objects.all()] == [(again.pk, "owner")]
    with pytest.raises(Invalid):
        companies.set_membership(ops, runwell.pk, member, role="owner")
    with pytest.raises(GoalGraphError):
        companies.set_membership(ops, runwell.pk, newcomer, role="king")


def test_the_clock_is_asked_never_the_machine(owner: User, runwell: Company, world: FakeClock):
    offer = draft(owner, runwell)
    assert offer.created_at == world.now()
    assert abs(Decision.objects.get().at - world.now()) < timedelta(seconds=1)
