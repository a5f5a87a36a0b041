"""`reportMessage` and `appealModeration` in GraphQL."""

from types import SimpleNamespace

import graphene
import pytest

from chat import message_services as messages
from chat import moderation_schema, moderation_services, services
from goalgraph.errors import NotFound
from tests.chat.moderation_world import STAFF
from tests.chat.world import members


class Query(graphene.ObjectType):
    nothing = graphene.Boolean()


class Mutation(moderation_schema.Mutation, graphene.ObjectType):
    pass


SCHEMA = graphene.Schema(query=Query, mutation=Mutation)
APPEAL = "mutation ($id: ID!, $text: String!) { appealModeration(messageId: $id, text: $text) }"
REPORT = "mutation ($id: ID!, $why: String!) { reportMessage(messageId: $id, reason: $why) }"


@pytest.mark.usefixtures("memory_world")
def test_report_message():
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    sent = messages.send(ana, room.id, "Hello")

    told = SCHEMA.execute(REPORT, variables={"id": sent.id, "why": "Rude"}, context=SimpleNamespace(actor=bia))

    assert (told.errors, told.data) == (None, {"reportMessage": True})
    (case,) = moderation_services.queue_page(STAFF).items
    assert (case.id, case.reports) == (sent.id, 1)


@pytest.mark.usefixtures("memory_world")
def test_appeal_moderation():
    ana, bia = members(2)
    room = services.open_room(ana, [bia.user_id])
    sent = messages.send(ana, room.id, "Hello")
    moderation_services.redact(STAFF, sent.id, "Rude")

    def appeal(actor):
        return SCHEMA.execute(APPEAL, variables={"id": sent.id, "text": "It was a joke"}, context=SimpleNamespace(actor=actor))

    assert (appeal(ana).errors, appeal(ana).data) == (None, {"appealModeration": True})
    assert isinstance(appeal(bia).errors[0].original_error, NotFound)
    (case,) = moderation_services.queue_page(STAFF).items
    assert (case.id, case.appeal, case.appealed) == (sent.id, "It was a joke", True)


def test_it_is_what_the_contract_says():
    assert "reportMessage(" in str(SCHEMA)
    assert str(SCHEMA).count("reason: String!\n  ): Boolean!") == 1
    assert str(SCHEMA).count("text: String!\n  ): Boolean!") == 1
