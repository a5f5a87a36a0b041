"""The moderators' desk in the back office, through the admin's own addresses: who may, what they see, and what they do."""

import re
from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client, override_settings

from chat import case_services, decision_services
from chat.models import Case
from goalgraph.table.metering import metered
from tests.chat.case_world import RUDE, AwayTable, follow, hall, moderator, reported, staff, text_of, urgent, wanted

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("memory_world", "static_files")]

LIST, URGENT = "/admin/chat/case/", "/admin/chat/urgentcase/"


@pytest.fixture
def static_files(settings: Any) -> None:
    settings.WHITENOISE_AUTOREFRESH = True  # nothing is collected under test


def browser_of(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


@pytest.fixture
def people():
    return hall()


@pytest.fixture
def mona() -> User:
    return moderator()


@pytest.fixture
def desk(mona) -> Client:
    return browser_of(mona)


def page_of(case: Case, do: str = "change") -> str:
    return f"{LIST}{case.pk}/{do}/"


def text(response: Any) -> str:
    return response.content.decode()


def decision(case: Case, action: str, **more: object) -> dict[str, object]:
    return {"version": case.version, "action": action, "rule": "spam", "minutes": 60, "days": 7, "reason": "Seen by us", **more}


def fresh(case: Case) -> Case:
    return Case.objects.get(pk=case.pk)


# Who may ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "sees", "acts"),
    [
        ("nobody", False, False),
        ("member", False, False),
        ("staff", False, False),
        ("looker", True, False),
        ("moderator", True, True),
        ("admin", True, True),
    ],
)
def test_each_address_by_role(people, role, sees, acts):
    sent, case = reported(*people)
    user = {
        "nobody": lambda: None,
        "member": lambda: User.objects.create_user("member"),
        "staff": lambda: staff("sam"),
        "looker": lambda: staff("sam", "view_case", "view_urgentcase"),
        "moderator": moderator,
        "admin": lambda: staff("root", superuser=True),
    }[role]()
    browser = browser_of(user)
    for address in (LIST, URGENT, page_of(case)):
        assert (browser.get(address).status_code == 200) is sees
    refused = browser.post(page_of(case, "act"), decision(case, "redact"))
    assert (refused.status_code == 302 and "/login" not in refused["Location"]) is acts or not sees
    assert (text_of(people[0][1], sent)[1] == "redacted") is acts
    assert (fresh(case).version > case.version) is acts


@pytest.mark.parametrize("address", [f"{LIST}add/", f"{LIST}1/delete/", f"{LIST}1/history/", f"{URGENT}add/", f"{URGENT}1/delete/"])
def test_there_is_no_page_that_adds_or_deletes(desk, address):
    assert desk.get(address).status_code == 404


def test_looking_changes_nothing_and_only_posting_does(people, desk):
    _, case = reported(*people)
    for do in ("claim", "act", "appeal"):
        assert desk.get(page_of(case, do)).status_code == 405
    assert desk.post(page_of(case)).status_code == 405
    assert desk.get(f"{LIST}decide/").status_code == 405


@pytest.mark.parametrize("object_id", ["0", "404", "x", "-1", "1.5", "99999999999999999999999", "9" * 5000, "%00", "1_0", "٣"])
def test_no_such_case(desk, object_id):
    assert desk.get(f"{LIST}{object_id}/change/").status_code == 404
    for do in ("act", "claim", "appeal"):
        assert desk.post(f"{LIST}{object_id}/{do}/", {"action": "dismiss"}).status_code == 404


def test_what_is_not_urgent_has_no_page_among_the_urgent(people, desk):
    _, case = reported(*people)
    assert desk.get(f"{URGENT}{case.pk}/change/").status_code == 404
    assert desk.get(f"{URGENT}{urgent(case).pk}/change/").status_code == 200


# What they see ---------------------------------------------------------------------------------------------------------------------


