"""The moderators' desk: claims, decisions on the state that was seen, and what follows from them."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from hypothesis import given
from hypothesis import strategies as st

from chat import case_rows, case_services, decision_services, evidence_services
from chat import message_services as messages
from chat import moderation_repository as table
from chat.models import Case, CaseAction
from chat.moderation_domain import ACTIONS, AGAINST
from chat.moderation_services import report
from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM
from goalgraph.errors import Conflict, Forbidden, Invalid, NotFound
from tests.chat.case_world import RUDE, follow, hall, head_moderator, moderator, reported, staff, text_of, told, urgent, wanted
from tests.fixtures import FakeClock
from users import sanction_services as sanctions
from users.domain import FURTHER_NOTICE

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def world(memory_world: FakeClock) -> FakeClock:
    return memory_world


@pytest.fixture
def people(world):
    return hall()


def fresh(case: Case) -> Case:
    return Case.objects.get(pk=case.pk)


def weight_of(member) -> tuple[int, int]:
    record = table.records(SYSTEM, [member.user_id]).get(member.user_id)
    return (int(record.upheld), int(record.dismissed)) if record else (0, 0)


# Who may ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("permissions", [(), ("view_case", "view_urgentcase")])
def test_who_has_no_permission_decides_nothing(people, permissions):
    _, case = reported(*people)
    somebody = staff("sam", *permissions)
    for refused in (
        lambda: case_services.act(somebody, case.pk, case.version, wanted("dismiss")),
        lambda: case_services.claim(somebody, case.pk, case.version),
        lambda: case_services.release(somebody, case.pk, case.version),
        lambda: case_services.act_on_many(somebody, [(case.pk, case.version)], wanted("dismiss")),
    ):
        with pytest.raises(Forbidden):
            refused()
    assert fresh(case).version == case.version


def test_who_sees_no_queue(people):
    for nobody in (AnonymousUser(), staff("sam")):
        with pytest.raises(Forbidden):
            case_services.queue(nobody)
    assert list(case_services.queue(moderator())) == []


def test_nobody_decides_about_their_own_message_or_report(world):
    people, room = hall()
    sent, case = reported(people, room)
    for member in people[:2]:
        with pytest.raises(Forbidden):
            case_services.act(moderator(member.user_id), case.pk, case.version, wanted("dismiss"))
    assert text_of(people[1], sent)[1] == "sent"
    case_services.act(moderator(people[2].user_id), case.pk, case.version, wanted("dismiss"))


def test_who_may_no_longer_work_here_decides_nothing(people):
    _, case = reported(*people)
    mona = moderator()
    mona.is_active = False
    mona.save()
    with pytest.raises(Forbidden):
        case_services.act(mona, case.pk, case.version, wanted("dismiss"))


# One at a time -----------------------------------------------------------------------------------------------------------------------


def test_two_moderators_never_act_on_the_same_state(people):
    sent, case = reported(*people)
    mona, otto = moderator(), moderator("otto")
    case_services.act(mona, case.pk, case.version, wanted("dismiss"))
    with pytest.raises(Conflict, match=r"mona was here first \(dismiss, 12:00 UTC\)"):
        case_services.act(otto, case.pk, case.version, wanted("redact"))
    assert text_of(people[0][1], sent) == (RUDE, "sent")
    assert [(each.action, each.staff) for each in CaseAction.objects.all()] == [("dismiss", mona)]


def test_a_race_between_look_and_write_has_one_winner(people, monkeypatch):
    """Otto looked at the state when Mona had not decided, and writes when she has."""
    _, case = reported(*people)
    mona, otto = moderator(), moderator("otto")
    check = case_services._check_allowed

    def overtaken(*arguments):
        check(*arguments)
        if arguments[0] == otto:
            case_services.act(mona, case.pk, case.version, wanted("dismiss"))

    monkeypatch.setattr(case_services, "_check_allowed", overtaken)
    with pytest.raises(Conflict, match="mona"):
        case_services.act(otto, case.pk, case.version, wanted("redact"))
    assert CaseAction.objects.count() == 1


def test_a_claim_keeps_others_away_for_a_while(people, world):
    _, case = reported(*people)
    mona, otto = moderator(), moderator("otto")
    claimed = case_services.claim(mona, case.pk, case.version)
    assert (claimed.state, claimed.claimed_by) == ("claimed", mona)
    assert list(case_services.queue(mona, mine=True)) == [claimed]
    assert list(case_services.queue(otto, mine=True)) == []
    for refused in (
        lambda: case_services.claim(otto, case.pk, claimed.version),
        lambda: case_services.act(otto, case.pk, claimed.version, wanted("dismiss")),
        lambda: case_services.release(otto, case.pk, claimed.version),
    ):
        with pytest.raises(Conflict, match=r"mona works|not claimed"):
            refused()
    world.advance(minutes=31)
    taken = case_services.claim(otto, case.pk, claimed.version)
    assert taken.claimed_by == otto
    free = case_services.release(otto, case.pk, taken.version)
    assert (free.state, free.claimed_by) == ("open", None)
    assert [each.action for each in CaseAction.objects.all()] == ["claim", "claim", "release"]


def test_who_may_not_decide_a_case_does_not_claim_it(people):
    (ana, bia, *_), _ = people
    sent, case = reported(*people)
    for member in (ana, bia):
        with pytest.raises(Forbidden, match="part of this case"):
            case_services.claim(moderator(member.user_id), case.pk, case.version)
    mona, olga = moderator(), head_moderator()
    case_services.act(mona, case.pk, case.version, wanted("escalate"))
    with pytest.raises(Forbidden, match="escalated"):
        case_services.claim(mona, case.pk, fresh(case).version)
    case_services.claim(olga, case.pk, fresh(case).version)
    case_services.act(olga, case.pk, fresh(case).version, wanted("redact"))
    decision_services.appeal(ana, sent.id, "No!")
    follow()
    with pytest.raises(Forbidden, match="You made the decision"):
        case_services.claim(olga, case.pk, fresh(case).version)
    assert fresh(case).claimed_by is None
    assert case_services.claim(mona, case.pk, fresh(case).version).claimed_by == mona


def test_what_is_decided_is_claimed_by_nobody(people):
    _, case = reported(*people)
    claimed = case_services.claim(mona := moderator(), case.pk, case.version)
    case_services.act(mona, case.pk, claimed.version, wanted("warn"))
    assert (fresh(case).state, fresh(case).claimed_by) == ("resolved", None)
    with pytest.raises(Conflict):
        case_services.claim(mona, case.pk, fresh(case).version)


def test_there_is_no_such_case(people):
    with pytest.raises(NotFound):
        case_services.act(moderator(), 404, 1, wanted("dismiss"))


# What follows --------------------------------------------------------------------------------------------------------------------------


def test_dismissed_it_stays_and_the_reporter_was_wrong(people):
    (ana, bia, *_), _ = people
    sent, case = reported(*people)
    case_services.act(moderator(), case.pk, case.version, wanted("dismiss"))
    assert text_of(bia, sent) == (RUDE, "sent")
    assert (weight_of(bia), weight_of(ana)) == ((0, 1), (0, 0))
    follow()
    assert (fresh(case).state, fresh(case).outcome) == ("resolved", "dismissed")
    assert not [event for event in told() if event.type == "case.decided"]


def test_redacted_it_is_gone_for_all_and_the_reporter_was_right(people):
    (_, bia, *_), _ = people
    sent, case = reported(*people)
    action = case_services.act(moderator(), case.pk, case.version, wanted("redact", rule="harassment"))
    assert text_of(bia, sent) == ("", "redacted")
    assert weight_of(bia) == (1, 0)
    assert CaseAction.objects.get().applied_at == wiring.clock().now()
    (decided,) = [event for event in told() if event.type == "case.decided"]
    assert (decided.user_id, decided.actor_id) == (case.sender_id, "system")
    assert {"action": "redact", "rule": "harassment", "effect": "redacted", "appealed": False}.items() <= decided.data.items()
    assert "Seen by us" not in str(decided.to_json())
    assert action.pk == table.case(SYSTEM, case.room_id, case.seq).decision_id


@pytest.mark.parametrize(
    ("action", "muted", "suspended"),
    [("warn", None, None), ("mute", timedelta(minutes=60), None), ("suspend", None, timedelta(days=7))],
)
def test_sanctions(people, world, action, muted, suspended):
    sent, case = reported(*people)
    case_services.act(moderator(), case.pk, case.version, wanted(action))
    found = sanctions.standing(SYSTEM, case.sender_id)
    now = world.now()
    assert (found.muted_until, found.suspended_until) == (muted and now + muted, suspended and now + suspended)
    assert text_of(people[0][1], sent)[1] == "sent"
    dismissed = [(user, reason) for user, reason, _ in wiring.live().dismissed]
    assert dismissed == ([(case.sender_id, "suspended")] if suspended else [])


def test_a_suspension_until_further_notice(people):
    _, case = reported(*people)
    case_services.act(moderator(), case.pk, case.version, wanted("suspend", days=None))
    assert sanctions.standing(SYSTEM, case.sender_id).suspended_until == FURTHER_NOTICE


def test_the_longest_sanction_of_several_cases_stands_and_taking_one_back_leaves_the_others(people, world):
    crowd, room = people
    (_, one), (_, two) = reported(crowd, room, "shit"), reported(crowd, room)
    mona = moderator()
    case_services.act(mona, one.pk, one.version, wanted("mute", minutes=600))
    case_services.act(mona, two.pk, two.version, wanted("mute", minutes=60))
    assert sanctions.standing(SYSTEM, one.sender_id).muted_until == world.now() + timedelta(minutes=600)
    case_services.act(mona, one.pk, fresh(one).version, wanted("dismiss"))
    assert sanctions.standing(SYSTEM, one.sender_id).muted_until == world.now() + timedelta(minutes=60)
    case_services.act(mona, two.pk, fresh(two).version, wanted("dismiss"))
    assert sanctions.standing(SYSTEM, one.sender_id).muted_until is None


@pytest.mark.parametrize("first", [{"action": "suspend", "days": None}, {"action": "mute", "minutes": 30 * 24 * 60}])
@pytest.mark.parametrize(
    ("later", "lasts"),
    [
        ({"action": "warn"}, (None, None)),
        ({"action": "help"}, (None, None)),
        ({"action": "redact"}, (None, None)),
        ({"action": "suspend", "days": 1}, (None, timedelta(days=1))),
        ({"action": "mute", "minutes": 5}, (timedelta(minutes=5), None)),
    ],
)
@pytest.mark.parametrize("appealed", [False, True])
def test_a_later_decision_in_a_case_replaces_the_sanction_before(people, first, later, lasts, appealed):
    sent, case = reported(*people)
    case_services.act(moderator(), case.pk, case.version, wanted(**first))
    if appealed:
        decision_services.appeal(people[0][0], sent.id, "That is too long.")
        follow()
    case_services.act(moderator("otto"), case.pk, fresh(case).version, wanted(**later))
    found = sanctions.standing(SYSTEM, case.sender_id)
    now = wiring.clock().now()
    assert (found.muted_until and found.muted_until - now, found.suspended_until and found.suspended_until - now) == lasts


def test_what_is_claimed_given_back_or_escalated_leaves_the_sanction(people, world):
    sent, case = reported(*people)
    case_services.act(moderator(), case.pk, case.version, wanted("mute"))
    decision_services.appeal(people[0][0], sent.id, "No!")
    follow()
    otto = moderator("otto")
    case_services.claim(otto, case.pk, fresh(case).version)
    case_services.release(otto, case.pk, fresh(case).version)
    case_services.act(otto, case.pk, fresh(case).version, wanted("escalate"))
    _, other = reported(*people)
    case_services.act(otto, other.pk, other.version, wanted("warn"))
    assert sanctions.standing(SYSTEM, case.sender_id).muted_until == world.now() + timedelta(minutes=60)


def test_what_is_decided_is_not_escalated(people):
    """The table holds it for done, so the next repair would take it away again."""
    _, case = reported(*people)
    case_services.act(mona := moderator(), case.pk, case.version, wanted("warn"))
    with pytest.raises(Invalid, match="decided already"):
        case_services.act(mona, case.pk, fresh(case).version, wanted("escalate"))
    case_services.repair(SYSTEM)
    assert fresh(case).state == "resolved"


def test_escalated_it_waits_for_those_who_run_the_platform(people):
    sent, case = reported(*people)
    case_services.act(mona := moderator(), case.pk, case.version, wanted("escalate"))
    escalated = fresh(case)
    assert list(case_services.queue(mona, states=["escalated"])) == [escalated]
    for action in ("dismiss", "redact"):
        with pytest.raises(Forbidden):
            case_services.act(mona, case.pk, escalated.version, wanted(action))
    follow()
    case_services.act(head_moderator(), case.pk, escalated.version, wanted("redact"))
    assert text_of(people[0][1], sent) == ("", "redacted")


def test_a_decision_says_why(people):
    with pytest.raises(Invalid):
        wanted("dismiss", "  ")
    for wrong in ({"minutes": 0}, {"minutes": 10**6}, {"minutes": None}):
        with pytest.raises(Invalid):
            wanted("mute", **wrong)
    for wrong in (0, -1, 10**5):
        with pytest.raises(Invalid):
            wanted("suspend", days=wrong)
    with pytest.raises(Invalid):
        wanted("praise")


# Several at once -----------------------------------------------------------------------------------------------------------------------


def test_a_bulk_action_says_which_went_through(people):
    crowd, room = people
    found = [reported(crowd, room, f"fuck {number}")[1] for number in range(3)]
    mona, otto = moderator(), moderator("otto")
    case_services.act(otto, found[1].pk, found[1].version, wanted("dismiss"))
    report_of = list(case_services.act_on_many(mona, [(case.pk, case.version) for case in found], wanted("redact")))
    assert [each.case_id for each in report_of if each.error is None] == [found[0].pk, found[2].pk]
    assert "otto" in report_of[1].error
    assert [message.state for message in messages.history(crowd[1], room)] == ["redacted", "sent", "redacted"]


@pytest.mark.parametrize("count", [0, 101])
def test_a_bulk_action_has_bounds(world, count):
    with pytest.raises(Invalid):
        case_services.act_on_many(moderator(), [(1, 1)] * count, wanted("dismiss"))


# Somebody may need help ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", AGAINST)
def test_on_an_urgent_case_nothing_happens_to_anybody_unconfirmed(people, action):
    sent, case = reported(*people)
    case = urgent(case)
    with pytest.raises(Invalid) as refused:
        case_services.act(mona := moderator(), case.pk, case.version, wanted(action))
    assert refused.value.field == "confirmed"
    (done,) = case_services.act_on_many(mona, [(case.pk, case.version)], wanted(action, confirmed=True))
    assert "help" in done.error
    assert text_of(people[0][1], sent) == (RUDE, "sent")
    assert sanctions.standing(SYSTEM, case.sender_id).muted_until is None
    case_services.act(mona, case.pk, case.version, wanted(action, confirmed=True))


@pytest.mark.parametrize("action", ACTIONS)
def test_an_urgent_case_is_never_decided_together_with_others(people, action):
    _, case = reported(*people)
    other = urgent(reported(*people)[1])
    done = case_services.act_on_many(moderator(), [(case.pk, case.version), (other.pk, other.version)], wanted(action))
    assert [each.error and "Decide this case by itself" in each.error for each in done] == [None, True]
    assert fresh(other).version == other.version


def test_what_turns_out_to_be_urgent_while_it_is_decided_is_left_as_it_is(people, monkeypatch):
    _, case = reported(*people)
    check = case_services._check_allowed

    def overtaken(*arguments):
        check(*arguments)
        urgent(case)

    monkeypatch.setattr(case_services, "_check_allowed", overtaken)
    (done,) = case_services.act_on_many(moderator(), [(case.pk, case.version)], wanted("suspend"))
    assert "changed since" in done.error
    assert sanctions.standing(SYSTEM, case.sender_id).suspended_until is None


def test_help_is_offered(people):
    sent, case = reported(*people)
    case = urgent(case)
    case_services.act(moderator(), case.pk, case.version, wanted("help"))
    assert [event.data["action"] for event in told() if event.type == "case.decided"] == ["help"]
    assert text_of(people[0][1], sent) == (RUDE, "sent")
    assert weight_of(people[0][1]) == (1, 0)


# Appeals -------------------------------------------------------------------------------------------------------------------------------


def test_an_appeal_opens_the_case_again_for_somebody_else(people):
    (ana, bia, *_), _ = people
    sent, case = reported(*people)
    mona, otto = moderator(), moderator("otto")
    case_services.act(mona, case.pk, case.version, wanted("redact"))
    decision_services.appeal(ana, sent.id, "It was a quotation.")
    decision_services.appeal(ana, sent.id, "It was a quotation.")
    follow()
    appealed = fresh(case)
    assert (appealed.state, appealed.appealed) == ("open", True)
    assert list(case_services.queue(otto, appealed=True)) == [appealed]
    with pytest.raises(Forbidden, match="Somebody else"):
        case_services.act(mona, case.pk, appealed.version, wanted("dismiss"))
    told()
    case_services.act(otto, case.pk, appealed.version, wanted("dismiss"))
    assert text_of(bia, sent) == (RUDE, "sent")
    assert weight_of(bia) == (0, 1)  # no longer counted as upheld
    (decided,) = [event for event in told() if event.type == "case.decided"]
    assert (decided.data["effect"], decided.data["appealed"], decided.data["overturns"]) == ("restored", True, True)
    with pytest.raises(NotFound):
        decision_services.appeal(ana, sent.id, "Thank you")


def test_an_appeal_that_the_feed_has_not_told_of_is_seen_all_the_same(people):
    (ana, *_), _ = people
    sent, case = reported(*people)
    case_services.act(mona := moderator(), case.pk, case.version, wanted("redact"))
    decision_services.appeal(ana, sent.id, "It was a quotation.")
    with pytest.raises(Conflict):
        case_services.act(mona, case.pk, fresh(case).version, wanted("warn"))
    assert fresh(case).appealed


def test_each_decision_is_appealed_once(people):
    (ana, bia, *_), _ = people
    sent, case = reported(*people)
    case_services.act(moderator(), case.pk, case.version, wanted("mute"))
    decision_services.appeal(ana, sent.id, "No!")
    with pytest.raises(Conflict):
        decision_services.appeal(ana, sent.id, "No, no!")
    follow()
    case_services.act(moderator("otto"), case.pk, fresh(case).version, wanted("mute"))
    assert decision_services.appeal(ana, sent.id, "And now?")
    for stranger, message_id in ((bia, sent.id), (ana, "nonsense"), (ana, sent.id.replace("1.", "9."))):
        with pytest.raises(NotFound):
            decision_services.appeal(stranger, message_id, "Me too")
    for wrong in ("", "x" * 1001):
        with pytest.raises(Invalid):
            decision_services.appeal(ana, sent.id, wrong)


def test_what_was_not_against_anybody_is_not_appealed(people):
    (ana, *_), _ = people
    sent, case = reported(*people)
    with pytest.raises(NotFound):
        decision_services.appeal(ana, sent.id, "What is it?")
    case_services.act(moderator(), case.pk, case.version, wanted("dismiss"))
    with pytest.raises(NotFound):
        decision_services.appeal(ana, sent.id, "What is it?")


def test_staff_record_the_appeal_of_who_cannot_come_in_and_somebody_else_decides(people, world):
    _, case = reported(*people)
    mona, otto = moderator(), moderator("otto")
    case_services.act(mona, case.pk, case.version, wanted("suspend", days=None))
    world.advance(minutes=1)
    told()
    appealed = case_services.record_appeal(mona, case.pk, fresh(case).version, "It was a quotation.")
    assert (appealed.state, appealed.appealed) == ("open", True)
    with pytest.raises(Conflict, match="changed since"):
        case_services.record_appeal(mona, case.pk, case.version + 1, "It was a quotation.")
    case_services.record_appeal(mona, case.pk, appealed.version, "It was a quotation.")
    with pytest.raises(Conflict, match="appealed already"):
        case_services.record_appeal(mona, case.pk, appealed.version, "And another word")
    assert fresh(case).version == appealed.version
    assert not [event for event in told() if event.type == "case.decided"]
    item = table.case(SYSTEM, case.room_id, case.seq)
    assert (item.appeal, item.sender_id) == ("It was a quotation.", case.sender_id)
    steps = [(step.who, step.action) for step in evidence_services.evidence(otto, case.pk).history]
    assert steps == [("mona", "suspend"), ("mona", "appeal")]
    with pytest.raises(Forbidden, match="Somebody else"):
        case_services.act(mona, case.pk, appealed.version, wanted("warn"))
    case_services.act(otto, case.pk, appealed.version, wanted("warn"))
    assert sanctions.standing(SYSTEM, case.sender_id).suspended_until is None


def test_the_history_says_that_a_member_appealed(people, world):
    (ana, *_), _ = people
    sent, case = reported(*people)
    case_services.act(mona := moderator(), case.pk, case.version, wanted("warn"))
    world.advance(minutes=1)
    decision_services.appeal(ana, sent.id, "No!")
    assert [step.who for step in evidence_services.evidence(mona, case.pk).history] == ["mona", ana.user_id]


def test_who_may_not_or_where_nothing_was_decided_no_appeal_is_recorded(people):
    (ana, bia, *_), _ = people
    _, case = reported(*people)
    mona = moderator()
    with pytest.raises(Conflict, match="No decision"):
        case_services.record_appeal(mona, case.pk, case.version, "No!")
    case_services.act(mona, case.pk, case.version, wanted("redact"))
    version = fresh(case).version
    for refused in (staff("sam", "view_case"), moderator(ana.user_id), moderator(bia.user_id)):
        with pytest.raises(Forbidden):
            case_services.record_appeal(refused, case.pk, version, "No!")
    for wrong in ("", "x" * 1001):
        with pytest.raises(Invalid):
            case_services.record_appeal(mona, case.pk, version, wrong)
    with pytest.raises(Forbidden):
        decision_services.record_appeal(ana, case.room_id, case.seq, "No!")
    with pytest.raises(NotFound):
        case_services.record_appeal(mona, 404, 1, "No!")
    assert fresh(case).version == version


# The queue -----------------------------------------------------------------------------------------------------------------------------


def test_the_queue_has_the_urgent_first_and_filters(people, world):
    crowd, room = people
    found = []
    for text in ("one", "two", "three"):
        found.append(reported(crowd, room, text, by=len(found) + 1)[1])
        world.advance(minutes=1)
    help_needed = urgent(found[0])
    mona = moderator()
    assert [case.pk for case in case_services.queue(mona)] == [found[0].pk, found[2].pk, found[1].pk]
    assert list(case_services.queue(mona, urgent=True)) == [help_needed]
    assert [case.pk for case in case_services.queue(mona, reason="reported", least=0.4, most=0.6)] == [found[1].pk]
    assert list(case_services.queue(mona, reason="slur")) == []


@given(st.permutations(range(5)), st.lists(st.integers(0, 4), max_size=4))
def test_the_row_ends_as_the_newest_item_says_in_whatever_order_it_is_told(order, again):
    """Late, twice, and out of order: an older state never overwrites a newer one."""
    people, room = hall(6)
    sent = messages.send(people[0], room, RUDE)
    items = []
    for reporter in people[1:6]:
        report(reporter, sent.id, "Rude")
        items.append(table.case(SYSTEM, room, 1))
    for place in [*order, *again]:
        case_rows._project(SYSTEM, items[place])
    case = Case.objects.get(room_id=room)
    assert (case.source_version, case.reports, case.version) == (5, 5, 1)


def test_a_new_report_opens_a_decided_case_again_and_only_once(people):
    crowd, room = people
    sent, case = reported(crowd, room)
    case_services.act(moderator(), case.pk, case.version, wanted("dismiss"))
    follow()
    version = fresh(case).version
    report(crowd[2], sent.id, "Rude, again")
    for _ in range(3):
        case_rows.project(SYSTEM, room, case.seq)
    assert (fresh(case).state, fresh(case).version) == ("open", version + 1)
    assert fresh(case).score == 0.3  # what was dismissed does not count against it any more


@pytest.mark.parametrize("decided", [False, True])
@pytest.mark.parametrize("finds", ["feed", "repair"])
def test_what_is_reported_again_after_the_table_forgot_its_case_is_in_the_queue(people, world, settings, decided, finds):
    """The message is kept for longer than its case, whose item begins at version 1 again."""
    settings.MODERATION_RETENTION_DAYS = 30
    crowd, room = people
    sent, case = reported(crowd, room, by=3)
    mona = moderator()
    if decided:
        for action in ("warn", "dismiss", "warn"):
            case_services.act(mona, case.pk, fresh(case).version, wanted(action))
    world.advance(days=31)
    report(crowd[1], sent.id, "Rude, again")
    if finds == "feed":
        follow()
    else:
        case_services.repair(SYSTEM)
    again = fresh(case)
    assert (again.state, again.reports, again.source_version, again.openings) == ("open", 1, 1, 0)
    assert (again.opened_at, again.outcome) == (world.now(), "")
    for _ in range(2):
        case_services.repair(SYSTEM)
        case_rows.project(SYSTEM, room, case.seq)
    assert fresh(case).version == again.version
    case_services.act(mona, case.pk, again.version, wanted("redact"))
    assert text_of(crowd[1], sent) == ("", "redacted")
    assert fresh(case).outcome == "redacted"


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_leaves_a_line_in_the_history(people, action):
    _, case = reported(*people)
    case_services.act(mona := moderator(), case.pk, case.version, wanted(action, "Because", rule="spam"))
    (line,) = case.actions.all()
    assert (line.staff, line.action, line.reason, line.case_version) == (mona, action, "Because", case.version + 1)
    assert line.applied_at is not None
