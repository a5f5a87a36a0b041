"""E-mails through SES and text messages through SNS, in the emulator, and what their refusals mean."""

import smtplib
import uuid
from collections.abc import Iterator
from io import StringIO
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.core.management import CommandError, call_command
from django.test import override_settings

from goalgraph.adapters import mail
from goalgraph.adapters.sms import NoSms
from goalgraph.adapters.sns import SnsSms
from goalgraph.auth.actor import SYSTEM
from goalgraph.ports.sending import Gone, Refused, Unavailable
from goalgraph.settings.channels import ANYMAIL, ANYMAIL_SCHEMES
from notifications.delivery_services import deliver
from tests.faults import CUT, Loopback, Response, in_turn
from tests.fixtures import new_user
from tests.notifications.delivery_world import delivery, reachable, told

SES = ANYMAIL_SCHEMES["ses"]


def emulator(path: str) -> dict[str, Any]:
    return httpx.get(f"{settings.AWS_ENDPOINT_URL}{path}").json()


def ses_messages(to: str) -> list[dict[str, Any]]:
    accounts = emulator("/_ministack/ses/messages")["messages"].values()
    return [message for messages in accounts for message in messages if message["To"] == [to]]


def message(to: str = "ana@example.org") -> EmailMultiAlternatives:
    made = EmailMultiAlternatives("Olá", "Texto", "GoalGraph <hello@example.org>", [to], headers={"Message-ID": "<1@example.org>"})
    made.attach_alternative("<p>Olá</p>", "text/html")
    return made


def ses_at(url: str) -> Any:
    params = ANYMAIL["AMAZON_SES_CLIENT_PARAMS"] | {"endpoint_url": url}
    mail._kept.clear()
    return override_settings(EMAIL_BACKEND=SES, ANYMAIL=ANYMAIL | {"AMAZON_SES_CLIENT_PARAMS": params})


def created() -> list[str]:
    out = StringIO()
    call_command("create_mail_identity", stdout=out)
    return out.getvalue().splitlines()


@pytest.fixture
def sender() -> Iterator[None]:
    """SES sends for a domain of ours."""
    with override_settings(MAIL_FROM="GoalGraph <hello@example.org>"), ses_at(settings.AWS_ENDPOINT_URL):
        created()
        yield


def test_an_identity_is_created_once():
    with override_settings(MAIL_FROM=f"hello@{uuid.uuid4().hex}.example.org"), ses_at(settings.AWS_ENDPOINT_URL):
        assert [line.split()[0] for line in created()] == ["created"]
        assert created() == []
    with pytest.raises(CommandError):
        created()


@pytest.mark.usefixtures("sender")
def test_ses_takes_a_notification_as_text_and_html(memory_world):
    member = reachable(new_user())
    note_id = told(member)
    deliver(SYSTEM, member.user_id, note_id, "email")

    (sent,) = ses_messages(f"{member.user_id}@example.org")
    assert delivery(member, note_id, "email").provider_id == sent["MessageId"]
    assert "<h1" in sent["BodyHtml"]
    assert sent["Subject"]
    assert sent["Subject"] in sent["BodyText"]


@pytest.mark.usefixtures("sender")
def test_a_client_of_ses_is_built_once():
    first, second = f"{uuid.uuid4().hex}@example.org", f"{uuid.uuid4().hex}@example.org"
    mail.send(message(first))
    client = next(iter(mail._kept.values())).client
    mail.send(message(second))
    assert next(iter(mail._kept.values())).client is client
    assert len(ses_messages(first)) == len(ses_messages(second)) == 1


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (Response(400, b'{"__type": "MessageRejected", "message": "Email address is not verified."}'), Unavailable),
        (Response(400, b'{"__type": "MessageRejected", "message": "It holds a virus."}'), Refused),
        (Response(400, b'{"__type": "BadRequestException", "message": "no"}'), Refused),
        (Response(429, b'{"__type": "TooManyRequestsException", "message": "slow down"}'), Unavailable),
        (Response(400, b'{"__type": "SendingPausedException", "message": "paused"}'), Unavailable),
        (Response(500, b'{"__type": "InternalFailure"}'), Unavailable),
        (CUT, Unavailable),
    ],
)
def test_each_answer_of_ses_means_one_of_two_things_and_is_asked_for_once(answer, meaning):
    with Loopback(in_turn(answer)) as server, ses_at(server.url), pytest.raises(meaning) as raised:
        mail.send(message())
    assert len(server.requests) == 1
    assert "ana@example.org" not in str(raised.value)


