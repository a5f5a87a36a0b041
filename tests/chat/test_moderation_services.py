"""Reviews that lose nothing, what is done about a message, and the queue of the moderators."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from chat import message_services as messages
from chat import moderation_repository, moderation_services, repository, services, tasks
from chat.moderation_domain import GRACE, QUIET, REVIEW_BATCH, UNJUDGED
from goalgraph import wiring
from goalgraph.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from goalgraph.ports.moderator import ModeratorUnavailable, Verdict
from goalgraph.table.metering import metered
from tests.chat.moderation_world import CARD, STAFF, Careful, lose, work
from tests.chat.world import members
from tests.fixtures import FakeClock, new_user
from users import services as users


@pytest.fixture(autouse=True)
def world(memory_world: FakeClock) -> FakeClock:
    return memory_world


@pytest.fixture
def pair():
    return members(2)


@pytest.fixture
def room(pair):
    ana, bia = pair
    return services.open_room(ana, [bia.user_id])


@pytest.fixture
def careful(world: FakeClock) -> Iterator[Careful]:
    with override_settings(PORTS=settings.PORTS | {"moderator": {"BACKEND": "tests.chat.moderation_world.Careful"}}):
        # Ports are built anew, so what was stored before would be gone: tests open their rooms after this.
        yield wiring.moderator()


def queue(state: str = "open"):
    return moderation_services.queue_page(STAFF, state=state, limit=100).items


def reviewed(room) -> int:
    return moderation_repository.reviewed_up_to(moderation_services.platform(None), room.id)


def sweep() -> int:
    return moderation_services.sweep(moderation_services.platform(None))


# Reviews ---------------------------------------------------------------------------------------------------------------------------


def test_a_harmless_message_is_reviewed_and_left_alone(pair, room):
    sent = messages.send(pair[0], room.id, "I ran 5 km today!")

    assert work() == 1
    assert reviewed(room) == 1
    assert messages.history(pair[1], room.id)[0].text == sent.text
    assert queue() == []


def test_a_flagged_message_stays_and_lands_in_the_queue_with_its_evidence(pair, room):
    ana, bia = pair
    for n in range(7):
        messages.send(bia, room.id, f"Message {n}")
    sent = messages.send(ana, room.id, "You stupid motherfucker")
    work()

    (case,) = queue()
    assert (case.id, case.sender_id, case.room_id, case.text) == (sent.id, ana.user_id, room.id, sent.text)
    assert (case.state, case.reasons, case.score, case.urgent, case.reports) == ("open", ["profanity:en"], 0.4, False, 0)
    assert [(line["text"], line["senderId"]) for line in case.context] == [(f"Message {n}", bia.user_id) for n in range(2, 7)]
    assert messages.history(bia, room.id)[-1].text == sent.text


def test_a_card_number_is_taken_away_live_and_from_history_and_is_kept_nowhere_in_full(pair, room):
    ana, bia = pair
    sent = messages.send(ana, room.id, f"Take {CARD} please")
    work()

    (found,) = messages.history(bia, room.id)
    assert (found.id, found.text, found.state) == (sent.id, "", "redacted")
    assert services.last_messages(bia, [services.room(bia, room.id)])[room.id].text == ""
    event = wiring.live().announced[-1].event
    assert (event.kind, event.payload["userId"]) == ("redacted", "system")
    assert event.payload["message"]["state"]["S"] == "redacted"
    assert "4111" not in str(event.payload)
    (kept,) = repository.edits(ana, room.id, 1)
    (case,) = queue()
    assert kept.text == case.text == "Take •••• •••• •••• 1111 please"
    assert (case.outcome, case.reasons) == ("redacted", ["card"])
    with pytest.raises(Conflict):
        messages.edit(ana, sent.id, "Something else")


def test_a_review_that_comes_twice_and_late_changes_nothing(pair, room):
    messages.send(pair[0], room.id, "fuck")
    messages.send(pair[0], room.id, CARD)
    both = lose()
    for review in [*both[::-1], *both, *both]:
        review()

    assert reviewed(room) == 2
    assert [(case.version, case.reports) for case in queue()] == [(1, 0), (1, 0)]
    assert messages.history(pair[0], room.id)[1].version == 2
    tasks.review_message(room.id, 1)
    tasks.review_message(room.id, 2)
    assert [case.version for case in queue()] == [1, 1]


def test_a_message_edited_before_its_review_is_judged_by_what_it_says_now(pair, room):
    ana, _ = pair
    sent = messages.send(ana, room.id, CARD)
    messages.edit(ana, sent.id, "Sorry, wrong window")
    work()

    assert messages.history(ana, room.id)[0].text == "Sorry, wrong window"
    assert queue() == []


def test_an_edit_is_reviewed(pair, room):
    ana, _ = pair
    sent = messages.send(ana, room.id, "Hello")
    work()
    messages.edit(ana, sent.id, f"Hello {CARD}")
    assert work() == 1

    assert messages.history(ana, room.id)[0].state == "redacted"
    assert [edit.text for edit in repository.edits(ana, room.id, 1)] == ["Hello", "Hello •••• •••• •••• 1111"]


def test_a_verdict_on_what_was_said_before_does_nothing_to_what_is_said_now(pair, room):
    """The moderator was still at it when the message was edited."""
    ana, _ = pair
    sent = messages.send(ana, room.id, "Meanwhile")
    judged = repository.message(ana, room.id, 1)
    messages.edit(ana, sent.id, "Something else")

    moderation_services._act(moderation_services.platform(None), judged, Verdict("redact", 1, ("card",)))

    assert messages.history(ana, room.id)[0].text == "Something else"
    assert queue() == []


def test_what_was_deleted_at_once_is_still_flagged_if_it_was_judged(pair, room):
    ana, _ = pair
    sent = messages.send(ana, room.id, "fuck you")
    judged = repository.message(ana, room.id, 1)
    messages.delete(ana, sent.id)

    moderation_services._act(moderation_services.platform(None), judged, Verdict("redact", 1, ("card",)))

    assert messages.history(ana, room.id)[0].state == "deleted"
    assert [(case.text, case.outcome) for case in queue()] == [("fuck you", None)]


def test_self_harm_comes_first_then_the_score_then_who_waits_longest(pair, room, world):
    ana, _ = pair
    for text in ("see www.example.com", "shit", "bullshit", "what a faggot", "I want to die"):
        messages.send(ana, room.id, text)
        work()
        world.advance(seconds=10)

    assert [case.text for case in queue()] == ["I want to die", "what a faggot", "shit", "bullshit", "see www.example.com"]
    assert [case.urgent for case in queue()] == [True, False, False, False, False]


def test_a_message_that_the_moderator_fails_on_is_for_people_and_holds_up_nothing(careful):
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    for text in ("odd", "bad"):
        messages.send(ana, room.id, text)
    work()

    assert [(case.text, case.reasons) for case in queue()] == [("odd", [UNJUDGED]), ("bad", ["bad"])]
    assert reviewed(room) == 2


class Unavailable:
    """A moderator that does not answer from its third text on."""

    def __init__(self) -> None:
        self.count = 0

    def review(self, text: str, *, language: str | None = None) -> Verdict:
        self.count += 1
        if self.count > 2:
            raise ModeratorUnavailable
        return Verdict()


def test_where_the_moderator_does_not_answer_the_task_fails_and_goes_on_where_it_was(world):
    with override_settings(PORTS=settings.PORTS | {"moderator": {"BACKEND": f"{__name__}.Unavailable"}}):
        ana, bia = members(2)
        room = services.open_room(ana, [bia.user_id])
        for n in range(4):
            messages.send(ana, room.id, f"{n}")
        *_, last = lose()

        with pytest.raises(ModeratorUnavailable):
            last()

        assert reviewed(room) == 2
        wiring.moderator().count = 0
        last()
        assert reviewed(room) == 4


# What may be lost ------------------------------------------------------------------------------------------------------------------


def test_a_lost_task_is_made_up_for_by_the_next_message(careful):
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    messages.send(ana, room.id, "bad")
    lose()
    messages.send(ana, room.id, "fine")
    work()

    assert careful.asked == ["bad", "fine"]
    assert len(queue()) == 1


def test_the_sweep_finds_lost_reviews_of_new_and_edited_messages_and_then_rests(pair, room, world):
    ana, bia = pair
    harmless = messages.send(ana, room.id, "Hello")
    work()
    messages.edit(ana, harmless.id, f"Hello {CARD}")
    messages.send(bia, room.id, "fuck")
    assert len(lose()) == 2

    assert sweep() == 0  # they may be on their way
    world.advance(seconds=GRACE.total_seconds() + 1)
    assert sweep() == 2
    work()
    assert [message.state for message in messages.history(ana, room.id)] == ["redacted", "sent"]
    assert len(queue()) == 2

    world.advance(seconds=QUIET.total_seconds() + 1)
    assert sweep() == 0
    assert sum(len(moderation_repository.reviews_due(ana, shard)) for shard in range(16)) == 0


@pytest.mark.parametrize("minutes", [1, 5, 9, 11, 19, 21, 60])
def test_however_long_a_room_was_silent_it_is_swept_again_once_somebody_writes(pair, room, world, minutes):
    ana, _ = pair
    messages.send(ana, room.id, "Hello")
    work()
    world.advance(minutes=minutes)
    assert sweep() == 0
    messages.send(ana, room.id, "fuck")
    lose()

    world.advance(minutes=5)
    assert sweep() == 1
    work()
    assert len(queue()) == 1


@given(st.lists(st.sampled_from(["send", "edit", "lose", "work", "sweep", "wait", "wait long"]), max_size=25))
def test_whatever_is_lost_in_whatever_order_in_the_end_all_is_reviewed(steps):
    """Every text that stays is judged, however sending, editing, losing, working and sweeping follow each other."""
    moderator = {"BACKEND": "tests.chat.moderation_world.Careful"}
    with override_settings(PORTS=settings.PORTS | {"moderator": moderator}):
        clock = wiring.clock()
        ana, bia = members(2)
        room = services.open_room(ana, [bia.user_id])
        for number, step in enumerate(steps):
            match step:
                case "send":
                    messages.send(ana, room.id, f"bad {number}")
                case "edit" if found := messages.history(ana, room.id):
                    messages.edit(ana, found[number % len(found)].id, f"bad {number}")
                case "lose":
                    lose()
                case "work":
                    work()
                case "sweep":
                    sweep()
                case "wait":
                    clock.advance(minutes=3)
                case "wait long":
                    clock.advance(hours=1)
        lose()
        clock.advance(minutes=3)
        sweep()
        work()

        texts = {message.text for message in messages.history(ana, room.id)}
        assert texts <= set(wiring.moderator().asked)
        assert {case.text for case in queue()} == texts
        clock.advance(hours=1)
        assert sweep() == 0


def test_what_was_edited_during_its_review_stays_due(pair, room):
    ana, _ = pair
    sent = messages.send(ana, room.id, "Hello")
    messages.edit(ana, sent.id, "Hello again")
    due = moderation_repository.review_due(ana, room.id, 1)
    messages.edit(ana, sent.id, "And again")

    moderation_repository.take_off(ana, due)
    assert moderation_repository.review_due(ana, room.id, 1) is not None


def test_what_is_reviewed_stays_reviewed(room):
    for seq in (5, 3):
        moderation_repository.mark_reviewed(STAFF, room.id, seq)
    assert reviewed(room) == 5


def test_a_long_backlog_is_reviewed_in_pieces(careful):
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    count = 2 * REVIEW_BATCH + 1
    for n in range(count):
        messages.send(ana, room.id, f"{n}")
    *_, last = lose()
    last()

    assert reviewed(room) == REVIEW_BATCH
    work()
    assert careful.asked == [str(n) for n in range(count)]


def test_a_tenant_s_messages_are_reviewed_and_swept_in_the_tenant(world, capsys):
    ana, bia = (new_user(tenant_id="acme") for _ in range(2))
    for member in (ana, bia):
        users.upsert_profile(member, {"nickname": member.user_id})
    room = services.open_room(ana, [bia.user_id])
    messages.send(ana, room.id, "fuck")
    lose()
    world.advance(minutes=5)

    call_command("sweep_moderation", "--tenant", "acme")
    assert capsys.readouterr().out == "  open platform: 0 reviews enqueued\n  acme: 1 reviews enqueued\n"
    work()

    assert queue() == []
    staff = new_user(tenant_id="acme", scopes=frozenset({"staff"}))
    assert len(moderation_services.queue_page(staff).items) == 1


def test_what_a_review_costs(pair, room):
    """docs/adr/0009-moderation-hand-off.md."""
    ana, _ = pair
    messages.send(ana, room.id, "Hello")
    work()
    messages.send(ana, room.id, "Good morning, did you run today?")
    with metered() as meter:
        work()
    assert (meter.write_units, meter.read_units, meter.round_trips) == (1, 2, 3)


# Taking away by hand ---------------------------------------------------------------------------------------------------------------


def test_staff_takes_a_message_away_and_the_room_does_not_learn_who(pair, room):
    ana, bia = pair
    sent = messages.send(ana, room.id, "A cruel thing")
    work()
    messages.react(bia, sent.id, "👍")

    moderation_services.redact(STAFF, sent.id, "Cruel")
    moderation_services.redact(STAFF, sent.id, "Cruel again")

    (found,) = messages.history(bia, room.id)
    assert (found.text, found.state, found.reactions) == ("", "redacted", {})
    redactions = [told for told in wiring.live().announced if told.event.kind == "redacted"]
    assert [told.event.payload["userId"] for told in redactions] == ["system"]
    (case,) = queue("resolved")
    assert (case.text, case.outcome, case.note, case.actor_id) == ("A cruel thing", "redacted", "Cruel", STAFF.user_id)


def test_members_take_nothing_away_and_see_no_queue(pair, room):
    ana, bia = pair
    sent = messages.send(ana, room.id, "Hello")
    for refused in (
        lambda: moderation_services.redact(bia, sent.id, "I do not like it"),
        lambda: moderation_services.queue_page(bia),
        lambda: moderation_services.case_file(bia, sent.id),
    ):
        with pytest.raises(Forbidden):
            refused()


@pytest.mark.parametrize("message_id", ["", "nonsense", "000000000001.nowhere", "000000000099.{room}"])
def test_there_is_nothing_to_take_away(message_id, room):
    with pytest.raises(NotFound):
        moderation_services.redact(STAFF, message_id.format(room=room.id), "Whatever")
    with pytest.raises(NotFound):
        moderation_services.case_file(STAFF, message_id.format(room=room.id))


# Reports ---------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def crowd(world):
    return members(5)


@pytest.fixture
def hall(crowd):
    ana, *others = crowd
    return services.open_room(ana, [other.user_id for other in others], title="Hall")


def test_reports_of_several_members_add_up_in_one_case(crowd, hall):
    ana, bia, carla, *_ = crowd
    sent = messages.send(ana, hall.id, "What a bitch")
    work()
    (before,) = queue()

    for reporter in (bia, carla, bia):
        assert moderation_services.report(reporter, sent.id, f"Rude, says {reporter.user_id}")

    (case,) = queue()
    assert (case.reports, case.opened_at) == (2, before.opened_at)
    assert 0.4 == before.score < case.score < 1
    _, reports = moderation_services.case_file(STAFF, case.id)
    assert {(report.reporter_id, report.reason) for report in reports} == {
        (reporter.user_id, f"Rude, says {reporter.user_id}") for reporter in (bia, carla)
    }


def test_a_report_brings_a_message_into_the_queue_that_the_moderator_let_pass(crowd, hall):
    ana, bia, *_ = crowd
    sent = messages.send(ana, hall.id, "You will never make it")
    work()
    moderation_services.report(bia, sent.id, "Bullying")

    (case,) = queue()
    assert (case.text, case.reasons, case.reports, case.score) == (sent.text, [], 1, 0.3)


def test_a_report_of_what_was_deleted_has_what_it_said(crowd, hall):
    ana, bia, *_ = crowd
    sent = messages.send(ana, hall.id, "A threat")
    messages.delete(ana, sent.id)
    moderation_services.report(bia, sent.id, "A threat!")

    assert [case.text for case in queue()] == ["A threat"]


def test_a_report_of_what_is_taken_away_already_changes_nothing(crowd, hall):
    ana, bia, *_ = crowd
    sent = messages.send(ana, hall.id, CARD)
    work()
    assert moderation_services.report(bia, sent.id, "A card")
    assert [case.reports for case in queue()] == [0]


def test_a_case_that_is_done_opens_again_with_a_new_report(crowd, hall):
    ana, bia, *_ = crowd
    sent = messages.send(ana, hall.id, "Hm")
    moderation_services.report(bia, sent.id, "Rude")
    (case,) = queue()
    done = case.copy()
    done.state = "resolved"
    moderation_repository.save_case(STAFF, done)
    assert (queue(), len(queue("resolved"))) == ([], 1)

    moderation_services.report(crowd[2], sent.id, "Rude")
    assert (len(queue()), queue("resolved")) == (1, [])


def test_whom_one_may_not_report(crowd, hall):
    ana, bia, *_, eva = crowd
    mine = messages.send(ana, hall.id, "Hello")
    with pytest.raises(Invalid):
        moderation_services.report(ana, mine.id, "My own")
    for message_id in ("nonsense", mine.id.replace("1.", "9."), "000000000001.nowhere"):
        with pytest.raises(NotFound):
            moderation_services.report(bia, message_id, "What is it?")
    services.leave(eva, hall.id)
    with pytest.raises(NotFound):
        moderation_services.report(eva, mine.id, "From outside")
    late = members(1)[0]
    services.invite(ana, hall.id, [late.user_id])
    with pytest.raises(NotFound):
        moderation_services.report(late, mine.id, "Before my time")
    assert queue() == []


@pytest.mark.parametrize("reason", ["", " \n ", "x" * 501, "bell\x07", "\u202eesrever"])
def test_a_report_says_why(crowd, hall, reason):
    sent = messages.send(crowd[0], hall.id, "Hello")
    with pytest.raises(Invalid) as refused:
        moderation_services.report(crowd[1], sent.id, reason)
    assert refused.value.field == "reason"


@pytest.fixture
def three_reports_a_day() -> Iterator[None]:
    with override_settings(REPORTS_PER_DAY=3):
        yield


@pytest.mark.usefixtures("three_reports_a_day")
def test_a_member_has_so_many_reports_a_day_and_repeating_one_is_none(crowd, hall, world):
    ana, bia, carla, *_ = crowd
    sent = [messages.send(ana, hall.id, f"{n}") for n in range(5)]
    for message in sent[:3]:
        moderation_services.report(bia, message.id, "Rude")
    with pytest.raises(QuotaExceeded):
        moderation_services.report(bia, sent[3].id, "Rude")
    assert moderation_services.report(bia, sent[0].id, "Rude")
    assert moderation_services.report(carla, sent[3].id, "Rude")
    world.advance(hours=12)
    assert moderation_services.report(bia, sent[4].id, "Rude")
    assert len(queue()) == 5


# The queue -------------------------------------------------------------------------------------------------------------------------


def test_the_queue_has_pages(crowd, hall):
    for n in range(5):
        messages.send(crowd[0], hall.id, f"fuck {n}")
    work()
    first = moderation_services.queue_page(STAFF, limit=3)
    second = moderation_services.queue_page(STAFF, limit=3, after=first.cursors[-1])
    assert [case.text for case in [*first.items, *second.items]] == [f"fuck {n}" for n in range(5)]
    assert (first.has_more, second.has_more) == (True, False)


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 101}, {"state": "lost"}])
def test_no_such_page(wrong):
    with pytest.raises(Invalid):
        moderation_services.queue_page(STAFF, **wrong)


def test_cases_and_what_they_quote_expire(pair, room, world):
    messages.send(pair[0], room.id, "fuck")
    work()
    (case,) = queue()
    assert case.expires_at() == world.now() + timedelta(days=settings.MODERATION_RETENTION_DAYS)
    world.advance(days=settings.MODERATION_RETENTION_DAYS)
    assert queue() == []


def test_the_longest_message_fits_into_its_case(pair, room):
    for _ in range(6):
        messages.send(pair[0], room.id, ("\U0001f3c3" * 10_000)[:-5] + " fuck")
    work()
    assert len(queue()) == 6


@pytest.mark.usefixtures("dynamo_world")
def test_all_of_it_on_dynamodb():
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    card, rude = (messages.send(ana, room.id, text) for text in (CARD, "fuck"))
    messages.edit(ana, rude.id, "fuck!")
    work()
    moderation_services.report(bia, rude.id, "Rude")
    assert moderation_services.report(bia, card.id, "A card")

    assert [(case.id, case.reports) for case in queue()] == [(rude.id, 1), (card.id, 0)]
    assert [message.text for message in messages.history(bia, room.id)] == ["", "fuck!"]
    assert sweep() == 0
