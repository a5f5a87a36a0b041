"""What a report weighs, and what is hidden by reports until moderators decide."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import decision_services, moderation_services, repository
from chat import message_services as messages
from chat import moderation_repository as table
from chat.decision_services import Ruling
from chat.moderation_domain import NEWCOMER, case_score, hides, report_weight
from chat.moderation_items import ReporterRecord
from chat.moderation_services import report, review_message
from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM
from goalgraph.table import table as open_table
from tests.chat.case_world import CRY, RUDE, hall, text_of, told
from tests.chat.moderation_world import work
from tests.fixtures import FakeClock

COUNTS = st.integers(0, 1000)
VERDICTS = st.floats(0, 1)


@pytest.fixture(autouse=True)
def world(memory_world: FakeClock) -> FakeClock:
    return memory_world


def with_record(member, upheld: int, dismissed: int) -> None:
    open_table(SYSTEM).put(ReporterRecord(user_id=member.user_id, owner_id=member.user_id, upheld=upheld, dismissed=dismissed))


@given(VERDICTS, COUNTS, COUNTS, st.lists(st.tuples(COUNTS, COUNTS), max_size=5))
def test_more_upheld_reports_never_lower_the_score(verdict, upheld, dismissed, others):
    def score(own: float) -> float:
        return case_score(verdict, own + sum(report_weight(*counts) for counts in others))

    assert score(report_weight(upheld, dismissed)) <= score(report_weight(upheld + 1, dismissed))
    assert score(report_weight(upheld, dismissed)) >= score(report_weight(upheld, dismissed + 1))
    assert 0 <= verdict - 0.001 <= score(report_weight(upheld, dismissed)) <= 1 or verdict < 0.001


@given(VERDICTS, st.integers(0, 200), st.integers(1, 200), st.floats(0, 1))
def test_whose_reports_are_mostly_dismissed_hides_nothing_alone(verdict, upheld, more, threshold):
    weight = report_weight(upheld, upheld + more)
    assert weight < NEWCOMER
    assert not hides(score=case_score(verdict, weight), weight=weight, urgent=False, threshold=threshold)


@given(VERDICTS, st.floats(0, 1000))
def test_a_cry_for_help_is_never_hidden(verdict, weight):
    assert not hides(score=case_score(verdict, weight), weight=weight, urgent=True, threshold=0)


def test_who_never_reported_weighs_one_and_the_bounds_are_zero_and_two():
    assert report_weight(0, 0) == NEWCOMER
    assert (report_weight(10**6, 0), report_weight(0, 10**6)) == (2, 0)


def hidden_after(people, room: str, text: str = RUDE) -> int | None:
    """After how many reports a message is hidden; None: after all of them it is not."""
    sent = messages.send(people[0], room, text)
    for number, reporter in enumerate(people[1:], 1):
        report(reporter, sent.id, "Rude")
        if text_of(people[1], sent)[1] == "redacted":
            return number
    return None


def test_it_takes_seven_newcomers_and_fewer_whose_word_counts():
    people, room = hall(10)
    assert hidden_after(people, room) == 7
    for member in people[1:]:
        with_record(member, 20, 0)
    assert hidden_after(people, room) == 4


def test_it_takes_many_whose_reports_are_dismissed():
    people, room = hall(10)
    for member in people[1:]:
        with_record(member, 0, 20)
    assert hidden_after(people, room) is None


def test_reports_of_a_slur_hide_it_also_where_the_review_comes_last():
    people, room = hall(4)
    sent = messages.send(people[0], room, "what a faggot")
    for reporter in people[1:4]:
        report(reporter, sent.id, "Hate")
    assert text_of(people[1], sent)[1] == "sent"
    work()
    assert text_of(people[1], sent) == ("", "redacted")
    assert table.case(SYSTEM, room, 1).outcome == "hidden"


def test_an_urgent_message_is_not_hidden_by_reports_nor_for_a_card_in_it():
    people, room = hall(10)
    for text in (CRY, f"{CRY}, take my card 4111 1111 1111 1111"):
        sent = messages.send(people[0], room, text)
        work()
        for reporter in people[1:]:
            report(reporter, sent.id, "Worried")
        assert text_of(people[1], sent) == (text, "sent")
        case = table.case(SYSTEM, room, int(sent.seq))
        assert (case.urgent, case.outcome, case.state) == (True, None, "open")
        assert "4111" not in case.text


def test_a_cry_for_help_that_reports_hid_before_its_review_comes_back_and_is_urgent():
    people, room = hall(9)
    for text in (CRY, f"{CRY}, take my card 4111 1111 1111 1111"):
        sent = messages.send(people[0], room, text)
        messages.react(people[1], sent.id, "❤️")
        for reporter in people[1:8]:
            report(reporter, sent.id, "Worried")
        assert text_of(people[1], sent) == ("", "redacted")
        work()
        assert text_of(people[1], sent) == (text, "sent")
        assert messages.history(people[1], room)[-1].reactions == {"❤️": 1}
        case = table.case(SYSTEM, room, int(sent.seq))
        assert (case.urgent, case.outcome, case.state, case.may_be_appealed) == (True, None, "open", None)
        assert "self_harm" in case.reasons
        assert wiring.live().announced[-1].event.kind == "restored"
        made = decision_services.decisions(SYSTEM, room, int(sent.seq))
        assert sorted((each.action, each.effect) for each in made) == [("dismiss", "restored"), ("hide", "redacted")]
        review_message(SYSTEM, room, int(sent.seq))
        report(people[8], sent.id, "Worried")
        assert text_of(people[1], sent) == (text, "sent")
        assert len(decision_services.decisions(SYSTEM, room, int(sent.seq))) == 2


def test_a_cry_for_help_that_reports_hide_during_its_review_comes_back():
    people, room = hall(8)
    sent = messages.send(people[0], room, CRY)
    judged = repository.message(SYSTEM, room, 1)
    for reporter in people[1:]:
        report(reporter, sent.id, "Worried")
    moderation_services._act(SYSTEM, judged, wiring.moderator().review(CRY))
    assert text_of(people[1], sent) == (CRY, "sent")
    assert table.case(SYSTEM, room, 1).urgent


def test_what_else_reports_hid_before_its_review_stays_away_and_the_moderators_learn_what_it_is():
    people, room = hall(8)
    for text, reason in ((RUDE, "profanity:en"), ("4111 1111 1111 1111", "card")):
        sent = messages.send(people[0], room, text)
        for reporter in people[1:]:
            report(reporter, sent.id, "Rude")
        work()
        assert text_of(people[1], sent) == ("", "redacted")
        case = table.case(SYSTEM, room, int(sent.seq))
        assert (case.outcome, case.reasons, case.urgent) == ("hidden", [reason], False)
        review_message(SYSTEM, room, int(sent.seq))
        assert table.case(SYSTEM, room, int(sent.seq)).version == case.version


def test_a_cry_for_help_that_moderators_redacted_stays_away():
    people, room = hall(8)
    sent = messages.send(people[0], room, CRY)
    for reporter in people[1:]:
        report(reporter, sent.id, "Worried")
    decision_services.decide(SYSTEM, room, 1, Ruling("d-1", 1, "redact", "other", "Seen"))
    work()
    assert text_of(people[1], sent) == ("", "redacted")


def dismiss(room: str, number: int = 1) -> None:
    decision_services.decide(SYSTEM, room, 1, Ruling(f"d-{number}", number, "dismiss", "other", "Fine"))


@pytest.mark.parametrize("text", ["Hello", "  two\n\nlines \t", "<b>&amp; 🏃‍♀️ e\u0301</b>".strip(), "x" * 10_000])
@pytest.mark.parametrize("edited", [False, True])
def test_what_comes_back_is_exactly_what_was_there(text, edited):
    people, room = hall(9)
    sent = messages.send(people[0], room, "before" if edited else text)
    if edited:
        messages.edit(people[0], sent.id, text)
    messages.react(people[1], sent.id, "👍")
    messages.react(people[2], sent.id, "👍")
    (before,) = messages.history(people[1], room)
    for reporter in people[1:8]:
        report(reporter, sent.id, "Rude")
    assert text_of(people[1], sent) == ("", "redacted")
    told()
    dismiss(room)
    (after,) = messages.history(people[1], room)
    facts = ("text", "state", "reactions", "ts", "edited_at", "seq", "sender_id", "reply_to_seq")
    assert [getattr(after, name) for name in facts] == [getattr(before, name) for name in facts]
    messages.react(people[1], sent.id, "👍", remove=True)
    assert messages.history(people[1], room)[0].reactions == {"👍": 1}
    assert [event.type for event in told() if event.type.startswith("message.")] == ["message.restored"]
    assert [each.event.kind for each in wiring.live().announced if each.event.kind in ("redacted", "restored")] == ["redacted", "restored"]


def test_what_moderators_cleared_is_not_hidden_again_unless_it_says_something_else():
    people, room = hall(30)
    sent = messages.send(people[0], room, RUDE)
    for reporter in people[1:8]:
        report(reporter, sent.id, "Rude")
    dismiss(room)
    for reporter in people[8:18]:
        report(reporter, sent.id, "Rude")
    assert text_of(people[1], sent) == (RUDE, "sent")
    messages.edit(people[0], sent.id, "Something else")
    report(people[18], sent.id, "Rude")
    assert text_of(people[1], sent) == ("", "redacted")


def test_the_record_used_is_the_one_of_who_reports(world):
    people, room = hall(3)
    with_record(people[1], 20, 0)
    sent = messages.send(people[0], room, RUDE)
    report(people[1], sent.id, "Rude")
    assert table.case(SYSTEM, room, 1).weight == report_weight(20, 0)
    report(people[2], sent.id, "Rude")
    assert table.case(SYSTEM, room, 1).weight == pytest.approx(report_weight(20, 0) + NEWCOMER)
