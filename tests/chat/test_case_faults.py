"""Decisions where it is hard: a process that dies at any call to the table, answers that get lost, what the feed never told."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import pytest
from celery.schedules import crontab
from django.conf import settings
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils.module_loading import import_string

from chat import case_rows, case_services, decision_services, moderation_services, services
from chat import message_services as messages
from chat import moderation_repository as table
from chat.models import Case, CaseAction
from chat.moderation_domain import AGAINST
from chat.moderation_services import report
from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM
from goalgraph.table.memory import MemoryTable
from goalgraph.table.metering import metered
from goalgraph.table.port import TableUnavailable
from tests.chat.case_world import RUDE, AwayTable, follow, hall, moderator, reported, text_of, told, wanted
from tests.faults import LosesAnswers
from tests.fixtures import new_user
from tests.streams import StreamingTable
from users import sanction_services as sanctions
from users import services as users

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """The process is gone: nothing catches this."""


class Fate:
    """Counts the calls to the table, and ends the process at the `at`-th, before or after it takes effect."""

    at, after, calls = 0, False, 0

    def call(self, effect: Callable[[], object]) -> object:
        self.calls += 1
        if self.calls != self.at:
            return effect()
        if self.after:
            effect()
        raise Killed


FATE = Fate()


def _fated(name: str) -> Callable[..., object]:
    def method(self, *arguments, **named):
        return FATE.call(lambda: getattr(super(FatedTable, self), name)(*arguments, **named))

    return method


class FatedTable(StreamingTable):
    get, get_many, query = _fated("get"), _fated("get_many"), _fated("query")
    put, delete, transact = _fated("put"), _fated("delete"), _fated("transact")


class ForgetfulTable(LosesAnswers):
    """A table in memory whose every answer gets lost once."""

    def __init__(self) -> None:
        super().__init__(MemoryTable())


@pytest.fixture
def fated(memory_world) -> Iterator[Fate]:
    FATE.at, FATE.calls = 0, 0
    with override_settings(PORTS=settings.PORTS | {"table": {"BACKEND": f"{__name__}.FatedTable"}}):
        yield FATE
    FATE.at = 0


def dies(fate: Fate, at: int, *, after: bool, use_case: Callable[[], object]) -> bool:
    """Whether the process ended at its `at`-th call; False where it made fewer."""
    fate.at, fate.after, fate.calls = at, after, 0
    try:
        use_case()
    except Killed:
        return True
    finally:
        fate.at = 0
    return False


def record(member) -> tuple[int, int]:
    found = table.records(SYSTEM, [member.user_id]).get(member.user_id)
    return (int(found.upheld), int(found.dismissed)) if found else (0, 0)


@pytest.mark.parametrize("after", [False, True], ids=["before it takes effect", "after"])
@pytest.mark.parametrize("action", ["dismiss", *AGAINST, "help"])
def test_whenever_the_process_dies_the_decision_happens_once_and_whole(fated, action, after):
    """At each call in turn: what was not recorded has not happened, what was recorded is finished by the sweep."""
    mona, clock = moderator(), wiring.clock()
    at, died = 0, True
    while died:
        at += 1
        people, room = hall(3)
        sent, case = reported(people, room, by=2)
        told()

        died = dies(fated, at, after=after, use_case=partial(case_services.act, mona, case.pk, case.version, wanted(action)))
        if not CaseAction.objects.filter(case=case).exists():
            assert died
            assert text_of(people[1], sent) == (RUDE, "sent")
            case_services.act(mona, case.pk, Case.objects.get(pk=case.pk).version, wanted(action))
        clock.advance(seconds=20)
        for _ in range(2):
            case_services.repair(SYSTEM)

        assert CaseAction.objects.filter(case=case, applied_at__isnull=False).count() == 1
        assert text_of(people[1], sent) == (("", "redacted") if action == "redact" else (RUDE, "sent"))
        assert [record(reporter) for reporter in people[1:]] == [(0, 1) if action == "dismiss" else (1, 0)] * 2
        standing = sanctions.standing(SYSTEM, people[0].user_id)
        assert (standing.muted_until is not None, standing.suspended_until is not None) == (action == "mute", action == "suspend")
        assert [event.type for event in told()].count("case.decided") == 1
        row = Case.objects.get(pk=case.pk)
        assert (row.state, row.source_version) == ("resolved", int(table.case(SYSTEM, room, 1).version))
    assert at > 5


@pytest.mark.parametrize("after", [False, True], ids=["before it takes effect", "after"])
def test_whenever_the_process_dies_what_was_hidden_comes_back_whole(fated, after):
    mona, clock = moderator(), wiring.clock()
    at, died = 0, True
    while died:
        at += 1
        people, room = hall(9)
        sent, case = reported(people, room, by=7)
        assert (text_of(people[1], sent), case.hidden) == (("", "redacted"), True)
        died = dies(fated, at, after=after, use_case=partial(case_services.act, mona, case.pk, case.version, wanted("dismiss")))
        if not CaseAction.objects.filter(case=case).exists():
            case_services.act(mona, case.pk, Case.objects.get(pk=case.pk).version, wanted("dismiss"))
        clock.advance(seconds=20)
        case_services.repair(SYSTEM)
        assert text_of(people[1], sent) == (RUDE, "sent")
        assert {record(reporter) for reporter in people[1:8]} == {(0, 1)}
        assert Case.objects.get(pk=case.pk).hidden is False
    assert at > 5


def test_with_every_answer_lost_once_each_effect_happens_once(memory_world):
    with override_settings(PORTS=settings.PORTS | {"table": {"BACKEND": f"{__name__}.ForgetfulTable"}}):
        people, room = hall(3)
        sent = messages.send(people[0], room, RUDE)
        for reporter in people[1:]:
            report(reporter, sent.id, "Rude")
        case_rows.project(SYSTEM, room, 1)
        case = Case.objects.get()
        case_services.act(moderator(), case.pk, case.version, wanted("redact"))
        assert [record(reporter) for reporter in people[1:]] == [(1, 0), (1, 0)]
        decision_services.appeal(people[0], sent.id, "No")
        case_rows.project(SYSTEM, room, 1)
        case_services.act(moderator("otto"), case.pk, Case.objects.get().version, wanted("dismiss"))
        assert [record(reporter) for reporter in people[1:]] == [(0, 1), (0, 1)]
        assert text_of(people[1], sent) == (RUDE, "sent")


def test_while_the_table_is_away_a_decision_waits(fated, monkeypatch):
    people, room = hall(3)
    sent, case = reported(people, room)
    monkeypatch.setattr(case_services.decision_services, "decide", _away)
    action = case_services.act(moderator(), case.pk, case.version, wanted("redact"))
    assert (action.applied_at, text_of(people[1], sent)[1]) == (None, "sent")
    monkeypatch.undo()
    case_services.repair(SYSTEM)  # it may be under way
    assert text_of(people[1], sent)[1] == "sent"
    wiring.clock().advance(seconds=20)
    case_services.repair(SYSTEM)
    assert text_of(people[1], sent)[1] == "redacted"


def _away(*_: object) -> None:
    raise TableUnavailable("gone")


def test_decisions_are_applied_in_their_order(fated, monkeypatch):
    """The first was recorded, and its process died; the second comes before the sweep."""
    people, room = hall(3)
    sent, case = reported(people, room)
    mona = moderator()
    assert dies(fated, 3, after=False, use_case=lambda: case_services.act(mona, case.pk, case.version, wanted("redact")))
    (first,) = CaseAction.objects.all()
    assert first.applied_at is None
    case_services.act(mona, case.pk, first.case_version, wanted("dismiss"))
    assert text_of(people[1], sent) == (RUDE, "sent")
    assert record(people[1]) == (0, 1)
    assert CaseAction.objects.filter(applied_at=None).count() == 0


def test_an_older_decision_that_comes_late_does_nothing(fated):
    people, room = hall(3)
    sent, case = reported(people, room)
    mona = moderator()
    first = case_services.act(mona, case.pk, case.version, wanted("redact"))
    case_services.act(mona, case.pk, first.case_version, wanted("dismiss"))
    case_services._apply(CaseAction.objects.get(pk=first.pk))
    assert text_of(people[1], sent) == (RUDE, "sent")
    assert record(people[1]) == (0, 1)


# The sweep -----------------------------------------------------------------------------------------------------------------------------


def test_cases_that_the_feed_never_told_of_are_found(fated):
    people, room = hall(3)
    for number in range(3):
        sent = messages.send(people[0], room, f"{RUDE} {number}")
        report(people[1], sent.id, "Rude")
    told()  # lost
    assert Case.objects.count() == 0
    assert case_services.repair(SYSTEM) == 3
    assert [(case.seq, case.reports) for case in Case.objects.order_by("seq")] == [(1, 1), (2, 1), (3, 1)]
    report(people[2], sent.id, "Rude")
    told()  # lost
    case_services.repair(SYSTEM)
    assert Case.objects.get(seq=3).reports == 2


def test_what_was_decided_past_the_desk_or_is_no_longer_kept_waits_no_more(fated):
    people, room = hall(3)
    (one, first), (_, second) = reported(people, room), reported(people, room)
    moderation_services.redact(SYSTEM, one.id, "By hand")
    told()  # lost
    case_services.repair(SYSTEM)
    assert (Case.objects.get(pk=first.pk).state, Case.objects.get(pk=first.pk).outcome) == ("resolved", "redacted")
    wiring.clock().advance(days=settings.MODERATION_RETENTION_DAYS + 1)
    case_services.repair(SYSTEM)
    assert (Case.objects.get(pk=second.pk).state, Case.objects.get(pk=second.pk).outcome) == ("resolved", "expired")


def test_each_minute_late_decisions_are_applied_and_each_quarter_of_an_hour_all_is_compared(fated):
    """The beat's own entries, by what they do."""
    people, room = hall(3)
    sent, case = reported(people, room)
    assert dies(fated, 3, after=False, use_case=lambda: case_services.act(moderator(), case.pk, case.version, wanted("redact")))
    report(people[1], messages.send(people[0], room, RUDE).id, "Rude")
    told()  # lost
    wiring.clock().advance(seconds=20)
    each_minute, each_quarter = (settings.CELERY_BEAT_SCHEDULE[name] for name in ("apply decisions", "repair cases"))
    import_string(each_minute["kwargs"]["task"])()
    assert text_of(people[1], sent) == ("", "redacted")
    assert Case.objects.count() == 1
    with metered() as meter:
        import_string(each_minute["kwargs"]["task"])()
    assert meter.round_trips == 0
    import_string(each_quarter["kwargs"]["task"])()
    assert Case.objects.count() == 2
    assert (each_minute["schedule"], each_quarter["schedule"]) == (crontab(), crontab(minute="*/15"))


