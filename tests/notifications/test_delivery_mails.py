"""E-mails as their readers and their mail programs get them."""

from email import message_from_bytes, policy
from html.parser import HTMLParser

import pytest
from django.test import override_settings

from goalgraph.auth.actor import SYSTEM
from notifications import mail_texts
from notifications.delivery_services import deliver
from notifications.domain import KINDS
from tests.fixtures import new_user
from tests.notifications.delivery_world import reachable, task_of, told
from users import services as users

pytestmark = pytest.mark.usefixtures("memory_world")

LANGUAGES = ("en", "pt-BR", "es")


class Page(HTMLParser):
    """What a reader without a style sheet finds: texts, links, and what each element is."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.links, self.texts, self.attributes = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag == "a":
            self.links.append(dict(attrs)["href"])

    def handle_data(self, data):
        self.texts.append(data.strip())


def sent(mailoutbox, kind: str = "reminder", language: str = "en", **notice):
    member = reachable(new_user())
    users.upsert_profile(member, {"language": language})
    if kind == "reminder":
        notice["subject"] = task_of(member).id
    note_id = told(member, kind, **notice)
    deliver(SYSTEM, member.user_id, note_id, "email")
    return mailoutbox[-1], member, note_id


@pytest.mark.parametrize("language", LANGUAGES)
def test_text_and_html_say_the_same_in_the_members_language(mailoutbox, language: str):
    mail, _, note_id = sent(mailoutbox, language=language)
    html = mail.alternatives[0].content
    page = Page(html)

    assert mail.subject == next(text for text in page.texts if "5 km" in text)
    for name in ("open", "unsubscribe", "unsubscribe_all"):
        words = mail_texts.frame(language, name)
        assert words in mail.body
        assert words in page.texts
    assert mail_texts.frame(language, "why", what=mail_texts.what(language, "reminder")) in mail.body
    assert f'<html lang="{language}"' in html
    assert page.links[0].endswith(f"/notifications/{note_id}")
    assert all(link in mail.body for link in page.links)


def test_html_needs_nothing_from_elsewhere_and_reads_well_aloud(mailoutbox):
    mail, _, _ = sent(mailoutbox)
    page = Page(mail.alternatives[0].content)
    assert not {"script", "img", "link", "style", "iframe", "form"} & set(page.tags)
    assert page.tags.count("h1") == 1
    assert page.tags.count("table") == page.attributes.count("role") - 1  # each is for layout; the other one is the article


def test_what_a_member_wrote_is_shown_and_never_run(mailoutbox):
    member = reachable(new_user())
    task = task_of(member, title='<script>alert("x")</script> & "more"')
    note_id = told(member, "reminder", subject=task.id, facts={"title": task.title})
    deliver(SYSTEM, member.user_id, note_id, "email")
    mail = mailoutbox[-1]
    assert "<script>" not in mail.alternatives[0].content
    assert "&lt;script&gt;" in mail.alternatives[0].content
    assert '<script>alert("x")</script> & "more"' in mail.body


def test_headers_let_a_mail_program_unsubscribe_and_tell_repetitions(mailoutbox):
    with override_settings(MAIL_FROM="GoalGraph <hello@mail.example.org>", PUBLIC_URL="https://api.example.org"):
        mail, member, note_id = sent(mailoutbox)
        parsed = message_from_bytes(mail.message().as_bytes(), policy=policy.SMTP)

    address = parsed["List-Unsubscribe"].strip()
    assert address.startswith("<https://api.example.org/notifications/unsubscribe/")
    assert address.endswith(">")
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["X-Entity-Ref-ID"] == f"{note_id}.email"
    assert parsed["Message-ID"].endswith("@mail.example.org>")
    assert parsed["From"] == "GoalGraph <hello@mail.example.org>"
    assert parsed["To"] == f"{member.user_id}@example.org"


def test_what_cannot_be_turned_off_has_no_link_that_would(mailoutbox):
    mail, _, _ = sent(mailoutbox, "security")
    assert "List-Unsubscribe" not in mail.extra_headers
    assert "unsubscribe" not in mail.body
    assert mail_texts.frame("en", "why_critical", what=mail_texts.what("en", "security")) in mail.body


def test_the_application_is_linked_where_it_is(mailoutbox):
    with override_settings(APP_URL="https://app.example.org"):
        mail, _, note_id = sent(mailoutbox)
    assert f"https://app.example.org/notifications/{note_id}" in mail.body


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_and_every_sentence_is_there_in_every_language(language: str):
    assert set(mail_texts.WHAT[language]) == {*KINDS, "all"}
    assert set(mail_texts.FRAME[language]) == set(mail_texts.FRAME["en"])
    values = {"what": "x", "address": "y", "code": "z"}
    for name, text in mail_texts.FRAME["en"].items():
        used = {value for value in values if f"{{{value}}}" in text}
        assert {value for value in values if f"{{{value}}}" in mail_texts.FRAME[language][name]} == used
        assert "{" not in mail_texts.frame(language, name, **values)