class Smtp(BaseEmailBackend):
    """Raises what Django's own backend lets through."""

    error: Exception

    def send_messages(self, _):
        raise self.error


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (smtplib.SMTPRecipientsRefused({"ana@example.org": (550, b"no such user")}), Refused),
        (smtplib.SMTPRecipientsRefused({"ana@example.org": (451, b"greylisted")}), Unavailable),
        (smtplib.SMTPDataError(554, b"spam"), Refused),
        (smtplib.SMTPSenderRefused(452, b"full", "hello@example.org"), Unavailable),
        (smtplib.SMTPServerDisconnected("gone"), Unavailable),
        (smtplib.SMTPAuthenticationError(535, b"no"), Unavailable),
        (ConnectionRefusedError(), Unavailable),
        (TimeoutError(), Unavailable),
    ],
)
def test_each_trouble_of_smtp_means_one_of_two_things(error: Exception, meaning):
    Smtp.error = error
    with override_settings(EMAIL_BACKEND=f"{__name__}.Smtp"), pytest.raises(meaning):
        mail.send(message())


def test_a_backend_that_names_no_message_leaves_the_name_that_we_gave_it(mailoutbox):
    assert mail.send(message()) == "<1@example.org>"
    assert len(mailoutbox) == 1


# Text messages -------------------------------------------------------------------------------------------------------------------------


def sms(**options: Any) -> SnsSms:
    return SnsSms(**({"region": settings.AWS_REGION, "endpoint_url": settings.AWS_ENDPOINT_URL} | options))


def texts(number: str) -> list[dict[str, Any]]:
    return emulator(f"/_ministack/sns/sms-messages?phoneNumber={number.replace('+', '%2B')}")["sms_messages"][number]


@pytest.mark.parametrize(
    ("sender", "attribute"),
    [("", None), ("GoalGraph", "AWS.SNS.SMS.SenderID"), ("+15005550006", "AWS.MM.SMS.OriginationNumber")],
)
def test_a_text_reaches_its_number_and_says_who_sends_it(sender: str, attribute: str | None):
    number = f"+5511{uuid.uuid4().int % 10**9:09d}"
    provider_id = sms(sender=sender).send(number, "Olá: 123456", key="k")
    (found,) = texts(number)
    assert (found["Message"], found["MessageId"]) == ("Olá: 123456", provider_id)
    assert "AWS.SNS.SMS.SMSType" in found["MessageAttributes"]
    assert attribute is None or attribute in found["MessageAttributes"]


def test_what_is_no_number_is_refused_without_asking():
    with Loopback(in_turn(Response(200, b""))) as server:
        for number in ("", "12345", "+0123456789", "+55 11 912345678", "arn:aws:sns:us-east-1:1:topic"):
            with pytest.raises(Refused):
                sms(endpoint_url=server.url).send(number, "x", key="k")
    assert server.requests == []


@pytest.mark.parametrize(
    ("code", "status", "meaning"), [("OptedOut", 400, Refused), ("Throttled", 429, Unavailable), ("NotFound", 404, Gone)]
)
def test_each_answer_means_one_of_three_things(code: str, status: int, meaning):
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>".encode()
    with Loopback(in_turn(Response(status, body))) as server, pytest.raises(meaning):
        sms(endpoint_url=server.url).send("+5511912345678", "x", key="k")
    assert len(server.requests) == 1


def test_where_text_messages_are_not_set_up_they_are_refused():
    with pytest.raises(Refused):
        NoSms().send("+5511912345678", "x", key="k")