def test_a_repair_reads_each_open_case_once(fated):
    people, room = hall(3)
    for _ in range(3):
        reported(people, room)
    with metered() as meter:
        assert case_services.repair(SYSTEM) == 3
    assert meter.round_trips == 1


def test_a_repair_asks_for_the_rows_of_the_cases_at_hand_only(fated):
    people, room = hall(3)
    _, first = reported(people, room)
    case_services.act(moderator(), first.pk, first.version, wanted("warn"))
    _, second = reported(people, room)
    with CaptureQueriesContext(connection) as captured:
        case_services.repair(SYSTEM)
    rows = [query["sql"] for query in captured if '"room_id" = ' in query["sql"]]
    assert len(rows) == 1
    assert f'"seq" = {second.seq}' in rows[0]
    assert f'"seq" = {first.seq}' not in rows[0]


@pytest.mark.parametrize("after", [False, True], ids=["before it takes effect", "after"])
def test_whenever_the_process_dies_an_appeal_is_recorded_once_and_whole(fated, after):
    mona = moderator()
    at, died = 0, True
    while died:
        at += 1
        people, room = hall(3)
        _, case = reported(people, room)
        case_services.act(mona, case.pk, case.version, wanted("suspend"))
        follow()
        version = Case.objects.get(pk=case.pk).version
        died = dies(fated, at, after=after, use_case=partial(case_services.record_appeal, mona, case.pk, version, "It was a quotation."))
        follow()
        row = Case.objects.get(pk=case.pk)
        if not row.appealed:
            row = case_services.record_appeal(mona, case.pk, row.version, "It was a quotation.")
        case_services.repair(SYSTEM)
        assert (row.state, row.appealed, row.version) == ("open", True, version + 1)
        assert [each.action for each in decision_services.decisions(SYSTEM, room, 1)].count("appeal") == 1
    assert at > 3


