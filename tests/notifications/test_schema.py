"""Notifications as a client sees them."""

import json

import pytest
from graphql import parse

from goalgraph import wiring
from goalgraph.graphql.context import Context
from goalgraph.graphql.schema import schema
from goalgraph.graphql.subscriptions import open_source
from goalgraph.table.metering import metered
from notifications import services
from notifications.domain import KINDS
from tests.fixtures import FakeClock
from tests.notifications.world import member, notice, platform


@pytest.fixture(autouse=True)
def world(memory_world: FakeClock) -> FakeClock:
    return memory_world


def ask(actor, document: str, **variables):
    result = schema.execute(document, context_value=Context(actor), variable_values=variables)
    assert result.errors is None, result.errors
    return result.data


def test_what_one_was_told_is_listed_explained_and_read(world):
    ana = member()
    services.notify(platform(ana), [notice(ana, subject="t.g.ana")])
    world.advance(hours=1)
    services.notify(platform(ana), [notice(ana, "badge", facts={"badge": "first-goal"})])

    first = ask(
        ana,
        "{ notifications(first: 1) { edges { node { id kind title body subject createdAt readAt } } pageInfo { hasNextPage endCursor } } }",
    )
    (edge,) = first["notifications"]["edges"]
    note_id = edge["node"].pop("id")
    assert edge["node"] == {
        "kind": "badge",
        "title": "You earned a badge",
        "body": "first-goal",
        "subject": None,
        "createdAt": "2027-07-01T13:00:00Z",
        "readAt": None,
    }
    assert first["notifications"]["pageInfo"]["hasNextPage"]

    why = ask(ana, "query($id: ID!) { whyNotified(id: $id) { channel decision reason until state sentence } }", id=note_id)["whyNotified"]
    assert why[1] == {
        "channel": "email",
        "decision": "digest",
        "reason": "in_digest",
        "until": "2027-07-02T08:00:00Z",
        "state": None,
        "sentence": "E-mail: part of your daily digest of July 2, 2027.",
    }
    assert [entry["channel"] for entry in why] == ["in_app", "email", "push", "sms"]

    assert ask(ana, "mutation($ids: [ID!]) { markNotificationsRead(ids: $ids) }", ids=[note_id])["markNotificationsRead"]
    read = ask(ana, "{ notifications(last: 2) { edges { node { readAt } } } }")["notifications"]["edges"]
    assert [entry["node"]["readAt"] for entry in read] == ["2027-07-01T13:00:00Z", None]
    ask(ana, "mutation { markNotificationsRead(all: true) }")


PREFERENCES = "{ kinds { kind critical inApp email push sms } quietHours { begin end } digestAt email phone }"


def test_wishes_are_shown_and_changed():
    ana = member()
    before = ask(ana, f"{{ notificationPreferences {PREFERENCES} }}")["notificationPreferences"]
    assert [kind["kind"] for kind in before["kinds"]] == list(KINDS)
    assert (before["quietHours"], before["digestAt"], before["email"], before["phone"]) == (None, "08:00", "m@example.org", None)

    after = ask(
        ana,
        f"mutation($x: NotificationPreferencesInput!) {{ updateNotificationPreferences(input: $x) {PREFERENCES} }}",
        x={"kinds": [{"kind": "reminder", "push": "off"}], "quietHours": {"begin": "22:00", "end": "07:30"}, "digestAt": "06:05"},
    )["updateNotificationPreferences"]
    assert after == before | {
        "kinds": [kind | ({"push": "off"} if kind["kind"] == "reminder" else {}) for kind in before["kinds"]],
        "quietHours": {"begin": "22:00", "end": "07:30"},
        "digestAt": "06:05",
    }
    assert ask(ana, f"{{ notificationPreferences {PREFERENCES} }}")["notificationPreferences"] == after


def test_a_new_one_is_told_live_to_the_member_alone_and_without_a_look():
    ana, eve = member(), member()
    document = parse("subscription { onNotification { id kind title body createdAt readAt } }")
    sources = [
        open_source(schema.graphql_schema, document, {}, None, actor=actor, body_of=lambda result: json.dumps(result.formatted))
        for actor in (ana, ana, eve)
    ]

    services.notify(platform(ana), [notice(ana)])

    (announced,) = wiring.live().announced
    assert [source.stream.topic == announced.topic for source in sources] == [True, True, False]
    assert sources[0].key == sources[1].key
    assert sources[0].key != sources[2].key
    with metered() as meter:
        told = json.loads(sources[0].execute(announced.event))["data"]["onNotification"]
    assert meter.round_trips == 0
    assert (
        told
        == ask(ana, "{ notifications { edges { node { id kind title body createdAt readAt } } } }")["notifications"]["edges"][0]["node"]
    )
