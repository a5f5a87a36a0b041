"""What members are told of moderators' decisions, in their language, and what becomes of other notifications while they are suspended."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from chat import decision_services, services
from chat import message_services as messages
from chat.decision_services import Ruling
from chat.moderation_domain import RULES
from chat.moderation_services import report
from goalgraph.auth.actor import SYSTEM
from goalgraph.table.attributes import instant_text
from notifications.delivery_services import deliver
from notifications.handlers import HANDLERS
from notifications.services import notifications_page
from notifications.texts import LANGUAGES, MAX_BODY_BYTES, render
from tests.chat.case_world import told as told_by_the_feed
from tests.chat.world import members
from tests.fixtures import FakeClock, new_user
from tests.notifications.delivery_world import delivery, reachable, told
from users import sanction_services as sanctions
from users import services as users
from users.domain import FURTHER_NOTICE

UTC = ZoneInfo("UTC")


@pytest.fixture(autouse=True)
def world(memory_world: FakeClock) -> FakeClock:
    return memory_world


def feed() -> None:
    for event in told_by_the_feed():
        if event.type == "case.decided":
            for _ in range(2):
                HANDLERS[event.type](event)


def titles(actor) -> list[str]:
    return [note.title for note in notifications_page(actor, limit=20).items][::-1]


def test_each_step_is_told_once_and_nobody_learns_what_came_to_nothing(world):
    ana, *others = members(8)
    room = services.open_room(ana, [other.user_id for other in others], title="Hall")
    sent = messages.send(ana, room.id, "You fool")

    def ruling(number: int, action: str, **more) -> None:
        world.advance(minutes=1)
        until = world.now() + timedelta(hours=1) if action in ("mute", "suspend") else None
        decision_services.decide(SYSTEM, room.id, 1, Ruling(f"d-{number}", number, action, "harassment", "for us", until))
        feed()

    report(others[0], sent.id, "Rude")
    ruling(1, "dismiss")
    assert titles(ana) == []
    for other in others[1:]:
        report(other, sent.id, "Rude")
    feed()
    assert titles(ana) == []  # cleared texts stay
    for number, action in enumerate(("warn", "mute", "redact", "dismiss", "help"), 2):
        ruling(number, action)
    assert titles(ana) == [
        "A warning from our moderators",
        "You are muted until July 1, 2027, 1:03 p.m.",
        "A message of yours was taken away",
        "Your message is back",
        "You are not alone",
    ]
    shown = notifications_page(ana, limit=20).items
    assert all("for us" not in str(note.attribute_values) for note in shown)
    assert "(harassment or insults)" in shown[-1].body
    assert [titles(other) for other in others] == [[]] * 7


def test_it_is_told_in_the_members_language(world):
    ana, bia = members(2)
    users.upsert_profile(ana, {"language": "pt-BR", "timezone": "America/Sao_Paulo"})
    room = services.open_room(ana, [bia.user_id])
    sent = messages.send(ana, room.id, "Rude")
    report(bia, sent.id, "Rude")
    until = world.now() + timedelta(days=1)
    decision_services.decide(SYSTEM, room.id, 1, Ruling("d-1", 1, "suspend", "hate", "", until))
    feed()
    (note,) = notifications_page(ana, limit=5).items
    assert note.title == "A sua conta está suspensa até 2 de Julho de 2027 às 09:00"
    assert "ódio contra pessoas" in note.body
    assert "responda a este e-mail" in note.body


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("action", ["hide", "redact", "warn", "mute", "suspend", "dismiss", "help"])
def test_every_decision_has_words_for_every_rule(language, action):
    until = instant_text(FURTHER_NOTICE)
    seen = set()
    for rule in RULES:
        for more in ({}, {"appealed": True}, {"effect": "restored"}, {"untilAt": until, "furtherNotice": True}):
            title, body = render("moderation", language, UTC, {"action": action, "rule": rule, **more})
            assert title
            assert body
            assert len(body.encode()) < MAX_BODY_BYTES
            assert "2200" not in (title if action == "suspend" and "furtherNotice" in more else "")
            seen.add(body.partition("\n")[0])
    assert len(seen) >= (len(RULES) if action in ("redact", "warn", "mute", "suspend") else 1)


def test_help_names_somebody_to_talk_to():
    for language, line in (("en", "988"), ("pt-BR", "188"), ("es", "024")):
        assert line in render("moderation", language, UTC, {"action": "help"})[1]


def test_who_is_suspended_gets_no_notification_but_of_that_and_of_their_account(world, mailoutbox):
    member = reachable(new_user())
    sanctions.sanction(SYSTEM, member.user_id, suspended_until=world.now() + timedelta(days=1), reason="spam")
    reminder = told(member, "reminder")
    security, moderation = told(member, "security"), told(member, "moderation")
    for note_id in (reminder, security, moderation):
        deliver(SYSTEM, member.user_id, note_id, "email")
    found = delivery(member, reminder, "email")
    assert (found.state, found.reason) == ("dropped", "suspended")
    assert [delivery(member, note_id, "email").state for note_id in (security, moderation)] == ["sent", "sent"]
    assert len(mailoutbox) == 2
    world.advance(days=2)
    later = told(member, "connection_accepted", dedupe="later")
    deliver(SYSTEM, member.user_id, later, "push")
    assert delivery(member, later, "push").state == "sent"