def test_the_list_has_the_beginnings_in_one_round_trip_and_escapes_them(people, desk):
    crowd, room = people
    for number in range(8):
        reported(crowd, room, f"<script>alert({number})</script> fuck " + "long " * 100)
    desk.get(LIST)
    with metered() as meter:
        shown = text(desk.get(LIST))
    assert meter.round_trips == 1
    assert "&lt;script&gt;alert(7)&lt;/script&gt; fuck long" in shown
    assert "<script>alert" not in shown


def test_filters(people, desk, mona):
    crowd, room = people
    cases = [reported(crowd, room, f"number {number}", by=number + 1)[1] for number in range(3)]
    urgent(cases[0])
    case_services.claim(mona, cases[1].pk, cases[1].version)
    case_services.act(mona, cases[2].pk, cases[2].version, wanted("dismiss"))

    def listed(query: str) -> list[int]:
        return sorted({int(found) for found in re.findall(r"number (\d)", text(desk.get(f"{LIST}?{query}")))})

    assert listed("") == [0, 1]
    assert listed("state=all") == [0, 1, 2]
    assert listed("state=resolved") == [2]
    assert listed("urgent=yes") == [0]
    assert listed("claimed=me") == [1]
    assert listed("claimed=nobody") == [0]
    assert listed("reason=reported&score=middle") == [1]
    assert listed("reason=slur") == []
    assert listed("appealed=yes") == []
    assert listed("state=nonsense&urgent=nonsense&score=nonsense&reason=nonsense") == [0, 1]
    assert listed(f"q={crowd[0].user_id}") == [0, 1]


def test_the_page_has_the_evidence(people, desk, mona):
    crowd, room = people
    _, first = reported(crowd, room, "shit")
    case_services.act(mona, first.pk, first.version, wanted("warn", "First time"))
    sent, case = reported(crowd, room, f"{RUDE} <b>", by=2)
    shown = text(desk.get(page_of(case)))
    for expected in (
        "You stupid motherfucker &lt;b&gt;",
        "shit",  # what came before
        *(member.user_id for member in crowd[:3]),
        "1 upheld, 0 dismissed",
        "none yet",
        f'href="/admin/chat/case/{first.pk}/change/"',
        "warned",
        "Nothing was done yet.",
    ):
        assert expected in shown
    case_services.act(mona, case.pk, case.version, wanted("redact", "Insults <i>", rule="harassment"))
    decision_services.appeal(crowd[0], sent.id, "It was <u>a quotation</u>")
    follow()
    shown = text(desk.get(page_of(case)))
    for expected in ("redact", "Insults &lt;i&gt;", "harassment or insults", "mona", "It was &lt;u&gt;a quotation&lt;/u&gt;", "appealed"):
        assert expected in shown


@pytest.mark.parametrize("address", [LIST, URGENT, "{case}", f"{URGENT}{{pk}}/change/"])
def test_no_page_needs_an_inline_script_or_style(people, desk, address):
    _, case = reported(*people)
    case = urgent(case)
    shown = text(desk.get(address.format(case=page_of(case), pk=case.pk)))
    assert not re.search(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>|<style|\sstyle=|\son[a-z]+=|javascript:", shown)


def test_the_urgent_are_apart_with_a_calm_word(people, desk):
    _, case = reported(*people)
    assert "Somebody may need help here" not in text(desk.get(page_of(case)))
    case = urgent(case)
    for address in (URGENT, page_of(case), f"{URGENT}{case.pk}/change/"):
        assert "Somebody may need help here" in text(desk.get(address))
    assert "decide_selected" not in text(desk.get(URGENT))
    seen = {"case": [f"{case.pk}:{case.version}"]}
    assert desk.post(f"{URGENT}decide/", decision(case, "help") | seen).status_code == 404
    answer = desk.post(f"{LIST}decide/", decision(case, "help") | seen, follow=True)
    assert "Decide this case by itself" in text(answer)
    assert fresh(case).version == case.version


# What they do ----------------------------------------------------------------------------------------------------------------------


def test_a_case_is_claimed_and_given_back(people, desk, mona):
    _, case = reported(*people)
    assert desk.post(page_of(case, "claim"), {"version": case.version, "do": "claim"}).status_code == 302
    assert fresh(case).claimed_by == mona
    assert "Give it back" in text(desk.get(page_of(case)))
    otto = browser_of(moderator("otto"))
    answer = otto.post(page_of(case, "claim"), {"version": fresh(case).version, "do": "claim"})
    assert answer.status_code == 409
    assert "Mona works at this case" in text(answer)
    desk.post(page_of(case, "claim"), {"version": fresh(case).version, "do": "release"})
    assert fresh(case).claimed_by is None


def test_a_decision_is_made_noted_and_shown(people, desk):
    sent, case = reported(*people)
    answer = desk.post(page_of(case, "act"), decision(case, "redact"), follow=True)
    assert "Decided." in text(answer)
    assert text_of(people[0][1], sent) == ("", "redacted")
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.change_message) == (str(case.pk), "Decided. redact.")