def test_of_several_cases_those_that_the_table_answers_about_are_decided(memory_world, monkeypatch):
    with override_settings(PORTS=settings.PORTS | {"table": {"BACKEND": "tests.chat.case_world.AwayTable"}}):
        found = [reported(*hall(3))[1] for _ in range(3)]
        monkeypatch.setattr(AwayTable, "rooms", {found[1].room_id})
        done = list(case_services.act_on_many(mona := moderator(), [(case.pk, case.version) for case in found], wanted("warn")))
        assert [each.error for each in done] == [None, "It was not decided, because the table did not answer. Try again.", None]
        assert sorted(CaseAction.objects.values_list("case_id", flat=True)) == [found[0].pk, found[2].pk]
        monkeypatch.setattr(AwayTable, "rooms", set())
        (again,) = case_services.act_on_many(mona, [(found[1].pk, found[1].version)], wanted("warn"))
        assert again.error is None


def test_a_tenants_cases_are_the_tenants(fated):
    ana, bia = (new_user(tenant_id="acme") for _ in range(2))
    for member in (ana, bia):
        users.upsert_profile(member, {"nickname": member.user_id})
    room = services.open_room(ana, [bia.user_id])
    sent = messages.send(ana, room.id, RUDE)
    report(bia, sent.id, "Rude")
    follow()
    (case,) = Case.objects.all()
    assert case.tenant_id == "acme"
    assert case_services.repair(SYSTEM) == 0
    assert case_services.repair(replace(SYSTEM, tenant_id="acme")) == 1
    case_services.act(moderator(), case.pk, case.version, wanted("mute"))
    assert sanctions.standing(replace(SYSTEM, tenant_id="acme"), ana.user_id).muted_until is not None
    assert sanctions.standing(SYSTEM, ana.user_id).muted_until is None
