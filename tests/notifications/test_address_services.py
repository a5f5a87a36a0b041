"""Addresses count once they are proved, and nobody is pestered with proofs."""

import re

import pytest
from django.test import override_settings

from goalgraph import wiring
from goalgraph.auth.actor import SYSTEM, Actor
from goalgraph.errors import Invalid, QuotaExceeded, RateLimited
from goalgraph.ports.jobs import JobsUnavailable
from goalgraph.ports.sending import Refused, Unavailable
from goalgraph.table import keys, table
from goalgraph.table.metering import metered
from notifications import address_services
from notifications.address_services import MAX_TRIES, PROOFS_PER_ADDRESS, PROOFS_PER_MEMBER, confirm_phone
from tests.fixtures import FakeClock, new_user
from tests.notifications.delivery_world import run_proofs, set_email, set_phone, stored_preferences
from users import services as users

pytestmark = pytest.mark.usefixtures("memory_world")

NUMBER = "+5511912345678"


def texts() -> list[tuple[str, str]]:
    return list(wiring.sms().sent.values())


def code() -> str:
    return re.search(r"\d{6}", texts()[-1][1])[0]


def wrong(right: str) -> str:
    return f"{(int(right) + 1) % 10**6:06d}"


def token(mailoutbox) -> str:
    return mailoutbox[-1].body.partition("/notifications/confirm/")[2].split()[0]


def test_a_number_counts_when_its_code_was_given(actor):
    assert set_phone(actor, "+55 (11) 91234-5678").phone is None
    assert stored_preferences(actor).phone is None
    ((number, text),) = texts()
    assert number == NUMBER
    assert "10 minutes" in text
    assert confirm_phone(actor, f" {code()} ").phone == NUMBER
    assert stored_preferences(actor).phone == NUMBER
    assert set_phone(actor, NUMBER).phone == NUMBER
    assert len(texts()) == 1
    assert set_phone(actor, None).phone is None


def test_the_text_is_in_the_members_language(actor):
    users.upsert_profile(actor, {"language": "es-MX"})
    set_phone(actor, NUMBER)
    assert "es tu código" in texts()[0][1]


def test_a_code_is_the_members_alone_and_works_once(actor):
    other = new_user()
    set_phone(actor, NUMBER)
    right = code()
    for who in (other, Actor(user_id=actor.user_id, tenant_id="acme")):
        with pytest.raises(Invalid):
            confirm_phone(who, right)
    confirm_phone(actor, right)
    with pytest.raises(Invalid):
        confirm_phone(actor, right)


def test_a_code_expires_after_ten_minutes(actor, memory_world: FakeClock):
    set_phone(actor, NUMBER)
    memory_world.advance(minutes=10)
    with pytest.raises(Invalid):
        confirm_phone(actor, code())
    assert stored_preferences(actor).phone is None


def test_after_five_wrong_codes_the_right_one_does_not_count(actor):
    set_phone(actor, NUMBER)
    right = code()
    for guess in [wrong(right)] * (MAX_TRIES - 1) + ["ééé\ud800"]:
        with pytest.raises(Invalid) as refused:
            confirm_phone(actor, guess)
        assert refused.value.field == "code"
    with pytest.raises(Invalid):
        confirm_phone(actor, right)
    assert stored_preferences(actor).phone is None
    set_phone(actor, NUMBER)
    assert confirm_phone(actor, code()).phone == NUMBER


def test_a_new_code_takes_the_place_of_the_old_one(actor):
    set_phone(actor, NUMBER)
    old = code()
    set_phone(actor, "+5511987654321")
    assert code() != old
    with pytest.raises(Invalid):
        confirm_phone(actor, old)
    assert confirm_phone(actor, code()).phone == "+5511987654321"


def test_no_code_lies_in_the_table(actor):
    set_phone(actor, NUMBER)
    stored = table(actor).get(keys.address_claim(actor.user_id, "sms")).to_raw(None)
    assert code() not in str(stored)


NO_NUMBERS = ["", "12345", "11912345678", "+55", "+551131234567", "+1900555", "+999123456789", "x" * 1000]
NO_ADDRESSES = [
    "",
    "ana",
    "ana@",
    "@example.org",
    "ana@example",
    "a na@example.org",
    "ana@example.org\nBcc: x@example.org",
    "ána@example.org",
    "a" * 250 + "@example.org",
]


@pytest.mark.parametrize("number", NO_NUMBERS)
def test_what_is_no_mobile_number_is_refused(actor, number: str):
    with pytest.raises(Invalid) as refused:
        set_phone(actor, number)
    assert refused.value.field == "phone"
    assert texts() == []