def test_who_comes_second_sees_who_was_first_and_the_case_as_it_is(people, desk):
    sent, case = reported(*people)
    otto = browser_of(moderator("otto"))
    otto.post(page_of(case, "act"), decision(case, "dismiss"))
    answer = desk.post(page_of(case, "act"), decision(case, "redact"))
    assert answer.status_code == 409
    assert "Otto was here first (dismiss" in text(answer)
    assert "Decide again" in text(answer)
    assert f'name="version" value="{fresh(case).version}"' in text(answer)
    assert text_of(people[0][1], sent)[1] == "sent"


@pytest.mark.parametrize(
    "wrong", [{"reason": ""}, {"action": "praise"}, {"rule": "none"}, {"minutes": 7}, {"days": "x"}, {"version": "x"}, {"version": ""}]
)
def test_what_is_wrong_in_the_form_decides_nothing(people, desk, wrong):
    _, case = reported(*people)
    answer = desk.post(page_of(case, "act"), decision(case, "mute") | wrong)
    assert answer.status_code in (400, 409)
    assert fresh(case).version == case.version


def test_against_who_may_need_help_it_takes_a_second_word(people, desk):
    sent, case = reported(*people)
    case = urgent(case)
    answer = desk.post(page_of(case, "act"), decision(case, "suspend"))
    assert answer.status_code == 400
    assert "Somebody may need help here. Offer help, or confirm" in text(answer)
    desk.post(page_of(case, "act"), decision(case, "help"))
    assert fresh(case).outcome == "helped"
    assert text_of(people[0][1], sent) == (RUDE, "sent")


def test_several_are_decided_alike_and_the_answer_says_which_were_not(people, desk, mona):
    crowd, room = people
    cases = [reported(crowd, room, f"fuck {number}")[1] for number in range(3)]
    form = desk.post(LIST, {"action": "decide_selected", "_selected_action": [case.pk for case in cases]})
    seen = re.findall(r'name="case" value="(\d+:\d+)"', text(form))
    assert len(seen) == 3
    case_services.act(moderator("otto"), cases[1].pk, cases[1].version, wanted("dismiss"))
    wrong = desk.post(f"{LIST}decide/", {"case": seen, "action": "redact", "rule": "spam", "minutes": 60, "days": 7, "reason": ""})
    assert wrong.status_code == 400
    assert "This field is required" in text(wrong)
    answer = desk.post(f"{LIST}decide/", decision(cases[0], "redact") | {"case": [*seen, "x", "1:", ":1"]}, follow=True)
    assert "2 decided." in text(answer)
    assert f"Case {cases[1].pk}: otto was here first" in text(answer)
    assert [fresh(case).outcome for case in cases] == ["redacted", "dismissed", "redacted"]


@pytest.fixture
def away(memory_world, monkeypatch):
    """Takes the table away from those who ask about a room."""
    with override_settings(PORTS=settings.PORTS | {"table": {"BACKEND": "tests.chat.case_world.AwayTable"}}):
        yield lambda *rooms: monkeypatch.setattr(AwayTable, "rooms", set(rooms))