@pytest.mark.parametrize("address", NO_ADDRESSES)
def test_what_is_no_address_is_refused(actor, mailoutbox, address: str):
    with pytest.raises(Invalid) as refused:
        set_email(actor, address)
    assert refused.value.field == "email"
    assert mailoutbox == []


def test_the_mail_that_proves_an_address_is_no_newsletter(actor, mailoutbox):
    set_email(actor, "ana@example.org")
    (mail,) = mailoutbox
    assert mail.to == ["ana@example.org"]
    assert "List-Unsubscribe" not in mail.extra_headers
    assert address_services.confirm_email(token(mailoutbox)) == ("ana@example.org", "en")


def test_a_member_may_ask_for_so_many_proofs_a_day(actor, mailoutbox, memory_world: FakeClock):
    for number in range(PROOFS_PER_MEMBER["email"]):
        set_email(actor, f"ana{number}@example.org")
    with pytest.raises(QuotaExceeded):
        set_email(actor, "one-more@example.org")
    assert len(mailoutbox) == PROOFS_PER_MEMBER["email"]
    set_phone(actor, NUMBER)
    memory_world.advance(days=1)
    set_email(actor, "one-more@example.org")
    assert len(mailoutbox) == PROOFS_PER_MEMBER["email"] + 1


def test_an_address_is_written_to_so_often_a_day_whoever_asks_and_nobody_is_told(mailoutbox):
    members = [new_user() for _ in range(PROOFS_PER_ADDRESS["email"] + 2)]
    answers = [set_email(member, "Victim@example.org" if number % 2 else "victim@EXAMPLE.org") for number, member in enumerate(members)]
    assert len(mailoutbox) == PROOFS_PER_ADDRESS["email"]
    assert {(answer.email, answer.phone) for answer in answers} == {(None, None)}


def test_an_address_that_was_asked_too_often_takes_as_much_work_before_the_answer(mailoutbox):
    done = []
    for member in [new_user() for _ in range(PROOFS_PER_ADDRESS["email"] + 2)]:
        with metered() as meter:
            address_services.set_email(member, "victim@example.org")
        ((name, queue, arguments),) = wiring.jobs().sent
        wiring.jobs().sent.clear()
        done.append((meter.round_trips, meter.read_units, meter.write_units, name, queue, *sorted(arguments), len(arguments["nonce"])))
    assert len(set(done)) == 1
    assert mailoutbox == []


def test_asking_once_more_than_is_sent_leaves_the_last_link_as_it_was(actor, mailoutbox):
    for _ in range(PROOFS_PER_ADDRESS["email"] + 1):
        set_email(actor, "ana@example.org")
    assert len(mailoutbox) == PROOFS_PER_ADDRESS["email"]
    assert address_services.confirm_email(token(mailoutbox)) == ("ana@example.org", "en")


def test_a_proof_that_was_asked_for_again_is_sent_once(actor, mailoutbox):
    address_services.set_email(actor, "old@example.org")
    address_services.set_email(actor, "new@example.org")
    run_proofs()
    assert [mail.to for mail in mailoutbox] == [["new@example.org"]]


def test_where_nothing_can_be_asked_for_the_member_is_to_come_again(actor, monkeypatch):
    class Away:
        def send(self, *_, **__):
            raise JobsUnavailable

    monkeypatch.setattr(wiring, "jobs", Away)
    with pytest.raises(RateLimited):
        address_services.set_phone(actor, NUMBER)


def test_an_address_that_another_member_has_is_answered_the_same(mailoutbox, actor):
    address_services.adopt_email(SYSTEM, actor.user_id, "ana@example.org")
    other = new_user()
    assert set_email(other, "ana@example.org").email is None
    assert mailoutbox[-1].to == ["ana@example.org"]
    address_services.confirm_email(token(mailoutbox))
    assert stored_preferences(other).email == stored_preferences(actor).email == "ana@example.org"


def test_a_provider_that_refuses_tells_nothing_and_one_that_is_away_is_asked_again(actor, monkeypatch):
    class Away:
        def __init__(self, error):
            self.error = error

        def send(self, number, text, *, key):
            raise self.error

    monkeypatch.setattr(wiring, "sms", lambda: Away(Refused("no such number")))
    assert set_phone(actor, NUMBER).phone is None
    monkeypatch.setattr(wiring, "sms", lambda: Away(Unavailable("timeout")))
    address_services.set_phone(actor, NUMBER)
    waiting = list(wiring.jobs().sent)
    with pytest.raises(Unavailable):
        run_proofs()
    monkeypatch.undo()
    wiring.jobs().sent[:] = waiting
    run_proofs()
    assert len(texts()) == 1


def test_links_do_not_outlive_the_secret(actor, mailoutbox):
    set_email(actor, "ana@example.org")
    with override_settings(SECRET_KEY="another" * 10):
        assert address_services.confirm_email(token(mailoutbox)) is None