def test_what_was_not_decided_because_the_table_is_away_is_told_and_tried_again(away, desk):
    one, two = (reported(*hall())[1] for _ in range(2))
    form = decision(one, "warn") | {"case": [f"{case.pk}:{case.version}" for case in (one, two)]}
    away(two.room_id)
    answer = desk.post(f"{LIST}decide/", form)
    assert answer.status_code == 302
    away()
    shown = text(desk.get(LIST))
    assert "1 decided." in shown
    assert f"Case {two.pk}: It was not decided" in shown
    assert [entry.object_id for entry in LogEntry.objects.all()] == [str(one.pk)]
    desk.post(f"{LIST}decide/", form)
    assert [fresh(case).outcome for case in (one, two)] == ["warned", "warned"]


def test_each_of_several_is_noted_before_the_next(away, desk, monkeypatch):
    """Whatever ends the request in the middle."""
    one, two = (reported(*hall())[1] for _ in range(2))
    away(two.room_id)
    monkeypatch.setattr(AwayTable, "error", RuntimeError("the end"))
    with pytest.raises(RuntimeError):
        desk.post(f"{LIST}decide/", decision(one, "warn") | {"case": [f"{case.pk}:{case.version}" for case in (one, two)]})
    assert [entry.object_id for entry in LogEntry.objects.all()] == [str(one.pk)]


def test_while_the_table_is_away_a_page_says_so(away, desk):
    _, case = reported(*hall())
    away(case.room_id)
    for answer in (desk.get(page_of(case)), desk.post(page_of(case, "act"), decision(case, "warn"))):
        assert answer.status_code == 503
        assert "does not answer" in text(answer)
    assert fresh(case).version == case.version


def test_the_appeal_that_came_by_mail_is_recorded_and_noted(people, desk):
    _, case = reported(*people)
    assert "Record an appeal" not in text(desk.get(page_of(case)))
    desk.post(page_of(case, "act"), decision(case, "suspend"))
    shown = text(desk.get(page_of(case)))
    assert f'action="{page_of(case, "appeal")}"' in shown
    mail = {"version": fresh(case).version, "text": "It was <u>a quotation</u>"}
    for wrong in ({"text": ""}, {"text": "x" * 1001}, {"version": case.version}):
        assert desk.post(page_of(case, "appeal"), mail | wrong).status_code in (400, 409)
    assert not fresh(case).appealed
    answer = desk.post(page_of(case, "appeal"), mail, follow=True)
    assert "The appeal is recorded." in text(answer)
    assert "It was &lt;u&gt;a quotation&lt;/u&gt;" in text(answer)
    assert "Record an appeal" not in text(answer)
    assert fresh(case).appealed
    assert "The appeal is recorded." in LogEntry.objects.values_list("change_message", flat=True)
    assert desk.post(page_of(case, "act"), decision(fresh(case), "warn")).status_code == 403
    looker = browser_of(staff("sam", "view_case"))
    assert "Record an appeal" not in text(looker.get(page_of(case)))
    assert looker.post(page_of(case, "appeal"), mail).status_code == 403


def test_who_may_only_look_decides_none_of_several(people):
    _, case = reported(*people)
    looker = browser_of(staff("sam", "view_case"))
    assert looker.post(f"{LIST}decide/", decision(case, "redact") | {"case": [f"{case.pk}:{case.version}"]}).status_code == 403
    assert "decide_selected" not in text(looker.get(LIST))
    assert 'value="Decide"' not in text(looker.get(page_of(case)))


def test_a_decision_commits_before_anything_follows(people, desk, monkeypatch):
    """Nothing of Django's wraps the page in a transaction of its own, which would undo what was told to the table."""
    from django.db import transaction

    depth = len(transaction.get_connection().atomic_blocks)
    seen = []
    monkeypatch.setattr(case_services, "apply", lambda case_id: seen.append(len(transaction.get_connection().atomic_blocks)))
    _, case = reported(*people)
    desk.post(page_of(case, "act"), decision(case, "dismiss"))
    desk.post(f"{LIST}decide/", decision(fresh(case), "warn") | {"case": [f"{case.pk}:{fresh(case).version}"]})
    assert seen == [depth, depth]
